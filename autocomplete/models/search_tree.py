"""A tree of the prefixes that were stepped through a model, for the search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.hidden_words import HiddenWords, Tree
from autocomplete.models.protocol import CharacterLanguageModel, States, gather, grown
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["ROOT", "RankedSymbols", "SearchTree"]

ROOT = 0
_ROOM = 192  # nodes allocated at first; the searches of one word rarely need more

# Symbols; the bound of each, which is the least cost of a word that continues with it; and its cost. A cost is minus the natural
# log probability.
RankedSymbols = tuple[list[int], list[float], list[float]]


class SearchTree:
    """
    The prefixes that were stepped through a model, with their states and their next symbols.

    A node is a prefix, the first one empty. All arrays have a row for each node, allocated in advance so that a keystroke rarely
    waits for them to grow.

    :param hidden: words that are never found.
    """

    def __init__(self, model: CharacterLanguageModel, hidden: HiddenWords | None = None) -> None:
        self.model = model
        self._bounds: Callable[[States], NDArray[np.float32]] | None = getattr(model, "bounds", None)
        self._hidden: Tree = {} if hidden is None else hidden.tree
        start = model.start()
        self._vocabulary: int = model.log_probabilities(start).shape[1]
        self._states: States = tuple(grown(array, 0, _ROOM) for array in start)
        shape = _ROOM, self._vocabulary
        self._log_probabilities = np.empty(shape, dtype=np.float32)
        self._ranked: list[NDArray[Any]] = [np.empty(shape, dtype) for dtype in (np.int32, np.float32, np.float32)]
        self.clear()

    def clear(self) -> None:
        """Forget all but the empty prefix; keep the memory."""
        self._parents: list[int] = []
        self._symbols: list[int] = []
        self._children: dict[int, int] = {}  # by node * vocabulary + symbol
        # Of the nodes that are sorted, which happens when a search first looks at one.
        self._end_costs: list[float] = []
        self._below_hidden: list[Tree | None] = []
        self._add([-1], [BOUNDARY], self.model.start())

    def __len__(self) -> int:
        return len(self._parents)

    @property
    def memory(self) -> int:
        """The bytes of the rows in use."""
        row: int = sum(array[0].nbytes for array in (*self._states, self._log_probabilities, *self._ranked))
        return len(self) * row

    def child(self, node: int, symbol: int) -> int:
        """Return the node one symbol further, after a step of the model if it is new."""
        known = self.known_child(node, symbol)
        return self.expand([node], [symbol])[0] if known is None else known

    def known_child(self, node: int, symbol: int) -> int | None:
        """Return the node one symbol further, or None if there is none yet."""
        return self._children.get(node * self._vocabulary + symbol)

    def expand(self, nodes: Sequence[int], symbols: Sequence[int]) -> range:
        """Step the model from some nodes, each with a symbol that is new to it; return the new nodes."""
        return self._add(nodes, symbols, self.model.step(gather(self._states, nodes), symbols))

    def log_probabilities(self, node: int) -> NDArray[np.float32]:
        """Return (vocabulary,) the model's natural log probabilities after a prefix."""
        row: NDArray[np.float32] = self._log_probabilities[node]
        return row

    def states(self, node: int) -> States:
        """Return the model's state after a prefix, as a batch of one."""
        return gather(self._states, [node])

    def alternatives(self, node: int, count: int | None = None) -> RankedSymbols:
        """Return the next symbols of a prefix, the one with the least bound first."""
        if node >= len(self._end_costs):
            self._sort()
        symbols, bounds, costs = (array[node, :count].tolist() for array in self._ranked)
        return symbols, bounds, costs

    def end_cost(self, node: int) -> float:
        """Return minus the log probability that the word ends here; `alternatives` of the node must have been called."""
        return self._end_costs[node]

    def suffix(self, node: int, ancestor: int) -> tuple[int, ...]:
        """Return the symbols from one node down to another below it."""
        symbols: list[int] = []
        while node != ancestor:
            symbols.append(self._symbols[node])
            node = self._parents[node]
        return tuple(reversed(symbols))

    def _add(self, parents: Sequence[int], symbols: Sequence[int], states: States) -> range:
        new = range(len(self), len(self) + len(parents))
        if new.stop > len(self._log_probabilities):
            used = new.start
            room = max(new.stop, used + max(used, _ROOM))
            self._states = tuple(grown(array, used, room) for array in self._states)
            self._log_probabilities = grown(self._log_probabilities, used, room)
            self._ranked = [grown(array, used, room) for array in self._ranked]
        rows = slice(new.start, new.stop)
        for store, array in zip(self._states, states, strict=True):
            store[rows] = array
        self._log_probabilities[rows] = self.model.log_probabilities(states)
        self._parents.extend(parents)
        self._symbols.extend(symbols)
        self._children.update(
            (parent * self._vocabulary + symbol, node)
            for parent, symbol, node in zip(parents, symbols, new, strict=True)
        )
        return new

    def _sort(self) -> None:
        """Sort the next symbols of all nodes that are not sorted yet."""
        rows = slice(len(self._end_costs), len(self))
        costs = -self._log_probabilities[rows]  # (prefixes, vocabulary)
        costs[:, UNKNOWN] = np.inf
        for row, (parent, symbol) in enumerate(zip(self._parents[rows], self._symbols[rows], strict=True)):
            above = self._below_hidden[parent] if parent >= 0 else None
            below = self._hidden if parent < 0 else above and above.get(symbol)
            self._below_hidden.append(below)
            if below and BOUNDARY in below:
                costs[row, BOUNDARY] = np.inf
        bounds = costs
        if self._bounds is not None:
            bounds = -self._bounds(tuple(array[rows] for array in self._states))
            bounds[:, BOUNDARY] = costs[:, BOUNDARY]  # only one word ends here
            bounds[:, UNKNOWN] = np.inf
        order = bounds.argsort(axis=1)
        every = np.arange(len(costs))[:, None]
        for store, array in zip(self._ranked, (order, bounds[every, order], costs[every, order]), strict=True):
            store[rows] = array
        self._end_costs.extend(costs[:, BOUNDARY].tolist())
