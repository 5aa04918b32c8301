"""Words of a lexicon and others, found by looking at all of them, against the search that goes letter by letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from conftest import random_checkpoint
from hypothesis import assume, given
from hypothesis import strategies as st

from autocomplete.inference.search import Budget, FoundWord, OpenSearch, Search
from autocomplete.models.hidden_words import HiddenWords
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.open_vocabulary import OpenVocabulary, Remembered
from autocomplete.models.out_of_vocabulary import out_of_vocabulary_model
from autocomplete.models.protocol import States, Symbols
from autocomplete.models.rare_words import RareWords
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

CHECKPOINT = random_checkpoint(["abc "], boundary_bias=1.0)
VOCABULARY = CHECKPOINT.vocabulary
NETWORK = RecurrentNetwork(CHECKPOINT.configuration, CHECKPOINT.tensors)
WORDS = ("a", "ab", "abc", "abca", "b", "bac", "bb", "c", "caab", "cab", "cb", "ccc")
ROUNDING = 1e-3  # relative

weights = st.lists(st.floats(0.001, 1.0), min_size=len(WORDS), max_size=len(WORDS))
typed = st.text("abc ", max_size=5)  # also what no word has
# Words that the lexicon lacks, the first of them in the list of rare ones, with how probable they are for having come before.
again = st.dictionaries(st.sampled_from(("abba", "bcb", "cabb", "cc")), st.floats(0.0001, 0.02))


def spelled(word: str) -> float:
    """Return the probability of a word under the network, as one in no list."""
    begin, inside = VOCABULARY.word_symbols()
    state, found = NETWORK.start(UNKNOWN), 1.0
    for end, symbol in enumerate([*VOCABULARY.encode(word), BOUNDARY]):
        row = np.exp(NETWORK.log_probabilities(state)[0].astype(np.float64))
        if end == 0:
            found *= row[symbol] / row[begin].sum()
        else:
            found *= row[symbol] if symbol else 1 - row[inside].sum()
        state = NETWORK.step(state, [symbol])
    return found


LEXICON = Lexicon(WORDS, [spelled(word) for word in WORDS], VOCABULARY)
LISTED = RareWords.of(["abba", "cabbac"], VOCABULARY)
MODEL = out_of_vocabulary_model(NETWORK, VOCABULARY, LEXICON, np.log([spelled(word) for word in LEXICON.words]), LISTED)
HIDDEN = ("cab", "bac", "ca")


def model_of(
    counts: Sequence[float],
    share: float,
    begins: float,
    hidden: Sequence[str] = (),
    repeated: Mapping[str, float] | None = None,
) -> OpenVocabulary:
    tree = SearchTree(MODEL, hidden=HiddenWords(hidden, VOCABULARY))
    offered = np.array([word not in hidden for word in WORDS])
    known = LEXICON.weighed(np.array(counts), begins)
    if not repeated:
        return OpenVocabulary(tree, known, share, begins, offered)
    few = Lexicon(list(repeated), list(repeated.values()), VOCABULARY)
    few = few.weighed(few.counts, begins)
    return OpenVocabulary(tree, known, share, begins, offered, few, sum(repeated.values()))


def after(model: OpenVocabulary, text: str) -> States:
    states = model.start()
    for symbol in VOCABULARY.encode(text):
        states = model.step(states, [symbol])
    return states


def open_search(model: OpenVocabulary, text: str, count: int, **options: object) -> OpenSearch:
    return OpenSearch(model, after(model, text), len(text), count, VOCABULARY, **options)


def assert_same(found: list[FoundWord], expected: list[FoundWord]) -> None:
    """Check words, probabilities and order; words equally probable may stand in any order."""
    assert [word.probability for word in found] == pytest.approx([w.probability for w in expected], rel=ROUNDING)
    by_word = {word.suffix: word.probability for word in expected}
    for word in found:
        assert by_word.get(word.suffix, expected[-1].probability) == pytest.approx(word.probability, rel=ROUNDING)
    assert len({word.suffix for word in found}) == len(found)


@given(weights, st.floats(0.01, 0.9), st.sampled_from([1.0, 0.6]), typed, st.integers(1, 20), st.booleans(), again)
def test_words_are_those_that_the_search_by_letters_finds(
    counts: list[float],
    share: float,
    begins: float,
    text: str,
    count: int,
    hide: bool,
    repeated: dict[str, float],
) -> None:
    hidden = HIDDEN if hide else ()
    model = model_of(counts, share, begins, hidden, repeated)
    search = open_search(model, text, count)
    tree = SearchTree(model, hidden=HiddenWords(hidden, VOCABULARY))
    node = ROOT
    for symbol in VOCABULARY.encode(text):
        node = tree.child(node, symbol)
    by_letters = Search(tree, node, count)
    expected = list(by_letters)
    found = list(search)
    assert_same(found, expected)
    assert search.exact
    assert by_letters.exact
    assert all(word.proved for word in found)
    assert not {text + VOCABULARY.decode(word.suffix) for word in found} & {*hidden}


def test_repeated_word_has_what_it_is_expected_and_what_spells_it() -> None:
    counts, repeated = np.ones(len(WORDS)), {"bcb": 0.03, "abba": 0.01}
    plain, model = model_of(counts, 0.2, 0.6), model_of(counts, 0.2, 0.6, repeated=repeated)
    before, found = ({word.suffix: word.probability for word in open_search(each, "", 300)} for each in (plain, model))
    for word in ("bcb", "abba", "cc", "a"):
        suffix = tuple(VOCABULARY.encode(word))
        of_rest = before[suffix] * (1 - 0.2 - 0.04) / (1 - 0.2) if word in WORDS else before[suffix]
        assert found[suffix] == pytest.approx(of_rest + 0.6 * repeated.get(word, 0.0), rel=ROUNDING)


@given(weights, st.floats(0.01, 0.9), typed, st.floats(0.001, 0.2), st.sampled_from([3, 8, 60]))
def test_others_are_looked_for_down_to_the_floor_and_words_of_the_lexicon_to_a_hundredth_of_it(
    counts: list[float], share: float, text: str, floor: float, count: int
) -> None:
    model = model_of(counts, share, 1.0)
    known = dict(model.best_known(after(model, text), len(text), len(WORDS), 0.0))
    lexicon = {tuple(VOCABULARY.encode(word)[len(text) :]): probability for word, probability in known.items()}
    assert known.keys() == {word for word in WORDS if word.startswith(text) and word != text}
    every = {word.suffix: word.probability for word in open_search(model, text, count + len(WORDS))} | lexicon
    least = {suffix: floor / 100 if suffix in lexicon else floor for suffix in every}
    assume(all(abs(probability / least[suffix] - 1) > ROUNDING for suffix, probability in every.items()))
    wanted = [FoundWord(suffix, p, proved=True) for suffix, p in every.items() if p > least[suffix]]
    search = open_search(model, text, count, floor=floor)
    assert_same(list(search), sorted(wanted, key=lambda word: -word.probability)[:count])
    assert search.exact


def test_others_are_not_looked_for_where_none_can_be_probable_enough() -> None:
    model = model_of(np.ones(len(WORDS)), 0.01, 1.0)
    assert len(list(open_search(model, "", 5))) == 5
    assert len(model.unknown) == 1  # nothing was spelled
    assert len(list(open_search(model, "", 20))) == 20
    assert len(model.unknown) > 1


def test_after_a_prefix_of_no_word_others_are_found() -> None:
    model = model_of(np.ones(len(WORDS)), 0.01, 1.0)
    found = ["cabb" + VOCABULARY.decode(word.suffix) for word in open_search(model, "cabb", 3)]
    assert "cabbac" in found  # of the list
    assert not {*found} & {*WORDS}


def test_spent_budget_leaves_words_unproved() -> None:
    model = model_of(np.ones(len(WORDS)), 0.5, 1.0)
    search = open_search(model, "c", 8, budget=Budget(expansions=2))
    found = list(search)
    assert not search.exact
    assert {word.suffix for word in found} >= {tuple(VOCABULARY.encode(word)) for word in ("aab", "b", "cc")}
    assert not found[-1].proved
    probabilities = [word.probability for word in found]
    assert probabilities == sorted(probabilities, reverse=True)
    whole = {word.suffix: word.probability for word in open_search(model_of(np.ones(12), 0.5, 1.0), "c", 40)}
    assert [whole[word.suffix] for word in found] == pytest.approx(probabilities, rel=ROUNDING)


def test_no_word_is_wanted() -> None:
    search = open_search(model_of(np.ones(len(WORDS)), 0.5, 1.0), "c", 0)
    assert list(search) == []
    assert search.exact


def test_what_is_remembered_is_not_stepped_again() -> None:
    steps: list[int] = []

    class Counted(RecurrentNetwork):
        def step(self, states: States, symbols: Symbols) -> States:
            steps.append(len(symbols))
            return super().step(states, symbols)

    network = Counted(CHECKPOINT.configuration, CHECKPOINT.tensors)
    tree = SearchTree(network)
    model = Remembered(tree)
    steps.clear()
    first = model.step((np.array([ROOT, ROOT, ROOT]),), VOCABULARY.encode("aba"))
    assert steps == [2]
    assert first[0][0] == first[0][2] != first[0][1]
    again = model.step((np.array([ROOT, ROOT]),), VOCABULARY.encode("ab"))
    assert steps == [2]
    np.testing.assert_array_equal(again[0], first[0][:2])
    alone = network.log_probabilities(network.step(network.start(), VOCABULARY.encode("b")))[0]
    np.testing.assert_allclose(model.log_probabilities(again)[1], alone, rtol=1e-5)


def test_many_prefixes_at_once_find_room() -> None:
    model = Remembered(SearchTree(NETWORK))
    nodes = (np.array([ROOT]),)
    for _ in range(6):
        before = len(model.tree)
        rows = np.repeat(nodes[0], 3)
        nodes = model.step((rows,), VOCABULARY.encode("abc" * len(nodes[0])))
        assert len(model.tree) == before + len(rows)
    alone = NETWORK.start()
    for symbol in VOCABULARY.encode("cabcab"):
        alone = NETWORK.step(alone, [symbol])
    place = sum("abc".index(letter) * 3**i for i, letter in enumerate(reversed("cabcab")))
    found = model.log_probabilities((nodes[0][[place]],))
    np.testing.assert_allclose(found, NETWORK.log_probabilities(alone), rtol=1e-4)


def test_word_may_not_begin_at_all() -> None:
    tree = SearchTree(MODEL)
    every, some = (np.exp(Remembered(tree, begins).log_probabilities((np.array([ROOT]),))[0]) for begins in (1.0, 0.25))
    np.testing.assert_allclose(some[1:], 0.25 * every[1:], rtol=1e-5)
    assert some[BOUNDARY] == pytest.approx(0.75)
    (node,) = Remembered(tree).step((np.array([ROOT]),), VOCABULARY.encode("b"))
    rows = [Remembered(tree, begins).log_probabilities((node,)) for begins in (1.0, 0.25)]
    np.testing.assert_array_equal(*rows)
