"""
Best-first search for the most probable words, with proof.

The probability of a prefix bounds that of every word below it. So a word is final as soon as no open prefix is more probable.
Prefixes are expanded in batches, as one step of a network for eight states costs hardly more than for one. The `SearchTree` keeps
every expanded prefix for the next key.
"""

from __future__ import annotations

import math
import time
from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

from autocomplete.models.open_vocabulary import OpenVocabulary
from autocomplete.models.protocol import States
from autocomplete.models.search_tree import ROOT, RankedSymbols, SearchTree
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["Budget", "FoundWord", "OpenSearch", "Search", "search_below"]

_FIRST = 16  # alternatives of a prefix that are read at first; more are rarely needed
_AT_HAND = 0.01  # factor of the floor for words of the lexicon


@dataclass(frozen=True)
class Budget:
    """What a search may spend. The defaults are far above what a word needs; they end a search in a flat distribution."""

    expansions: int = 2_000  # prefixes stepped through the model
    seconds: float = math.inf
    cancelled: Callable[[], bool] = lambda: False  # checked between batches


@dataclass(frozen=True)
class FoundWord:
    """A word below the prefix."""

    suffix: tuple[int, ...]  # the symbols after the prefix, at least one
    probability: float  # given the prefix
    proved: bool  # whether no better word can be missing


# (bound of the symbol, order of arrival, node, cost of the node, rank of the symbol, symbols of the node)
_Alternative = tuple[float, int, int, float, int, RankedSymbols]


class Search:
    """
    One search for words that continue a prefix, not the prefix itself. After iteration, `exact` tells whether none is missing.

    :param node: the node of the prefix in `tree`.
    :param count: number of words wanted.
    :param floor: least probability of a word, given the prefix.
    :param batch: prefixes expanded at once.
    :param spread: greatest ratio of the probabilities of prefixes expanded at once.
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
        self.expansions = 0  # prefixes stepped through the model
        self._heap: list[_Alternative] = []  # for each open node, its cheapest symbol that is not yet taken
        self._arrivals = 0
        self._cheapest_ends: list[float] = []  # costs of the `count` best complete words seen

    def __iter__(self) -> Iterator[FoundWord]:
        """Yield the words, best first; when the budget is spent, unproved ones follow."""
        tree, heap = self._tree, self._heap
        stop = time.monotonic() + self._budget.seconds
        found = 0
        self._open(self._node, 0.0)
        while found < self._count:
            nodes: list[int] = []  # open prefixes to expand: these nodes with these symbols, at these costs
            symbols: list[int] = []
            costs: list[float] = []
            best = math.inf  # bound of the first of them
            while heap and len(nodes) < self._batch:
                bound, _, node, node_cost, rank, ranked = heap[0]
                if bound > self._highest_cost or (nodes and bound > min(best + self._spread, self._bound())):
                    break
                symbol, cost = ranked[0][rank], node_cost + ranked[2][rank]
                is_end = symbol == BOUNDARY
                if is_end and nodes:
                    break  # an open prefix may lead to a better word
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
            spent = self.expansions + len(nodes) > self._budget.expansions or time.monotonic() > stop
            if spent or self._budget.cancelled():
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
        """Return the cost above which no prefix matters: that of the last wanted word, if so many are known."""
        return self._cheapest_ends[-1] if len(self._cheapest_ends) == self._count else math.inf

    def _unproved(self, count: int) -> Iterator[FoundWord]:
        """Yield the best complete words among the alternatives."""
        tree = self._tree
        ends = sorted(
            (node_cost + tree.end_cost(node), node)
            for _, _, node, node_cost, rank, symbols in self._heap
            if node != self._node and tree.end_cost(node) < math.inf and BOUNDARY not in symbols[0][:rank]
        )
        for cost, node in ends[:count]:
            if cost <= self._highest_cost:
                yield FoundWord(tree.suffix(node, self._node), math.exp(-cost), proved=False)


class OpenSearch:
    """
    One search below one prefix of an open vocabulary, used like `Search`. It finds words of the lexicon down to a hundredth of
    the floor, as these cost nothing.

    :param states: the model's states after the prefix, a batch of one.
    :param depth: number of symbols of the prefix.
    """

    def __init__(
        self,
        model: OpenVocabulary,
        states: States,
        depth: int,
        count: int,
        vocabulary: Vocabulary,
        *,
        floor: float = 0.0,
        budget: Budget | None = None,
    ) -> None:
        self._count = count
        repeated = dict(model.repeated(states, depth, vocabulary))
        self._again = repeated.keys()  # which the search of out-of-vocabulary words finds once more
        found = model.best_known(states, depth, count, _AT_HAND * floor)
        known = [(tuple(vocabulary.encode(word)[depth:]), probability) for word, probability in found]
        known += [(suffix, probability) for suffix, probability in repeated.items() if probability > floor]
        self._known = sorted(known, key=lambda word: -word[1])[:count]
        self._share = model.unknown_share(states)
        least = max(floor, self._known[-1][1]) if self._known and len(self._known) == count else floor
        self._unknown: Search | None = None
        if self._share > least:
            node, wanted = int(states[0][0]), count + len(repeated)
            self._unknown = Search(model.unknown, node, wanted, floor=least / self._share, budget=budget)
        self.exact = False

    def __iter__(self) -> Iterator[FoundWord]:
        """Yield the words, best first; when the budget is spent, unproved ones follow."""
        known = iter(self._known)
        unknown = (word for word in self._unknown or () if word.suffix not in self._again)
        ours, other = next(known, None), next(unknown, None)
        proved, found = True, 0
        while found < self._count and (ours is not None or other is not None):
            # No word of the lexicon can be missing.
            proved = self._unknown is None or (self._unknown.exact if other is None else other.proved)
            if other is None or (ours is not None and ours[1] >= self._share * other.probability):
                assert ours is not None
                yield FoundWord(*ours, proved)
                ours = next(known, None)
            else:
                yield FoundWord(other.suffix, self._share * other.probability, proved)
                other = next(unknown, None)
            found += 1
        self.exact = proved and (found == self._count or self._unknown is None or self._unknown.exact)


def search_below(
    tree: SearchTree, node: int, count: int, vocabulary: Vocabulary, *, floor: float = 0.0, budget: Budget | None = None
) -> Search | OpenSearch:
    """Return the search for the best words below a node that suits the tree's model; see `Search` for the parameters."""
    if not isinstance(tree.model, OpenVocabulary):
        return Search(tree, node, count, floor=floor, budget=budget)
    depth = len(tree.suffix(node, ROOT))
    return OpenSearch(tree.model, tree.states(node), depth, count, vocabulary, floor=floor, budget=budget)
