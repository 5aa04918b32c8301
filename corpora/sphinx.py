"""
Text of CMU Sphinx's generic English language model: sentences drawn from its trigrams.

The model is the file `en-us.lm.bin` of Debian's package `pocketsphinx-en-us`: Copyright 1995-2014 Carnegie Mellon University,
BSD-2-clause licence. It holds what 72,547 words of conversation and broadcasts were counted to follow each other.

The format is that of `ngram_model_trie.c`, `lm_trie.c` and `lm_trie_quant.c` in pocketsphinx 5, all of it little-endian:

- `Trie Language Model`; a byte, the order n = 3; three uint32, the numbers of n-grams of each length; an int32 without meaning.
- Three tables of 65,536 float32: what the codes of bigrams' probabilities and back-off weights stand for, and of trigrams'
  probabilities. They are logarithms to the base 1.0001.
- For each word, and one more: float32 probability, float32 back-off weight, uint32 place of its first bigram.
- The bigrams, then the trigrams, as records of some bits without gaps. N-grams stand under their *last* words: a bigram has its
  first word, the codes of its back-off weight and probability, and the place of its first trigram; a trigram has its first word
  and the code of its probability. A field is as wide as the largest number that it might have to hold, a code 16 bits.
- An int32, the length of what follows: the words, each ended by a zero byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["sample"]

_HEADER = b"Trie Language Model"
_CODES = 1 << 16
_BASE = 1.0001
_SENTENCES = 200_000  # drawn side by side
_TRIES = 200  # for a word that a longer context does not know; then the sentence ends
_NONE = -1

_Integers = NDArray[np.int64]


def sample(path: Path, words: int, seed: int) -> Iterator[str]:
    """Yield sentences of a model, without marks and in lower case, of so many words altogether; the same for the same seed."""
    model = _Model(path, np.random.default_rng(seed))
    while True:
        for sentence in model.sentences(_SENTENCES):
            yield sentence
            words -= sentence.count(" ") + 1
            if words <= 0:
                return


class _Model:
    """
    A trigram model with back-off (Katz, 1987).

    A word is drawn from those that the longest context knows, each with its probability, and what is left goes to the words
    that it does not know, in proportion to their probability after a shorter context. The file's back-off weights say
    the same and are not needed.
    """

    def __init__(self, path: Path, generator: np.random.Generator) -> None:
        data = path.read_bytes()
        if not data.startswith(_HEADER + b"\3"):
            raise ValueError(f"{path}: no trigram model of Sphinx in its binary trie format")
        at = len(_HEADER) + 1
        words, *counts = struct.unpack_from("<3I", data, at)
        at += 16
        bigram_values, _, trigram_values = np.frombuffer(data, "<f4", 3 * _CODES, at).reshape(3, _CODES)
        at += 12 * _CODES
        record = np.dtype([("probability", "<f4"), ("backoff", "<f4"), ("first", "<u4")])
        unigrams = np.frombuffer(data, record, words + 1, at)
        at += record.itemsize * (words + 1)
        word_bits, place_bits = words.bit_length(), counts[1].bit_length()
        bigrams = _Records(data, at, counts[0], [word_bits, 16, 16, place_bits])
        trigrams = _Records(data, bigrams.end, counts[1], [word_bits, 16])
        (length,) = struct.unpack_from("<i", data, trigrams.end)
        names = data[trigrams.end + 4 :][:length].decode().split("\0")[:words]

        firsts = unigrams["first"].astype(np.int64)
        used = int(firsts[-1])  # the counts may be of a few bigrams more
        second = np.repeat(np.arange(words), np.diff(firsts))
        first = bigrams.field(0, used)
        of_bigram = np.repeat(np.arange(used), np.diff(bigrams.field(3, used + 1)))
        before = trigrams.field(0, len(of_bigram))

        self._words, self._start, self._end = words, names.index("<s>"), names.index("</s>")
        # Spelled letters have a full stop, `n. b. a.`; a sentence ends with its line.
        self._names = np.array([name.replace(".", "") for name in names], dtype=object)
        self._names[self._end] = "\n"
        self._generator = generator
        single = _probabilities(unigrams["probability"][:words])
        self._levels = [  # of contexts of no word, one, and two
            _table(np.arange(words), single / single.sum()),
            _table(first * words + second, _probabilities(bigram_values[bigrams.field(2, used)])),
            _table(
                (before * words + first[of_bigram]) * words + second[of_bigram],
                _probabilities(trigram_values[trigrams.field(1, len(of_bigram))]),
            ),
        ]
        self._levels[0][1][-1] = 1.0  # whatever the rounding, there is always a word

    def sentences(self, count: int) -> Iterator[str]:
        """Yield so many sentences less those without a word."""
        places = np.arange(count)  # of the sentences that go on
        before, last = np.full(count, _NONE), np.full(count, self._start)
        all_places, all_drawn = [], []
        while len(places):
            drawn = self._draw(np.stack([np.zeros_like(last), last, before * self._words + last]))
            all_places.append(places)
            all_drawn.append(drawn)
            goes_on = drawn != self._end
            places, before, last = places[goes_on], last[goes_on], drawn[goes_on]
        order = np.argsort(np.concatenate(all_places), kind="stable")
        text = " ".join(self._names[np.concatenate(all_drawn)[order]].tolist())
        yield from filter(None, map(str.strip, text.split("\n")))

    def _draw(self, contexts: _Integers) -> _Integers:
        """
        Return (n,) the next word after each of n contexts.

        :param contexts: (lengths, n) of no word, of one and so on, each word a digit of a number; negative where there are none.
        """
        keys, cumulative = self._levels[len(contexts) - 1]
        lowest = contexts[-1] * self._words
        first, stop = np.searchsorted(keys, lowest), np.searchsorted(keys, lowest + self._words)
        points = cumulative[first] + self._generator.random(len(lowest))
        found = np.searchsorted(cumulative, points, side="right").clip(max=len(keys)) - 1
        words = np.where(points < cumulative[stop], keys[found] % self._words, _NONE)
        for _ in range(_TRIES):
            left = np.flatnonzero(words == _NONE)
            if not len(left):
                return words
            shorter = self._draw(contexts[:-1, left])
            wanted = lowest[left] + shorter
            unknown = keys[np.searchsorted(keys, wanted).clip(max=len(keys) - 1)] != wanted
            words[left[unknown]] = shorter[unknown]
        return np.where(words == _NONE, self._end, words)


class _Records:
    """
    Bit fields without gaps.

    :param widths: the bits of each field of a record, 57 at most.
    """

    def __init__(self, data: bytes, at: int, count: int, widths: list[int]) -> None:
        self._widths, self._bits = widths, sum(widths)
        size = ((count + 1) * self._bits + 7) // 8 + 8  # one record more, and room to read eight bytes at the last
        self._bytes = np.frombuffer(data, np.uint8, size, at)
        self.end = at + size

    def field(self, number: int, count: int) -> _Integers:
        """Return (count,) one field of the first records."""
        at = np.arange(count) * self._bits + sum(self._widths[:number])
        eight = np.zeros(count, dtype=np.uint64)
        for i in range(8):
            eight |= self._bytes[(at >> 3) + i].astype(np.uint64) << np.uint64(8 * i)
        mask = np.uint64((1 << self._widths[number]) - 1)
        return ((eight >> (at & 7).astype(np.uint64)) & mask).astype(np.int64)


def _probabilities(logarithms: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.power(_BASE, logarithms.astype(np.float64))


def _table(keys: _Integers, probabilities: NDArray[np.float64]) -> tuple[_Integers, NDArray[np.float64]]:
    """Return n-grams' numbers in ascending order, and the sums of the probabilities before each and of all."""
    order = np.argsort(keys)
    return keys[order], np.concatenate([[0.0], np.cumsum(probabilities[order])])
