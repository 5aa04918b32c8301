"""Words that are never offered, as a set for lookup and as a tree of symbols for the search."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["HiddenWords"]

Tree = dict[int, Any]  # from symbol to subtree


class HiddenWords(Container[str]):
    """Words given by key; `tree` has their symbols, nested by depth, with BOUNDARY at the end of each word."""

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
        """Return (keys,) whether each word may be offered."""
        return np.array([key not in self._keys for key in keys])
