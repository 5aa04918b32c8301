"""Ctrl-C as a wish, for commands that have something to save."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

__all__ = ["INTERRUPTED", "Interruption"]

INTERRUPTED = 130  # exit status


class Interruption:
    """
    Turns the first Ctrl-C or SIGTERM into a wish to stop, so that the best can be saved; a second one stops at once.

    Under torchrun a terminal's Ctrl-C comes twice, from the terminal and from torchrun, which itself ends those that do not stop.

    :param tell: called with the first.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, tell: Callable[[], None] = lambda: None) -> None:
        self._wanted, self._tell = False, tell

    def __enter__(self) -> Callable[[], bool]:
        self._former = [signal.signal(each, self._interrupt) for each in self._SIGNALS]
        return lambda: self._wanted

    def __exit__(self, *exception: object) -> None:
        for each, former in zip(self._SIGNALS, self._former, strict=True):
            signal.signal(each, former)

    def _interrupt(self, *signal_and_frame: object) -> None:
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            for each in self._SIGNALS:
                signal.signal(each, signal.default_int_handler)
        if not self._wanted:
            self._wanted = True
            self._tell()
