"""Signals that end programs, taken by a screen so that it leaves the terminal clean."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["leaving_on_signals"]

_SIGNALS = ("SIGTERM", "SIGHUP")  # as Windows has no SIGHUP


@contextmanager
def leaving_on_signals(leave: Callable[[int], None]) -> Iterator[None]:
    """
    Have signals that end programs end this one in order, inside a running event loop.

    Python lets only the main thread do that; on another one nothing is taken.

    :param leave: called on the event loop with the number of the signal.
    """
    loop = asyncio.get_running_loop()
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    taken = []
    with suppress(NotImplementedError, RuntimeError, ValueError):
        for number in numbers:
            loop.add_signal_handler(number, leave, int(number))
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
