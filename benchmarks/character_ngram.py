"""Character n-grams of plain English text: the alphabet that they are made of, and the order that knows best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from autocomplete.models.character_ngrams import CharacterNgrams, longest_order
from autocomplete.text.vocabulary import Vocabulary

__all__ = ["HIGHEST_ORDER", "SPACE", "VOCABULARY", "bits_per_character", "held_out_bits", "learn"]

VOCABULARY = Vocabulary(" 'abcdefghijklmnopqrstuvwxyz")  # in which every other letter is unknown
SPACE = VOCABULARY.encode(" ")[0]
HIGHEST_ORDER = longest_order(len(VOCABULARY))  # five bits a character: twelve


def learn(lines: Iterable[str], order: int) -> CharacterNgrams:
    """Return a model of some lines, in lower case."""
    return CharacterNgrams(VOCABULARY.encode_lines(lines), len(VOCABULARY), order)


def bits_per_character(model: CharacterNgrams, lines: Iterable[str]) -> float:
    """Return the mean of minus the binary logarithm of the probability of each character of lines, their ends included."""
    return float(-model.score(VOCABULARY.encode_lines(lines))[0].mean() / np.log(2))


def held_out_bits(lines: Sequence[str], orders: Iterable[int], every: int = 100) -> dict[int, float]:
    """Return the bits per character of each order on one line in so many, learnt from the other lines."""
    held_out = lines[::every]
    rest = [line for place, line in enumerate(lines) if place % every]
    return {order: bits_per_character(learn(rest, order), held_out) for order in orders}
