"""Prefixes that were stepped through a model, remembered: what a search works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.hidden_words import HiddenWords, Tree
from autocomplete.models.protocol import CharacterLanguageModel, States, gather, grown
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["ROOT", "RankedSymbols", "SearchTree"]

ROOT = 0


_ROOM = 192  # rows set aside; more than the searches of one word mostly fill


# Symbols; for each the bound, which is the least cost of a word that goes on with it; and its own cost. Costs are minus the
# natural logarithms of probabilities.
RankedSymbols = tuple[list[int], list[float], list[float]]


class SearchTree:
    """
    Prefixes that were stepped through a model: their states and what may follow, the most probable first.

    A node is a prefix, the first one empty. Everything is in arrays with a row for each node, set aside at first so that a
    keystroke never waits for them to grow; memory is taken as the rows are filled.

    :param hidden: words that are never found.
    """

    def __init__(self, model: CharacterLanguageModel, hidden: HiddenWords | None = None) -> None:
        self.model = model
        self._bounds: Callable[[States], NDArray[np.float32]] | None = getattr(model, "bounds", None)
        self._hidden: Tree = {} if hidden is None else hidden.tree
        start = model.start()
        self._vocabulary: int = model.log_probabilities(start).shape[1]
        self._states: States = tuple(grown(array, 0, _ROOM) for array in start)
        self._log_probabilities = np.empty((_ROOM, self._vocabulary), dtype=np.float32)
        self._sorted_costs = np.empty_like(self._log_probabilities)
        self._sorted_bounds = np.empty_like(self._log_probabilities)
        self._sorted_symbols = np.empty(self._sorted_costs.shape, dtype=np.int32)
        self.clear()

    def clear(self) -> None:
        """Forget all but the empty prefix. The memory is kept, to be filled again."""
        self._parents: list[int] = []
        self._symbols: list[int] = []
        self._children: dict[int, int] = {}  # by node * vocabulary + symbol
        # Of the prefixes that are sorted, which is left until somebody searches below one.
        self._end_costs: list[float] = []
        self._below_hidden: list[Tree | None] = []
        self._add([-1], [BOUNDARY], self.model.start())

    def __len__(self) -> int:
        return len(self._parents)

    @property
    def memory(self) -> int:
        """The bytes of the rows in use."""
        arrays = (*self._states, self._log_probabilities, self._sorted_costs, self._sorted_bounds, self._sorted_symbols)
        row: int = sum(array[0].nbytes for array in arrays)
        return len(self) * row

    def child(self, node: int, symbol: int) -> int:
        """Return the node one symbol further, stepping the model if it was never there."""
        known = self.known_child(node, symbol)
        return self.expand([node], [symbol])[0] if known is None else known

    def known_child(self, node: int, symbol: int) -> int | None:
        """Return the node one symbol further, or None if the model was never there."""
        return self._children.get(node * self._vocabulary + symbol)

    def expand(self, nodes: Sequence[int], symbols: Sequence[int]) -> range:
        """Step the model from some nodes, each with a symbol that is new to it; return the new nodes."""
        states = self.model.step(gather(self._states, nodes), symbols)
        return self._add(nodes, symbols, states)

    def log_probabilities(self, node: int) -> NDArray[np.float32]:
        """Return (vocabulary,) the model's own natural logarithms after a prefix."""
        row: NDArray[np.float32] = self._log_probabilities[node]
        return row

    def states(self, node: int) -> States:
        """Return the model's state after a prefix, as a batch of one."""
        return gather(self._states, [node])

    def alternatives(self, node: int, count: int | None = None) -> RankedSymbols:
        """Return what may follow a prefix, that which may lead to the best word first."""
        if node >= len(self._end_costs):
            self._sort()
        return (
            self._sorted_symbols[node, :count].tolist(),
            self._sorted_bounds[node, :count].tolist(),
            self._sorted_costs[node, :count].tolist(),
        )

    def end_cost(self, node: int) -> float:
        """Return minus the log probability that the word ends here, after a prefix whose `alternatives` have been looked at."""
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
            self._sorted_costs = grown(self._sorted_costs, used, room)
            self._sorted_bounds = grown(self._sorted_bounds, used, room)
            self._sorted_symbols = grown(self._sorted_symbols, used, room)
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
        """Sort what may follow the prefixes that nobody has searched below so far."""
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
        self._sorted_symbols[rows] = order
        self._sorted_costs[rows] = costs[every, order]
        self._sorted_bounds[rows] = bounds[every, order]
        self._end_costs.extend(costs[:, BOUNDARY].tolist())
