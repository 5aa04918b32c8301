"""The command `train`, and the search for settings that it can make. Part of `cli`: it sees every room, inside its functions."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Collection
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from autocomplete.errors import SettingsError
from autocomplete.storage.interruption import INTERRUPTED, Interruption

if TYPE_CHECKING:
    from autocomplete.corpus.corpus import Corpus
    from autocomplete.corpus.running_text import RunningText, Watch
    from autocomplete.corpus.soft_targets import SoftTargets
    from autocomplete.corpus.word_vectors import WordVectors
    from autocomplete.reports.tensorboard_log import TensorBoardLog
    from autocomplete.reports.training_log import TrainingLog
    from autocomplete.training.settings import TrainingSettings

__all__ = ["add_training_options", "train"]


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments that `train` takes."""
    parser.add_argument(
        "corpus",
        nargs="+",
        type=Path,
        help="text; a list of words, or of words with a tab and a count; beside text, pairs of words with a tab and a count, too",
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
        "--word-vectors",
        type=Path,
        metavar="FILE",
        help="vectors of words, as GloVe and word2vec write them; by these, words are told apart that the network of "
        "--word-hidden does not know, which is learned in some minutes at the end",
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
        (
            "rare",
            float,
            "share of the steps on a text in which rare words are learned, if there are many (default: 0.4)",
        ),
        (
            "word-hidden",
            int,
            "units of a second network, of the words of a text; 0 for none (default: 0). With --from, it begins as that of the "
            "checkpoint, which may have fewer; with 0, that is used as it is",
        ),
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
        ("held-out", float, "of a list, share of the rarer words kept for validation (default: 0.05)"),
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


def train(options: argparse.Namespace) -> int:
    """Train as the arguments say; return the exit status."""
    try:
        return _train(options)
    except KeyboardInterrupt:  # a second one, or before there is anything to save
        from autocomplete.storage.checkpoint import RESUME

        name = _name(options)
        kept = (Path("checkpoints") / name / RESUME).is_file()
        go_on = f"go on from what was saved with: {_train_command(options, name, 'log', 'tensorboard')} --resume"
        print(f"stopped at once; {go_on if kept else 'nothing was saved'}", file=sys.stderr)
        return INTERRUPTED


def _train(options: argparse.Namespace) -> int:
    from autocomplete.storage.checkpoint import check_name, find_checkpoint
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
    name = _name(options)
    if name != Path(name).name or name.startswith((".", "-")) or not name:
        raise SettingsError(f"--name is {name!r}; give a plain name, for a folder in ./checkpoints")
    folder = Path("checkpoints") / name
    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started, if it did
    if options.search is not None:
        return _search(options, folder, settings, given)
    logs = _logs(options) if first else []
    if first and not options.resume:
        check_name(folder, overwrite=options.force)
    source = None if source is None else find_checkpoint(source)
    often = {} if options.save_every is None else {"save_every": options.save_every}
    corpus, texts = _read(options, settings)
    for option in ("soft_targets", "word_vectors"):
        _check_for_words(option, options, corpus, settings)
    taught, vectors = _soft_targets(options), _word_vectors(options)

    from rich.console import Console

    from autocomplete.reports.training import TrainingDisplay, summary
    from autocomplete.training.events import Finished, Started
    from autocomplete.training.trainer import train as run

    finished: Finished | None = None
    with ExitStack() as stack:
        display = TrainingDisplay(Console(stderr=True))
        interrupted = stack.enter_context(Interruption(display.tell_stopping))
        watchers: list[TrainingDisplay | TrainingLog | TensorBoardLog] = [display, *logs] if first else []
        for watcher in watchers:
            stack.enter_context(watcher)
        for event in run(
            corpus,
            folder,
            settings,
            overwrite=options.force,
            resume=options.resume,
            validation=texts["validation"],
            background=texts["background"],
            taught=taught,
            vectors=vectors,
            source=source,
            **often,
            should_stop=interrupted,
        ):
            for watcher in watchers:
                watcher.show(event)
            if isinstance(event, Started):
                fills = event.configuration.bidirectional  # which a resumed run knows, and its command does not say
            if isinstance(event, Finished):
                finished = event
    if finished is None:  # not the first process, which tells the rest
        return INTERRUPTED if interrupted() else 0
    Console().print(summary(finished))
    if finished.reason == "interrupted":
        print(f"go on with: {_train_command(options, name, 'log', 'tensorboard')} --resume", file=sys.stderr)
        return INTERRUPTED
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
    given = {
        option: getattr(options, option)
        for option in ("validation", "background", "soft_targets", "word_vectors", *files)
    }
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
        ("--word-vectors", options.word_vectors is not None),
    ]:
        if is_given:
            raise SettingsError(f"--search goes without {other}; leave out one")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError("--search tries one setting after another in one process; start it without torchrun")
    try:
        from autocomplete.training.events import SweepFinished
        from autocomplete.training.search.sweep import sweep
    except ModuleNotFoundError:
        install = "pip install 'optuna>=5,<6'"
        raise SettingsError(f"--search needs the package optuna; run {install}") from None

    from rich.console import Console

    from autocomplete.inference.speed import ANSWER_LIMIT, answer_seconds
    from autocomplete.reports.output import print_report
    from autocomplete.reports.search import SweepDisplay, ranking
    from autocomplete.reports.training import summary
    from autocomplete.reports.training_log import SweepLog
    from autocomplete.storage.checkpoint import RESUME, check_name

    logs = [] if options.log is None else [SweepLog(options.log, resume=False)]
    check_name(folder, overwrite=options.force)
    corpus, texts = _read(options, settings)
    finished: SweepFinished | None = None
    with ExitStack() as stack:
        interrupted = stack.enter_context(Interruption())
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
    print_report(ranking(finished))
    if finished.reason == "interrupted":
        print("the search was interrupted; kept is the best run so far:")
    print_report(summary(finished.finished))
    again = [part for name, value in finished.settings.given().items() for part in (f"--{name}", str(value))]
    print(f"train it again: {_train_command(options, folder.name)} --force {shlex.join(again)}")
    if (folder / RESUME).is_file():
        print(f"go on with its training: {_train_command(options, folder.name)} --resume", file=sys.stderr)
    if finished.reason == "interrupted":
        return INTERRUPTED
    print(f"try it: {shlex.join(['autocomplete', 'type', '--checkpoint', folder.name])}", file=sys.stderr)
    return 0


def _name(options: argparse.Namespace) -> str:
    """Return what the checkpoint shall be called."""
    name: str = options.name if options.name is not None else options.corpus[0].absolute().stem
    return name


def _logs(options: argparse.Namespace) -> list[TrainingLog | TensorBoardLog]:
    """Return what a training is written down with, for other programs."""
    logs: list[TrainingLog | TensorBoardLog] = []
    if options.log is not None:
        from autocomplete.reports.training_log import TrainingLog

        logs.append(TrainingLog(options.log, resume=options.resume))
    if options.tensorboard is not None:
        try:
            from autocomplete.reports.tensorboard_log import TensorBoardLog
        except ImportError:
            install = "pip install 'tensorboardX>=2.6.4'"
            raise SettingsError(f"--tensorboard needs the package tensorboardX; run {install}") from None
        logs.append(TensorBoardLog(options.tensorboard, resume=options.resume))
    return logs


def _read(options: argparse.Namespace, settings: TrainingSettings) -> tuple[Corpus, dict[str, RunningText | None]]:
    """Return the corpus, and the texts beside it by the options that give them."""
    from rich.console import Console

    from autocomplete.corpus.corpus import read_corpus
    from autocomplete.reports.progress import reading

    with reading(Console(stderr=True)) as watch:
        corpus = read_corpus(options.corpus, hurried=settings.hurried, watch=watch)
        return corpus, {
            option: _text(getattr(options, option), option, corpus, watch) for option in ("validation", "background")
        }


def _text(path: Path | None, option: str, corpus: Corpus, watch: Watch) -> RunningText | None:
    """Return a text that is given beside a corpus with an option; none without it."""
    from autocomplete.corpus.corpus import read_corpus

    if path is None:
        return None
    if corpus.text is None:
        raise SettingsError(f"{path}: --{option} is for running text, and the corpus is a list of words; leave it out")
    if (text := read_corpus([path], watch=watch).text) is None:
        raise SettingsError(f"{path}: this is a list of words; give --{option} running text")
    return text


def _check_for_words(option: str, options: argparse.Namespace, corpus: Corpus, settings: TrainingSettings) -> None:
    """Raise SettingsError where an option is given that is for the network of words, and there will be none."""
    path: Path | None = getattr(options, option)
    if path is None:
        return
    flag = "--" + option.replace("_", "-")
    if corpus.text is None:
        raise SettingsError(f"{path}: {flag} is for running text, and the corpus is a list of words; leave it out")
    if not (settings.word_hidden or options.resume):
        raise SettingsError(f"{path}: {flag} is for the network of words; give --word-hidden, too, or leave it out")


def _soft_targets(options: argparse.Namespace) -> SoftTargets | None:
    """Return what a teacher expects, if that is given."""
    from autocomplete.corpus.soft_targets import SoftTargets

    return None if options.soft_targets is None else SoftTargets.read(options.soft_targets)


def _word_vectors(options: argparse.Namespace) -> WordVectors | None:
    """Return vectors of words, if they are given."""
    from autocomplete.corpus.word_vectors import WordVectors

    return None if options.word_vectors is None else WordVectors.read(options.word_vectors)
