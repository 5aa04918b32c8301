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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.inference.model import CharacterLanguageModel, States
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["Budget", "FoundWord", "Search", "SearchTree"]

ROOT = 0


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

    :param suffix: the symbols that follow the prefix; empty where the prefix is the word.
    :param probability: of the word, given the prefix.
    :param proved: whether no better word than this one can have been missed.
    """

    suffix: tuple[int, ...]
    probability: float
    proved: bool


class SearchTree:
    """
    Prefixes that were stepped through a model: their states and what may follow, the most probable first.

    :param boundaries: symbols that end a word; words that differ only in which of them follows are one word.
    """

    def __init__(self, model: CharacterLanguageModel, boundaries: Sequence[int] = (BOUNDARY,)) -> None:
        self._model = model
        self._boundaries = list(boundaries)
        self.end = self._boundaries[0]  # stands for all of them
        self.parents: list[int] = []
        self.last_symbols: list[int] = []
        self.children: list[dict[int, int]] = []
        self.symbols: list[list[int]] = []  # of each node: what may follow, the most probable first
        self.costs: list[list[float]] = []  # of each node: minus log probability of each of `symbols`
        self.end_costs: list[float] = []
        self._states: States = ()
        self._log_probabilities = np.empty((0, 0), dtype=np.float32)
        self._add([-1], [self.end], model.start())

    def __len__(self) -> int:
        return len(self.parents)

    def child(self, node: int, symbol: int) -> int:
        """Return the node one symbol further, stepping the model if it was never there."""
        known = self.children[node].get(symbol)
        return self.expand([node], [symbol])[0] if known is None else known

    def expand(self, nodes: Sequence[int], symbols: Sequence[int]) -> list[int]:
        """Step the model from some nodes, each with a symbol that it was not stepped with before; return the new nodes."""
        states = tuple(array[nodes] for array in self._states)
        first = len(self)
        self._add(nodes, symbols, self._model.step(states, symbols))
        new = list(range(first, len(self)))
        for node, symbol, child in zip(nodes, symbols, new, strict=True):
            self.children[node][symbol] = child
        return new

    def log_probabilities(self, node: int) -> NDArray[np.float32]:
        """Return (vocabulary,) the model's own natural logarithms after a prefix."""
        row: NDArray[np.float32] = self._log_probabilities[node]
        return row

    def suffix(self, node: int, ancestor: int) -> tuple[int, ...]:
        """Return the symbols from one node down to another below it."""
        symbols: list[int] = []
        while node != ancestor:
            symbols.append(self.last_symbols[node])
            node = self.parents[node]
        return tuple(reversed(symbols))

    def _add(self, parents: Sequence[int], symbols: Sequence[int], states: States) -> None:
        count, first = len(parents), len(self)
        log_probabilities = self._model.log_probabilities(states)  # (count, vocabulary)
        costs = -log_probabilities.astype(np.float64)
        ends = costs[:, self._boundaries]
        end_costs = ends[:, 0] if ends.shape[1] == 1 else -np.logaddexp.reduce(-ends, axis=1)
        costs[:, self._boundaries] = np.inf
        costs[:, self.end] = end_costs
        costs[:, UNKNOWN] = np.inf
        order = costs.argsort(axis=1, kind="stable")
        self.parents.extend(parents)
        self.last_symbols.extend(symbols)
        self.children.extend({} for _ in range(count))
        self.symbols.extend(order.tolist())
        self.costs.extend(np.take_along_axis(costs, order, axis=1).tolist())
        self.end_costs.extend(end_costs.tolist())
        if first == 0:
            self._states, self._log_probabilities = states, log_probabilities
            return
        if len(self) > len(self._log_probabilities):
            room = max(256, len(self))
            self._states = tuple(_grown(array, room) for array in self._states)
            self._log_probabilities = _grown(self._log_probabilities, room)
        for store, array in zip(self._states, states, strict=True):
            store[first : first + count] = array
        self._log_probabilities[first : first + count] = log_probabilities


def _grown(array: NDArray[Any], room: int) -> NDArray[Any]:
    """Return the array with `room` more rows of anything."""
    return np.concatenate([array, np.empty((room, *array.shape[1:]), dtype=array.dtype)])


class Search:
    """
    One search below one prefix.

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
        batch: int = 8,
        spread: float = 12.0,
    ) -> None:
        self._tree, self._node, self._count = tree, node, count
        self._highest_cost = -math.log(floor) if floor > 0 else math.inf
        self._budget = budget or Budget()
        self._batch = batch
        self._spread = math.log(spread)
        self.exact = False
        self.expansions = 0
        # Open alternatives, the cheapest first: (cost, order of arrival, node, cost of node, rank of the symbol at node).
        # Only the cheapest symbol of a node that is not yet taken stands here, for the next is at least as expensive.
        self._heap: list[tuple[float, int, int, float, int]] = []
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
            while heap and len(nodes) < self._batch:
                cost, _, node, node_cost, rank = heap[0]
                if cost > self._highest_cost or (nodes and cost > min(costs[0] + self._spread, self._bound())):
                    break
                symbol = tree.symbols[node][rank]
                is_end = symbol == tree.end
                if is_end and nodes:
                    break  # an open prefix comes before it, and may lead to a better word
                self._advance(node, node_cost, rank)
                if is_end:
                    if node != ROOT:  # the empty word is no answer
                        found += 1
                        yield FoundWord(tree.suffix(node, self._node), math.exp(-cost), proved=True)
                        if found == self._count:
                            break
                elif (child := tree.children[node].get(symbol)) is not None:
                    self._open(child, cost)
                else:
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
        cheapest = self._tree.costs[node][0]
        if cheapest < math.inf:
            self._arrivals += 1
            heappush(self._heap, (cost + cheapest, self._arrivals, node, cost, 0))
        if node != ROOT:
            insort(self._cheapest_ends, cost + self._tree.end_costs[node])
            del self._cheapest_ends[self._count :]

    def _advance(self, node: int, cost: float, rank: int) -> None:
        """Replace the alternative at the top of the heap by the next symbol of its node."""
        following = self._tree.costs[node][rank + 1] if rank + 1 < len(self._tree.costs[node]) else math.inf
        if following == math.inf:
            heappop(self._heap)
        else:
            self._arrivals += 1
            heapreplace(self._heap, (cost + following, self._arrivals, node, cost, rank + 1))

    def _bound(self) -> float:
        """Return the cost beyond which no prefix can matter: that of the last wanted word, if so many are known."""
        return self._cheapest_ends[-1] if len(self._cheapest_ends) == self._count else math.inf

    def _unproved(self, count: int) -> Iterator[FoundWord]:
        """Yield the best complete words among the alternatives."""
        tree = self._tree
        ends = sorted(
            (node_cost + tree.end_costs[node], node)
            for _, _, node, node_cost, rank in self._heap
            if node != ROOT and tree.end in tree.symbols[node][rank:]
        )
        for cost, node in ends[:count]:
            if cost <= self._highest_cost:
                yield FoundWord(tree.suffix(node, self._node), math.exp(-cost), proved=False)
