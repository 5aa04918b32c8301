from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.models.lexicon import Lexicon
from autocomplete.models.protocol import gather
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

VOCABULARY = Vocabulary("abcd")
lexicons = st.dictionaries(st.text("abc", min_size=1, max_size=6), st.floats(0.01, 1000), min_size=1, max_size=40)
prefixes = st.text("abcd", max_size=7)


def make(counts: dict[str, float]) -> Lexicon:
    return Lexicon(list(counts), list(counts.values()), VOCABULARY)


def probabilities(lexicon: Lexicon, prefix: str) -> np.ndarray:
    states = lexicon.start()
    for symbol in VOCABULARY.encode(prefix):
        states = lexicon.step(states, [symbol])
    return np.exp(lexicon.log_probabilities(states)[0])


def sums(counts: dict[str, float], prefix: str) -> np.ndarray:
    """Return what the shares of the next symbols are, counted word by word."""
    result = np.zeros(len(VOCABULARY))
    for word, count in counts.items():
        if word.startswith(prefix):
            rest = VOCABULARY.encode(word[len(prefix) :])
            result[rest[0] if rest else BOUNDARY] += count
    if not result.any():
        result[BOUNDARY] = 1  # a prefix of no word ends there
    return result / result.sum()


@given(lexicons, prefixes)
def test_next_symbol_has_the_share_of_the_words_that_go_on_with_it(counts: dict[str, float], prefix: str) -> None:
    np.testing.assert_allclose(probabilities(make(counts), prefix), sums(counts, prefix), rtol=1e-5)


@given(lexicons)
def test_word_has_the_probability_of_its_count(counts: dict[str, float]) -> None:
    lexicon = make(counts)
    for word, count in counts.items():
        probability = 1.0
        for i, symbol in enumerate([*VOCABULARY.encode(word), BOUNDARY]):
            probability *= probabilities(lexicon, word[:i])[symbol]
        assert probability == pytest.approx(count / sum(counts.values()), rel=1e-4)


@given(lexicons, st.lists(prefixes, min_size=1, max_size=6))
def test_batch_answers_as_each_of_its_rows_does(counts: dict[str, float], batch: list[str]) -> None:
    lexicon = make(counts)
    states = gather(lexicon.start(), [0] * len(batch))
    for i in range(max(map(len, batch))):
        alive = [row for row, prefix in enumerate(batch) if i < len(prefix)]
        if alive:
            stepped = lexicon.step(gather(states, alive), [VOCABULARY.encode(batch[row])[i] for row in alive])
            for array, new in zip(states, stepped, strict=True):
                array[alive] = new
    answers = np.exp(lexicon.log_probabilities(states))
    for row, prefix in enumerate(batch):
        np.testing.assert_allclose(answers[row], sums(counts, prefix), rtol=1e-5)


@pytest.mark.parametrize("symbols", [[UNKNOWN], [BOUNDARY], [2, UNKNOWN, 2], [5, 5], [2, 3, BOUNDARY, 2]])
def test_after_a_prefix_of_no_word_the_word_ends(symbols: list[int]) -> None:
    lexicon = make({"ab": 1.0, "b": 2.0})
    states = lexicon.start()
    for symbol in symbols:
        states = lexicon.step(states, [symbol])
    probability = np.exp(lexicon.log_probabilities(states)[0])
    assert probability[BOUNDARY] == 1
    assert probability.sum() == 1


def test_order_of_the_words_does_not_matter() -> None:
    counts = {"b": 2.0, "ab": 1.0, "abc": 4.0, "a": 3.0}
    turned = dict(reversed(counts.items()))
    for prefix in ["", "a", "ab", "b"]:
        np.testing.assert_array_equal(probabilities(make(counts), prefix), probabilities(make(turned), prefix))


def test_characters_that_the_vocabulary_lacks_do_not_confuse_the_others() -> None:
    """Sorted by character, the two unknown ones stand on either side of ñ; by id, they are the same."""
    vocabulary = Vocabulary("abñ")
    lexicon = Lexicon(["aé", "añ", "aö", "b"], [1.0, 2.0, 3.0, 4.0], vocabulary)
    answers = np.exp(lexicon.log_probabilities(lexicon.step(lexicon.start(), vocabulary.encode("a")))[0])
    assert answers[vocabulary.encode("ñ")] == pytest.approx(2 / 6, rel=1e-5)
    assert answers[UNKNOWN] == pytest.approx(4 / 6, rel=1e-5)


@pytest.mark.parametrize("order", ["dcba", "badc"])
def test_order_of_the_vocabulary_does_not_matter(order: str) -> None:
    """A checkpoint may list its characters in any order."""
    vocabulary = Vocabulary(order)
    counts = {"a": 1.0, "b": 2.0, "ca": 3.0, "cb": 4.0, "d": 5.0}
    lexicon = Lexicon(list(counts), list(counts.values()), vocabulary)
    answers = np.exp(lexicon.log_probabilities(lexicon.start())[0])
    shares = {vocabulary.character(symbol): float(answers[symbol]) for symbol in range(2, 6)}
    assert shares == pytest.approx({"a": 1 / 15, "b": 2 / 15, "c": 7 / 15, "d": 5 / 15}, rel=1e-5)
    states = lexicon.step(lexicon.start(), vocabulary.encode("c"))
    answers = np.exp(lexicon.log_probabilities(states)[0])
    assert answers[vocabulary.encode("a")] == pytest.approx(3 / 7, rel=1e-5)
    assert answers[vocabulary.encode("b")] == pytest.approx(4 / 7, rel=1e-5)
