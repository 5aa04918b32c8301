"""Words that are never offered: as a set for what is looked up, as a tree of symbols for what is searched."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["HiddenWords"]

Tree = dict[int, Any]  # by symbol; the end of a word leads to an empty one


class HiddenWords(Container[str]):
    """
    Words given as keys.

    :ivar tree: their symbols, each leading to what may follow it; BOUNDARY leads to nothing.
    """

    def __init__(self, keys: Iterable[str], vocabulary: Vocabulary) -> None:
        self._keys = frozenset(keys)
        self.tree: Tree = {}
        for key in self._keys:
            node = self.tree
            for symbol in [*vocabulary.encode(key), BOUNDARY]:
                node = node.setdefault(symbol, {})

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def offered(self, keys: Sequence[str]) -> NDArray[np.bool_]:
        """Return (keys,) which of some words may be offered."""
        return np.array([key not in self._keys for key in keys])
