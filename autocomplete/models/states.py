"""The states of a network along symbols that grow and shrink at their end."""

from __future__ import annotations

import re

from autocomplete.models.protocol import CharacterLanguageModel, States
from autocomplete.text.normalization import Normalization
from autocomplete.text.vocabulary import Vocabulary

__all__ = ["StatesAlong", "TextLine", "recent"]

_LONGEST, _CUT = 400, 200  # characters of a line that are read, at least, and a line is cut at multiples of


class StatesAlong:
    """The states of a network along symbols, which are assumed to grow and shrink at their end."""

    def __init__(self, network: CharacterLanguageModel) -> None:
        self._network = network
        self._symbols: list[int] = []
        self._states = [network.start()]  # after none of them, the first, and so on

    def after(self, symbols: list[int]) -> States:
        """Return the state after some symbols."""
        pairs = zip(self._symbols, symbols, strict=False)
        same = next(
            (i for i, (ours, theirs) in enumerate(pairs) if ours != theirs), min(len(self._symbols), len(symbols))
        )
        del self._states[same + 1 :]
        for symbol in symbols[same:]:
            self._states.append(self._network.step(self._states[-1], [symbol]))
        self._symbols = symbols
        return self._states[-1]


def recent(text: str) -> str:
    """Return the end of a line that is read: all of it, unless it is very long."""
    return text[max(0, (len(text) - _LONGEST) // _CUT) * _CUT :]


class TextLine:
    """
    The states of a network along a line, which is assumed to grow and shrink at its end.

    :param network: over the symbols of text, in which BOUNDARY is the line's end.
    """

    def __init__(self, network: CharacterLanguageModel, vocabulary: Vocabulary, normalization: Normalization) -> None:
        self._vocabulary, self._normalization = vocabulary, normalization
        self._states = StatesAlong(network)

    def state(self, text: str) -> States:
        """Return the state after the text of a line."""
        key = re.sub(r"\s+", " ", self._normalization.key(recent(text))).lstrip()
        return self._states.after(self._vocabulary.encode(key))
