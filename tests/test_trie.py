from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.text.trie import Trie
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

VOCABULARY = Vocabulary("abc")
weighted_words = st.dictionaries(st.text("abc", min_size=1, max_size=6), st.integers(1, 100), min_size=1, max_size=30)


def build(weights: dict[str, int]) -> tuple[Trie, list[str]]:
    words = sorted(weights)
    ids, starts = VOCABULARY.encode_words(words)
    return Trie.build(ids, starts, np.array([weights[word] for word in words], dtype=np.float64)), words


def prefixes(trie: Trie) -> list[str]:
    """Return the prefix that each node stands for."""
    spelled = [""]
    for symbol, parent in zip(trie.symbols[1:].tolist(), trie.parents[1:].tolist(), strict=True):
        spelled.append(spelled[parent] + VOCABULARY.character(symbol))
    return spelled


@given(weighted_words)
def test_nodes_are_the_distinct_prefixes_level_by_level(weights: dict[str, int]) -> None:
    trie, words = build(weights)
    expected = {word[:i] for word in words for i in range(len(word) + 1)}
    spelled = prefixes(trie)
    assert len(spelled) == len(set(spelled)) == len(expected)
    assert set(spelled) == expected
    assert [len(prefix) for prefix in spelled] == sorted(map(len, spelled))
    assert list(trie.levels) == [count for _, count in sorted(Counter(map(len, spelled)).items())]


@given(weighted_words)
def test_masses_are_the_weights_of_the_words_that_go_that_way(weights: dict[str, int]) -> None:
    trie, words = build(weights)
    expected: defaultdict[tuple[str, int], float] = defaultdict(float)
    for word in words:
        for i, symbol in enumerate([*VOCABULARY.encode(word), BOUNDARY]):
            expected[word[:i], symbol] += weights[word]
    spelled = prefixes(trie)
    edges = zip(trie.sources.tolist(), trie.targets.tolist(), trie.masses.tolist(), strict=True)
    assert {(spelled[source], target): mass for source, target, mass in edges} == dict(expected)


@given(weighted_words)
def test_edges_are_ordered_and_lead_to_their_prefix(weights: dict[str, int]) -> None:
    trie, _ = build(weights)
    spelled = prefixes(trie)
    edges = list(zip(trie.sources.tolist(), trie.targets.tolist(), strict=True))
    assert edges == sorted(set(edges))
    for (source, target), child in zip(edges, trie.children.tolist(), strict=True):
        if target == BOUNDARY:
            assert child == -1
        else:
            assert spelled[child] == spelled[source] + VOCABULARY.character(target)


@given(weighted_words)
def test_characters_walk_each_word_from_its_start_to_its_boundary(weights: dict[str, int]) -> None:
    trie, words = build(weights)
    rows, edges = trie.character_words, trie.character_edges
    walked: defaultdict[int, list[int]] = defaultdict(list)
    for row, edge in zip(rows.tolist(), edges.tolist(), strict=True):
        walked[row].append(edge)
    spelled = prefixes(trie)
    for row, word in enumerate(words):
        assert trie.targets[walked[row]].tolist() == [*VOCABULARY.encode(word), BOUNDARY]
        assert [spelled[source] for source in trie.sources[walked[row]]] == [word[:i] for i in range(len(word) + 1)]
