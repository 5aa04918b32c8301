"""
Fill the gaps of a line with a bidirectional network, best first.

The search finds the most probable fillings of one gap, with proof. Several gaps are filled from left to right, each given the
fillings before it, with unknown letters in the gaps after it. The probability is the product (chain rule). Only the best few
fillings of each gap are followed up, so `exact` is then false.
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
_UNKNOWN_WORD = 4  # unknown letters in place of another missing word: the average length in running text
_FOLLOWED = 10  # least number of fillings of a gap that are followed up into the next one
_BUDGET = Budget(expansions=4_000)


@dataclass(frozen=True)
class Fill:
    """Texts for all gaps of a line."""

    texts: tuple[str, ...]  # of each gap, from left to right
    line: str  # the filled line
    probability: float  # of all texts together


@dataclass(frozen=True)
class Filling:
    """The answer to a line with gaps."""

    text: str
    fills: tuple[Fill, ...]  # best first
    exact: bool  # whether these are proved to be the best

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        fills = [{"gaps": list(f.texts), "line": f.line, "probability": round(f.probability, 6)} for f in self.fills]
        return {"text": self.text, "fills": fills, "exact": self.exact}


class Filler:
    """
    Fills gaps with a checkpoint that was trained with --bidirectional.

    :param lexicon: surfaces with their counts, the candidates for missing words; if empty, these are spelled freely.
    :param hidden: words that are never offered for a missing word.
    :raises CheckpointError: if the checkpoint reads forward only.
    """

    def __init__(self, checkpoint: Checkpoint, lexicon: Mapping[str, float], hidden: Iterable[str] = ()) -> None:
        if not checkpoint.configuration.bidirectional:
            raise CheckpointError(
                "this checkpoint reads forward only and cannot look at what stands right of a gap; give --checkpoint one "
                f"that was trained with --bidirectional, such as {BOTH_WAYS}"
            )
        self.checkpoint = checkpoint
        self.network = BidirectionalNetwork(checkpoint.configuration, checkpoint.tensors)
        self._vocabulary, self._alphabet = checkpoint.vocabulary, checkpoint.alphabet
        keys = self._alphabet.keys(list(lexicon))
        self._surfaces = dict(zip(reversed(keys), reversed(list(lexicon)), strict=True))
        counts = dict.fromkeys(keys, 1.0)  # the network knows how frequent words are
        self._lexicon = Lexicon(list(counts), list(counts.values()), self._vocabulary) if counts else None
        self._letters = self._vocabulary.word_symbols()[1]
        self._hidden = HiddenWords(map(self._alphabet.key, hidden), self._vocabulary)

    @classmethod
    def load(cls, name: str = BOTH_WAYS, *, explicit: bool = False) -> Self:
        """
        Load a checkpoint.

        :param name: name or folder of the checkpoint.
        :param explicit: whether to offer slurs and obscenities, too.
        :raises CheckpointError: if the checkpoint is missing or damaged, or reads forward only.
        """
        folder = find_checkpoint(name)
        try:
            return cls(*read_with_lexicon(folder), () if explicit else explicit_words())
        except CheckpointError as error:
            raise CheckpointError(f"{folder}: {error}" if str(folder) not in str(error) else str(error)) from None

    def fill(self, line: str, count: int = 5) -> Filling:
        """Return the most probable fillings of a line; see `read_blanks` for its format and errors."""
        parts = read_blanks(self._alphabet.surface(line))
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
        """Return the model of a gap between some symbols."""
        if gap.kind == "letters":
            return GapOfLetters(self.network, left, right, gap.length, self._letters)
        between = GapOfWord(self.network, left, right)
        word = WithinWord(between, between.start(), self._vocabulary)
        return word if self._lexicon is None else KnownWords(word, self._lexicon)

    def candidates(
        self, left: Sequence[int], gap: Blank, right: Sequence[int], count: int
    ) -> tuple[list[tuple[str, float]], bool]:
        """
        Return the most probable texts of a gap between some symbols, with their probabilities, and whether these are proved.

        Letters are in lower case; words have their surface.
        """
        hidden = self._hidden if gap.kind == "word" else None
        search = Search(SearchTree(self.model(left, gap, right), hidden=hidden), ROOT, count, budget=_BUDGET)
        found = [(self._vocabulary.decode(word.suffix), word.probability) for word in search]
        if gap.kind == "word":
            found = [(self._surfaces.get(key, key), probability) for key, probability in found]
        return found, search.exact

    def sides(self, parts: Sequence[str | Blank], texts: Sequence[str] = ()) -> tuple[list[int], Blank, list[int]]:
        """
        Return the symbols left of the first open gap, the gap, and the symbols right of it, with unknown letters in other gaps.

        :param parts: the result of `read_blanks`.
        :param texts: the texts of the gaps before it.
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
        """Return the symbols of a text."""
        return self._vocabulary.encode(self._alphabet.key(text))

    def _found(
        self, parts: Sequence[str | Blank], texts: Sequence[str], count: int
    ) -> tuple[list[tuple[str, float]], bool]:
        """Return the texts of the first open gap, in the case of the word around it, and whether they are proved."""
        left, gap, right = self.sides(parts, texts)
        found, exact = self.candidates(left, gap, right, count)
        if gap.kind == "letters":
            place = [place for place, part in enumerate(parts) if isinstance(part, Blank)][len(texts)]
            typed = split_last_word(joined(parts[:place], texts))[1]
            spell = self._alphabet.spell
            found = [(self._alphabet.match_case(typed, spell(key)), probability) for key, probability in found]
        return found, exact


def joined(parts: Sequence[str | Blank], texts: Sequence[str]) -> str:
    """Return a line with texts in its first gaps."""
    rest = iter(texts)
    return "".join(next(rest, str(part)) if isinstance(part, Blank) else part for part in parts)
