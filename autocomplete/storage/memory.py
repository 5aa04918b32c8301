"""
Memory that a training keeps, and that a prompt gives back.

A training step frees and asks for the same large blocks again and again. Where the C library of Linux hands them back to the
system, this clears every page anew: eight thousand page faults a step, a quarter of the time of a network of the default size.
A prompt asks for large blocks only when it loads its checkpoint, and the library would keep them.
"""

import ctypes
import sys

__all__ = ["give_back_memory", "keep_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # in <malloc.h>, with M_ before


def keep_memory() -> None:
    """Have the C library keep freed blocks of up to a gigabyte for what is asked for next, for the rest of this process."""
    _set(_MMAP_THRESHOLD, 2**30)
    _set(_TRIM_THRESHOLD, 2**30)


def give_back_memory() -> None:
    """
    Have the C library give freed blocks back to the system, all but small ones, for the rest of this process.

    Left alone, it does so only until one was freed: it then keeps all that are no larger.
    """
    _set(_MMAP_THRESHOLD, 2**18)  # what is asked for at every word is smaller


def _set(parameter: int, value: int) -> None:
    """Call `mallopt` (https://man7.org/linux/man-pages/man3/mallopt.3.html); macOS, Windows and musl have none."""
    if sys.platform.startswith("linux") and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(parameter, value)
