"""Word n-grams against a textbook of dictionaries: interpolated modified Kneser-Ney, one n-gram after the other."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from autocomplete.models.word_ngrams import NGrams, Pairs, estimate

WORDS = 5
START, OTHER = WORDS, WORDS + 1
PRIOR = np.array([5.0, 1.0, 3.0, 0.5, 2.0])
ROUNDING = 1 - math.exp(-1 / 20)  # relative: a share is kept as a byte that counts twentieths of its logarithm
ALL = 10**6  # more n-grams than any of these texts has

Sentences = list[list[int]]
NGram = tuple[int, ...]

sentences = st.lists(st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=7), min_size=1, max_size=12)
with_others = st.lists(
    st.lists(st.sampled_from([*range(WORDS), OTHER]), min_size=1, max_size=7), min_size=1, max_size=12
)
contexts = st.lists(st.integers(0, OTHER), max_size=4)


def joined(text: Sentences) -> np.ndarray:
    return np.array([token for sentence in text for token in (START, *sentence)], dtype=np.int64)


def make(text: Sentences, order: int, size: int = ALL) -> NGrams:
    return estimate(joined(text), PRIOR, [size] * (order - 1))


class Textbook:
    """
    All n-grams of a text, none pruned but those that are of no use: that make their word less probable than it is without.

    `probabilities` answers with how far from it n-grams may be whose shares were rounded.
    """

    def __init__(self, text: Sentences, order: int) -> None:
        found: dict[int, Counter[NGram]] = {n: Counter() for n in range(1, order + 1)}
        for sentence in text:
            tokens = (START, *sentence)
            for n, counter in found.items():
                counter.update(tokens[i : i + n] for i in range(len(tokens) - n + 1))
        self.counts: dict[int, dict[NGram, int]] = {}
        for n, counter in found.items():
            before = Counter(longer[1:] for longer in found.get(n + 1, ()))
            begins = {ngram for ngram in counter if ngram[0] == START}
            raw = {ngram for ngram in counter if n == order} | begins
            self.counts[n] = {ngram: counter[ngram] if ngram in raw else before[ngram] for ngram in counter}
        self.order = order
        self.by_context: dict[NGram, list[NGram]] = defaultdict(list)
        for ngram in chain.from_iterable(self.counts.values()):
            self.by_context[ngram[:-1]].append(ngram)
        self.discounts = {n: self._discounts(list(counts.values())) for n, counts in self.counts.items()}
        continuations = np.array([self.counts[1].get((word,), 0) for word in range(WORDS)]) + 1e-9
        self.unigrams = 0.7 * continuations / continuations.sum() + 0.3 * PRIOR / PRIOR.sum()
        self.closest = math.inf  # how near any n-gram is to being neither kept nor pruned
        self.kept = {ngram for n in range(2, order + 1) for ngram in self.counts[n] if self._is_kept(ngram)}

    @staticmethod
    def _discounts(counts: list[int]) -> list[float]:
        n1, n2, n3, n4 = (max(counts.count(i), 1) for i in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        by_formula = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        return [0.0, *(min(max(d, 0.1 * i), 0.95 * i) for i, d in enumerate(by_formula, start=1))]

    def total(self, context: NGram) -> int:
        return sum(self.counts[len(ngram)][ngram] for ngram in self.by_context[context])

    def share(self, ngram: NGram) -> float:
        count = self.counts[len(ngram)].get(ngram, 0)
        if count == 0:
            return 0.0
        return max(count - self.discounts[len(ngram)][min(count, 3)], 0.0) / self.total(ngram[:-1])

    def full(self, ngram: NGram) -> float:
        """Return the interpolated probability of the last word after the others."""
        if len(ngram) == 1:
            return float(self.unigrams[ngram[0]])
        rest = 1 - sum(map(self.share, self.by_context[ngram[:-1]]))
        return self.share(ngram) + rest * self.full(ngram[1:])

    def gain(self, ngram: NGram) -> float:
        """Return how much less probable the whole text would be without it, in nats."""
        if ngram[-1] == OTHER or self.share(ngram) == 0:
            return 0.0
        return self.share(ngram) * self.total(ngram[:-1]) * math.log(self.full(ngram) / self.full(ngram[1:]))

    def _is_kept(self, ngram: NGram) -> bool:
        if ngram[-1] == OTHER or self.share(ngram) == 0:
            return False
        self.closest = min(self.closest, abs(self.full(ngram) - self.full(ngram[1:])))
        return self.full(ngram) > self.full(ngram[1:]) and (len(ngram) == 2 or self._is_kept(ngram[:-1]))

    def probabilities(self, context: Sequence[int]) -> tuple[np.ndarray, np.ndarray, int]:
        """Return the distribution of the next word, how far off each may be, and the words of context that it rests on."""
        result, slack, used = self.unigrams, np.full(WORDS, 1e-6), 0
        for length in range(1, min(len(context), self.order - 1) + 1):
            before = tuple(context[len(context) - length :])
            kept = [ngram for ngram in self.by_context[before] if ngram in self.kept]
            if not kept:
                break
            shares = np.zeros(WORDS)
            for ngram in kept:
                shares[ngram[-1]] = self.share(ngram)
            rest, rest_slack = 1 - shares.sum(), ROUNDING * shares.sum()
            slack = ROUNDING * shares + (rest + rest_slack) * slack + rest_slack * result + 1e-6
            result, used = shares + rest * result, length
        return result, slack, used


def assert_as_in_the_textbook(text: Sentences, order: int, context: Sequence[int]) -> None:
    textbook = Textbook(text, order)
    if textbook.closest < 1e-9:
        return  # a rounding decides
    found, used = make(text, order).distribution(context)
    expected, slack, length = textbook.probabilities(context)
    assert used == length
    assert (np.abs(found - expected) <= slack).all(), (found, expected, slack)


@pytest.mark.parametrize("order", [2, 3])
@given(text=sentences, context=contexts)
def test_distribution_is_that_of_the_textbook(order: int, text: Sentences, context: list[int]) -> None:
    assert_as_in_the_textbook(text, order, context)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_so_it_is_after_every_context_of_a_longer_text(order: int) -> None:
    generator = np.random.default_rng(order)
    text = [generator.choice(WORDS, 8, p=[0.4, 0.3, 0.15, 0.1, 0.05]).tolist() for _ in range(40)]
    for sentence in text[:10]:
        for end in range(len(sentence)):
            assert_as_in_the_textbook(text, order, [START, *sentence[:end]])


@pytest.mark.parametrize("order", [2, 3])
@given(text=with_others, context=contexts)
def test_so_it_is_where_the_text_has_words_without_a_number(order: int, text: Sentences, context: list[int]) -> None:
    assert_as_in_the_textbook(text, order, context)


@given(sentences, contexts, st.integers(2, 4), st.integers(0, 12))
def test_distribution_sums_to_one_however_much_is_pruned(
    text: Sentences, context: list[int], order: int, size: int
) -> None:
    found, length = make(text, order, size).distribution(context)
    assert found.dtype == np.float32
    assert found.shape == (WORDS,)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert 0 <= length <= min(len(context), order - 1)


@given(with_others, contexts, st.integers(2, 4), st.integers(0, 12))
def test_so_it_does_where_the_text_has_words_without_a_number(
    text: Sentences, context: list[int], order: int, size: int
) -> None:
    found, _ = make(text, order, size).distribution(context)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1, abs=1e-5)


def test_shares_that_are_rounded_up_still_sum_to_one() -> None:
    """Hundreds of times the same context, and two words that make up nearly all that follows it."""
    found, _ = make([[3, 0]] * 975 + [[3, 1]] * 1025 + [[3, 2]], 2).distribution([3])
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert found.min() > 0


@given(sentences, contexts, st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
def test_distribution_is_weighed_by_how_many_words_it_rests_on(
    text: Sentences, context: list[int], weights: list[float]
) -> None:
    ngrams = make(text, 3)
    found, length = ngrams.distribution(context)
    weighed, again = ngrams.distribution(context, weights)
    assert again == length
    np.testing.assert_allclose(weighed, weights[length] * found, rtol=1e-5)


@pytest.mark.parametrize("context", [[], [4], [START, 4], [OTHER], [0, OTHER], [4, 4, 4]])
def test_context_that_the_text_lacks_backs_off_to_single_words(context: list[int]) -> None:
    ngrams = make([[0, 1, 2], [1, 3]], 3)
    found, length = ngrams.distribution(context)
    np.testing.assert_array_equal(found, ngrams.unigrams)
    assert length == 0


def test_only_the_end_of_a_context_counts() -> None:
    ngrams = make([[0, 1, 2], [1, 3], [0, 1, 2, 0, 1, 4]], 3)
    known, length = ngrams.distribution([0, 1])
    assert length == 2
    for before in ([4], [START], [2, 2, 2, 3]):
        found, length = ngrams.distribution([*before, 0, 1])
        np.testing.assert_array_equal(found, known)
        assert length == 2
    shorter, length = ngrams.distribution([4, 1])  # a pair that the text lacks
    np.testing.assert_array_equal(shorter, ngrams.distribution([1])[0])
    assert length == 1


@given(sentences, st.randoms(use_true_random=False), contexts)
def test_order_of_the_sentences_does_not_matter(text: Sentences, random, context: list[int]) -> None:
    """It would if any n-gram reached over the beginning of one."""
    turned = text.copy()
    random.shuffle(turned)
    found, length = make(text, 3).distribution(context)
    again, length_again = make(turned, 3).distribution(context)
    np.testing.assert_array_equal(found, again)
    assert length == length_again


def test_no_ngram_reaches_over_the_beginning_of_a_sentence() -> None:
    ngrams = make([[0, 1], [2, 3], [2, 3]], 3)
    assert ngrams.distribution([1])[1] == 0  # 1 stands at an end only
    begun, length = ngrams.distribution([START])
    assert length == 1
    assert begun[2] > begun[3]
    for before in ([1], [0, 1]):
        found, length = ngrams.distribution([*before, START])
        np.testing.assert_array_equal(found, begun)
        assert length == 1


def test_word_that_follows_many_others_is_the_more_probable_alone() -> None:
    """1 comes up more often than 2, but after 0 only: where nothing is known, that says little."""
    ngrams = estimate(joined([[0, 1]] * 9 + [[0, 2], [3, 2], [4, 2]]), np.ones(WORDS), [ALL])
    assert ngrams.unigrams[2] > ngrams.unigrams[1]
    assert ngrams.distribution([0])[0][1] > ngrams.distribution([0])[0][2]


def test_prior_makes_words_probable_that_the_text_lacks() -> None:
    alone = make([[0, 1], [1, 0]], 2).unigrams
    np.testing.assert_allclose(alone[2:], 0.3 * PRIOR[2:] / PRIOR.sum(), rtol=1e-5)
    np.testing.assert_allclose(
        make([[0, 1], [1, 0]], 2).unigrams, estimate(joined([[0, 1], [1, 0]]), 9 * PRIOR, [5]).unigrams, rtol=1e-6
    )


def pairs(counts: dict[tuple[int, int], float]) -> Pairs:
    first, second = np.array(list(counts), dtype=np.int64).T
    return Pairs(first, second, np.array(list(counts.values()), dtype=np.float64))


TEXT = [[0, 1], [0, 1], [0, 2], [1, 0, 2], [2, 2, 0, 1]]


def test_pairs_from_elsewhere_raise_what_the_text_lacks() -> None:
    without = estimate(joined(TEXT), PRIOR, [ALL, ALL])
    more = estimate(joined(TEXT), PRIOR, [ALL, ALL], pairs({(0, 3): 30.0, (0, 4): 10.0, (4, 3): 7.0}))
    before, after = without.distribution([0])[0], more.distribution([0])[0]
    assert after[3] > 2 * before[3]
    assert after[3] > after[4] > before[4]
    assert after[1] == pytest.approx(before[1], rel=0.1)  # what the text itself has is hardly touched
    assert after[1] == after.max()
    assert without.distribution([4])[1] == 0
    found, length = more.distribution([4])
    assert length == 1
    assert found[3] == pytest.approx(0.5 + 0.5 * more.unigrams[3], rel=ROUNDING)
    np.testing.assert_array_equal(more.unigrams, without.unigrams)
    for context in ([0], [4], [START], [0, 1], [1, 0], [START, 0]):
        assert more.distribution(context)[0].sum() == pytest.approx(1, abs=1e-5)


def test_pairs_take_half_of_what_the_text_leaves_to_single_words() -> None:
    textbook = Textbook(TEXT, 2)
    shares = {word: textbook.share((0, word)) for word in range(WORDS)}
    rest = 1 - sum(shares.values())
    counts = {(0, 1): 6.0, (0, 3): 3.0, (0, 4): 1.0}
    found, _ = estimate(joined(TEXT), PRIOR, [ALL], pairs(counts)).distribution([0])
    shares = {word: share + 0.5 * rest * counts.get((0, word), 0.0) / 10 for word, share in shares.items()}
    rest = 1 - sum(shares.values())
    useful = {word: share for word, share in shares.items() if share > (1 - rest) * textbook.unigrams[word]}
    rest = 1 - sum(useful.values())
    for word in range(WORDS):
        expected = useful.get(word, 0.0) + rest * textbook.unigrams[word]
        assert found[word] == pytest.approx(expected, rel=2 * ROUNDING), word


def test_longer_ngrams_stand_on_the_pairs_of_the_text_where_others_are_added() -> None:
    """The pairs from elsewhere sort between those of the text; what follows those must still be found."""
    text = [*[[1, 2, 3], [3, 4, 0]] * 5, [0, 2, 1]]
    more = estimate(joined(text), PRIOR, [ALL, ALL], pairs({(0, 1): 5.0, (1, 4): 5.0, (2, 2): 5.0, (3, 0): 9.0}))
    for a, b, c in ([1, 2, 3], [3, 4, 0]):
        found, length = more.distribution([a, b])
        assert length == 2
        assert found.argmax() == c
    assert more.distribution([1, 4])[1] == 1  # the text has the pair not


@given(sentences, st.integers(0, 6), st.integers(0, 6))
def test_no_more_are_kept_than_asked_for(text: Sentences, twos: int, threes: int) -> None:
    tokens = joined(text)
    tensors = estimate(tokens, PRIOR, [twos, threes]).tensors()
    assert len(tensors["2.shares"]) <= twos
    assert len(tensors["3.shares"]) <= threes
    assert len(tensors["3.counts"]) == len(tensors["2.shares"])
    every = estimate(tokens, PRIOR, [ALL, ALL])
    assert len(every) == len(every.tensors()["2.shares"]) + len(every.tensors()["3.shares"])
    assert every.order == 3


@given(sentences)
def test_the_one_that_is_kept_is_the_one_that_the_text_would_miss_the_most(text: Sentences) -> None:
    textbook = Textbook(text, 2)
    gains = sorted(((textbook.gain(ngram), ngram) for ngram in textbook.counts[2]), reverse=True)
    assume(gains[0][0] > 0 and (len(gains) == 1 or gains[0][0] > gains[1][0] * (1 + 1e-9)))
    ngrams = make(text, 2, size=1)
    *context, word = gains[0][1]
    found, length = ngrams.distribution(context)
    assert (len(ngrams), length) == (1, 1)
    assert found[word] == pytest.approx(
        textbook.share((*context, word)) + (1 - textbook.share((*context, word))) * textbook.unigrams[word],
        rel=ROUNDING,
    )
    others = {ngram[:-1] for ngram in textbook.counts[2]} - {tuple(context)}
    assert all(ngrams.distribution(other)[1] == 0 for other in others)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_tensors_make_the_same_ngrams_again(tmp_path: Path, order: int) -> None:
    ngrams = make(TEXT, order)
    save_file(ngrams.tensors(), tmp_path / "ngrams.safetensors")
    again = NGrams.from_tensors(load_file(tmp_path / "ngrams.safetensors"))
    assert (again.order, len(again), again.start, again.other) == (order, len(ngrams), START, OTHER)
    for context in ([], [START], [0], [START, 0], [1, 0, 2], [4], [START, 2, 2, 0]):
        found, length = again.distribution(context)
        np.testing.assert_array_equal(found, ngrams.distribution(context)[0])
        assert length == ngrams.distribution(context)[1]


def test_tensors_of_the_former_kind_make_the_same_ngrams() -> None:
    """Before, a word stood there by its number, and only contexts with n-grams had a row."""
    # 0 1, 0 2, 1 2 and 2 0; then 0 1 2 and 2 0 1, whose contexts are the places of 0 1 and of 2 0
    former = {
        "unigrams": np.array([0.2, 0.5, 0.1, 0.1, 0.1], dtype=np.float32),
        "2.contexts": np.array([0, 1, 2], dtype=np.int32),
        "2.starts": np.array([0, 2, 3, 4], dtype=np.int32),
        "2.words": np.array([1, 2, 2, 0], dtype=np.uint16),
        "2.shares": np.array([10, 20, 40, 30], dtype=np.uint8),
        "3.contexts": np.array([0, 3], dtype=np.int32),
        "3.starts": np.array([0, 1, 2], dtype=np.int32),
        "3.words": np.array([2, 1], dtype=np.uint16),
        "3.shares": np.array([5, 6], dtype=np.uint8),
    }
    ten, twenty, thirty, forty, five, six = (math.exp(-share / 20) for share in (10, 20, 30, 40, 5, 6))
    after_zero = np.array([0, ten, twenty, 0, 0]) + (1 - ten - twenty) * former["unigrams"]
    after_one = np.array([0, 0, forty, 0, 0]) + (1 - forty) * former["unigrams"]
    after_two = np.array([thirty, 0, 0, 0, 0]) + (1 - thirty) * former["unigrams"]
    expected = {
        (3, 0): (after_zero, 1),
        (0, 1): (np.array([0, 0, five, 0, 0]) + (1 - five) * after_one, 2),
        (2, 0): (np.array([0, six, 0, 0, 0]) + (1 - six) * after_zero, 2),
        (1, 2): (after_two, 1),
        (0, 4): (former["unigrams"], 0),
    }
    ngrams = NGrams.from_tensors(former)
    for again in (ngrams, NGrams.from_tensors(ngrams.tensors())):
        for context, (distribution, length) in expected.items():
            found = again.distribution(context)
            assert found[1] == length
            np.testing.assert_allclose(found[0], distribution, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("2.counts", lambda array: array[:-1]),
        ("2.counts", lambda array: array + 1),
        ("2.gaps", lambda array: array[:-1]),
        ("2.gaps", lambda array: array + 1_000),
        ("2.shares", lambda array: np.append(array, array)),
        ("3.counts", lambda array: np.append(array, 0)),
    ],
)
def test_tensors_that_do_not_fit_are_refused(name: str, damage: Callable[[np.ndarray], np.ndarray]) -> None:
    tensors = make(TEXT, 3).tensors()
    tensors[name] = damage(tensors[name])
    with pytest.raises(ValueError):  # says which; what matters is that it is of this kind
        NGrams.from_tensors(tensors)


def test_numbers_up_to_those_of_the_largest_lexicon_are_told_apart() -> None:
    """A word takes two bytes; the beginning of a sentence has a number above all words."""
    words = 60_000
    last, start = words - 1, words
    text = [[start, last, 40_000, last], [start, last, 40_000, 1], [start, 32_768, 2, 3], [start, 32_768, 2, 3]]
    ngrams = estimate(np.concatenate(text * 2), np.ones(words), [ALL, ALL])
    for context, word in [([start], last), ([last], 40_000), ([start, last], 40_000), ([32_768, 2], 3)]:
        found, length = ngrams.distribution(context)
        assert length == len(context)
        assert found[word] > 0.2
        assert found.sum() == pytest.approx(1, abs=1e-4)
    assert ngrams.distribution([ngrams.other])[1] == 0


def test_text_without_words_leaves_the_prior() -> None:
    ngrams = estimate(np.array([], dtype=np.int64), PRIOR, [ALL, ALL])
    assert len(ngrams) == 0
    found, length = ngrams.distribution([START, 0])
    assert (length, found.sum()) == (0, pytest.approx(1))
    assert (np.diff(found[np.argsort(PRIOR)]) > 0).all()
