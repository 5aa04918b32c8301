"""
One letter missing: how often it is filled right from both sides, and by a network that reads forward.

    python benchmarks/gaps.py [--words corpora/english.txt] [--minutes 5] [--keep FOLDER]
    python benchmarks/gaps.py --text FILE --both-ways english-both-ways --forward english [--lines 1000]

The first trains two networks of as many parameters, each for as many minutes, on the same words of a list; a twentieth of the
rarer words is held out, the same for both, and each letter of those words is asked for. The second asks checkpoints for one
letter of each line of a text, drawn at random; with --missing-words N, also for a word.

"both ways" is what the bidirectional network answers. "both ways, pseudo" puts each letter into the gap and multiplies what
that network then gives to every character of the line from both its sides (pseudo-likelihood; Besag, 1975). "forward, right
side scored" is exact: for each letter that could stand in the gap, the probability of the whole line with it, character after
character; its answer is the letter that makes the whole most probable. "forward, left only" is what that network expects
before it has seen what stands right of the gap.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.inference.blanks import Blank
from autocomplete.inference.filling import Filler
from autocomplete.inference.search import Search
from autocomplete.models.bidirectional import BidirectionalNetwork
from autocomplete.models.known_words import KnownWords
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.protocol import States, gather
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.models.within_word import WithinWord
from autocomplete.storage.checkpoint import Checkpoint, read_checkpoint
from autocomplete.storage.lookup import find_checkpoint
from autocomplete.text.normalization import without_marks
from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.objectives.lessons import WordsLesson
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

SEED = 0
CANDIDATES = 30  # words that a second way of scoring chooses from


@dataclass(frozen=True)
class Gap:
    """A letter, or a word, that is missing between two parts of a word or a line."""

    left: str
    letter: str
    right: str


Answer = Callable[[Gap], NDArray[np.float64]]  # (letters,) natural log probability of each letter that may stand there


@dataclass
class Score:
    """How often the most probable letter was the right one, and the bits that the right one took."""

    right: int = 0
    bits: float = 0.0
    asked: int = 0

    def add(self, logs: NDArray[np.float64], letter: int) -> None:
        """Count one answer."""
        self.right += int(logs.argmax()) == letter
        self.bits -= float(logs[letter] - np.logaddexp.reduce(logs)) / math.log(2)
        self.asked += 1

    def cells(self) -> tuple[str, str]:
        """Return the share that was right with its standard error, and the mean of the bits."""
        share = self.right / self.asked
        return (
            f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / self.asked):.1f} %",
            f"{self.bits / self.asked:.2f}",
        )


def pseudo_likelihood(network: BidirectionalNetwork, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (lines,) the sum of the log probabilities of all symbols of some lines, (lines, time), each given all others."""
    first = [0] * len(symbols)
    befores, afters = [gather(network.forward.start(), first)], [gather(network.backward.start(), first)]
    for place in range(symbols.shape[1] - 1):
        befores.append(network.forward.step(befores[-1], symbols[:, place]))
        afters.append(network.backward.step(afters[-1], symbols[:, -1 - place]))
    total = np.zeros(len(symbols))
    for place, (before, after) in enumerate(zip(befores, reversed(afters), strict=True)):
        states = network.forward.top(before), network.backward.top(after)
        total += network.log_probabilities(*states, "letter")[range(len(symbols)), symbols[:, place]]
    return total


def both_ways(checkpoint: Checkpoint, letters: Sequence[int]) -> dict[str, Answer]:
    """Return the ways to ask a bidirectional network."""
    network, encode = BidirectionalNetwork(checkpoint.configuration, checkpoint.tensors), checkpoint.vocabulary.encode

    def direct(gap: Gap) -> NDArray[np.float64]:
        before, after = network.left(encode(gap.left)), network.right(encode(gap.right))
        states = network.forward.top(before), network.backward.top(after)
        return network.log_probabilities(*states, "letter")[0, letters].astype(np.float64)

    def pseudo(gap: Gap) -> NDArray[np.float64]:
        symbols = np.array([[*encode(gap.left), 0, *encode(gap.right)]] * len(letters))
        symbols[:, len(gap.left)] = letters
        return pseudo_likelihood(network, symbols)

    return {"both ways": direct, "both ways, pseudo": pseudo}


def forward(checkpoint: Checkpoint, letters: Sequence[int]) -> dict[str, Answer]:
    """Return the ways to ask a network that reads forward."""
    network, encode = RecurrentNetwork(checkpoint.configuration, checkpoint.tensors), checkpoint.vocabulary.encode

    def left_only(gap: Gap) -> NDArray[np.float64]:
        state = network.start()
        for symbol in encode(gap.left):
            state = network.step(state, [symbol])
        return network.log_probabilities(state)[0, letters].astype(np.float64)

    def exact(gap: Gap) -> NDArray[np.float64]:
        state = network.start()
        for symbol in encode(gap.left):
            state = network.step(state, [symbol])
        total = network.log_probabilities(state)[0, letters].astype(np.float64)
        states = network.step(gather(state, [0] * len(letters)), letters)
        for symbol in [*encode(gap.right), BOUNDARY]:
            total += network.log_probabilities(states)[:, symbol]
            states = network.step(states, [symbol] * len(letters))
        return total

    return {"forward, right side scored": exact, "forward, left only": left_only}


def measured(checkpoints: Sequence[tuple[str, Checkpoint]], gaps: Sequence[Gap], title: str) -> Table:
    """Return a table of what checkpoints make of gaps."""
    table = Table(title=f"{title}: {len(gaps):,} letters missing", title_justify="left")
    for heading in ("checkpoint", "parameters", "asked", "right", "bits"):
        table.add_column(heading, justify="left" if heading in ("checkpoint", "asked") else "right")
    alphabet = set.intersection(*(set(checkpoint.vocabulary.characters) for _, checkpoint in checkpoints))
    for name, checkpoint in checkpoints:
        inside = checkpoint.vocabulary.word_symbols()[1]
        chosen = sorted(c for c in alphabet if inside[checkpoint.vocabulary.encode(c)[0]])  # the same for all
        ways = both_ways if checkpoint.configuration.bidirectional else forward
        for way, answer in ways(checkpoint, checkpoint.vocabulary.encode("".join(chosen))).items():
            score = Score()
            for gap in gaps:
                if gap.letter in chosen:
                    score.add(answer(gap), chosen.index(gap.letter))
            table.add_row(name, f"{checkpoint.configuration.parameters:,}", way, *score.cells())
    return table


def gaps_of_words(words: Sequence[str]) -> list[Gap]:
    """Return each letter of each word as a gap."""
    return [Gap(word[:i], word[i], word[i + 1 :]) for word in words for i in range(len(word))]


def gaps_of_lines(text: Path, count: int) -> list[Gap]:
    """Return one letter of each line as a gap; every other line has lost its marks, as typed in haste."""
    corpus = read_corpus([text])
    assert corpus.text is not None
    generator, gaps = np.random.default_rng(SEED), []
    lines = list(corpus.text.lines())
    for i, place in enumerate(generator.permutation(len(lines))[:count].tolist()):
        line = corpus.alphabet.key(lines[place] if i % 2 else without_marks(lines[place]))[:400]
        letters = [place for place, character in enumerate(line) if character.isalpha()]
        if letters:
            place = int(generator.choice(letters))
            gaps.append(Gap(line[:place], line[place], line[place + 1 :]))
    return gaps


def gaps_of_text(text: Path, count: int, words: Collection[str]) -> list[Gap]:
    """Return a known word of each line as a gap, in lines without marks."""
    corpus = read_corpus([text])
    assert corpus.text is not None
    generator, gaps = np.random.default_rng(SEED), []
    lines = [without_marks(line)[:200].split() for line in corpus.text.lines()]
    for number in generator.permutation(len(lines)).tolist():
        line = lines[number]
        known = [place for place, word in enumerate(line) if word in words]
        if len(line) > 3 and known and len(gaps) < count:
            place = int(generator.choice(known))
            sides = [" ".join(part) for part in (line[:place], line[place + 1 :])]
            gaps.append(Gap(sides[0] + " " * (place > 0), line[place], " " * (place + 1 < len(line)) + sides[1]))
    return gaps


def measured_words(both: Path, forward: Path, text: Path, count: int) -> Table:
    """Return a table of how often the right word is the first, or among the first five, by several ways to choose it."""
    filler, checkpoint = Filler.load(str(both)), read_checkpoint(forward)
    vocabulary, network = checkpoint.vocabulary, RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)
    known = [word for word in filler.lexicon if set(vocabulary.characters).issuperset(word)]
    lexicon = Lexicon(known, [1.0] * len(known), vocabulary)
    gaps = gaps_of_text(text, count, set(known))
    ranks: dict[str, list[int]] = {}
    for gap in gaps:
        left, right = filler.encode(gap.left), filler.encode(gap.right)
        chain = [word.casefold() for word, _ in filler.candidates(left, Blank(0), right, CANDIDATES)[0]]
        by_length: dict[int, list[str]] = {}
        for word in chain:
            by_length.setdefault(len(word), []).append(word)
        scores = {}
        for group in by_length.values():
            rows = np.array([[*left, *filler.encode(word), *right] for word in group])
            scores |= dict(zip(group, pseudo_likelihood(filler.network, rows).tolist(), strict=True))
        state = network.start()
        for symbol in vocabulary.encode(gap.left):
            state = network.step(state, [symbol])
        model = KnownWords(WithinWord(network, state, vocabulary), lexicon)
        ahead = [vocabulary.decode(word.suffix) for word in Search(SearchTree(model), ROOT, CANDIDATES)]
        whole = {word: line_probability(network, vocabulary.encode(word + gap.right), state) for word in ahead}
        for name, order in {
            "both ways, spelled given the right side (`fill`)": chain,
            f"both ways, the {CANDIDATES} best of those by pseudo-likelihood": sorted(scores, key=lambda w: -scores[w]),
            f"forward, its {CANDIDATES} best, right side scored": sorted(whole, key=lambda w: -whole[w]),
            "forward, left only": ahead,
        }.items():
            ranks.setdefault(name, []).append(order.index(gap.letter) if gap.letter in order else CANDIDATES)
    table = Table(title=f"{text.name}: {len(gaps):,} words missing", title_justify="left")
    for heading in ("asked", "first", "among five"):
        table.add_column(heading)
    for name, found in ranks.items():
        shares = [sum(rank < most for rank in found) / len(found) for most in (1, 5)]
        table.add_row(name, *(f"{100 * s:.1f} ± {100 * math.sqrt(s * (1 - s) / len(found)):.1f} %" for s in shares))
    return table


def line_probability(network: RecurrentNetwork, symbols: Sequence[int], state: States) -> float:
    """Return the log probability of some symbols, and of the line's end after them, after a state."""
    total = 0.0
    for symbol in [*symbols, BOUNDARY]:
        total += float(network.log_probabilities(state)[0, symbol])
        state = network.step(state, [symbol])
    return total


def trained(corpus: Corpus, folder: Path, settings: TrainingSettings) -> Checkpoint:
    """Return the checkpoint in a folder, trained now if there is none."""
    if not (folder / "model.safetensors").exists():
        for _ in train(TrainingInputs(corpus, folder, settings, overwrite=True)):
            pass
    return read_checkpoint(folder)


def compare_words(path: Path, minutes: float, keep: Path, count: int) -> Table:
    """Train two networks alike on a list of words, and ask them for the letters of words that neither has seen."""
    corpus = read_corpus([path])
    settings = TrainingSettings(minutes=minutes, bptt=128, alpha=0.5, seed=SEED, patience=1_000)
    lesson = WordsLesson(corpus, settings, np.random.default_rng(SEED))
    held_out = [corpus.words[lesson.words.order[i]] for i in lesson.validation.held_out.tolist()]
    both = replace(settings, bidirectional=True)
    wanted = both.configuration(len(lesson.vocabulary)).parameters
    sizes = (replace(settings, hidden=hidden) for hidden in range(settings.hidden, 4 * settings.hidden, 4))
    alike = min(sizes, key=lambda each: abs(each.configuration(len(lesson.vocabulary)).parameters - wanted))
    networks = [(name, trained(corpus, keep / name, each)) for name, each in (("both-ways", both), ("forward", alike))]
    drawn = np.random.default_rng(SEED).permutation(len(held_out))[:count].tolist()
    return measured(
        networks, gaps_of_words([held_out[i] for i in drawn]), f"{path.name}, {len(drawn):,} held-out words"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=Path, help="a list, to train on and to hold words out of")
    parser.add_argument("--minutes", type=float, default=5.0, help="that each of the two networks is trained for")
    parser.add_argument("--keep", type=Path, help="where the two are kept; those that are there are not trained again")
    parser.add_argument("--text", type=Path, help="lines that no checkpoint has seen")
    parser.add_argument("--both-ways", nargs="*", default=["english-both-ways"], help="checkpoints that fill gaps")
    parser.add_argument("--forward", nargs="*", default=["english"], help="checkpoints that read forward")
    parser.add_argument("--lines", type=int, default=1_000, help="lines, or held-out words, that are asked for")
    parser.add_argument(
        "--missing-words", type=int, default=0, help="lines of the text that a word is missing from, too"
    )
    options = parser.parse_args()
    if options.words is None and options.text is None:
        options.words = Path(__file__).parent.parent / "corpora" / "english.txt"
    console = Console(width=None if Console().is_terminal else 120)
    if options.words is not None:
        with tempfile.TemporaryDirectory() as place:
            keep = options.keep or Path(place)
            keep.mkdir(parents=True, exist_ok=True)
            console.print(compare_words(options.words, options.minutes, keep, options.lines))
    if options.text is not None:
        names = [*options.both_ways, *options.forward]
        checkpoints = [(name, read_checkpoint(find_checkpoint(name))) for name in names]
        if options.lines:
            console.print(measured(checkpoints, gaps_of_lines(options.text, options.lines), options.text.name))
        if options.missing_words:
            places = [find_checkpoint(found[0]) for found in (options.both_ways, options.forward)]
            console.print(measured_words(*places, options.text, options.missing_words))


if __name__ == "__main__":
    main()
