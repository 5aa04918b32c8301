"""
Gaps in a line filled from both sides, best first.

A missing letter, several in a row, and a missing word are each spelled from left to right by a model that knows the right side
(`bidirectional`), and the search finds the most probable spellings of that, with proof. Where a line has several gaps, they are
filled from left to right: each given what was put into those before it, with what is missing in those after it read as unknown
letters. By the chain rule, the product is the probability of all together; as only the best few fillings of each gap are followed
up, lines that begin less probably may be missed, and `exact` is false.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from autocomplete.errors import CheckpointError
from autocomplete.inference.blanks import Blank, read_blanks
from autocomplete.inference.search import Budget, Search
from autocomplete.models.bidirectional import BidirectionalNetwork
from autocomplete.models.gaps import GapOfLetters, GapOfWord
from autocomplete.models.hidden_words import HiddenWords
from autocomplete.models.known_words import KnownWords
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.protocol import CharacterLanguageModel
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.models.within_word import WithinWord
from autocomplete.storage.checkpoint import Checkpoint, read_with_lexicon
from autocomplete.storage.lookup import find_checkpoint
from autocomplete.text.blocklist import explicit_words
from autocomplete.text.normalization import split_last_word
from autocomplete.text.vocabulary import UNKNOWN

__all__ = ["BOTH_WAYS", "Fill", "Filler", "Filling", "joined"]

BOTH_WAYS = "english-both-ways"  # the checkpoint that ships with the tool
_UNKNOWN_WORD = (
    4  # unknown letters that stand for another missing word: as many as a word of running text has on the average
)
_FOLLOWED = 10  # fillings of a gap that are followed up into the next one, at least
_BUDGET = Budget(expansions=4_000)


@dataclass(frozen=True)
class Fill:
    """
    What may stand in the gaps of a line.

    :param texts: for each gap, from left to right.
    :param line: with them in their places.
    :param probability: of all of them together.
    """

    texts: tuple[str, ...]
    line: str
    probability: float


@dataclass(frozen=True)
class Filling:
    """
    The answer to a line with gaps.

    :param fills: the most probable, best first.
    :param exact: whether the search has proved that these are the best.
    """

    text: str
    fills: tuple[Fill, ...]
    exact: bool

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        fills = [{"gaps": list(f.texts), "line": f.line, "probability": round(f.probability, 6)} for f in self.fills]
        return {"text": self.text, "fills": fills, "exact": self.exact}


class Filler:
    """
    Fills gaps with a checkpoint that was trained with --bidirectional.

    :param lexicon: surfaces with their counts, of which missing words are chosen; where it is empty, they are spelled freely.
    :param hidden: words that are never offered for a missing word.
    :raises CheckpointError: for a checkpoint that reads forward only.
    """

    def __init__(self, checkpoint: Checkpoint, lexicon: Mapping[str, float], hidden: Iterable[str] = ()) -> None:
        if not checkpoint.configuration.bidirectional:
            raise CheckpointError(
                "this checkpoint reads forward only and cannot look at what stands right of a gap; give --checkpoint one "
                f"that was trained with --bidirectional, such as {BOTH_WAYS}"
            )
        self.checkpoint = checkpoint
        self.network = BidirectionalNetwork(checkpoint.configuration, checkpoint.tensors)
        self._vocabulary, self._normalization = checkpoint.vocabulary, checkpoint.normalization
        keys = self._normalization.keys(list(lexicon))
        self._surfaces = dict(zip(reversed(keys), reversed(list(lexicon)), strict=True))
        counts = dict.fromkeys(keys, 1.0)  # how often words are said is what the network has learned
        self._lexicon = Lexicon(list(counts), list(counts.values()), self._vocabulary) if counts else None
        self._letters = self._vocabulary.word_symbols()[1]
        self._hidden = HiddenWords(map(self._normalization.key, hidden), self._vocabulary)

    @classmethod
    def load(cls, name: str = BOTH_WAYS, *, explicit: bool = False) -> Self:
        """
        Return what fills gaps with a checkpoint.

        :param name: of a checkpoint, or its folder.
        :param explicit: whether to offer slurs and obscenities, too.
        :raises CheckpointError: where it is missing, damaged, or reads forward only.
        """
        folder = find_checkpoint(name)
        try:
            return cls(*read_with_lexicon(folder), () if explicit else explicit_words())
        except CheckpointError as error:
            raise CheckpointError(f"{folder}: {error}" if str(folder) not in str(error) else str(error)) from None

    def fill(self, line: str, count: int = 5) -> Filling:
        """
        Return the most probable fillings of a line.

        :param line: with `_` for each missing letter, and `[ ]` for each missing word.
        :raises SettingsError: for a line without gaps, or one that cannot be read.
        """
        parts = read_blanks(self._normalization.surface(line))
        gaps = sum(isinstance(part, Blank) for part in parts)
        partly: list[tuple[tuple[str, ...], float]] = [((), 0.0)]  # the texts of the gaps so far, and their cost
        exact = gaps == 1
        for gap in range(gaps):
            wanted = count if gaps == 1 else max(count, _FOLLOWED)
            longer = []
            for texts, cost in partly:
                found, proved = self._found(parts, texts, wanted)
                longer += [((*texts, text), cost - math.log(max(p, 1e-300))) for text, p in found]
                exact = exact and proved
            partly = sorted(longer, key=lambda each: each[1])[: count if gap == gaps - 1 else wanted]
        fills = tuple(Fill(texts, joined(parts, texts), math.exp(-cost)) for texts, cost in partly)
        return Filling(line, fills, exact)

    @property
    def lexicon(self) -> tuple[str, ...]:
        """The keys of the words that missing words are chosen from."""
        return () if self._lexicon is None else self._lexicon.words

    def model(self, left: Sequence[int], gap: Blank, right: Sequence[int]) -> CharacterLanguageModel:
        """Return the model of what stands in a gap between some symbols."""
        if gap.kind == "letters":
            return GapOfLetters(self.network, left, right, gap.length, self._letters)
        between = GapOfWord(self.network, left, right)
        word = WithinWord(between, between.start(), self._vocabulary)
        return word if self._lexicon is None else KnownWords(word, self._lexicon)

    def candidates(
        self, left: Sequence[int], gap: Blank, right: Sequence[int], count: int
    ) -> tuple[list[tuple[str, float]], bool]:
        """
        Return the most probable texts of a gap between some symbols, with their probabilities, and whether that is proved.

        Letters are as they are compared, in lower case; words as they are mostly written.
        """
        hidden = self._hidden if gap.kind == "word" else None
        search = Search(SearchTree(self.model(left, gap, right), hidden=hidden), ROOT, count, budget=_BUDGET)
        found = [(self._vocabulary.decode(word.suffix), word.probability) for word in search]
        if gap.kind == "word":
            found = [(self._surfaces.get(key, key), probability) for key, probability in found]
        return found, search.exact

    def sides(self, parts: Sequence[str | Blank], texts: Sequence[str] = ()) -> tuple[list[int], Blank, list[int]]:
        """
        Return the first gap of a line that is not filled, between the symbols left and right of it.

        :param parts: of the line, as `read_blanks` gives them.
        :param texts: of the gaps before it; what is missing after it is read as unknown letters.
        """
        left: list[int] = []
        right: list[int] = []
        filled, here = iter(texts), None
        for part in parts:
            if isinstance(part, Blank):
                text = next(filled, None)
                if text is None and here is None:
                    here = part
                    continue
                symbols = [UNKNOWN] * (part.length or _UNKNOWN_WORD) if text is None else self.encode(text)
            else:
                symbols = self.encode(part)
            (left if here is None else right).extend(symbols)
        if here is None:
            raise ValueError("no gap is left")
        return left, here, right

    def encode(self, text: str) -> list[int]:
        """Return the symbols of a text, an unknown one for a character that the checkpoint does not know."""
        return self._vocabulary.encode(self._normalization.key(text))

    def _found(
        self, parts: Sequence[str | Blank], texts: Sequence[str], count: int
    ) -> tuple[list[tuple[str, float]], bool]:
        """Return the texts of the first gap that is not filled, as they are written there, and whether they are proved."""
        left, gap, right = self.sides(parts, texts)
        found, exact = self.candidates(left, gap, right, count)
        if gap.kind == "letters":
            place = [place for place, part in enumerate(parts) if isinstance(part, Blank)][len(texts)]
            typed = split_last_word(joined(parts[:place], texts))[1]
            spell = self._normalization.spell
            found = [(self._normalization.match_case(typed, spell(key)), probability) for key, probability in found]
        return found, exact


def joined(parts: Sequence[str | Blank], texts: Sequence[str]) -> str:
    """Return a line with texts in its gaps, as far as there are some."""
    rest = iter(texts)
    return "".join(next(rest, str(part)) if isinstance(part, Blank) else part for part in parts)
