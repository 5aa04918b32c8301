"""The search against an oracle that enumerates every word up to some length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest
from conftest import random_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from autocomplete.inference.search import Budget, FoundWord, Search
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.mixture import Mixture
from autocomplete.models.protocol import CharacterLanguageModel, gather
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

VOCABULARY = Vocabulary("abc")
DEPTH = 9  # letters after the prefix
ROUNDING = 1e-4  # relative: sums of some ten numbers in fp32

Word = tuple[int, ...]

lexicons = st.dictionaries(st.text("abc", min_size=1, max_size=6), st.integers(1, 1000), min_size=1, max_size=40)


def lexicon_of(counts: dict[str, int]) -> Lexicon:
    return Lexicon(list(counts), list(counts.values()), VOCABULARY)


def network(seed: int) -> RecurrentNetwork:
    """Return a random network that spells short words."""
    checkpoint = random_checkpoint(["abc"], "gru", seed=seed, boundary_bias=1.5)
    return RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)


def enumerate_words(model: CharacterLanguageModel, prefix: Sequence[int]) -> tuple[dict[Word, float], float]:
    """Return the probability of every word of 1 to DEPTH more letters, and what no longer word can be better than."""
    states = model.start()
    for symbol in prefix:
        states = model.step(states, [symbol])
    letters = [s for s in range(model.log_probabilities(states).shape[1]) if s not in (UNKNOWN, BOUNDARY)]
    level: list[Word] = [()]
    reached = np.ones(1)  # the probability of each word of the level as a prefix
    words: dict[Word, float] = {}
    for depth in range(DEPTH + 1):
        answers = np.exp(model.log_probabilities(states).astype(np.float64))
        ends = reached * answers[:, BOUNDARY]
        if depth:  # the prefix itself is no answer
            words |= dict(zip(level, ends.tolist(), strict=True))
        rows = [(row, symbol) for row in range(len(level)) for symbol in letters if answers[row, symbol] > 0]
        if not rows:
            return words, 0.0
        reached = np.array([reached[row] * answers[row, symbol] for row, symbol in rows])
        level = [(*level[row], symbol) for row, symbol in rows]
        states = model.step(gather(states, [row for row, _ in rows]), [symbol for _, symbol in rows])
    return words, float(reached.max())


def place(tree: SearchTree, prefix: Sequence[int]) -> int:
    node = ROOT
    for symbol in prefix:
        node = tree.child(node, symbol)
    return node


def assert_best(found: list[FoundWord], words: dict[Word, float], count: int, floor: float = 0.0) -> None:
    """Check words, probabilities and order against all words; those equally probable may stand in any order."""
    best = sorted((p for p in words.values() if p > max(floor, 0)), reverse=True)[:count]
    assert len({word.suffix for word in found}) == len(found) == len(best)
    assert [word.probability for word in found] == pytest.approx(best, rel=ROUNDING)
    assert [word.probability for word in found] == sorted((word.probability for word in found), reverse=True)
    for word in found:
        assert word.probability == pytest.approx(words[word.suffix], rel=ROUNDING)


@given(lexicons, st.data())
def test_words_of_a_lexicon_come_best_first_and_all_of_them(counts: dict[str, int], data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(sorted(counts)))
    prefix = VOCABULARY.encode(word[: data.draw(st.integers(0, len(word)))])
    count = data.draw(st.integers(1, 50))
    batch, spread = data.draw(st.integers(1, 9)), data.draw(st.sampled_from([1.0, 12.0, 1e6]))
    model = lexicon_of(counts)
    tree = SearchTree(model)
    search = Search(tree, place(tree, prefix), count, batch=batch, spread=spread)
    found = list(search)
    words, open_bound = enumerate_words(model, prefix)
    assert open_bound == 0
    assert_best(found, words, count)
    assert search.exact
    assert all(word.proved for word in found)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("with_lexicon", [False, True], ids=["network", "mixture"])
def test_best_words_of_a_network_are_those_of_an_enumeration(seed: int, with_lexicon: bool) -> None:
    model: CharacterLanguageModel = network(seed)
    if with_lexicon:
        model = Mixture([model, lexicon_of({"abc": 5, "ab": 3, "cab": 2, "bca": 2, "caca": 1})], [0.4, 0.6])
    tree = SearchTree(model)
    for prefix in [[], [2], [3, 4], [4, 2, 3]]:
        words, open_bound = enumerate_words(model, prefix)
        search = Search(tree, place(tree, prefix), 5)
        found = list(search)
        assert found[-1].probability > open_bound, "the oracle does not know whether a longer word is better"
        assert_best(found, words, 5)
        assert search.exact
        assert all(word.proved for word in found)


@given(lexicons, st.integers(1, 10), st.floats(0.001, 0.5))
def test_words_below_the_floor_are_not_found(counts: dict[str, int], count: int, floor: float) -> None:
    total = sum(counts.values())
    shares = {tuple(VOCABULARY.encode(word)): n / total for word, n in counts.items()}
    if any(abs(share / floor - 1) < 10 * ROUNDING for share in shares.values()):
        return  # rounding may put it on either side
    search = Search(SearchTree(lexicon_of(counts)), ROOT, count, floor=floor)
    assert_best(list(search), shares, count, floor)
    assert search.exact


@pytest.mark.parametrize("prefix", [[], [2], [2, 3]])
def test_prefix_itself_is_no_answer_even_where_it_is_nearly_certain_to_be_the_word(prefix: list[int]) -> None:
    checkpoint = random_checkpoint(["abc"], boundary_bias=20.0)
    model = RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)
    tree = SearchTree(model)
    node = place(tree, prefix)
    found = list(Search(tree, node, 3))
    assert math.exp(tree.log_probabilities(node)[BOUNDARY]) == pytest.approx(1, abs=1e-3)
    assert all(word.suffix for word in found)
    assert_best(found, enumerate_words(model, prefix)[0], 3)


def test_spent_budget_does_not_make_the_prefix_an_answer() -> None:
    tree = SearchTree(network(0))
    node = tree.child(ROOT, 2)
    assert list(Search(tree, node, 3, budget=Budget(expansions=0))) == []
    assert all(word.suffix for word in Search(tree, node, 20, budget=Budget(expansions=8)))


@given(lexicons, st.integers(0, 12), st.integers(1, 8), st.integers(1, 9), st.data())
def test_spent_budget_is_told_and_what_was_found_stays_true(
    counts: dict[str, int], expansions: int, count: int, batch: int, data: st.DataObject
) -> None:
    model = lexicon_of(counts)
    word = data.draw(st.sampled_from(sorted(counts)))
    prefix = VOCABULARY.encode(word[: data.draw(st.integers(0, 2))])
    tree = SearchTree(model)
    search = Search(tree, place(tree, prefix), count, budget=Budget(expansions=expansions), batch=batch)
    found = list(search)
    words, _ = enumerate_words(model, prefix)
    assert search.expansions <= expansions
    assert len({word.suffix for word in found}) == len(found) <= count
    assert all(word.probability > 0 for word in found), "a word that is none"
    for word in found:
        assert word.probability == pytest.approx(words[word.suffix], rel=ROUNDING)
    proved = [word for word in found if word.proved]
    assert found[: len(proved)] == proved, "the proved words come first"
    assert_best(proved, words, len(proved))
    if search.exact:
        assert_best(found, words, count)
        assert proved == found
    else:
        assert len(proved) < count


def test_words_that_a_spent_budget_leaves_unproved_fill_the_answer() -> None:
    words, _ = enumerate_words(network(0), [2])
    for count in [6, 7, 20]:
        tree = SearchTree(network(0))
        search = Search(tree, tree.child(ROOT, 2), count, budget=Budget(expansions=8), batch=1)
        found = list(search)
        assert not search.exact
        assert len(found) == min(count, 8), "every prefix that was expanded ends a word"
        for word in found:
            assert word.probability == pytest.approx(words[word.suffix], rel=ROUNDING)


def test_budget_of_time_or_a_cancellation_ends_a_search() -> None:
    tree = SearchTree(network(0))
    late = Search(tree, ROOT, 5, budget=Budget(seconds=-1.0))
    assert list(late) == []
    assert (late.exact, late.expansions) == (False, 0)

    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    search = Search(tree, ROOT, 50, budget=Budget(cancelled=cancelled))
    found = list(search)
    assert asked == 3
    assert not search.exact
    assert found
    assert not found[-1].proved


def test_words_come_as_soon_as_they_are_proved() -> None:
    tree = SearchTree(network(1))
    search = Search(tree, ROOT, 20)
    first, *_ = islice(search, 1)
    spent = search.expansions
    whole = Search(SearchTree(network(1)), ROOT, 20)
    found = list(whole)
    assert first == found[0]
    assert spent < whole.expansions


@pytest.mark.parametrize("seed", range(3))
def test_work_is_kept_for_the_next_letter(seed: int) -> None:
    model = network(seed)
    tree = SearchTree(model)
    start = place(tree, [2, 3])
    before = list(Search(tree, start, 20))

    again = Search(tree, start, 20)
    assert list(again) == before
    assert again.expansions == 0

    # The letter that begins the best longer word was gone through, and so was what lies behind it.
    letter = next(word.suffix[0] for word in before if word.suffix)
    nodes = len(tree)
    following = tree.child(start, letter)
    assert len(tree) == nodes
    warm = Search(tree, following, 5)
    cold_tree = SearchTree(model)
    cold = Search(cold_tree, place(cold_tree, [2, 3, letter]), 5)
    found = list(warm)
    for one, other in zip(found, list(cold), strict=True):
        assert one.suffix == other.suffix
        assert one.probability == pytest.approx(other.probability, rel=ROUNDING)
    assert warm.expansions < cold.expansions
    assert len(tree) == nodes + warm.expansions, "no prefix was stepped through twice"


def test_lexicon_searched_for_all_its_words_costs_nothing_below() -> None:
    tree = SearchTree(lexicon_of({"abcabc": 5, "abcc": 2, "abb": 1}))
    assert len(list(Search(tree, tree.child(ROOT, 2), 10))) == 3
    warm = Search(tree, place(tree, [2, 3, 4]), 10)
    assert len(list(warm)) == 2
    assert warm.expansions == 0


@settings(max_examples=20)
@given(lexicons)
def test_tree_that_outgrows_its_room_keeps_what_it_knew(counts: dict[str, int]) -> None:
    model = network(2)
    tree = SearchTree(model)
    before = tree.log_probabilities(ROOT).copy()
    for word in counts:
        node = place(tree, VOCABULARY.encode(word))
        states = model.start()
        for symbol in VOCABULARY.encode(word):
            states = model.step(states, [symbol])
        np.testing.assert_allclose(tree.log_probabilities(node), model.log_probabilities(states)[0], atol=1e-5)
        assert tree.suffix(node, ROOT) == tuple(VOCABULARY.encode(word))
    np.testing.assert_array_equal(tree.log_probabilities(ROOT), before)


def test_no_words_wanted_are_none_found() -> None:
    search = Search(SearchTree(network(0)), ROOT, 0)
    assert list(search) == []
    assert search.exact
