from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import random_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.models.lexicon import Lexicon
from autocomplete.models.mixture import Mixture
from autocomplete.models.protocol import CharacterLanguageModel, gather
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.text.vocabulary import BOUNDARY

WORDS = ["abc", "abd", "b", "dcba", "ab"]
CHECKPOINT = random_checkpoint(WORDS, "gru")
VOCABULARY = CHECKPOINT.vocabulary
NETWORK = RecurrentNetwork(CHECKPOINT.configuration, CHECKPOINT.tensors)
LEXICON = Lexicon(WORDS, [5, 4, 3, 2, 1], VOCABULARY)
OTHER = Lexicon(["b", "abc"], [1, 1], VOCABULARY)

words = st.text("abcd", max_size=6)


def log_probability(model: CharacterLanguageModel, word: str) -> float:
    """Return the natural logarithm of the probability of a whole word: of its letters and the boundary after them."""
    states, total = model.start(), 0.0
    for symbol in [*VOCABULARY.encode(word), BOUNDARY]:
        answer = float(model.log_probabilities(states)[0, symbol])
        if answer == -math.inf:
            return answer
        total += answer
        states = model.step(states, [symbol])
    return total


@given(words, st.floats(0.01, 0.99))
def test_word_has_the_average_of_its_probabilities_by_prior(word: str, prior: float) -> None:
    mixture = Mixture([NETWORK, LEXICON], [prior, 1 - prior])
    expected = prior * math.exp(log_probability(NETWORK, word)) + (1 - prior) * math.exp(log_probability(LEXICON, word))
    assert math.exp(log_probability(mixture, word)) == pytest.approx(expected, rel=1e-4)


@given(words, st.floats(0.01, 0.99))
def test_weights_follow_how_well_each_member_has_predicted_the_letters(word: str, prior: float) -> None:
    mixture = Mixture([NETWORK, LEXICON], [prior, 1 - prior])
    states = mixture.start()
    likelihoods = np.log([prior, 1 - prior])
    members = [(NETWORK, NETWORK.start()), (LEXICON, LEXICON.start())]
    for symbol in VOCABULARY.encode(word):
        likelihoods = likelihoods + [model.log_probabilities(state)[0, symbol] for model, state in members]
        members = [(model, model.step(state, [symbol])) for model, state in members]
        states = mixture.step(states, [symbol])
    expected = np.exp(likelihoods - np.logaddexp.reduce(likelihoods))
    np.testing.assert_allclose(mixture.weights(states)[0], expected, rtol=1e-3, atol=1e-6)


def test_word_that_the_lexicon_lacks_is_left_to_the_network() -> None:
    mixture = Mixture([NETWORK, LEXICON], [0.1, 0.9])
    states = mixture.start()
    for symbol in VOCABULARY.encode("cc"):
        states = mixture.step(states, [symbol])
    assert mixture.weights(states).tolist() == [[1.0, 0.0]]


def test_priors_are_scaled_to_sum_to_one() -> None:
    one, other = Mixture([NETWORK, LEXICON], [1, 3]), Mixture([NETWORK, LEXICON], [0.25, 0.75])
    np.testing.assert_array_equal(one.log_probabilities(one.start()), other.log_probabilities(other.start()))
    np.testing.assert_allclose(one.weights(one.start()), [[0.25, 0.75]], rtol=1e-6)


def test_each_row_sums_to_one() -> None:
    mixture = Mixture([NETWORK, LEXICON], [0.3, 0.7])
    states = gather(mixture.start(), [0, 0, 0])
    for symbols in ([2, 3, 4], [3, 3, 4], [4, 2, 4]):
        states = mixture.step(states, symbols)
        np.testing.assert_allclose(np.exp(mixture.log_probabilities(states)).sum(axis=1), 1, rtol=1e-5)


def test_batch_answers_as_each_of_its_rows_does() -> None:
    mixture = Mixture([NETWORK, LEXICON], [0.3, 0.7])
    batch = gather(mixture.start(), [0] * 4)
    for symbols in ([2, 3, 4, 5], [3, 3, 4, 2], [4, 1, 4, 0]):
        batch = mixture.step(batch, symbols)
    for row, symbols in enumerate([(2, 3, 4), (3, 3, 1), (4, 4, 4), (5, 2, 0)]):
        alone = mixture.start()
        for symbol in symbols:
            alone = mixture.step(alone, [symbol])
        np.testing.assert_allclose(
            np.exp(mixture.log_probabilities(batch)[row]), np.exp(mixture.log_probabilities(alone)[0]), atol=1e-5
        )


def test_members_that_rule_symbols_out_give_them_no_probability_and_no_warning() -> None:
    mixture = Mixture([LEXICON, OTHER], [0.5, 0.5])
    answers = mixture.log_probabilities(mixture.start())[0]
    assert answers[VOCABULARY.encode("c")[0]] == -math.inf
    assert math.exp(answers[VOCABULARY.encode("b")[0]]) == pytest.approx(0.5 * 3 / 15 + 0.5 * 1 / 2, rel=1e-5)


def test_symbol_that_all_rule_out_begins_again_with_the_prior() -> None:
    mixture = Mixture([LEXICON, OTHER], [0.25, 0.75])
    states = mixture.step(mixture.start(), VOCABULARY.encode("c"))
    np.testing.assert_allclose(mixture.weights(states), [[0.25, 0.75]], rtol=1e-6)
    answers = mixture.log_probabilities(states)
    assert not np.isnan(answers).any()
    np.testing.assert_allclose(np.exp(answers).sum(axis=1), 1, rtol=1e-5)
