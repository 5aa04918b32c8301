"""
The line so far: split, normalized, as ids and as states of the networks, each computed once.

A `Context` is the text before the word at the cursor; a `Line` adds the typed part of the word. While letters are typed, the
context stays the same, so a key costs at most one step of the character network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from itertools import accumulate
from typing import NamedTuple

from autocomplete.models.protocol import CharacterLanguageModel, States, Steps
from autocomplete.models.word_network import WordNetwork
from autocomplete.text.alphabets import Alphabet
from autocomplete.text.normalization import APOSTROPHES, split_last_word
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.text.words import running_words

__all__ = ["Context", "Line", "LineReader"]

_LONGEST = 400  # characters of a line that are read, at least
_CUT = 200  # a longer line is cut at a multiple of this
_CONTEXTS = 16  # cached contexts: for Backspace, ghost text of several words, and all words that are tried in a gap
_IDS = 4096  # cached word ids


class _StatesAlong:
    """The states of a model along symbols that grow and shrink at their end."""

    def __init__(self, model: Steps) -> None:
        self._model = model
        self._symbols: list[int] = []
        self._states = [model.start()]  # before each symbol and after the last

    def after(self, symbols: list[int]) -> States:
        """Return the states after some symbols, a batch of one; the same object for the same symbols as before."""
        shorter = min(len(self._symbols), len(symbols))
        same = shorter
        if self._symbols[:shorter] != symbols[:shorter]:
            same = next(i for i in range(shorter) if self._symbols[i] != symbols[i])
        del self._states[same + 1 :]
        for symbol in symbols[same:]:
            self._states.append(self._model.step(self._states[-1], [symbol]))
        self._symbols = symbols
        return self._states[-1]


class Word(NamedTuple):
    """A word of a line, and whether it begins a sentence."""

    surface: str
    key: str
    id: int
    begins: bool


class LineReader:
    """
    Reads lines for one checkpoint.

    :param network: the character network, with BOUNDARY as the end of a line. None if words do not depend on the line.
    :param lexicon: the keys of the lexicon in the order of their ids.
    :param word_network: the word network, if there is one.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        alphabet: Alphabet,
        network: CharacterLanguageModel | None = None,
        lexicon: Sequence[str] = (),
        word_network: WordNetwork | None = None,
    ) -> None:
        self.vocabulary, self.alphabet = vocabulary, alphabet
        self.in_context = network is not None
        # The characters of words beside letters: in a list of words, any.
        listed = frozenset(character for character in vocabulary.characters if not character.isspace())
        self.inner = APOSTROPHES if self.in_context else listed
        self.start_id, self.other_id = len(lexicon), len(lexicon) + 1
        self.find = lru_cache(_IDS)(partial(vocabulary.find, lexicon))  # a dictionary would take 5 MB
        self.characters = None if network is None else _StatesAlong(network)
        self._words = None if word_network is None else _StatesAlong(word_network)
        self._context = lru_cache(_CONTEXTS)(partial(Context, self))

    def read(self, text: str, preceding: Sequence[str] = ()) -> Line:
        """Return the line up to the cursor, given the lines before it."""
        before, typed = split_last_word(text, self.inner)
        context = self._context(before, tuple(preceding)) if self.in_context else self._context("", ())
        return Line(context, self.alphabet.surface(typed))

    def word_states(self, ids: Sequence[int]) -> States | None:
        """Return the states of the word network after a line's ids; None without such a network."""
        # Its start is the state after the first id, a boundary.
        return None if self._words is None else self._words.after(list(ids[1:]))


class Context:
    """The text before the word at the cursor."""

    def __init__(self, reader: LineReader, before: str, preceding: tuple[str, ...]) -> None:
        self._reader, self.before, self.preceding = reader, before, preceding
        kept = sum(length <= _LONGEST for length in accumulate(map(len, reversed(preceding))))
        self._lines = [*preceding[len(preceding) - kept :], before[max(0, (len(before) - _LONGEST) // _CUT) * _CUT :]]
        self._out_of_vocabulary: dict[str, int] = {}

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words, then a dummy that tells whether the word at the cursor begins a sentence."""
        lines = [*self._lines[:-1], self._lines[-1] + "x"]
        to_key = self._reader.alphabet.key
        found = [(surface, to_key(surface), begins) for line in lines for surface, begins in running_words(line)]
        return tuple(Word(surface, key, self.id(key), begins) for surface, key, begins in found)

    def id(self, key: str) -> int:
        """Return the id of a word in the lexicon, or one of this context's own, or `other_id` if it cannot be spelled."""
        found = self._reader.find(key)
        if found is not None:
            return found
        if not self._reader.vocabulary.is_word(key):
            return self._reader.other_id
        known = self._out_of_vocabulary
        return known.setdefault(key, self._reader.other_id + 1 + len(known))

    @cached_property
    def ids(self) -> list[int]:
        """The ids of the words, with `start_id` before the first word of each sentence."""
        start = self._reader.start_id
        return [i for word in self.words for i in ([start] if word.begins else []) + [word.id]][:-1]

    def key(self, word: int) -> str:
        """Return the key of a word with an id of this context."""
        return list(self._out_of_vocabulary)[word - self._reader.other_id - 1]

    @cached_property
    def surfaces(self) -> dict[str, str]:
        """The surfaces of the out-of-vocabulary words inside sentences, by key."""
        other = self._reader.other_id
        return {word.key: word.surface for word in self.words[:-1] if word.id >= other and not word.begins}

    @cached_property
    def symbols(self) -> list[int]:
        """The input of the character network: runs of blanks as one, BOUNDARY between lines."""
        encode, key = self._reader.vocabulary.encode, self._reader.alphabet.key
        lines = [encode(re.sub(r"\s+", " ", key(line)).lstrip()) for line in self._lines]
        return [symbol for line in lines[:-1] for symbol in [*line, BOUNDARY]] + lines[-1]

    @cached_property
    def tokens(self) -> list[str]:
        """The tokens between blanks; the last one is empty if the word at the cursor begins a token."""
        tokens = self.before.split()
        return [*tokens, ""] if not self.before or self.before[-1].isspace() else tokens

    @property
    def character_states(self) -> States:
        """The states of the character network where the word begins."""
        assert self._reader.characters is not None
        return self._reader.characters.after(self.symbols)

    @property
    def word_states(self) -> States | None:
        """The states of the word network there, if there is one."""
        return self._reader.word_states(self.ids)


class Line:
    """A line up to the cursor; `typed` is the surface of the word at the cursor so far, with its `key` and `symbols`."""

    def __init__(self, context: Context, typed: str) -> None:
        self._reader = context._reader
        self.context, self.typed = context, typed
        self.key = self._reader.alphabet.key(typed)
        self.symbols = self._reader.vocabulary.encode(self.key)

    @property
    def character_states(self) -> States:
        """The states of the character network at the cursor."""
        assert self._reader.characters is not None
        return self._reader.characters.after(self.context.symbols + self.symbols)

    @property
    def word_states(self) -> States | None:
        """The states of the word network if the word ends here; None without such a network."""
        word = self.key.strip("'")
        return self._reader.word_states(self.context.ids + [self.context.id(word)] * any(map(str.isalpha, word)))
