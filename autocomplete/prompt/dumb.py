"""The prompt on a terminal that cannot move its cursor: nothing is shown while one types, so each line is answered below it."""

from __future__ import annotations

import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autocomplete.inference.predictor import Predictor
from autocomplete.prompt.layout import PROMPT
from autocomplete.prompt.settings import PromptSettings
from autocomplete.prompt.strip import Status, render_strip

__all__ = ["run_dumb_prompt"]

_WIDTH = 80  # such a terminal cannot be asked


def run_dumb_prompt(predictor: Predictor, settings: PromptSettings) -> None:
    """Answer lines until Ctrl-D or `:quit`; Ctrl-C clears the line."""
    with _interruptible_wait() as wait:
        while True:
            try:
                print(PROMPT, end="", flush=True)
                wait()
                line = sys.stdin.readline()
            except KeyboardInterrupt:
                print()
                continue
            if not line:
                print()
                return
            text = line.removesuffix("\n")
            if text.strip() == ":quit":
                return
            prediction = predictor.predict(text, settings.count)
            strip = render_strip(prediction, Status(Path(settings.checkpoint).name), width=_WIDTH)
            print("".join(fragment[1] for fragment in strip))


@contextmanager
def _interruptible_wait() -> Iterator[Callable[[], None]]:
    """
    Give a function that waits until there is input.

    A Ctrl-C just before a line is read sets a flag that no one looks at while the read waits. So it writes a byte, too, and
    that is waited for beside the input.
    """
    if sys.platform == "win32":  # which cannot wait for a console and a socket at once
        yield lambda: None
        return
    ours, theirs = socket.socketpair()

    def wait() -> None:
        while sys.stdin not in select.select([sys.stdin, ours], [], [])[0]:
            ours.recv(1)

    with ours, theirs:
        theirs.setblocking(False)
        former = signal.set_wakeup_fd(theirs.fileno())
        try:
            yield wait
        finally:
            signal.set_wakeup_fd(former)
