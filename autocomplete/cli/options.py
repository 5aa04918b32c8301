"""What several commands have in common: how they are declared, their options, and how they read lines and print answers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from autocomplete.errors import AutocompleteError, CorpusError
from autocomplete.inference.offers import COUNTS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from autocomplete.inference.predictor import Predictor

__all__ = [
    "EXPLICIT",
    "JSON",
    "JSON_LINES",
    "MODEL",
    "Parser",
    "answer_lines",
    "checkpoint_name",
    "command",
    "count",
    "load_predictor",
    "option",
    "print_result",
]


Answer = str | dict[str, Any]
Run = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser that tells a mistake in one line. What `details` returns is told only to those who ask: it imports much."""

    details: Callable[[], str] | None = None

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")

    def format_help(self) -> str:
        """Return the help with the details below it."""
        if self.details is not None:
            self.formatter_class = argparse.RawDescriptionHelpFormatter
            self.epilog = self.details()
        return super().format_help()


Option = Callable[[Parser], object]
Command = Callable[["argparse._SubParsersAction[Parser]"], None]  # adds its parser to those of the other commands


option = partial(methodcaller, "add_argument")  # called with what `add_argument` takes


def command(name: str, *options: Option, details: Callable[[], str] | None = None) -> Callable[[Run], Command]:
    """
    Make a command of the function that runs it under the parsed options and returns the exit status; its docstring is the help.

    :param options: the arguments of the command.
    :param details: returns what the help says below them.
    """

    def declare(run: Run) -> Command:
        def add_to(commands: argparse._SubParsersAction[Parser]) -> None:
            told = (run.__doc__ or "").removesuffix(".")
            parser = commands.add_parser(name, help=told[:1].lower() + told[1:])
            for add in options:
                add(parser)
            parser.details = details
            parser.set_defaults(run=run, parser=parser)

        return add_to

    return declare


JSON = option("--json", action="store_true", help="print one JSON object")
JSON_LINES = option("--json", action="store_true", help="print one JSON object a line")
EXPLICIT = option("--explicit", action="store_const", const=True, help="offer slurs and obscenities, too")
MODEL = [
    option("--checkpoint", metavar="NAME|DIR", help="what to ask (default: english)"),
    option(
        "--members",
        choices=["mixture", "network", "lexicon", "ngrams", "words"],
        default="mixture",
        help="ask all that the checkpoint has together (the default), or only its network of characters, its words by their "
        "counts, its word n-grams, or its network of words",
    ),
    EXPLICIT,
]


def count(name: str, what: str, default: int | None = 5) -> Option:
    """Return the option that says how many answers are given."""
    help = f"{what}, {COUNTS.lowest} to {COUNTS.highest} (default: 5)"  # noqa: A001
    return option(name, type=partial(COUNTS.parse, name=name), default=default, metavar="K", help=help)


def checkpoint_name(options: argparse.Namespace) -> str:
    """Return the checkpoint that is asked, by name or folder."""
    from autocomplete.storage.lookup import DEFAULT

    return DEFAULT if options.checkpoint is None else options.checkpoint


def load_predictor(options: argparse.Namespace) -> Predictor:
    """Return what the options of `MODEL` ask."""
    from autocomplete.inference.predictor import Predictor

    return Predictor.load(checkpoint_name(options), members=options.members, explicit=bool(options.explicit))


def answer_lines(text: str | None, what: str, answer: Callable[[str], Answer]) -> int:
    """
    Print the answer to a text, or else to each line of standard input; return the exit status.

    :param what: what a terminal is told to type.
    :param answer: returns a text, or the fields of a JSON object; where it refuses a line of standard input, the others follow.
    :raises AutocompleteError: where a text is refused, or standard input is not text.
    """
    if text is not None:
        _print(answer(text.rstrip("\r\n")))
        return 0
    status = 0
    for number, line in enumerate(_lines_of_standard_input(what), start=1):
        try:
            _print(answer(line.rstrip("\r\n")))
        except AutocompleteError as error:
            print(f"autocomplete: line {number}: {error}", file=sys.stderr, flush=True)
            status = 2
    return status


def _lines_of_standard_input(what: str) -> Iterator[str]:
    if sys.stdin.isatty():
        from rich.console import Console
        from rich.text import Text

        Console(stderr=True).print(Text(f"type {what}; Ctrl-D ends", "dim"), soft_wrap=True)
    encoding = sys.stdin.encoding
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            yield line.decode(encoding)
        except UnicodeDecodeError as error:
            where = f"standard input: line {number}, byte {error.start + 1}"
            raise CorpusError(f"{where}: not {encoding.upper()}; save the text as {encoding.upper()}") from None


def _print(answer: Answer) -> None:
    """Print a text, or fields as one line of JSON, with escapes only where the output has another encoding than UTF-8."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=not is_unicode), flush=True)


def print_result(options: argparse.Namespace, fields: dict[str, Any], report: RenderableType) -> None:
    """Print a report, or with `--json` its fields; with `--svg`, draw it into a file, too."""
    from autocomplete.reports.output import print_report, write_picture

    if options.json:
        _print(fields)
    else:
        print_report(report)
    svg: Path | None = getattr(options, "svg", None)
    if svg is not None:
        write_picture(report, f"autocomplete {options.command}", svg, "--svg")
