"""
One background worker that predicts, so that the event loop never waits for the model: the newest request wins.

The search asks between batches whether its place in the line is still the newest one, and gives up if it is not. Answers are
handed to the event loop as they grow.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from autocomplete.errors import AutocompleteError
from autocomplete.inference.offers import Answer, Place
from autocomplete.inference.predictor import Predictor

__all__ = ["Engine", "Request"]

_FRAME = 1 / 60  # seconds; parts of an answer are passed on no more often, and an answer complete by then as a whole
_PATIENCE = 1.0  # seconds that leaving waits for a worker in the middle of a step of a very slow model

Load = Callable[[], Predictor]
Loaded = Callable[[AutocompleteError | None], None]  # told how loading ended


@dataclass(frozen=True)
class Request:
    """
    What to answer.

    :param count: of words.
    :param threshold: the least probability of ghost text of several words.
    :param ahead: whether to answer, while nothing else is asked for, what the most probable next letters would ask for.
    :param known: the answer, where it is known already; then only what follows the best guess, and lies ahead, is wanted.
    """

    place: Place
    count: int
    threshold: float
    ahead: bool = True
    known: Answer | None = None


class Engine:
    """
    Owns a predictor on a thread of its own. Used as a context manager, inside a running event loop:

        with Engine(load, on_answer, on_ahead, on_failure) as engine:
            engine.request(Request(Place("the quick bro"), 5, 0.6))

    All but `load` are called on the event loop.

    :param load: makes the predictor; called on the worker's thread, because it takes longer than drawing a prompt.
    :param on_answer: called with a complete answer at once, with its parts once a frame until then.
    :param on_ahead: called with answers for texts that are likely to come next.
    :param on_failure: called with whatever `load` or a prediction raised; the worker has ended then.
    """

    def __init__(
        self,
        load: Load,
        on_answer: Callable[[Answer], None],
        on_ahead: Callable[[Answer], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._on_answer, self._on_ahead, self._on_failure = on_answer, on_ahead, on_failure
        self._changed = threading.Condition()  # guards what follows; held for an assignment, never during a prediction
        self._wanted: Request | None = None
        self._to_load: tuple[Load, Loaded] | None = (load, lambda _: None)
        self._answer: Answer | None = None
        self._stopped = False
        # Looks for parts of an answer; to wake the loop for each of them would cost keys.
        self._poll: asyncio.TimerHandle | None = None
        # A daemon, so that a model that hangs cannot keep the program from ending.
        self._thread = threading.Thread(target=self._work, name="autocomplete-engine", daemon=True)

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._stop_looking()
        self._thread.join(_PATIENCE)

    def request(self, request: Request) -> None:
        """Ask for what may be inserted somewhere, instead of whatever was asked before; return at once."""
        with self._changed:
            self._wanted, self._answer = request, None
            self._changed.notify()
        self._stop_looking()
        if request.known is None:
            self._look_later()

    def use(self, load: Load, done: Loaded) -> None:
        """Take another predictor from now on; call `done` with None, or with what `load` raised: then the former one goes on."""
        with self._changed:
            self._to_load = (load, done)
            self._changed.notify()

    def _superseded(self) -> bool:
        """Return whether the place that the worker is at is no longer wanted."""
        return self._stopped or self._wanted is not None or self._to_load is not None

    def _work(self) -> None:
        predictor: Predictor | None = None
        try:
            while (task := self._next_task()) is not None:
                if isinstance(task, Request):
                    assert predictor is not None
                    self._predict(predictor, task)
                    continue
                load, done = task
                failure = None
                try:
                    predictor = load()
                except AutocompleteError as error:
                    if predictor is None:
                        raise
                    failure = error
                self._call(done, failure)
        except BaseException as error:  # whatever it is, the event loop shall hear of it
            self._call(self._on_failure, error)

    def _predict(self, predictor: Predictor, request: Request) -> None:
        budget = replace(predictor.budget, cancelled=self._superseded)
        place, count = request.place, request.count
        prediction = None if request.known is None else request.known.prediction
        if prediction is None:
            for prediction in predictor.stream(place.before, count, after=place.after, budget=budget):
                if self._superseded():
                    return
                self._hand_over(Answer(prediction, complete=False))
            assert prediction is not None
            self._hand_over(Answer(prediction, complete=True))
        with self._changed:  # it is drawn first: two threads at once would only hold each other up
            if self._changed.wait_for(self._superseded, _FRAME):
                return
        if request.known is None or request.known.more is None:
            more = predictor.continuation(prediction, request.threshold, budget=budget)
            self._hand_over(Answer(prediction, complete=True, more=more))
        for likely in prediction.next if request.ahead and not place.after else ():
            if likely.character != "\n":
                *_, ahead = predictor.stream(place.before + likely.character, count, budget=budget)
                more = predictor.continuation(ahead, request.threshold, budget=budget)
                with self._changed:
                    if self._superseded():
                        return
                    self._call(self._on_ahead, Answer(ahead, complete=True, more=more))

    def _next_task(self) -> Request | tuple[Load, Loaded] | None:
        """Wait for something to do, a predictor to load before all; return nothing when the engine was stopped."""
        with self._changed:
            self._changed.wait_for(self._superseded)
            if self._stopped:
                return None
            if (to_load := self._to_load) is not None:
                self._to_load = None
                return to_load
            request, self._wanted = self._wanted, None
            return request

    def _hand_over(self, answer: Answer) -> None:
        with self._changed:
            if self._superseded():
                return
            waiting = self._answer is not None and self._answer.complete
            self._answer = answer
            if answer.complete and not waiting:
                self._call(self._deliver)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        """Have the event loop call a function. Once the engine was stopped, the loop may be closed."""
        with self._changed:
            if not self._stopped:
                self._loop.call_soon_threadsafe(function, *arguments)

    def _look_later(self) -> None:
        """Look for parts of an answer in a frame's time, and again until it is complete."""

        def look() -> None:
            self._look_later()
            self._deliver()

        self._poll = self._loop.call_later(_FRAME, look)

    def _stop_looking(self) -> None:
        if self._poll is not None:
            self._poll.cancel()

    def _deliver(self) -> None:
        with self._changed:
            answer, self._answer = self._answer, None
        if answer is not None:
            if answer.complete:
                self._stop_looking()
            self._on_answer(answer)
