"""
The commands. Each imports what it needs when it runs, so that the prompt opens without torch.

Exit status: 0 done; 2 a mistake in the arguments or the input, told in one line; 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from autocomplete import __version__
from autocomplete.cli.train import add_training_options, train
from autocomplete.errors import AutocompleteError, CorpusError, SettingsError
from autocomplete.storage.interruption import INTERRUPTED, Interruption
from autocomplete.text.printable import visible

if TYPE_CHECKING:
    from autocomplete.inference.prediction import Prediction
    from autocomplete.inference.predictor import Predictor
    from autocomplete.prompt.settings import PromptSettings

__all__ = ["main"]

_TAKE_A_LINE = ("suggest", "fill", "demo")  # of words, in one argument


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    # One step of a network is too small to be worth two threads: they cost more than they bring. Read when numpy loads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # an old encoding shall not end the program
            stream.reconfigure(errors="replace")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    try:
        if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
            arguments.insert(0, "type")
        options, rest = parser.parse_known_args(arguments)
        if rest:
            is_line = options.command in _TAKE_A_LINE and not rest[0].startswith("-")
            quotes = "; put a line of several words in quotes" if is_line else ""
            options.parser.error(f"unrecognized arguments: {' '.join(rest)}{quotes}")
        status = options.run(options)
        sys.stdout.flush()
    except AutocompleteError as error:
        print(f"autocomplete: {' '.join(str(error).split())}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = INTERRUPTED
    except OSError as error:  # of standard output, mostly: the files that a user names have errors of their own
        gone = isinstance(error, BrokenPipeError)  # the reader, as `head` does: no mistake
        if not gone:
            where = error.filename or "standard output"
            print(f"autocomplete: {where}: {error.strerror}; write it elsewhere", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # not to be told again when Python closes it
        status = 0 if gone else 2
    sys.exit(status)


class _Parser(argparse.ArgumentParser):
    """A parser that tells a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="autocomplete", description="Finish what you type, letter by letter and word by word.")
    parser.add_argument("--version", action="version", version=f"autocomplete {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")

    command = commands.add_parser(
        "type",
        help="open a prompt with live suggestions (the default)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_model_options(command)
    command.add_argument("--count", type=int, metavar="K", help="words offered, 1 to 100 (default: 5)")
    command.add_argument("--threshold", type=float, metavar="P", help="least probability of ghost text (default: 0.6)")
    command.add_argument("--layout", choices=["strip", "demo"], help="what to show below the line (default: strip)")
    command.add_argument("--vi", action="store_true", help="vi keys")
    command.add_argument("--no-history", action="store_true", help="keep no history of what is typed")
    command.add_argument("--config", type=Path, metavar="FILE", help="settings (default: those of the user, see below)")
    command.set_defaults(run=_type)
    # What the prompt can do is told only to those who ask: it needs prompt_toolkit.
    command.print_help = partial(_type_help, command)  # type: ignore[method-assign]

    command = commands.add_parser("train", help="train a network on your own words")
    add_training_options(command)
    command.set_defaults(run=train)

    command = commands.add_parser("suggest", help="print what may follow a text")
    command.add_argument("text", nargs="?", help="the line so far; without it, each line of standard input is answered")
    command.add_argument("--json", action="store_true", help="print one JSON object a line")
    _add_model_options(command)
    _add_count(command)
    command.set_defaults(run=_suggest)

    command = commands.add_parser("fill", help="fill gaps in a line: letters that are missing, or words")
    command.add_argument(
        "line",
        nargs="?",
        help="_ for a missing letter, [ ] for a word; without it, each line of standard input is filled",
    )
    command.add_argument("--top", type=int, default=5, metavar="K", help="fillings to print, 1 to 100 (default: 5)")
    command.add_argument("--json", action="store_true", help="print one JSON object a line")
    command.add_argument(
        "--checkpoint",
        default=None,
        metavar="NAME|DIR",
        help="trained with --bidirectional (default: english-both-ways)",
    )
    command.add_argument("--explicit", action="store_true", help="offer slurs and obscenities, too")
    command.set_defaults(run=_fill)

    command = commands.add_parser("evaluate", help="type a text and measure what the suggestions are worth")
    command.add_argument("text", type=Path, metavar="FILE", help="text, a phrase a line")
    command.add_argument("--limit", type=int, metavar="N", help="type the first N phrases only")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--svg", type=Path, metavar="FILE", help="draw the report as a picture too")
    _add_model_options(command)
    command.set_defaults(run=_evaluate)

    command = commands.add_parser("inspect", help="show what a checkpoint says of itself")
    command.add_argument("checkpoint", nargs="?", default=None, help="name or folder (default: english)")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument(
        "--plot", type=Path, metavar="FILE.svg", help="draw the curve of its training as a picture too"
    )
    command.set_defaults(run=_inspect)

    command = commands.add_parser("checkpoints", help="list the checkpoints that can be named")
    command.set_defaults(run=_checkpoints)

    command = commands.add_parser(
        "compare", help="train networks of all kinds on your words for equally long, and compare them"
    )
    command.add_argument("corpus", nargs="+", type=Path, help="a list of words, or text")
    command.add_argument("--minutes", type=float, default=5.0, metavar="M", help="for all together (default: 5)")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--svg", type=Path, metavar="FILE", help="draw the table and the curves as a picture too")
    command.set_defaults(run=_compare)

    command = commands.add_parser(
        "demo",
        help="watch how a network learns to spell; without a scene, a menu of them",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("scene", nargs="?", help="a scene by its name, or any word to see it learned")
    command.add_argument("word", nargs="?", help="a word or a sentence, in quotes, for the scene")
    command.add_argument("--explain", action="store_true", help="show the equations, too")
    command.add_argument("--svg", type=Path, metavar="FILE", help="draw the scene's last picture into a file")
    command.set_defaults(run=_demo)
    # What a scene is called is told only to those who ask, too.
    command.print_help = partial(_demo_help, command)  # type: ignore[method-assign]

    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", default=None, metavar="NAME|DIR", help="what to ask (default: english)")
    parser.add_argument(
        "--members",
        choices=["mixture", "network", "lexicon", "ngrams", "words"],
        default="mixture",
        help="ask all that the checkpoint has together (the default), or only its network of characters, its words by their "
        "counts, its word n-grams, or its network of words",
    )
    parser.add_argument("--explicit", action="store_true", help="offer slurs and obscenities, too")


def _add_count(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=5, metavar="K", help="words offered, 1 to 100 (default: 5)")


def _type(options: argparse.Namespace) -> int:
    is_prompt = sys.stdin.isatty() and sys.stdout.isatty()
    if is_prompt:
        gc.disable()  # what is loaded from here on stays; `run_prompt` enables it again
    settings = _prompt_settings(options)
    if not is_prompt:
        options.checkpoint, options.count, options.explicit = settings.checkpoint, settings.count, settings.explicit
        return _answer_lines(options, _given_lines(None, "a line"), as_json=False)
    from autocomplete.inference.predictor import Predictor
    from autocomplete.prompt.history import PrivateHistory, history_path
    from autocomplete.prompt.prompt import run_prompt
    from autocomplete.storage.memory import give_back_memory

    def load(checkpoint: str) -> Predictor:
        return Predictor.load(checkpoint, members=options.members, explicit=settings.explicit)

    give_back_memory()
    return run_prompt(load, settings, history=PrivateHistory(history_path()) if settings.history else None)


def _prompt_settings(options: argparse.Namespace) -> PromptSettings:
    """Return the settings of a file, with what is given on the command line in their place."""
    from autocomplete.prompt.settings import read_settings

    settings = read_settings(options.config)
    given: dict[str, Any] = {
        "checkpoint": options.checkpoint,
        "count": None if options.count is None else _count(options),
        "threshold": options.threshold,
        "layout": options.layout,
        "editing": "vi" if options.vi else None,
        "explicit": options.explicit or None,
        "history": False if options.no_history else None,
    }
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    if not 0 <= settings.threshold <= 1:
        raise SettingsError(f"--threshold is {settings.threshold}; it must be from 0 to 1")
    return settings


def _type_help(parser: argparse.ArgumentParser, file: TextIO | None = None) -> None:
    from autocomplete.prompt.commands import help_text
    from autocomplete.prompt.history import history_path
    from autocomplete.prompt.settings import PromptSettings, describe_settings, settings_path

    parser.epilog = (
        f"keys and commands:\n{help_text(PromptSettings())}\n\n"
        f"settings, in {settings_path()}:\n{describe_settings()}\n\nhistory: {history_path()}"
    )
    argparse.ArgumentParser.print_help(parser, file)


def _suggest(options: argparse.Namespace) -> int:
    return _answer_lines(options, _given_lines(options.text, "a line"), as_json=options.json)


def _given_lines(text: str | None, what: str) -> Iterator[str]:
    """Yield the text that is given, or else each line of standard input; say at a terminal what is waited for."""
    if text is not None:
        yield text
        return
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


def _answer_lines(options: argparse.Namespace, lines: Iterable[str], *, as_json: bool) -> int:
    count = _count(options)
    predictor = _predictor(options)
    for line in lines:
        prediction = predictor.predict(line.rstrip("\r\n"), count)
        print(_json(prediction.to_json()) if as_json else _plain(prediction), flush=True)
    return 0


def _fill(options: argparse.Namespace) -> int:
    from autocomplete.inference.filling import BOTH_WAYS, Filler
    from autocomplete.reports.tables import filling_table

    if not 1 <= options.top <= 100:
        raise SettingsError(f"--top is {options.top}; it must be from 1 to 100")
    filler = Filler.load(BOTH_WAYS if options.checkpoint is None else options.checkpoint, explicit=options.explicit)
    status = 0
    lines = _given_lines(options.line, "a line with _ for a missing letter or [ ] for a word")
    for number, line in enumerate(lines, start=1):
        try:
            filling = filler.fill(line.rstrip("\r\n"), options.top)
        except AutocompleteError as error:
            if options.line is not None:
                raise
            print(f"autocomplete: line {number}: {error}", file=sys.stderr, flush=True)  # the others are answered
            status = 2
        else:
            print(_json(filling.to_json()) if options.json else filling_table(filling), flush=True)
    return status


def _json(value: object) -> str:
    """Return one line of JSON, with escapes only where the output has another encoding than UTF-8."""
    return json.dumps(value, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf"))


def _plain(prediction: Prediction) -> str:
    """Return a prediction as two lines: letters, then words."""
    letters = "  ".join(f"{visible(n.character)} {n.probability:.3f}" for n in prediction.next)
    words = "  ".join(f"{w.word} {w.probability:.3f}" for w in prediction.words)
    return f"{prediction.text}\n  next   {letters}\n  words  {words}"


def _predictor(options: argparse.Namespace) -> Predictor:
    from autocomplete.inference.predictor import Predictor

    return Predictor.load(_checkpoint_name(options), members=options.members, explicit=options.explicit)


def _count(options: argparse.Namespace) -> int:
    count: int = options.count
    if not 1 <= count <= 100:
        raise SettingsError(f"--count is {count}; it must be from 1 to 100")
    return count


def _checkpoint_name(options: argparse.Namespace) -> str:
    from autocomplete.storage.checkpoint import DEFAULT

    return DEFAULT if options.checkpoint is None else options.checkpoint


def _evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console

    from autocomplete.evaluation.evaluate import evaluate
    from autocomplete.evaluation.phrases import read_phrases
    from autocomplete.prompt.settings import THRESHOLD
    from autocomplete.reports.evaluation import evaluation_report
    from autocomplete.reports.output import print_report, refuse_unwritable, write_picture
    from autocomplete.reports.progress import tracked

    if options.limit is not None and options.limit < 1:
        raise SettingsError(f"--limit is {options.limit}; it must be 1 or more")
    if options.svg is not None:
        refuse_unwritable(options.svg, "--svg", ".svg")
    phrases = read_phrases(options.text, options.limit)
    evaluation = evaluate(_predictor(options), tracked(phrases, Console(stderr=True)), THRESHOLD)
    checkpoint = Path(_checkpoint_name(options)).name
    report = evaluation_report(evaluation, f"{checkpoint} ({options.members}) on {options.text.name}")
    if options.json:
        asked = {"text": str(options.text), "checkpoint": checkpoint, "members": options.members}
        print(_json(asked | evaluation.to_json()))
    else:
        print_report(report)
    if options.svg is not None:
        write_picture(report, "autocomplete evaluate", options.svg, "--svg")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from rich.console import Console

    from autocomplete.corpus.corpus import read_corpus
    from autocomplete.reports.output import print_report, refuse_unwritable, write_picture
    from autocomplete.reports.progress import reading

    if not 0 < options.minutes < float("inf"):
        raise SettingsError(f"--minutes is {options.minutes:g}; it must be above 0")
    if options.svg is not None:
        refuse_unwritable(options.svg, "--svg", ".svg")
    with reading(Console(stderr=True)) as watch:
        corpus = read_corpus(options.corpus, watch=watch)

    from autocomplete.lab.comparison import compare
    from autocomplete.lab.contenders import CONTENDERS
    from autocomplete.lab.material import read_material
    from autocomplete.reports.comparison import ComparisonDisplay, comparison_json, comparison_report

    material = read_material(corpus)
    with Interruption() as interrupted, ComparisonDisplay(Console(stderr=True)) as display:
        for standings in compare(material, CONTENDERS, 60 * options.minutes, should_stop=interrupted):
            display.show(standings)
    report = comparison_report(standings, material)
    if options.json:
        asked = {"corpus": corpus.to_json()}
        print(_json(asked | comparison_json(standings, material, options.minutes)))
    else:
        print_report(report)
    if options.svg is not None:
        write_picture(report, "autocomplete compare", options.svg, "--svg")
    return INTERRUPTED if standings.reason == "interrupted" else 0


def _inspect(options: argparse.Namespace) -> int:
    from autocomplete.reports.checkpoints import CurveChart, checkpoint_json, checkpoint_tables
    from autocomplete.reports.output import print_report, refuse_unwritable, write_picture
    from autocomplete.storage.checkpoint import find_checkpoint, read_with_lexicon

    folder = find_checkpoint(_checkpoint_name(options))
    checkpoint, lexicon = read_with_lexicon(folder)
    if options.plot is not None:
        refuse_unwritable(options.plot, "--plot", ".svg")
        if len(curve := checkpoint.figures.get("curve", [])) < 2:
            raise SettingsError(f"{folder}: has no curve of two validations or more; leave out --plot")
        write_picture(CurveChart(curve), f"autocomplete inspect {folder.name}", options.plot, "--plot")
    if options.json:
        print(_json(checkpoint_json(folder, checkpoint, lexicon)))
    else:
        print_report(checkpoint_tables(folder, checkpoint, lexicon))
    return 0


def _checkpoints(options: argparse.Namespace) -> int:
    from autocomplete.reports.checkpoints import checkpoint_list
    from autocomplete.reports.output import print_report
    from autocomplete.storage.checkpoint import list_checkpoints, read_checkpoint

    checkpoints = {}
    for folder in list_checkpoints():
        try:
            checkpoints[folder] = read_checkpoint(folder)
        except AutocompleteError as error:  # one that is damaged must not hide the others
            print(f"autocomplete: {error}", file=sys.stderr)
    print_report(checkpoint_list(checkpoints))
    return 0


def _demo_help(parser: argparse.ArgumentParser, file: TextIO | None = None) -> None:
    from autocomplete.demo.menu import list_commands
    from autocomplete.demo.scene import list_scenes

    parser.epilog = list_commands(list_scenes())
    argparse.ArgumentParser.print_help(parser, file)


def _demo(options: argparse.Namespace) -> int:
    from autocomplete.demo.demonstration import show_demonstration

    return show_demonstration(options.scene, options.word, explain=options.explain, svg=options.svg)
