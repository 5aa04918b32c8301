"""
Signals as requests: Ctrl-C asks a command to stop and save, a signal that ends programs asks a screen to leave.

A screen also leaves when a key or a frame raises an exception.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["INTERRUPTED", "fail_on_exceptions", "leaving_on_signals", "stopping_on_interrupt"]

INTERRUPTED = 128 + signal.SIGINT  # exit status


@contextmanager
def stopping_on_interrupt(tell: Callable[[], None] = lambda: None) -> Iterator[Callable[[], bool]]:
    """
    Give a function that says whether Ctrl-C or SIGTERM asked to stop, so that the best can be saved; a second one stops at once.

    Under torchrun a terminal's Ctrl-C comes twice, from the terminal and from torchrun, which itself ends those that do not stop.

    :param tell: called with the first.
    """
    is_requested = False

    def request(*signal_and_frame: object) -> None:
        nonlocal is_requested
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            for number in former:
                signal.signal(number, signal.default_int_handler)
        if not is_requested:
            is_requested = True
            tell()

    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in former:
        signal.signal(number, request)
    try:
        yield lambda: is_requested
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def leaving_on_signals(leave: Callable[[int], None]) -> Iterator[None]:
    """
    Have signals that end programs end this one in order, inside a running event loop.

    Python lets only the main thread do that; on another one nothing is taken.

    :param leave: called on the event loop with the number of the signal.
    """
    import asyncio  # only here: the commands without a screen do not wait for it

    loop = asyncio.get_running_loop()
    taken = []
    with suppress(NotImplementedError, RuntimeError, ValueError):
        for name in ("SIGTERM", "SIGHUP"):
            if (number := getattr(signal, name, None)) is not None:  # Windows has no SIGHUP
                loop.add_signal_handler(number, leave, int(number))
                taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


def fail_on_exceptions(fail: Callable[[BaseException], None]) -> None:
    """Have `fail` called with every exception that a key or a frame raises inside the running event loop."""
    import asyncio

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "exception" in context:
            fail(context["exception"])
        else:
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(handle)
