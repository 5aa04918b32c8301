"""
Hold the search against enumeration: the best five words of thousands of prefixes, found in two ways.

    python benchmarks/enumeration.py [--checkpoint english] [--prefixes 500] [--small 10000]

The enumeration knows no best-first order and no proof: level by level it lists every prefix that is at least as
probable as a floor, and every word that ends there, and sorts. It is run on a small network with a lexicon, trained on
the spot, and on the checkpoint.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np

from autocomplete.corpus.corpus import read_corpus
from autocomplete.inference.predictor import Predictor
from autocomplete.inference.search import search_below
from autocomplete.models.protocol import CharacterLanguageModel, gather
from autocomplete.models.search_tree import SearchTree
from autocomplete.storage.checkpoint import read_lexicon
from autocomplete.storage.lookup import find_checkpoint
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

CORPUS = Path(__file__).parent.parent / "corpora" / "english.txt"
COUNT = 5


def enumerate_words(
    model: CharacterLanguageModel, prefix: list[int], floor: float
) -> list[tuple[float, tuple[int, ...]]]:
    """Return (probability, suffix) of every word below the prefix at least as probable as the floor, best first."""
    states = model.start()
    for symbol in prefix:
        states = model.step(states, [symbol])
    level, costs, found = [()], np.zeros(1), []
    while level:
        probabilities = model.log_probabilities(states).astype(np.float64) - costs[:, None]
        for suffix, cost in zip(level, -probabilities[:, BOUNDARY], strict=True):
            if suffix and cost <= -math.log(floor):
                found.append((math.exp(-cost), suffix))
        probabilities[:, [BOUNDARY, UNKNOWN]] = -np.inf
        rows, symbols = np.nonzero(probabilities >= math.log(floor))
        level = [(*level[row], int(symbol)) for row, symbol in zip(rows, symbols, strict=True)]
        costs = -probabilities[rows, symbols]
        if level:
            states = model.step(gather(states, rows), symbols)
    return sorted(found, reverse=True)


def compare(
    model: CharacterLanguageModel, vocabulary: Vocabulary, prefixes: list[list[int]], floor: float
) -> tuple[int, int]:
    """Return for how many prefixes the two disagree, and for how many the search could not prove its answer."""
    tree = SearchTree(model)
    mismatches = unproved = 0
    for prefix in prefixes:
        node = 0
        for symbol in prefix:
            node = tree.child(node, symbol)
        search = search_below(tree, node, COUNT, vocabulary, floor=floor)
        ours = list(search)
        every = enumerate_words(model, prefix, 0.99 * floor)
        theirs = [probability for probability, _ in every if probability >= floor][:COUNT]
        # Words of the same probability, to rounding, may come in either order: compare the probabilities rank by rank,
        # and the probability of each word found with that which the enumeration gives to it.
        known = {suffix: probability for probability, suffix in every}
        same = (
            len(ours) == len(theirs)
            and all(math.isclose(a.probability, b, rel_tol=1e-4) for a, b in zip(ours, theirs, strict=True))
            and all(math.isclose(a.probability, known.get(a.suffix, 0), rel_tol=1e-4) for a in ours)
        )
        mismatches += not same
        unproved += not search.exact
        if tree.memory > 200_000_000:
            tree = SearchTree(model)
    return mismatches, unproved


BEFORE = "I would like to "  # what stands on the line; a checkpoint of words takes no notice of it


def small_predictor(folder: Path) -> Predictor:
    """Return a network of 32 units, trained for a few seconds on two thousand words, with its lexicon."""
    from autocomplete.training.settings import TrainingInputs, TrainingSettings
    from autocomplete.training.trainer import train

    words = folder / "words.txt"
    words.write_text("".join(CORPUS.read_text(encoding="utf-8").splitlines(keepends=True)[:2_000]), encoding="utf-8")
    settings = TrainingSettings(cell="gru", hidden=32, embedding=16, steps=300, draws=512)
    for _ in train(TrainingInputs(read_corpus([words]), folder / "small", settings)):
        pass
    return Predictor.load(str(folder / "small"))


def draw_prefixes(
    words: list[str], vocabulary: Vocabulary, count: int, generator: np.random.Generator
) -> list[list[int]]:
    """Return prefixes of words, one in five with a letter changed so that no word may have it."""
    prefixes = []
    for i in generator.choice(len(words), size=count):
        prefix = vocabulary.encode(words[i][: generator.integers(0, len(words[i]) + 1)])
        if prefix and generator.random() < 0.2:
            prefix[generator.integers(len(prefix))] = int(generator.integers(2, len(vocabulary)))
        prefixes.append(prefix)
    return prefixes


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="english")
    parser.add_argument("--prefixes", type=int, default=500)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--floor", type=float, default=1e-4)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    shipped = find_checkpoint(options.checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            ("small", small_predictor(Path(folder)), read_lexicon(Path(folder) / "small"), options.small),
            (shipped.name, Predictor.load(str(shipped), explicit=True), read_lexicon(shipped), options.prefixes),
        ]
    for name, predictor, lexicon, count in runs:
        words = [predictor.checkpoint.alphabet.key(surface) for surface in lexicon]
        prefixes = draw_prefixes(words, predictor.checkpoint.vocabulary, count, generator)
        started = time.perf_counter()
        mismatches, unproved = compare(
            predictor.model(BEFORE), predictor.checkpoint.vocabulary, prefixes, options.floor
        )
        seconds = time.perf_counter() - started
        print(f"{name}: {mismatches} mismatches in {count:,} prefixes, {unproved} unproved ({seconds:.0f} s)")


if __name__ == "__main__":
    main()
