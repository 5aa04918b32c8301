"""The command `train`, and the search for settings that it can make."""

from __future__ import annotations

import os
import re
import shlex
import sys
from argparse import SUPPRESS, ArgumentTypeError, Namespace
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocomplete.cli.options import command, option
from autocomplete.errors import SettingsError
from autocomplete.storage.signals import INTERRUPTED, stopping_on_interrupt

if TYPE_CHECKING:
    from autocomplete.corpus.corpus import Corpus
    from autocomplete.corpus.running_text import RunningText
    from autocomplete.reports.tensorboard_log import TensorBoardLog
    from autocomplete.reports.training_log import TrainingLog
    from autocomplete.training.settings import TrainingSettings

__all__ = ["train"]


def _seconds(text: str) -> float:
    """Return a time that is given in seconds, or in the unit that it ends with."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no time; give 90, 90s, 5m or 1h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


_FILE = {"type": Path, "metavar": "FILE"}


@command(
    "train",
    option(
        "corpus",
        nargs="+",
        type=Path,
        help="text; a list of words, or of words with a tab and a count; beside text, pairs of words with a tab and a count, too",
    ),
    option("--name", help="writes ./checkpoints/NAME (default: the name of the first corpus)"),
    option("--force", action="store_true", help="replace a checkpoint of that name, from the first validation on"),
    option(
        "--from",
        dest="source",
        metavar="CHECKPOINT",
        help="start from the network, the words and what is remembered of the text of this checkpoint; it stays as it is",
    ),
    option("--resume", action="store_true", help="go on with an interrupted training of that name"),
    option(
        "--save-every",
        type=_seconds,
        metavar="TIME",
        help="save for --resume so often: 90, 90s, 5m or 1h (default: 60s)",
    ),
    option(
        "--search",
        type=int,
        metavar="N",
        help="try N settings of --cell, --hidden, --layers, --dropout and --learning-rate, of those that are not given, and "
        "keep the best network that is fast enough for the prompt. Half of --minutes or --steps (default: a minute for each "
        "setting) goes into comparing them, half into the last run of the best",
    ),
    option("--validation", **_FILE, help="measure on this text (default: the end of the corpus)"),
    option("--background", **_FILE, help="read this text beside that of the corpus, less towards the end"),
    option(
        "--soft-targets",
        **_FILE,
        help="what a larger model expects in text, for --word-hidden; corpora/teacher.py makes it",
    ),
    option(
        "--word-vectors",
        **_FILE,
        help="vectors of words, as GloVe and word2vec write them; by these, words are told apart that the network of "
        "--word-hidden does not know, which is learned in some minutes at the end",
    ),
    option("--log", **_FILE, help="write start, validations and end to this file as JSON lines"),
    option(
        "--tensorboard", type=Path, metavar="DIR", help="write event files for TensorBoard here (needs tensorboardX)"
    ),
    option(
        "--bidirectional",
        action="store_true",
        default=SUPPRESS,
        help="learn to fill gaps from both sides, for `autocomplete fill`, in place of what comes next",
    ),
    *(
        option(f"--{name}", type=kind, default=SUPPRESS, help=text)
        for name, kind, text in [
            ("cell", str, "rnn, gru or lstm (default: lstm)"),
            ("layers", int, "recurrent layers (default: 1)"),
            ("hidden", int, "units of each layer (default: 256)"),
            ("embedding", int, "numbers that a character is embedded in (default: 64)"),
            ("dropout", float, "share of activations dropped (default: 0)"),
            ("batch", int, "streams of running text read side by side (default: 64)"),
            ("bptt", int, "characters that the error is propagated back through (default: 64)"),
            ("hurried", float, "share of the lines of a text read without marks, as typed in haste (default: 0.5)"),
            ("rare", float, "share of the steps on a text that learn rare words, if it has many (default: 0.4)"),
            (
                "word-hidden",
                int,
                "units of a second network, of the words of a text; 0 for none (default: 0). With --from, it begins as that "
                "of the checkpoint, which may have fewer; with 0, that is used as it is",
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
                "the highest (default: 0.01 on words, 0.004 on text, half of that with --from)",
            ),
            ("held-out", float, "of a list, share of the rarer words kept for validation (default: 0.05)"),
            ("patience", int, "stop after so many validations without a gain (default: 10)"),
            ("from-weight", float, "with --from, share of the old words in all counts; 0 forgets (default: 0.5)"),
            ("seed", int, "the same seed and --steps give the same network (default: 0)"),
            ("precision", str, "auto, fp32 or bf16 (default: auto)"),
        ]
    ),
)
def train(options: Namespace) -> int:
    """Train a network on your own words."""
    try:
        return _train_once(options) if options.search is None else _search(options)
    except KeyboardInterrupt:  # a second one, or before there is anything to save
        from autocomplete.storage.checkpoint import RESUME

        told = "nothing was saved"
        if (_folder(options) / RESUME).is_file():
            told = f"go on from what was saved with: {_command(options)} --resume"
        print(f"stopped at once; {told}", file=sys.stderr)
        return INTERRUPTED


def _train_once(options: Namespace) -> int:
    from autocomplete.corpus.soft_targets import SoftTargets
    from autocomplete.corpus.word_vectors import WordVectors
    from autocomplete.storage.checkpoint import check_name
    from autocomplete.storage.lookup import find_checkpoint

    settings, _ = _settings(options)
    folder = _folder(options)
    is_first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started, if it did
    logs = _logs(options) if is_first else []
    if is_first and not options.resume:
        check_name(folder, overwrite=options.force)
    source = None if options.source is None else find_checkpoint(options.source)
    corpus, texts = _read(options, settings)
    beside: dict[str, Any] = texts if options.save_every is None else texts | {"save_every": options.save_every}
    for name, path in (("soft_targets", options.soft_targets), ("word_vectors", options.word_vectors)):
        if path is not None:
            _check_for_text(name, path, corpus)
            if not (settings.word_hidden or options.resume):
                words = "is for the network of words; give --word-hidden, too, or leave it out"
                raise SettingsError(f"{path}: {_flag(name)} {words}")
    taught = None if options.soft_targets is None else SoftTargets.read(options.soft_targets)
    vectors = None if options.word_vectors is None else WordVectors.read(options.word_vectors)

    from rich.console import Console

    from autocomplete.reports.training import TrainingDisplay, summary
    from autocomplete.training.events import Finished, Started
    from autocomplete.training.settings import TrainingInputs
    from autocomplete.training.trainer import train

    display = TrainingDisplay(Console(stderr=True))
    with stopping_on_interrupt(display.tell_stopping) as interrupted:
        inputs = TrainingInputs(
            corpus,
            folder,
            settings,
            overwrite=options.force,
            resume=options.resume,
            taught=taught,
            vectors=vectors,
            source=source,
            **beside,
            should_stop=interrupted,
        )
        newest = _watch(train(inputs), [display, *logs] if is_first else [])
    if Finished not in newest:  # not the first process, which tells the rest
        return INTERRUPTED if interrupted() else 0
    Console().print(summary(newest[Finished]))
    if newest[Finished].reason == "interrupted":
        print(f"go on with: {_command(options)} --resume", file=sys.stderr)
        return INTERRUPTED
    fills = newest[Started].configuration.bidirectional  # which a resumed run knows, and its command does not say
    _tell_use("fill" if fills else "type", folder, *["na_e"] * fills)
    return 0


def _search(options: Namespace) -> int:
    """Train under many settings; those given are fixed."""
    settings, given = _settings(options)
    folder = _folder(options)
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
    from rich.console import Console

    from autocomplete.inference.speed import ANSWER_LIMIT, answer_seconds
    from autocomplete.reports.output import print_report
    from autocomplete.reports.search import SweepDisplay, ranking
    from autocomplete.reports.training import summary
    from autocomplete.reports.training_log import SweepLog
    from autocomplete.storage.checkpoint import RESUME, check_name
    from autocomplete.training.events import SweepFinished
    from autocomplete.training.search.sweep import sweep
    from autocomplete.training.settings import TrainingInputs

    logs = [] if options.log is None else [SweepLog(options.log, resume=False)]
    check_name(folder, overwrite=options.force)
    corpus, texts = _read(options, settings)
    with stopping_on_interrupt() as interrupted:
        beside: dict[str, Any] = {**texts, "overwrite": options.force, "should_stop": interrupted}
        inputs = TrainingInputs(corpus, folder, settings, **beside)
        searching = {"trials": options.search, "fixed": given}
        events = sweep(inputs, **searching, answer_seconds=answer_seconds, answer_limit=ANSWER_LIMIT)
        with closing(events):
            finished = _watch(events, [SweepDisplay(Console(stderr=True)), *logs])[SweepFinished]
    print_report(ranking(finished))
    if finished.reason == "interrupted":
        print("the search was interrupted; kept is the best run so far:")
    print_report(summary(finished.finished))
    again = [part for name, value in finished.settings.given().items() for part in (f"--{name}", str(value))]
    print(f"train it again: {_command(options, logged=False)} --force {shlex.join(again)}")
    if (folder / RESUME).is_file():
        print(f"go on with its training: {_command(options, logged=False)} --resume", file=sys.stderr)
    if finished.reason == "interrupted":
        return INTERRUPTED
    _tell_use("type", folder)
    return 0


def _watch(events: Iterable[object], watchers: Sequence[Any]) -> dict[type[Any], Any]:
    """Show events to the displays and logs as they come; return the newest of each kind."""
    newest: dict[type[Any], Any] = {}
    with ExitStack() as stack:
        for watcher in watchers:
            stack.enter_context(watcher)
        for event in events:
            for watcher in watchers:
                watcher.show(event)
            newest[type(event)] = event
    return newest


def _settings(options: Namespace) -> tuple[TrainingSettings, dict[str, Any]]:
    """Return the settings, and those of them that are given; raise SettingsError where options contradict each other."""
    from autocomplete.training.settings import TrainingSettings

    given = {name: value for name, value in vars(options).items() if name in TrainingSettings.__dataclass_fields__}
    source = options.source
    if options.resume and (given or options.force or source is not None):
        extra = [*map(_flag, given), *["--force"] * options.force, *["--from"] * (source is not None)]
        raise SettingsError(
            f"--resume goes on under the settings that the run began with; leave out {', '.join(extra)}"
        )
    if source is None and "from_weight" in given:
        raise SettingsError("--from-weight is for words that --from takes over; give --from, too, or leave it out")
    sizes = [_flag(size) for size in ("cell", "layers", "hidden", "embedding") if source is not None and size in given]
    if sizes:
        raise SettingsError(f"--from goes on with the network of {source} and its sizes; leave out {', '.join(sizes)}")
    return TrainingSettings(**given), given


def _folder(options: Namespace) -> Path:
    """Return where the checkpoint is written; raise SettingsError for a name that is no plain one."""
    name: str = options.name if options.name is not None else options.corpus[0].absolute().stem
    if name != Path(name).name or name.startswith((".", "-")) or not name:
        raise SettingsError(f"--name is {name!r}; give a plain name, for a folder in ./checkpoints")
    return Path("checkpoints") / name


def _logs(options: Namespace) -> list[TrainingLog | TensorBoardLog]:
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


def _read(options: Namespace, settings: TrainingSettings) -> tuple[Corpus, dict[str, RunningText | None]]:
    """Return the corpus, and the texts beside it by the options that give them."""
    from rich.console import Console

    from autocomplete.corpus.corpus import read_corpus
    from autocomplete.reports.progress import reading

    texts: dict[str, RunningText | None] = {"validation": None, "background": None}
    with reading(Console(stderr=True)) as watch:
        corpus = read_corpus(options.corpus, hurried=settings.hurried, watch=watch)
        for name in texts:
            if (path := getattr(options, name)) is not None:
                _check_for_text(name, path, corpus)
                texts[name] = read_corpus([path], watch=watch).text
                if texts[name] is None:
                    raise SettingsError(f"{path}: this is a list of words; give {_flag(name)} running text")
    return corpus, texts


def _check_for_text(option: str, path: Path, corpus: Corpus) -> None:
    """Raise SettingsError where the corpus is a list of words, which an option is not for."""
    if corpus.text is None:
        alone = "is for running text, and the corpus is a list of words; leave it out"
        raise SettingsError(f"{path}: {_flag(option)} {alone}")


def _flag(option: str) -> str:
    return "--" + option.replace("_", "-")


def _command(options: Namespace, *, logged: bool = True) -> str:
    """Return the command that trains on the same texts, with or without the same logs."""
    names = ["validation", "background", "soft_targets", "word_vectors", *["log", "tensorboard"] * logged]
    given = {name: getattr(options, name) for name in names}
    given["save_every"] = None if options.save_every is None else f"{options.save_every:g}"
    beside = [part for name, value in given.items() if value is not None for part in (_flag(name), str(value))]
    program = ["autocomplete"]
    if (processes := os.environ.get("LOCAL_WORLD_SIZE")) is not None:
        program = ["torchrun", "--nproc-per-node", processes, "-m", "autocomplete", "--"]
    return shlex.join([*program, "train", *map(str, options.corpus), *beside, "--name", _folder(options).name])


def _tell_use(command: str, folder: Path, *arguments: str) -> None:
    tried = shlex.join(["autocomplete", command, "--checkpoint", folder.name, *arguments])
    print(f"try it: {tried}", file=sys.stderr)
