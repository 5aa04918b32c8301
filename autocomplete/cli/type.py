"""The command `type`: the prompt, or in a pipe the answers to its lines."""

from __future__ import annotations

import gc
import sys
from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from autocomplete.cli.options import MODEL, answer_lines, command, count, option
from autocomplete.cli.suggest import plain
from autocomplete.inference.offers import THRESHOLDS

if TYPE_CHECKING:
    from autocomplete.inference.predictor import Predictor

__all__ = ["type_command"]


def _details() -> str:
    from autocomplete.prompt.commands import help_text
    from autocomplete.prompt.history import history_path
    from autocomplete.prompt.settings import PromptSettings, describe_settings, settings_path

    return (
        f"keys and commands:\n{help_text(PromptSettings())}\n\n"
        f"settings, in {settings_path()}:\n{describe_settings()}\n\nhistory: {history_path()}"
    )


@command(
    "type",
    # What is not given is left to the settings; so there are no defaults here.
    *MODEL,
    count("--count", "words offered", default=None),
    option(
        "--threshold",
        type=partial(THRESHOLDS.parse, name="--threshold"),
        metavar="P",
        help="least probability of ghost text (default: 0.6)",
    ),
    option("--layout", choices=["strip", "demo"], help="what to show below the line (default: strip)"),
    option("--vi", dest="editing", action="store_const", const="vi", help="vi keys"),
    option("--no-history", dest="history", action="store_const", const=False, help="keep no history of what is typed"),
    option("--config", type=Path, metavar="FILE", help="settings (default: those of the user, see below)"),
    details=_details,
)
def type_command(options: Namespace) -> int:
    """Open a prompt with live suggestions (the default)."""
    is_prompt = sys.stdin.isatty() and sys.stdout.isatty()
    if is_prompt:
        gc.disable()  # what is loaded from here on stays; `run_prompt` enables it again

    from autocomplete.prompt.settings import PromptSettings, read_settings

    names = PromptSettings.__dataclass_fields__
    given = {name: value for name, value in vars(options).items() if name in names and value is not None}
    settings = replace(read_settings(options.config), **given)

    def load(checkpoint: str) -> Predictor:
        from autocomplete.inference.predictor import Predictor

        return Predictor.load(checkpoint, members=options.members, explicit=settings.explicit)

    if not is_prompt:
        predictor = load(settings.checkpoint)
        return answer_lines(None, "a line", lambda line: plain(predictor.predict(line, settings.count)))

    from autocomplete.prompt.history import PrivateHistory, history_path
    from autocomplete.prompt.prompt import run_prompt
    from autocomplete.storage.memory import give_back_memory

    give_back_memory()
    return run_prompt(load, settings, history=PrivateHistory(history_path()) if settings.history else None)
