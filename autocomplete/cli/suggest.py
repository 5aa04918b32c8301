"""The commands `suggest` and `fill`: answers to a line, or to each line of standard input."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from autocomplete.cli.options import EXPLICIT, JSON_LINES, MODEL, answer_lines, command, count, load_predictor, option
from autocomplete.text.printable import visible

if TYPE_CHECKING:
    from autocomplete.inference.prediction import Prediction

__all__ = ["fill", "plain", "suggest"]


@command(
    "suggest",
    option("text", nargs="?", help="the line so far; without it, each line of standard input is answered"),
    JSON_LINES,
    *MODEL,
    count("--count", "words offered"),
)
def suggest(options: Namespace) -> int:
    """Print what may follow a text."""
    predictor = load_predictor(options)

    def answer(line: str) -> str | dict[str, Any]:
        prediction = predictor.predict(line, options.count)
        return prediction.to_json() if options.json else plain(prediction)

    return answer_lines(options.text, "a line", answer)


def plain(prediction: Prediction) -> str:
    """Return a prediction as its text and two lines: letters, then words."""
    letters = "  ".join(f"{visible(n.character)} {n.probability:.3f}" for n in prediction.next)
    words = "  ".join(f"{w.word} {w.probability:.3f}" for w in prediction.words)
    return f"{prediction.text}\n  next   {letters}\n  words  {words}"


@command(
    "fill",
    option(
        "line",
        nargs="?",
        help="_ for a missing letter, [ ] for a word; without it, each line of standard input is filled",
    ),
    count("--top", "fillings to print"),
    JSON_LINES,
    option("--checkpoint", metavar="NAME|DIR", help="trained with --bidirectional (default: english-both-ways)"),
    EXPLICIT,
)
def fill(options: Namespace) -> int:
    """Fill gaps in a line: letters that are missing, or words."""
    from autocomplete.inference.filling import BOTH_WAYS, Filler
    from autocomplete.reports.tables import filling_table

    checkpoint = BOTH_WAYS if options.checkpoint is None else options.checkpoint
    filler = Filler.load(checkpoint, explicit=bool(options.explicit))

    def answer(line: str) -> str | dict[str, Any]:
        filling = filler.fill(line, options.top)
        return filling.to_json() if options.json else filling_table(filling)

    return answer_lines(options.line, "a line with _ for a missing letter or [ ] for a word", answer)
