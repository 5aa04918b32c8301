"""
One background worker that predicts, so that the event loop never waits for the model: the newest request wins.

A request is a text. The search asks between batches whether its text is still the newest one, and gives up if it
is not. Answers are handed to the event loop, each with the text that it is for, as they grow.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

from autocomplete.inference.predictor import Prediction, Predictor

__all__ = ["Answer", "Engine"]

_PATIENCE = 1.0  # seconds that leaving waits for a worker in the middle of a step of a very slow model


@dataclass(frozen=True)
class Answer:
    """
    What the worker knows about a text.

    :param complete: whether this is its last word on that text; until then words may still be added.
    """

    prediction: Prediction
    complete: bool


class Engine:
    """
    Owns a predictor on a thread of its own. Used as a context manager, inside a running event loop:

        with Engine(load, on_answer, on_failure) as engine:
            engine.request("the quick bro", 5)

    :param load: makes the predictor; called on the worker's thread, because it takes longer than drawing a prompt.
    :param on_answer: called on the event loop. Of answers that come faster than the loop turns, only the newest is passed.
    :param on_failure: called on the event loop with whatever `load` or a prediction raised; the worker has ended then.
    """

    def __init__(
        self,
        load: Callable[[], Predictor],
        on_answer: Callable[[Answer], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._load = load
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._changed = threading.Condition()  # guards what follows; held for an assignment, never during a prediction
        self._wanted: tuple[str, int] | None = None
        self._answer: Answer | None = None
        self._stopped = False
        # A daemon, so that a model that hangs cannot keep the program from ending.
        self._thread = threading.Thread(target=self._work, name="autocomplete-engine", daemon=True)

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(_PATIENCE)

    def request(self, text: str, count: int) -> None:
        """Ask for what may follow a text, instead of whatever was asked before; return at once."""
        with self._changed:
            self._wanted = (text, count)
            self._changed.notify()

    def _superseded(self) -> bool:
        """Return whether the text that the worker is at is no longer wanted."""
        return self._stopped or self._wanted is not None

    def _work(self) -> None:
        try:
            predictor = self._load()
            budget = replace(predictor.budget, cancelled=self._superseded)
            while (request := self._next_request()) is not None:
                text, count = request
                prediction = None
                for prediction in predictor.stream(text, count, budget=budget):
                    if self._superseded():
                        break
                    self._hand_over(Answer(prediction, complete=False))
                if prediction is not None:
                    self._hand_over(Answer(prediction, complete=True))
        except BaseException as error:  # whatever it is, the event loop shall hear of it
            with self._changed:
                self._call(partial(self._on_failure, error))

    def _next_request(self) -> tuple[str, int] | None:
        """Wait for a request; return nothing when the engine was stopped."""
        with self._changed:
            self._changed.wait_for(self._superseded)
            request, self._wanted = self._wanted, None
            return None if self._stopped else request

    def _hand_over(self, answer: Answer) -> None:
        with self._changed:
            if self._superseded():
                return
            waiting = self._answer is not None
            self._answer = answer
            if not waiting:
                self._call(self._deliver)

    def _call(self, function: Callable[[], None]) -> None:
        """Have the event loop call a function. Once the engine was stopped, the loop may be closed."""
        if not self._stopped:
            self._loop.call_soon_threadsafe(function)

    def _deliver(self) -> None:
        with self._changed:
            answer, self._answer = self._answer, None
        if answer is not None:
            self._on_answer(answer)
