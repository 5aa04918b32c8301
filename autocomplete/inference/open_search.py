"""The search for the best words of an open vocabulary."""

from __future__ import annotations

from collections.abc import Iterator

from autocomplete.inference.search import Budget, FoundWord, Search
from autocomplete.models.open_vocabulary import OpenVocabulary
from autocomplete.models.protocol import States
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.text.vocabulary import Vocabulary

__all__ = ["OpenSearch", "search_below"]

_AT_HAND = 0.01  # of the floor


class OpenSearch:
    """
    One search below one prefix of an open vocabulary. It is used like `Search`, and finds the same, but that words of the lexicon
    are found down to a hundredth of the floor: all of them are at hand.

    :param states: of the model after the prefix, a batch of one.
    :param depth: how many symbols the prefix has.
    :param vocabulary: that of the lexicon.
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
        self._again = repeated.keys()  # which are spelled as well, and so found once more
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
        """Yield the words, the most probable first; those that a spent budget left unproved come last."""
        known = iter(self._known)
        unknown = (word for word in self._unknown or () if word.suffix not in self._again)
        ours, other = next(known, None), next(unknown, None)
        proved, found = True, 0
        while found < self._count and (ours is not None or other is not None):
            # No word of the lexicon is missing; whether another is, the search of those knows.
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
    tree: SearchTree,
    node: int,
    count: int,
    vocabulary: Vocabulary,
    *,
    floor: float = 0.0,
    budget: Budget | None = None,
) -> Search | OpenSearch:
    """Return the search for the best words below a prefix in a tree, as its model allows; see `Search` for the parameters."""
    if not isinstance(tree.model, OpenVocabulary):
        return Search(tree, node, count, floor=floor, budget=budget)
    depth = len(tree.suffix(node, ROOT))
    return OpenSearch(tree.model, tree.states(node), depth, count, vocabulary, floor=floor, budget=budget)
