"""
Set this project beside its peers: the same training text, the same test phrases, the same way of counting, in one run.

    python benchmarks/peers.py --train TEXT [--phrases FILE ...] [--checkpoint english] [--limit 4000] [--markdown OUT]

The peers are presage (where it and its text2ngram are installed), a tree of the commonest words, and a character n-gram model
of the best order. Each phrase is typed key by key: if the word that is meant is among the suggestions, one key takes it with
the space after it; otherwise one key types the next character. Only presage, which is others' program and asked as it is, gives a
place to a word that stands there whole. None of the peers leaves out slurs and obscenities; with --explicit, nor does this
project. All learn from the lines of TEXT, reduced as the phrases are; this project learned from them as they are, so for its bits
it is told that there are neither marks nor digits.

Two test texts are downloaded with pip: the tweets that come with vaderSentiment, without addresses and @names, and each different
utterance of the English chatterbot-corpus, which needs PyYAML. Neither may be in TEXT, nor may what --phrases gives.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import hashlib
import html
import inspect
import io
import json
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from character_ngram import HIGHEST_ORDER, SPACE, VOCABULARY, bits_per_character, held_out_bits, learn
from presage import Presage, Suggestion

from autocomplete.errors import CheckpointError
from autocomplete.evaluation.measures import savings
from autocomplete.evaluation.phrases import phrases, read_phrases, with_capitals
from autocomplete.evaluation.simulation import Suggester, simulate
from autocomplete.inference.predictor import Members, Predictor
from autocomplete.inference.search import Search
from autocomplete.models.character_ngrams import CharacterNgrams
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.storage.lookup import find_checkpoint
from autocomplete.text.vocabulary import BOUNDARY

CORPUS = Path(__file__).parent.parent / "corpora" / "english.txt"
# What the figures of a peer depend on, besides this file.
BEHIND = (
    CORPUS,
    *(Path(inspect.getfile(each)) for each in (CharacterNgrams, learn, Presage, Search, savings, simulate)),
)
COUNTS = (1, 3, 5)  # suggestions read
ORDERS = (6, 8, 10, HIGHEST_ORDER)  # of the tweets, 12 knows 0.004 bits more than 10: longer ones would gain little
_NO_WORDS = re.compile(r"https?://\S+|www\.\S+|@\w+")


@dataclass(frozen=True)
class Model:
    """
    Something to measure.

    :param bits: gives the bits per character of phrases with their line ends; None where words alone are known.
    :param seconds: that training took; not a number where that is not known here.
    :param megabytes: on disk, or in memory where it is in no file.
    """

    name: str
    suggester: Suggester
    bits: Callable[[list[str]], float] | None
    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Result:
    """
    What was measured.

    :param texts: of each text the savings, in the order of COUNTS, and the bits per character.
    :param milliseconds: the median of a query.
    """

    name: str
    texts: dict[str, tuple[list[float], float]]
    seconds: float
    megabytes: float
    milliseconds: float


class PrefixTree:
    """The commonest words that go on from what was typed."""

    def __init__(self, path: Path, count: int = max(COUNTS)) -> None:
        self._best: dict[str, list[Suggestion]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            suggestion = Suggestion(line.split("\t")[0].lower())
            for end in range(len(suggestion.word)):
                best = self._best.setdefault(suggestion.word[:end], [])
                if len(best) < count:
                    best.append(suggestion)

    def suggest(self, text: str, count: int) -> list[Suggestion]:
        """Return `count` words at most, the commonest first."""
        return self._best.get(text.lower().rpartition(" ")[2], [])[:count]


class NgramSuggester:
    """The most probable words of a character n-gram model, by the search of this project."""

    def __init__(self, model: CharacterNgrams) -> None:
        self._tree = SearchTree(model, boundaries=(SPACE, BOUNDARY))

    def suggest(self, text: str, count: int) -> list[Suggestion]:
        """Return `count` words at most, the most probable first."""
        if len(self._tree) > 100_000:
            self._tree.clear()
        text = text.lower()
        node = ROOT
        for symbol in VOCABULARY.encode(text):
            node = self._tree.child(node, symbol)
        typed = text.rpartition(" ")[2]
        found = Search(self._tree, node, count, floor=1e-5)
        return [Suggestion(typed + VOCABULARY.decode(each.suffix), each.probability) for each in found]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="the text that the peers learn from")
    parser.add_argument("--phrases", type=Path, nargs="*", default=[], help="more texts to test on, a phrase a line")
    parser.add_argument("--checkpoint", nargs="*", default=["english"], help="of this project; none to leave it out")
    parser.add_argument("--members", nargs="*", default=get_args(Members), choices=get_args(Members))
    parser.add_argument("--explicit", action="store_true", help="offer slurs and obscenities, as the peers do")
    parser.add_argument("--limit", type=int, default=4_000, help="phrases of each text, taken evenly")
    parser.add_argument("--markdown", type=Path, help="where to write the table as well")
    parser.add_argument("--cache", type=Path, help="a folder that keeps downloads and what was measured of the peers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.cache or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        texts = {name: evenly(found, options.limit) for name, found in test_texts(options.phrases, folder)}
        progress(f"reading {options.train}")
        training = read_phrases(options.train)
        results = [measure(model, texts) for model in predictors(options.checkpoint, options.members, options.explicit)]
        for make in (presage, prefix_tree, character_ngram):
            results += cached(make, training, texts, folder, Path(temporary))
    page = markdown(results, texts, training)
    print(page)
    if options.markdown:
        options.markdown.write_text(page + "\n", encoding="utf-8")


def test_texts(paths: Iterable[Path], folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the phrases of each text."""
    yield "tweets", list(phrases(tweets(download("vaderSentiment", "3.3.2", folder))))
    yield "chatterbot", list(phrases(utterances(download("chatterbot-corpus", "1.3.3", folder))))
    for path in paths:
        yield path.stem, read_phrases(path)


def download(project: str, version: str, folder: Path) -> Path:
    """Return the archive of a project, downloaded if it is not in the folder."""
    pattern = f"{project.replace('-', '_')}-{version}*"
    if not any(folder.glob(pattern)):
        progress(f"downloading {project} {version}")
        kind = ["--no-binary", ":all:"] if project == "vaderSentiment" else []  # its wheel has no tweets
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *kind, "--dest", str(folder)]
        subprocess.run([*pip, f"{project}=={version}"], check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob(pattern))


def tweets(archive: Path) -> list[str]:
    """Return the tweets of Hutto and Gilbert (2014), without addresses and @names."""
    with tarfile.open(archive) as outer:
        name = next(name for name in outer.getnames() if name.endswith("hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=io.BytesIO(outer.extractfile(name).read())) as inner:
            lines = inner.extractfile("hutto_ICWSM_2014/tweets_GroundTruth.txt").read().decode().splitlines()
    return [_NO_WORDS.sub(" ", html.unescape(line.split("\t", 2)[2])) for line in lines if line]


def utterances(archive: Path) -> list[str]:
    """Return each different utterance of the English conversations, on one line."""
    import yaml

    found: dict[str, None] = {}
    with zipfile.ZipFile(archive) as files:
        for name in sorted(name for name in files.namelist() if "/data/english/" in name and name.endswith(".yml")):
            for conversation in yaml.safe_load(files.read(name))["conversations"]:
                found |= dict.fromkeys(" ".join(each.split()) for each in conversation if isinstance(each, str))
    return list(found)


def evenly(found: list[str], limit: int) -> list[str]:
    """Return at most so many of the phrases, at equal distances."""
    return [found[i] for i in np.linspace(0, len(found) - 1, min(limit, len(found))).round().astype(int)]


def predictors(checkpoints: Iterable[str], every: Iterable[Members], explicit: bool) -> Iterator[Model]:
    """Yield this project's predictors: of each checkpoint those members that it has."""
    for checkpoint in checkpoints:
        folder = find_checkpoint(checkpoint)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        for members in every:
            try:
                predictor = Predictor.load(checkpoint, members=members, explicit=explicit)
            except CheckpointError as error:
                progress(f"{checkpoint}, {members}: {error}")
                continue
            yield Model(f"autocomplete, {folder.name}, {members}", predictor, bits_of(predictor), float("nan"), size)


def bits_of(predictor: Predictor) -> Callable[[list[str]], float]:
    """Return what measures the bits per character of phrases: among letters, apostrophes and spaces, as there is nothing else."""
    among = " '" + "".join(filter(str.isalpha, predictor.checkpoint.vocabulary.characters))
    return lambda texts: mean_bits(predictor.score(with_capitals(text), among)[0] for text in texts)


def presage(training: list[str], folder: Path) -> Iterator[Model]:
    """Yield presage, if it is installed."""
    if missing := Presage.missing():
        progress(f"left out: {missing}")
        return
    database = folder / "presage.db"
    started = time.perf_counter()
    Presage.train(training, database)
    seconds = time.perf_counter() - started
    for name, recency in (("presage", False), ("presage, recency as well", True)):
        asked = Presage(database, max(COUNTS), folder, recency=recency)
        yield Model(name, asked, None, seconds, database.stat().st_size / 1e6)


def prefix_tree(training: list[str], folder: Path) -> Iterator[Model]:
    """Yield the tree of the commonest words of English; it learns nothing from the text."""
    started = time.perf_counter()
    tree = PrefixTree(CORPUS)
    yield Model("tree of common words", tree, None, time.perf_counter() - started, CORPUS.stat().st_size / 1e6)


def character_ngram(training: list[str], folder: Path) -> Iterator[Model]:
    """Yield the character n-gram model of the order that knows best one in a hundred lines of the text, held out."""
    found = held_out_bits(training, ORDERS)
    progress("held out: " + ", ".join(f"order {order}: {value:.3f} bits" for order, value in found.items()))
    order = min(found, key=found.__getitem__)
    started = time.perf_counter()
    model = learn(training, order)
    seconds = time.perf_counter() - started
    name = f"character {order}-gram, Kneser-Ney"
    yield Model(name, NgramSuggester(model), lambda texts: bits_per_character(model, texts), seconds, model.bytes / 1e6)


def mean_bits(log_probabilities: Iterable[np.ndarray]) -> float:
    """Return bits per character from the natural logarithms of each line."""
    return float(-np.concatenate(list(log_probabilities)).mean() / np.log(2))


def measure(model: Model, texts: dict[str, list[str]]) -> Result:
    """Return what a model saves on each text, and its bits per character."""
    found, milliseconds = {}, []
    for name, of_text in texts.items():
        started = time.perf_counter()
        simulation = simulate(model.suggester, of_text, max(COUNTS), fast=True)
        milliseconds.append(simulation.milliseconds)
        bits = model.bits(of_text) if model.bits else float("nan")
        found[name] = [savings(simulation, count) for count in COUNTS], bits
        progress(f"{model.name}, {name}: {found[name]} in {time.perf_counter() - started:.0f} s")
    own = getattr(model.suggester, "milliseconds", None)  # of those that remember answers, what was not remembered
    median = np.nanmedian(np.concatenate(milliseconds)) if own is None else np.median(own)
    return Result(model.name, found, model.seconds, model.megabytes, float(median))


def cached(
    make: Callable[[list[str], Path], Iterator[Model]],
    training: list[str],
    texts: dict[str, list[str]],
    folder: Path,
    temporary: Path,
) -> list[Result]:
    """Return what is measured of a peer, or what was, of the same texts by the same code."""
    digest = hashlib.sha256(repr((make.__name__, texts)).encode())
    for line in training:
        digest.update(line.encode() + b"\n")
    for path in (Path(__file__), *BEHIND):
        digest.update(path.read_bytes())
    path = folder / f"{make.__name__}-{digest.hexdigest()[:16]}.json"
    if not path.exists():
        progress(make.__name__)
        path.write_text(json.dumps([asdict(measure(model, texts)) for model in make(training, temporary)]))
    return [Result(**fields) for fields in json.loads(path.read_text())]


def markdown(results: list[Result], texts: dict[str, list[str]], training: list[str]) -> str:
    """Return the page: what was done, on what, and a table."""
    learnt = set(training)
    lines = [
        f"{time.strftime('%Y-%m-%d')}: `{command()}`",
        "",
        f"Savings: percentage of keys spared with {', '.join(map(str, COUNTS))} suggestions. Bits: per character, line ends",
        "included. MB: on disk; of the character n-gram in memory. Median: of a query for 5 words, on one thread.",
        "",
        f"Learnt from {len(training):,} lines of {sum(map(len, training)):,} characters; tested on",
        "",
    ]
    for name, of_text in texts.items():
        known = 100 * sum(phrase in learnt for phrase in of_text) / len(of_text)
        size = f"{len(of_text):,} phrases of {sum(map(len, of_text)):,} characters"
        lines.append(f"- {name}: {size}, {known:.1f} % of which are also lines of the training text")
    heads = [f"{name}: savings at {' / '.join(map(str, COUNTS))}, % | bits" for name in texts]
    lines += ["", f"| model | {' | '.join(heads)} | training, s | MB | median, ms |"]
    lines.append("|---" + (2 * len(texts) + 3) * "|--:" + "|")
    for result in results:
        cells = [result.name]
        for of_text, bits in result.texts.values():
            cells += [" / ".join(f"{100 * value:.1f}" for value in of_text), figure(bits, 3)]
        cells += [figure(result.seconds, 0), figure(result.megabytes, 1), figure(result.milliseconds, 2)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def command() -> str:
    """Return the command that is running, with the names of files for their paths."""
    words = [Path(word).name if Path(word).exists() else word for word in sys.argv[1:]]
    return shlex.join(["python", "benchmarks/peers.py", *words])


def figure(value: float, digits: int) -> str:
    """Return a number, or a dash for none."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"


def progress(message: str) -> None:
    """Tell how far it is."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
