"""
The commands. Each imports what it needs when it runs, so that the prompt opens without torch.

Exit status: 0 done; 2 a mistake in the arguments or the input, told in one line; 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from autocomplete import __version__
from autocomplete.errors import AutocompleteError, SettingsError

if TYPE_CHECKING:
    from autocomplete.inference.prediction import Prediction
    from autocomplete.inference.predictor import Predictor
    from autocomplete.terminal.tensorboard_log import TensorBoardLog
    from autocomplete.terminal.training_log import TrainingLog
    from autocomplete.text.corpus import Corpus
    from autocomplete.text.running_text import RunningText, Watch
    from autocomplete.text.soft_targets import SoftTargets
    from autocomplete.training.settings import TrainingSettings

__all__ = ["main"]

INTERRUPTED = 130
_VISIBLE = str.maketrans({" ": "␣", "\n": "⏎"})


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
        options = parser.parse_args(arguments)
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
    _add_training_options(command)
    command.set_defaults(run=_train)

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

    command = commands.add_parser("demo", help="watch how a network learns to spell; without a scene, a menu of them")
    command.add_argument("scene", nargs="?", help="a scene by its name, or any word to see it learned")
    command.add_argument("word", nargs="?", help="a word or a sentence, in quotes, for the scene")
    command.add_argument("--explain", action="store_true", help="show the equations, too")
    command.add_argument("--svg", type=Path, metavar="FILE", help="draw the scene's last picture into a file")
    command.set_defaults(run=_demo)
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


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "corpus", nargs="+", type=Path, help="a list of words, of words with a tab and a count, or text"
    )
    parser.add_argument("--name", help="writes ./checkpoints/NAME (default: the name of the first corpus)")
    parser.add_argument(
        "--force", action="store_true", help="replace a checkpoint of that name, from the first validation on"
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="CHECKPOINT",
        help="start from the network, the words and what is remembered of the text of this checkpoint; it stays as it is",
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted training of that name")
    parser.add_argument(
        "--save-every",
        type=_seconds,
        metavar="TIME",
        help="save what --resume goes on with so often: 90, 90s, 5m or 1h (default: 60s)",
    )
    parser.add_argument(
        "--search",
        type=int,
        metavar="N",
        help="try N settings of --cell, --hidden, --layers, --dropout and --learning-rate, of those that are not given, and keep "
        "the best network that is fast enough for the prompt. Half of --minutes or --steps (default: a minute for each setting) "
        "goes into comparing them, half into the last run of the best (needs the package optuna)",
    )
    parser.add_argument(
        "--validation", type=Path, metavar="FILE", help="measure on this text (default: the end of the corpus)"
    )
    parser.add_argument(
        "--background", type=Path, metavar="FILE", help="read this text beside that of the corpus, less towards the end"
    )
    parser.add_argument(
        "--soft-targets",
        type=Path,
        metavar="FILE",
        help="what a larger model expects in some text, for the network of --word-hidden to learn; corpora/teacher.py makes it",
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="write start, validations and end to this file as JSON lines"
    )
    parser.add_argument(
        "--tensorboard",
        type=Path,
        metavar="DIR",
        help="write event files for TensorBoard into this folder (needs the package tensorboardX)",
    )
    parser.add_argument(
        "--bidirectional",
        action="store_true",
        default=argparse.SUPPRESS,
        help="learn to fill gaps from both sides, for `autocomplete fill`, in place of what comes next",
    )
    for name, kind, text in [
        ("cell", str, "rnn, gru or lstm (default: lstm)"),
        ("layers", int, "recurrent layers (default: 1)"),
        ("hidden", int, "units of each layer (default: 256)"),
        ("embedding", int, "numbers that a character is embedded in (default: 64)"),
        ("dropout", float, "share of activations dropped (default: 0)"),
        ("batch", int, "streams of running text read side by side (default: 64)"),
        ("bptt", int, "characters that the error is propagated back through (default: 64)"),
        ("hurried", float, "share of the lines of a text read without marks, as typed in haste (default: 0.5)"),
        ("word-hidden", int, "units of a second network, of the words of a text; 0 for none (default: 0)"),
        ("word-embedding", int, "numbers that a word is embedded in (default: 192)"),
        ("word-vocabulary", int, "words that the second network knows (default: 10000)"),
        ("word-dropout", float, "share of its activations dropped (default: 0.15)"),
        ("alpha", float, "draw words in proportion to count ** ALPHA (default: 1)"),
        ("draws", int, "words drawn for a step (default: 1024)"),
        ("steps", int, "stop after so many steps (default: 4000, or no bound where --minutes is given)"),
        ("minutes", float, "stop after so many minutes"),
        (
            "learning-rate",
            float,
            "the highest learning rate (default: 0.01 on words, 0.004 on text, half of that with --from)",
        ),
        ("held-out", float, "share of the rarer words kept for validation (default: 0.05)"),
        ("patience", int, "stop after so many validations without a gain (default: 10)"),
        (
            "from-weight",
            float,
            "with --from, share of the old words in the sum of all counts; 0 forgets (default: 0.5)",
        ),
        ("seed", int, "the same seed and --steps give the same network (default: 0)"),
        ("precision", str, "auto, fp32 or bf16 (default: auto)"),
    ]:
        parser.add_argument(f"--{name}", type=kind, default=argparse.SUPPRESS, help=text)


def _type(options: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        options.count = 5 if options.count is None else options.count
        return _answer_lines(options, _given_lines(None, "a line"), as_json=False)
    gc.disable()  # what is loaded from here on stays; `run_prompt` enables it again
    from autocomplete.inference.predictor import Predictor
    from autocomplete.terminal.history import PrivateHistory, history_path
    from autocomplete.terminal.repl import run_prompt
    from autocomplete.terminal.settings import read_settings

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

    def load(checkpoint: str) -> Predictor:
        return Predictor.load(checkpoint, members=options.members, explicit=settings.explicit)

    return run_prompt(load, settings, history=PrivateHistory(history_path()) if settings.history else None)


def _type_help(parser: argparse.ArgumentParser, file: TextIO | None = None) -> None:
    from autocomplete.terminal.commands import help_text
    from autocomplete.terminal.history import history_path
    from autocomplete.terminal.settings import PromptSettings, describe_settings, settings_path

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
    yield from sys.stdin


def _answer_lines(options: argparse.Namespace, lines: Iterable[str], *, as_json: bool) -> int:
    count = _count(options)
    predictor = _predictor(options)
    for line in lines:
        prediction = predictor.predict(line.rstrip("\r\n"), count)
        print(_json(prediction.to_json()) if as_json else _plain(prediction), flush=True)
    return 0


def _fill(options: argparse.Namespace) -> int:
    from autocomplete.inference.filling import BOTH_WAYS, Filler
    from autocomplete.terminal.filling_table import filling_table

    if not 1 <= options.top <= 100:
        raise SettingsError(f"--top is {options.top}; it must be from 1 to 100")
    filler = Filler.load(BOTH_WAYS if options.checkpoint is None else options.checkpoint, explicit=options.explicit)
    for line in _given_lines(options.line, "a line with _ for a missing letter or [ ] for a word"):
        filling = filler.fill(line.rstrip("\r\n"), options.top)
        print(_json(filling.to_json()) if options.json else filling_table(filling), flush=True)
    return 0


def _json(value: object) -> str:
    """Return one line of JSON, with escapes only where the output has another encoding than UTF-8."""
    return json.dumps(value, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf"))


def _plain(prediction: Prediction) -> str:
    """Return a prediction as two lines: letters, then words."""
    letters = "  ".join(f"{n.character.translate(_VISIBLE)} {n.probability:.3f}" for n in prediction.next)
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
    from autocomplete.checkpoint import DEFAULT

    return DEFAULT if options.checkpoint is None else options.checkpoint


def _train(options: argparse.Namespace) -> int:
    from autocomplete.checkpoint import find_checkpoint
    from autocomplete.training.settings import TrainingSettings

    given = {name: value for name, value in vars(options).items() if name in TrainingSettings.__dataclass_fields__}
    source = options.source
    if options.resume and (given or options.force or source is not None):
        extra = ["--" + name.replace("_", "-") for name in given] + ["--force"] * options.force
        extra += ["--from"] * (source is not None)
        raise SettingsError(
            f"--resume goes on under the settings that the run began with; leave out {', '.join(extra)}"
        )
    if source is None and "from_weight" in given:
        raise SettingsError("--from-weight is for words that --from takes over; give --from, too, or leave it out")
    sizes = [f"--{size}" for size in ("cell", "layers", "hidden", "embedding") if source is not None and size in given]
    if sizes:
        raise SettingsError(f"--from goes on with the network of {source} and its sizes; leave out {', '.join(sizes)}")
    settings = TrainingSettings(**given)
    name = options.name if options.name is not None else options.corpus[0].stem
    if name != Path(name).name or name.startswith((".", "-")) or not name:
        raise SettingsError(f"--name is {name!r}; give a plain name, for a folder in ./checkpoints")
    folder = Path("checkpoints") / name
    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started, if it did
    if options.search is not None:
        return _search(options, folder, settings, given)
    logs = _logs(options) if first else []
    source = None if source is None else find_checkpoint(source)
    often = {} if options.save_every is None else {"save_every": options.save_every}
    corpus, texts = _read(options, settings)
    taught = _soft_targets(options, corpus, settings)

    from rich.console import Console

    from autocomplete.terminal.training_display import TrainingDisplay, summary
    from autocomplete.training.trainer import Finished, train

    finished: Finished | None = None
    with ExitStack() as stack:
        display = TrainingDisplay(Console(stderr=True))
        interrupted = stack.enter_context(_Interruption(display.tell_stopping))
        watchers: list[TrainingDisplay | TrainingLog | TensorBoardLog] = [display, *logs] if first else []
        for watcher in watchers:
            stack.enter_context(watcher)
        for event in train(
            corpus,
            folder,
            settings,
            overwrite=options.force,
            resume=options.resume,
            validation=texts["validation"],
            background=texts["background"],
            taught=taught,
            source=source,
            **often,
            should_stop=interrupted,
        ):
            for watcher in watchers:
                watcher.show(event)
            if isinstance(event, Finished):
                finished = event
    if finished is None:  # not the first process, which tells the rest
        return INTERRUPTED if interrupted() else 0
    Console().print(summary(finished))
    if finished.reason == "interrupted":
        print(f"go on with: {_train_command(options, name, 'log', 'tensorboard')} --resume", file=sys.stderr)
        return INTERRUPTED
    fills = "held_out_word_gaps" in finished.figures  # also where that is known from what was resumed
    tried = (
        ["autocomplete", "fill", "--checkpoint", name, "na_e"]
        if fills
        else ["autocomplete", "type", "--checkpoint", name]
    )
    print(f"try it: {shlex.join(tried)}", file=sys.stderr)
    return 0


def _seconds(text: str) -> float:
    """Return a time that is given in seconds, or in the unit that it ends with."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give 90, 90s, 5m or 1h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def _train_command(options: argparse.Namespace, name: str, *files: str) -> str:
    """Return the command that trains on the same texts, with those of the options `files` that were given."""
    given = {option: getattr(options, option) for option in ("validation", "background", "soft_targets", *files)}
    given["save-every"] = None if options.save_every is None else f"{options.save_every:g}"
    beside = [
        part
        for option, value in given.items()
        if value is not None
        for part in ("--" + option.replace("_", "-"), str(value))
    ]
    program = ["autocomplete"]
    if (processes := os.environ.get("LOCAL_WORLD_SIZE")) is not None:
        program = ["torchrun", "--nproc-per-node", processes, "-m", "autocomplete", "--"]
    return shlex.join([*program, "train", *map(str, options.corpus), *beside, "--name", name])


def _search(options: argparse.Namespace, folder: Path, settings: TrainingSettings, given: Collection[str]) -> int:
    """Train under many settings; those given are fixed."""
    for other, is_given in [
        ("--bidirectional", settings.bidirectional),
        ("--resume", options.resume),
        ("--from", options.source is not None),
        ("--tensorboard", options.tensorboard is not None),
        ("--soft-targets", options.soft_targets is not None),
    ]:
        if is_given:
            raise SettingsError(f"--search goes without {other}; leave out one")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError("--search tries one setting after another in one process; start it without torchrun")
    try:
        from autocomplete.training.sweep import SweepFinished, sweep
    except ModuleNotFoundError:
        install = "pip install 'autocomplete-rnn[sweep]'"
        raise SettingsError(f"--search needs the package optuna; run {install}") from None

    from rich.console import Console

    from autocomplete.checkpoint import RESUME
    from autocomplete.inference.speed import ANSWER_LIMIT, answer_seconds
    from autocomplete.terminal.sweep_display import SweepDisplay, ranking
    from autocomplete.terminal.sweep_log import SweepLog
    from autocomplete.terminal.training_display import summary

    logs = [] if options.log is None else [SweepLog(options.log, resume=False)]
    corpus, texts = _read(options, settings)
    finished: SweepFinished | None = None
    with ExitStack() as stack:
        interrupted = stack.enter_context(_Interruption())
        watchers: list[SweepDisplay | SweepLog] = [SweepDisplay(Console(stderr=True)), *logs]
        for watcher in watchers:
            stack.enter_context(watcher)
        events = sweep(
            corpus,
            folder,
            settings,
            trials=options.search,
            fixed=given,
            answer_seconds=answer_seconds,
            answer_limit=ANSWER_LIMIT,
            overwrite=options.force,
            **texts,
            should_stop=interrupted,
        )
        for event in stack.enter_context(closing(events)):
            for watcher in watchers:
                watcher.show(event)
            if isinstance(event, SweepFinished):
                finished = event
    assert finished is not None
    _print(ranking(finished))
    _print(summary(finished.finished))
    again = [part for name, value in finished.settings.given().items() for part in (f"--{name}", str(value))]
    print(f"train it again: {_train_command(options, folder.name)} --force {shlex.join(again)}")
    if (folder / RESUME).is_file():
        print(f"go on with its training: {_train_command(options, folder.name)} --resume", file=sys.stderr)
    if finished.reason == "interrupted":
        return INTERRUPTED
    print(f"try it: {shlex.join(['autocomplete', 'type', '--checkpoint', folder.name])}", file=sys.stderr)
    return 0


def _logs(options: argparse.Namespace) -> list[TrainingLog | TensorBoardLog]:
    """Return what a training is written down with, for other programs."""
    logs: list[TrainingLog | TensorBoardLog] = []
    if options.log is not None:
        from autocomplete.terminal.training_log import TrainingLog

        logs.append(TrainingLog(options.log, resume=options.resume))
    if options.tensorboard is not None:
        try:
            from autocomplete.terminal.tensorboard_log import TensorBoardLog
        except ImportError:
            install = "pip install 'autocomplete-rnn[tensorboard]'"
            raise SettingsError(f"--tensorboard needs the package tensorboardX; run {install}") from None
        logs.append(TensorBoardLog(options.tensorboard, resume=options.resume))
    return logs


def _read(options: argparse.Namespace, settings: TrainingSettings) -> tuple[Corpus, dict[str, RunningText | None]]:
    """Return the corpus, and the texts beside it by the options that give them."""
    from rich.console import Console

    from autocomplete.terminal.reading_display import reading
    from autocomplete.text.corpus import read_corpus

    with reading(Console(stderr=True)) as watch:
        corpus = read_corpus(options.corpus, hurried=settings.hurried, watch=watch)
        return corpus, {
            option: _text(getattr(options, option), option, corpus, watch) for option in ("validation", "background")
        }


def _text(path: Path | None, option: str, corpus: Corpus, watch: Watch) -> RunningText | None:
    """Return a text that is given beside a corpus with an option; none without it."""
    from autocomplete.text.corpus import read_corpus

    if path is None:
        return None
    if corpus.text is None:
        raise SettingsError(f"{path}: --{option} is for running text, and the corpus is a list of words; leave it out")
    if (text := read_corpus([path], watch=watch).text) is None:
        raise SettingsError(f"{path}: this is a list of words; give --{option} running text")
    return text


def _soft_targets(options: argparse.Namespace, corpus: Corpus, settings: TrainingSettings) -> SoftTargets | None:
    """Return what a teacher expects, if that is given."""
    from autocomplete.text.soft_targets import SoftTargets

    path: Path | None = options.soft_targets
    if path is None:
        return None
    if corpus.text is None:
        raise SettingsError(
            f"{path}: --soft-targets is for running text, and the corpus is a list of words; leave it out"
        )
    if not (settings.word_hidden or options.resume):
        raise SettingsError(
            f"{path}: --soft-targets is for the network of words; give --word-hidden, too, or leave it out"
        )
    return SoftTargets.read(path)


class _Interruption:
    """
    Turns the first Ctrl-C or SIGTERM into a wish to stop, so that the best can be saved; a second one stops at once.

    Under torchrun a terminal's Ctrl-C comes twice, from the terminal and from torchrun, which itself ends those that do not stop.

    :param tell: called with the first.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, tell: Callable[[], None] = lambda: None) -> None:
        self._wanted, self._tell = False, tell

    def __enter__(self) -> Callable[[], bool]:
        self._former = [signal.signal(each, self._interrupt) for each in self._SIGNALS]
        return lambda: self._wanted

    def __exit__(self, *exception: object) -> None:
        for each, former in zip(self._SIGNALS, self._former, strict=True):
            signal.signal(each, former)

    def _interrupt(self, *signal_and_frame: object) -> None:
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            for each in self._SIGNALS:
                signal.signal(each, signal.default_int_handler)
        if not self._wanted:
            self._wanted = True
            self._tell()


def _evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console

    from autocomplete.evaluation.evaluate import evaluate
    from autocomplete.evaluation.phrases import read_phrases
    from autocomplete.terminal.evaluation_display import evaluation_report, tracked
    from autocomplete.terminal.output import refuse_unwritable, write_picture
    from autocomplete.terminal.settings import THRESHOLD

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
        _print(report)
    if options.svg is not None:
        write_picture(report, "autocomplete evaluate", options.svg, "--svg")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from rich.console import Console

    from autocomplete.terminal.output import refuse_unwritable, write_picture
    from autocomplete.terminal.reading_display import reading
    from autocomplete.text.corpus import read_corpus

    if not 0 < options.minutes < float("inf"):
        raise SettingsError(f"--minutes is {options.minutes:g}; it must be above 0")
    if options.svg is not None:
        refuse_unwritable(options.svg, "--svg", ".svg")
    with reading(Console(stderr=True)) as watch:
        corpus = read_corpus(options.corpus, watch=watch)

    from autocomplete.terminal.comparison import comparison_json, time_key
    from autocomplete.terminal.comparison_display import ComparisonDisplay, comparison_report
    from autocomplete.training.comparison import compare
    from autocomplete.training.contenders import CONTENDERS
    from autocomplete.training.material import read_material

    material = read_material(corpus)
    key_seconds = partial(time_key, symbols=material.held_out)
    with _Interruption() as interrupted, ComparisonDisplay(Console(stderr=True)) as display:
        for standings in compare(
            material, CONTENDERS, 60 * options.minutes, key_seconds=key_seconds, should_stop=interrupted
        ):
            display.show(standings)
    report = comparison_report(standings, material)
    if options.json:
        asked = {"corpus": corpus.to_json()}
        print(_json(asked | comparison_json(standings, material, options.minutes)))
    else:
        _print(report)
    if options.svg is not None:
        write_picture(report, "autocomplete compare", options.svg, "--svg")
    return INTERRUPTED if standings.reason == "interrupted" else 0


def _inspect(options: argparse.Namespace) -> int:
    from autocomplete.checkpoint import find_checkpoint, read_checkpoint
    from autocomplete.terminal.inspection import CurveChart, checkpoint_json, checkpoint_tables
    from autocomplete.terminal.output import refuse_unwritable, write_picture

    folder = find_checkpoint(_checkpoint_name(options))
    checkpoint = read_checkpoint(folder)
    if options.plot is not None:
        refuse_unwritable(options.plot, "--plot", ".svg")
        if len(curve := checkpoint.figures.get("curve", [])) < 2:
            raise SettingsError(f"{folder}: has no curve of two validations or more; leave out --plot")
        write_picture(CurveChart(curve), f"autocomplete inspect {folder.name}", options.plot, "--plot")
    if options.json:
        print(_json(checkpoint_json(folder, checkpoint)))
    else:
        _print(checkpoint_tables(folder, checkpoint))
    return 0


def _checkpoints(options: argparse.Namespace) -> int:
    from autocomplete.checkpoint import list_checkpoints, read_checkpoint
    from autocomplete.terminal.inspection import checkpoint_list

    checkpoints = {}
    for folder in list_checkpoints():
        try:
            checkpoints[folder] = read_checkpoint(folder)
        except AutocompleteError as error:  # one that is damaged must not hide the others
            print(f"autocomplete: {error}", file=sys.stderr)
    _print(checkpoint_list(checkpoints))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from autocomplete.terminal.demo.demonstration import show_demonstration

    return show_demonstration(options.scene, options.word, explain=options.explain, svg=options.svg)


def _print(renderable: object) -> None:
    from rich.console import Console

    # A pipe has no width; what is narrower stays as it is.
    Console(width=None if sys.stdout.isatty() else 160).print(renderable)
