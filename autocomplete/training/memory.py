"""
Memory that a training keeps.

A step frees and asks for the same large blocks again and again. The C library of Linux hands such blocks back to the system,
which then clears every page of them anew: eight thousand page faults a step, a quarter of its time, for a network of the
default size.
"""

import ctypes
import sys

__all__ = ["keep_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the names of <malloc.h>, M_TRIM_THRESHOLD and so on
_BYTES = 2**30


def keep_memory() -> None:
    """
    Have the C library keep freed blocks of up to a gigabyte for what is asked for next, for the rest of this process.

    Does nothing where the C library has no `mallopt` (https://man7.org/linux/man-pages/man3/mallopt.3.html), as on macOS,
    Windows and musl.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _BYTES)
        mallopt(_TRIM_THRESHOLD, _BYTES)
