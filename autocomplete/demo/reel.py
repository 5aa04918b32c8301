"""
A scene as it is computed: on a thread of its own, so that keys are answered while a network trains.

Only a few frames are computed ahead of the one that is shown: a scene that is left early has cost little.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass

from autocomplete.demo.pages import draw
from autocomplete.demo.scene import Scene, Size

__all__ = ["Reel", "Shot", "end_process"]

_AHEAD = 8  # frames
_PATIENCE = 1.0  # seconds that the end of the program waits for a frame that is being computed
_THREAD = "autocomplete-scene"


@dataclass(frozen=True)
class Shot:
    """A frame as it was drawn at its moment: the tensors that it shows go on changing."""

    picture: str
    caption: str
    seconds: float


class Reel:
    """
    The frames of a scene, from the first on, each kept once it is computed.

    :param size: of the pictures.
    :param on_change: called with the reel on the worker's thread after each frame, at the end, and after an error; never once
        it is closed.
    """

    def __init__(self, scene: Scene, word: str, size: Size, on_change: Callable[[Reel], None]) -> None:
        self.size = size
        self.shots: list[Shot] = []
        self.is_complete = False
        self.error: BaseException | None = None
        self._scene, self._word, self._on_change = scene, word, on_change
        self._changed = threading.Condition()  # guards what follows; never held while a frame is computed
        self._wanted = _AHEAD
        self._closed = False
        # A daemon, so that a frame that takes long cannot keep the program from ending.
        threading.Thread(target=self._work, name=_THREAD, daemon=True).start()

    def want(self, position: int) -> None:
        """Take note that the frame at a position is shown, so that those after it are computed."""
        with self._changed:
            self._wanted = position + 1 + _AHEAD
            self._changed.notify()

    def close(self) -> None:
        """Compute no more. Returns at once: the frame that is being computed is let go when it is done."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self) -> None:
        try:
            frames = self._scene.play(self._word, self.size)
            while self._goes_on() and (frame := next(frames, None)) is not None:
                self.shots.append(Shot(draw(frame.picture, self.size), frame.caption, frame.seconds))
                self._tell()
            if isinstance(frames, Generator):
                frames.close()
            self.is_complete = True
        except BaseException as error:  # whatever it is, the screen shall hear of it
            self.error = error
        self._tell()

    def _goes_on(self) -> bool:
        """Wait until a further frame is wanted; return whether one is."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self.shots) < self._wanted)
            return not self._closed

    def _tell(self) -> None:
        with self._changed:
            if not self._closed:
                self._on_change(self)


def end_process(status: int) -> int:
    """
    Return an exit status once no frame is being computed; leave the process with it where that lasts too long.

    A thread that is still inside torch when the interpreter shuts down would abort the process.
    """
    computing = [thread for thread in threading.enumerate() if thread.name == _THREAD]
    with suppress(KeyboardInterrupt):
        for thread in computing:
            thread.join(_PATIENCE)
    if any(thread.is_alive() for thread in computing):
        sys.stdout.flush()
        os._exit(status)
    return status
