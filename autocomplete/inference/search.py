"""
Best-first search for the most probable words, with proof.

The probability of a prefix bounds every word below it, so a word may be given out as soon as no open prefix is more
probable than it: words come in their final order. Prefixes are expanded in batches, the most probable first, because one step of
a network for eight states costs hardly more than for one.

The search works on a `SearchTree`, which remembers every prefix that was ever expanded. When the next letter typed is one
that the search had gone through, its work is all there.
"""

from __future__ import annotations

import math
import time
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

import numpy as np
from numpy.typing import NDArray

from autocomplete.inference.model import CharacterLanguageModel, States, gather, grown
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["Budget", "FoundWord", "HiddenWords", "Search", "SearchTree", "hidden_words"]

ROOT = 0
_FIRST = 16  # alternatives of a prefix that are looked at to begin with; hardly ever are there more to look at
_ROOM = 192  # rows set aside; more than the searches of one word mostly fill


@dataclass(frozen=True)
class Budget:
    """
    What a search may spend. The defaults are far above what a word needs; they end a search in a flat distribution.

    :param expansions: prefixes stepped through the model.
    :param seconds: from its start.
    :param cancelled: asked between batches whether the answer is still wanted.
    """

    expansions: int = 2_000
    seconds: float = math.inf
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class FoundWord:
    """
    A word below the prefix searched.

    :param suffix: the symbols that follow the prefix, one at least.
    :param probability: of the word, given the prefix.
    :param proved: whether no better word than this one can have been missed.
    """

    suffix: tuple[int, ...]
    probability: float
    proved: bool


# Symbols; for each the bound, which is the least cost of a word that goes on with it; and its own cost. Costs are minus the
# natural logarithms of probabilities.
_Symbols = tuple[list[int], list[float], list[float]]
HiddenWords = dict[int, "HiddenWords"]  # by symbol; the end of a word leads to an empty one


def hidden_words(words: Iterable[Sequence[int]]) -> HiddenWords:
    """Return words, given as their symbols, as a tree."""
    root: HiddenWords = {}
    for word in words:
        node = root
        for symbol in word:
            node = node.setdefault(symbol, {})
        node[BOUNDARY] = {}
    return root


class SearchTree:
    """
    Prefixes that were stepped through a model: their states and what may follow, the most probable first.

    A node is a prefix, the first one empty. Everything is in arrays with a row for each node, set aside at first so that a
    keystroke never waits for them to grow; memory is taken as the rows are filled.

    :param boundaries: symbols that end a word; words that differ only in which of them follows are one word.
    :param hidden: words that are never found, as a tree of their symbols; see `hidden_words`.
    """

    def __init__(
        self,
        model: CharacterLanguageModel,
        boundaries: Sequence[int] = (BOUNDARY,),
        hidden: HiddenWords | None = None,
    ) -> None:
        self.model = model
        self._bounds: Callable[[States], NDArray[np.float32]] | None = getattr(model, "bounds", None)
        self._hidden = hidden or {}
        self._boundaries = list(boundaries)
        self.end = self._boundaries[0]  # stands for all of them
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
        self._below_hidden: list[HiddenWords | None] = []
        self._add([-1], [self.end], self.model.start())

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

    def alternatives(self, node: int, count: int | None = None) -> _Symbols:
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
        if len(self._boundaries) > 1:
            ends = -np.logaddexp.reduce(self._log_probabilities[rows, self._boundaries], axis=1)
            costs[:, self._boundaries] = np.inf
            costs[:, self.end] = ends
        costs[:, UNKNOWN] = np.inf
        for row, (parent, symbol) in enumerate(zip(self._parents[rows], self._symbols[rows], strict=True)):
            above = self._below_hidden[parent] if parent >= 0 else None
            below = self._hidden if parent < 0 else above and above.get(symbol)
            self._below_hidden.append(below)
            if below and self.end in below:
                costs[row, self.end] = np.inf
        bounds = costs
        if self._bounds is not None:
            bounds = -self._bounds(tuple(array[rows] for array in self._states))
            bounds[:, self.end] = costs[:, self.end]  # only one word ends here
            bounds[:, UNKNOWN] = np.inf
        order = bounds.argsort(axis=1)
        every = np.arange(len(costs))[:, None]
        self._sorted_symbols[rows] = order
        self._sorted_costs[rows] = costs[every, order]
        self._sorted_bounds[rows] = bounds[every, order]
        self._end_costs.extend(costs[:, self.end].tolist())


# (bound of the symbol, order of arrival, node, cost of the node, rank of the symbol, symbols of the node)
_Alternative = tuple[float, int, int, float, int, "_Symbols"]


class Search:
    """
    One search below one prefix, which is no answer itself, be it empty or a word: an answer goes on.

    :param tree: remembers what is expanded, for this search and later ones.
    :param node: the prefix.
    :param count: words wanted.
    :param floor: words less probable than this, given the prefix, are not looked for: 0 to look for all.
    :param batch: prefixes expanded at once.
    :param spread: a prefix is expanded along with the best open one only if it is less probable by no more than this factor.

    After iteration, `exact` says whether the answer is proved: no word above the floor that belongs among the first `count`
    is missing. `expansions` says how many prefixes it stepped through the model.
    """

    def __init__(
        self,
        tree: SearchTree,
        node: int,
        count: int,
        *,
        floor: float = 0.0,
        budget: Budget | None = None,
        batch: int = 6,
        spread: float = 12.0,
    ) -> None:
        self._tree, self._node, self._count = tree, node, count
        self._highest_cost = -math.log(floor) if floor > 0 else math.inf
        self._budget = budget or Budget()
        self._batch = batch
        self._spread = math.log(spread)
        self.exact = False
        self.expansions = 0
        # Open alternatives, the cheapest first. Only the cheapest symbol of a node that is not yet taken stands here, for the
        # next is at least as expensive.
        self._heap: list[_Alternative] = []
        self._arrivals = 0
        self._cheapest_ends: list[float] = []  # of complete words seen, up to `count`: none beyond them is wanted

    def __iter__(self) -> Iterator[FoundWord]:
        """Yield the words, the most probable first; those that a spent budget left unproved come last."""
        tree, heap = self._tree, self._heap
        stop = time.monotonic() + self._budget.seconds
        found = 0
        self._open(self._node, 0.0)
        while found < self._count:
            # Open prefixes to step the model through: (nodes[i], symbols[i]) at costs[i].
            nodes: list[int] = []
            symbols: list[int] = []
            costs: list[float] = []
            best = math.inf  # bound of the first of them
            while heap and len(nodes) < self._batch:
                bound, _, node, node_cost, rank, ranked = heap[0]
                if bound > self._highest_cost or (nodes and bound > min(best + self._spread, self._bound())):
                    break
                symbol, cost = ranked[0][rank], node_cost + ranked[2][rank]
                is_end = symbol == tree.end
                if is_end and nodes:
                    break  # an open prefix comes before it, and may lead to a better word
                self._advance()
                if is_end:
                    if node != self._node:
                        found += 1
                        yield FoundWord(tree.suffix(node, self._node), math.exp(-cost), proved=True)
                        if found == self._count:
                            break
                elif (child := tree.known_child(node, symbol)) is not None:
                    self._open(child, cost)
                else:
                    best = min(best, bound)
                    nodes.append(node)
                    symbols.append(symbol)
                    costs.append(cost)
            if not nodes:
                self.exact = True
                return
            if (
                self.expansions + len(nodes) > self._budget.expansions
                or time.monotonic() > stop
                or self._budget.cancelled()
            ):
                yield from self._unproved(self._count - found)
                return
            self.expansions += len(nodes)
            for child, cost in zip(tree.expand(nodes, symbols), costs, strict=True):
                self._open(child, cost)
        self.exact = True

    def _open(self, node: int, cost: float) -> None:
        """Put the cheapest symbol of a node among the alternatives."""
        symbols = self._tree.alternatives(node, _FIRST)
        if symbols[1][0] < math.inf:
            self._arrivals += 1
            heappush(self._heap, (cost + symbols[1][0], self._arrivals, node, cost, 0, symbols))
        if node != self._node:
            insort(self._cheapest_ends, cost + self._tree.end_cost(node))
            del self._cheapest_ends[self._count :]

    def _advance(self) -> None:
        """Replace the alternative at the top of the heap by the next symbol of its node."""
        _, _, node, cost, rank, symbols = self._heap[0]
        if rank + 1 == _FIRST:
            symbols = self._tree.alternatives(node)
        bounds = symbols[1]
        if rank + 1 == len(bounds) or bounds[rank + 1] == math.inf:
            heappop(self._heap)
        else:
            self._arrivals += 1
            heapreplace(self._heap, (cost + bounds[rank + 1], self._arrivals, node, cost, rank + 1, symbols))

    def _bound(self) -> float:
        """Return the cost beyond which no prefix can matter: that of the last wanted word, if so many are known."""
        return self._cheapest_ends[-1] if len(self._cheapest_ends) == self._count else math.inf

    def _unproved(self, count: int) -> Iterator[FoundWord]:
        """Yield the best complete words among the alternatives."""
        tree = self._tree
        ends = sorted(
            (node_cost + tree.end_cost(node), node)
            for _, _, node, node_cost, rank, symbols in self._heap
            if node != self._node and tree.end_cost(node) < math.inf and tree.end not in symbols[0][:rank]
        )
        for cost, node in ends[:count]:
            if cost <= self._highest_cost:
                yield FoundWord(tree.suffix(node, self._node), math.exp(-cost), proved=False)
