from __future__ import annotations

import numpy as np
import pytest
import torch

from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.training.batching.prefixes import PrefixBatch, Words, WordSampler

WORDS = ["trial", "name", "triangle", "tri", "a"]
VOCABULARY = Vocabulary.from_words(WORDS)


def batch_of(words: list[str], weights: list[float]) -> tuple[PrefixBatch, Words]:
    encoded = Words(words, VOCABULARY)
    ordered = np.array(weights)[encoded.order]
    return PrefixBatch.from_trie(encoded.trie(np.arange(len(words)), ordered)), encoded


def spelled(batch: PrefixBatch) -> list[str]:
    """Return the prefix that each row of a batch stands for, following parents from level to level."""
    prefixes: list[str] = []
    before: list[str] = []
    rows = zip(batch.symbols.tolist(), batch.parents.tolist(), strict=True)
    for size in batch.levels:
        level = []
        for _ in range(size):
            symbol, parent = next(rows)
            level.append(before[parent] + VOCABULARY.character(symbol) if before else "")
        prefixes += level
        before = level
    return prefixes


def test_each_prefix_stands_once_and_knows_the_one_before_it() -> None:
    batch, _ = batch_of(WORDS, [1.0] * len(WORDS))
    prefixes = spelled(batch)
    assert len(prefixes) == len(set(prefixes)) == len(batch.symbols)
    assert set(prefixes) == {word[:i] for word in WORDS for i in range(len(word) + 1)}
    assert batch.symbols[0] == BOUNDARY


def test_edges_weigh_the_words_that_go_their_way() -> None:
    batch, _ = batch_of(["tri", "trial", "name"], [1.0, 2.0, 4.0])
    prefixes = spelled(batch)
    edges = {
        (prefixes[source], VOCABULARY.character(target)): weight
        for source, target, weight in zip(
            batch.sources.tolist(), batch.targets.tolist(), batch.weights.tolist(), strict=True
        )
    }
    assert edges["", "t"] == 3
    assert edges["", "n"] == 4
    assert edges["tri", " "] == 1
    assert edges["tri", "a"] == edges["trial", " "] == 2
    assert batch.characters == sum(edges.values()) == 1 * 4 + 2 * 6 + 4 * 5


def test_words_drawn_are_those_of_their_rows() -> None:
    words = Words(WORDS, VOCABULARY)
    ordered = [WORDS[place] for place in words.order]
    assert ordered == sorted(WORDS)
    trie = words.trie(np.array([0, 3]), np.ones(2))
    prefixes = spelled(PrefixBatch.from_trie(trie))
    assert set(prefixes) == {word[:i] for word in (ordered[0], ordered[3]) for i in range(len(word) + 1)}


def test_hidden_inputs_are_unknown_and_what_follows_them_stays() -> None:
    batch, _ = batch_of(WORDS, [1.0] * len(WORDS))
    hidden = batch.hide(0.5, np.random.default_rng(0))
    changed = hidden.symbols != batch.symbols
    assert 0 < int(changed.sum()) < len(batch.symbols)
    assert (hidden.symbols[changed] == UNKNOWN).all()
    assert torch.equal(hidden.targets, batch.targets)
    assert not (batch.symbols == UNKNOWN).any()  # the batch itself is as it was
    assert batch.hide(1.0, np.random.default_rng(0)).symbols[0] == BOUNDARY
    assert torch.equal(batch.hide(0.0, np.random.default_rng(0)).symbols, batch.symbols)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_words_are_drawn_by_their_tempered_count(alpha: float) -> None:
    counts = np.array([100.0, 1.0, 25.0, 4.0])
    expected = counts**alpha / (counts**alpha).sum()
    sampler = WordSampler(counts, alpha, draws=1000, generator=np.random.default_rng(0))
    drawn = np.zeros(4)
    for _ in range(50):
        rows, times = sampler.draw()
        assert times.sum() == 1000
        assert (np.diff(rows) > 0).all()
        drawn[rows] += times
        # Stratified: in each single draw, every word comes up as often as expected, give or take two.
        of_words = np.zeros(4)
        of_words[rows] = times
        assert np.abs(of_words - 1000 * expected).max() <= 2
    np.testing.assert_allclose(drawn / 50_000, expected, atol=0.001)


def test_draws_repeat_with_their_seed() -> None:
    def draw(seed: int) -> list[int]:
        return WordSampler(np.ones(500), 1.0, 50, np.random.default_rng(seed)).draw()[0].tolist()

    assert draw(1) == draw(1) != draw(2)


def test_one_word_is_drawn_every_time() -> None:
    rows, times = WordSampler(np.array([7.0]), 1.0, 16, np.random.default_rng(0)).draw()
    assert (rows.tolist(), times.tolist()) == ([0], [16.0])
