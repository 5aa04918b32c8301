"""
Memory that a training keeps, and that a prompt gives back.

A step frees and asks for the same large blocks again and again. The C library of Linux hands such blocks back to the system,
which then clears every page of them anew: eight thousand page faults a step, a quarter of its time, for a network of the
default size. A prompt asks for large blocks when it loads its checkpoint and hardly again, and the library keeps those, too.
"""

import ctypes
import sys

__all__ = ["give_back_memory", "keep_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # in <malloc.h>, with M_ before


def keep_memory() -> None:
    """
    Have the C library keep freed blocks of up to a gigabyte for what is asked for next, for the rest of this process.

    Does nothing where it has no `mallopt` (https://man7.org/linux/man-pages/man3/mallopt.3.html), as on macOS, Windows and
    musl.
    """
    _set(_MMAP_THRESHOLD, 2**30)
    _set(_TRIM_THRESHOLD, 2**30)


def give_back_memory() -> None:
    """
    Have the C library give freed blocks back to the system, all but small ones, for the rest of this process.

    Left alone, it does so only until one was freed: it then keeps all that are no larger. Does nothing where `keep_memory` does.
    """
    _set(_MMAP_THRESHOLD, 2**18)  # what is asked for at every word is smaller


def _set(parameter: int, value: int) -> None:
    """Set a parameter of `mallopt`, where there is one."""
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(parameter, value)
