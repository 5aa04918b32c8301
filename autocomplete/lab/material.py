"""
What several models learn from and are judged by: the same for all, whatever they are.

A text is read line after line. A list of words is read as a text that has each of them once, a word a line, in random order, so
both are trained on, measured and counted in one way. The counts of the words do not matter then: what is measured is how well
unseen words are spelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.corpus import Corpus
from autocomplete.corpus.encoded import FileArray, Ids
from autocomplete.errors import CorpusError
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.training.objectives.lessons import learnable_characters, text_ids

__all__ = ["Material", "read_material", "words_material"]

_HELD_OUT = 0.05  # share of the whole, at its end
_MEASURED = 50_000  # characters of it at most that are measured
_LEAST = 2_000  # characters; of fewer, nothing is learned that could be compared


@dataclass(frozen=True, eq=False)
class Material:
    """Symbols with BOUNDARY before each line and after the last."""

    vocabulary: Vocabulary
    unit: Literal["words", "text"]
    learned: Ids  # (n,) all but the end of the corpus
    held_out: NDArray[np.integer[Any]]  # (m,) of its end, as much as is measured


def read_material(corpus: Corpus) -> Material:
    """Return what is learned and what is held out of a corpus; raise CorpusError for one that is too short."""
    if corpus.text is None:
        return words_material(corpus.words, corpus.name)
    encoded = corpus.text.encoded()
    vocabulary = learnable_characters(encoded, len(encoded.symbols), corpus.words)
    return _split(text_ids(encoded, vocabulary), vocabulary, "text", corpus.name)


def words_material(words: Sequence[str], name: str = "the list") -> Material:
    """
    Return what is learned and what is held out of some words, all different.

    :param name: of the list, for the CorpusError where they are too few.
    """
    vocabulary = Vocabulary.from_words(words)
    order = np.random.default_rng(0).permutation(len(words)).tolist()
    return _split(vocabulary.encode_lines(words[i] for i in order), vocabulary, "words", name)


def _split(ids: Ids, vocabulary: Vocabulary, unit: Literal["words", "text"], name: str) -> Material:
    """Return the beginning and the end of some symbols, cut between two lines if there is a cut."""
    if len(ids) < _LEAST:
        raise CorpusError(
            f"{name}: has {len(ids) - 1:,} characters; a comparison needs {_LEAST:,}, to learn from most and to hold some out"
        )
    cut = round((1 - _HELD_OUT) * len(ids))
    end = ids[cut : cut + _MEASURED]
    skipped = int(np.argmax(end == BOUNDARY))  # 0 where there is none
    cut += skipped if skipped < len(end) // 2 else 0  # a long last line is cut where it is
    if isinstance(ids, FileArray):  # mapped with a table that leaves each symbol as it is
        same = np.arange(len(vocabulary), dtype=np.min_scalar_type(len(vocabulary)))
        learned: Ids = ids.translated(same, cut + 1)
    else:
        learned = ids[: cut + 1]
    return Material(vocabulary, unit, learned, ids[cut : cut + _MEASURED])
