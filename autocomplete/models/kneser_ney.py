"""
Interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1999), of n-grams whose symbols are the digits of a number.

Each n-gram keeps its discounted share of its context, and what was taken away goes to the context without its first symbol.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Smoothed", "discounts", "distinct", "smooth"]


class Smoothed(NamedTuple):
    """
    Smoothed n-grams of one length. A context is all of an n-gram but its last symbol.

    :param contexts: (contexts,) ascending, and
    :param sizes: (contexts,) how many n-grams each has.
    :param totals: (contexts,) the sum of their counts.
    :param shares: (n-grams,) the discounted share of each in its context; the rest of 1 belongs to the shorter context.
    """

    contexts: NDArray[Any]
    sizes: NDArray[np.int64]
    totals: NDArray[np.float64]
    shares: NDArray[np.float64]


def distinct(keys: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the different ones among ascending keys, and how often each stands there."""
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.zeros(0, np.int64)
    return keys[first], np.diff(first, append=len(keys))


def discounts(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return (4,) what is taken from a count of 0, 1, 2, and 3 or more: equation 26 of Chen and Goodman."""
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return np.array([0, 0.5, 0.75, 0.9])  # too few n-grams to tell
    y = n1 / (n1 + 2 * n2)
    found = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return np.array([0, *np.clip(found, 0.01, [0.99, 1.99, 2.99])])


def smooth(keys: NDArray[Any], counts: NDArray[Any], base: int, taken: NDArray[np.float64]) -> Smoothed:
    """
    Return n-grams smoothed.

    :param keys: (n-grams,) ascending, all of a context or none of it.
    :param counts: (n-grams,) how often each was counted.
    :param base: of the numbers.
    :param taken: the discounts, as `discounts` gives them for all n-grams of this length.
    """
    contexts, sizes = distinct(keys // np.array(base, keys.dtype))
    totals = np.add.reduceat(counts, np.cumsum(sizes) - sizes).astype(np.float64) if len(sizes) else np.zeros(0)
    own = np.maximum(counts - taken[np.minimum(counts, 3).astype(np.int64)], 0)
    return Smoothed(contexts, sizes, totals, own / np.maximum(np.repeat(totals, sizes), 1e-9))
