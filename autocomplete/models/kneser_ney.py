"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1999). An n-gram's symbols are the digits of one number."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Smoothed", "discounts", "distinct", "smooth"]


class Smoothed(NamedTuple):
    """Smoothed n-grams of one length. A context is an n-gram without its last symbol."""

    contexts: NDArray[Any]  # (contexts,) ascending
    sizes: NDArray[np.int64]  # (contexts,) number of n-grams
    totals: NDArray[np.float64]  # (contexts,) sum of the counts
    shares: NDArray[np.float64]  # (n-grams,) discounted share in the context; the rest of 1 is for the shorter context


def distinct(keys: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the distinct keys of an ascending array, and the count of each."""
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.zeros(0, np.int64)
    return keys[first], np.diff(first, append=len(keys))


def discounts(counts: NDArray[Any]) -> NDArray[np.float64]:
    """
    Return (4,) what is taken from a count of 0, 1, 2, and 3 or more: equation 26 of Chen and Goodman.

    Within 10 to 95 percent of a count, for a few n-grams tell little.
    """
    n1, n2, n3, n4 = (max(int((counts == count).sum()), 1) for count in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    found = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return np.array([0, *np.clip(found, [0.1, 0.2, 0.3], [0.95, 1.9, 2.85])])


def smooth(keys: NDArray[Any], counts: NDArray[Any], base: int, taken: NDArray[np.float64]) -> Smoothed:
    """
    Smooth n-grams of one length.

    :param keys: (n-grams,) ascending; every context is complete.
    :param base: the base of the keys as numbers.
    :param taken: the result of `discounts` for all n-grams of this length.
    """
    contexts, sizes = distinct(keys // np.array(base, keys.dtype))
    totals = np.add.reduceat(counts, np.cumsum(sizes) - sizes).astype(np.float64) if len(sizes) else np.zeros(0)
    own = np.maximum(counts - taken[np.minimum(counts, 3).astype(np.int64)], 0)
    return Smoothed(contexts, sizes, totals, own / np.maximum(np.repeat(totals, sizes), 1e-9))
