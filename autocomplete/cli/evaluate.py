"""The command `evaluate`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from autocomplete.cli.options import JSON, MODEL, checkpoint_name, command, load_predictor, option, print_result
from autocomplete.errors import SettingsError
from autocomplete.inference.offers import THRESHOLD

__all__ = ["evaluate"]


@command(
    "evaluate",
    option("text", type=Path, metavar="FILE", help="text, a phrase a line"),
    option("--limit", type=int, metavar="N", help="type the first N phrases only"),
    JSON,
    option("--svg", type=Path, metavar="FILE", help="draw the report as a picture too"),
    *MODEL,
)
def evaluate(options: Namespace) -> int:
    """Type a text and measure what the suggestions are worth."""
    from rich.console import Console

    from autocomplete.evaluation.evaluate import evaluate
    from autocomplete.evaluation.phrases import read_phrases
    from autocomplete.reports.evaluation import evaluation_report
    from autocomplete.reports.output import refuse_unwritable
    from autocomplete.reports.progress import tracked

    if options.limit is not None and options.limit < 1:
        raise SettingsError(f"--limit is {options.limit}; it must be 1 or more")
    if options.svg is not None:
        refuse_unwritable(options.svg, "--svg", ".svg")
    phrases = read_phrases(options.text, options.limit)
    evaluation = evaluate(load_predictor(options), tracked(phrases, Console(stderr=True)), THRESHOLD)
    checkpoint = Path(checkpoint_name(options)).name
    report = evaluation_report(evaluation, f"{checkpoint} ({options.members}) on {options.text.name}")
    asked = {"text": str(options.text), "checkpoint": checkpoint, "members": options.members}
    print_result(options, asked | evaluation.to_json(), report)
    return 0
