"""
What is offered at the cursor, without a screen or a key: the newest answer, and what still holds of it.

Answers come later than keys. Of an answer for an earlier text, the words that begin with what was typed since then still
hold; so the ghost stays without a gap until the next answer. Answers are kept, so that Backspace finds them again.
"""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from autocomplete.errors import SettingsError
from autocomplete.inference.prediction import Prediction, Suggestion

__all__ = ["COUNTS", "THRESHOLD", "THRESHOLDS", "Answer", "Offers", "Place", "first_letter", "first_word", "ghost_text"]

THRESHOLD = 0.6  # measured by `autocomplete evaluate`: eight of ten such suggestions are right on everyday text
_KEPT = 512  # answers


Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Range(Generic[Number]):
    """Numbers that a user may choose from, both ends included."""

    kind: type[Number]
    lowest: int
    highest: int

    def __contains__(self, value: object) -> bool:
        is_number = isinstance(value, int | self.kind) and not isinstance(value, bool)
        return is_number and self.lowest <= value <= self.highest  # type: ignore[operator]

    def parse(self, text: str, name: str) -> Number:
        """Return a number from a text; raise SettingsError, with the name of what it sets, where it is out of the range."""
        with suppress(ValueError):
            if (number := self.kind(text)) in self:
                return number
        raise SettingsError(f"{name} is {text}; it must be from {self.lowest} to {self.highest}")


COUNTS = Range(int, 1, 100)  # of words
THRESHOLDS = Range(float, 0, 1)  # least probabilities of ghost text


@dataclass(frozen=True)
class Place:
    """Where the cursor is: the line left of it, and right of it."""

    before: str
    after: str = ""

    @property
    def line(self) -> str:
        """All that is on the line."""
        return self.before + self.after

    def leads_to(self, place: Place) -> bool:
        """Return whether typing leads from here to another place."""
        return place.after == self.after and place.before.startswith(self.before)

    def remaining(self, insert: str, place: Place) -> str | None:
        """Return what is left at another place of a text that was offered here; nothing where it no longer fits."""
        typed = place.before[len(self.before) :]
        return insert[len(typed) :] if self.leads_to(place) and insert.startswith(typed) else None

    def replaced(self, remove: int, insert: str) -> Place:
        """Return where the cursor is once a text stands in place of some characters left of it."""
        return Place(self.before[: len(self.before) - remove] + insert, self.after)


@dataclass(frozen=True)
class Answer:
    """
    What is known about a place.

    :param complete: whether the words are all there; until then some may still be added.
    :param more: what follows the best guess, where that is as good as sure; None while this is not known yet.
    """

    prediction: Prediction
    complete: bool
    more: str | None = None

    @property
    def place(self) -> Place:
        """What it is an answer for."""
        return _place(self.prediction)


def _place(prediction: Prediction) -> Place:
    return Place(prediction.text, prediction.after)


def held(prediction: Prediction, place: Place) -> list[Suggestion]:
    """Return the words of a prediction that what was typed since then has not ruled out, as they are inserted now."""
    left = [(word, _place(prediction).remaining(word.insert, place)) for word in prediction.words]
    return [replace(word, insert=insert) for word, insert in left if insert is not None]


def ghost_text(prediction: Prediction, text: str, threshold: float, more: str = "", after: str = "") -> str:
    """
    Return the rest of the best guess at a place, and what follows it; nothing if that is less probable than the threshold.

    :param prediction: the answer for this text or an earlier one.
    :param more: what follows the best guess.
    """
    best = prediction.best
    if best is None or best.probability < threshold:
        return ""
    return _place(prediction).remaining(best.insert + more, Place(text, after)) or ""


def first_word(ghost: str) -> str:
    """Return the first word of a ghost with the spaces before it; what follows it stays a ghost."""
    found = re.match(r"\s*\S+", ghost)
    return found.group() if found else ghost


def first_letter(ghost: str) -> str:
    """Return the first character of a ghost, with the marks on it."""
    end = 1
    while end < len(ghost) and unicodedata.category(ghost[end])[0] == "M":
        end += 1
    return ghost[:end]


class Offers:
    """The newest answer, older ones, and what the user chose; words below the threshold are ghost text only if asked for."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.newest: Answer | None = None
        self._source: Answer | None = None  # of the ghost: the newest answer that knows what it is
        self._kept: OrderedDict[Place, Answer] = OrderedDict()
        self._silent: str | None = None  # the line that nothing is offered for
        self._shown: tuple[Place, str] | None = None  # the place where another ghost was asked for, and that ghost
        self._taken: tuple[Place, list[Suggestion], int] | None = None

    def receive(self, answer: Answer) -> None:
        """Take an answer, which may be a part of a later one."""
        self.newest = answer
        if answer.complete:
            self.keep(answer)
        if answer.more is not None or ((answer.complete or answer.prediction.words) and self._differs(answer)):
            self._source = answer

    def keep(self, answer: Answer) -> None:
        """Keep an answer for when the cursor comes to its place."""
        self._kept[answer.place] = answer
        self._kept.move_to_end(answer.place)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _differs(self, answer: Answer) -> bool:
        """Return whether the ghost that is shown does not go on with what an answer has as its best guess."""
        place = answer.place
        shown = self._ghost(self._source, place)
        return not (shown and shown.startswith(self._ghost(answer, place)) and answer.prediction.best)

    def recall(self, place: Place) -> bool:
        """Make an answer that was given for this place before the newest one again; return whether there is one."""
        answer = self._kept.get(place)
        if answer is not None:
            self.receive(answer)
        elif self._source is not None and not self._source.place.leads_to(place):  # Backspace went beyond it
            earlier = (kept for kept in self._kept.values() if kept.place.leads_to(place))
            self._source = max(earlier, key=lambda kept: len(kept.place.before), default=self._source)
        return answer is not None

    def begin(self) -> None:
        """Take note that another line begins: what the user chose was for the one before."""
        self._silent = self._shown = self._taken = None

    def forget(self) -> None:
        """Drop all answers: they are another checkpoint's, or were asked for otherwise."""
        self.newest = self._source = self._shown = self._taken = None
        self._kept.clear()

    def is_fresh(self, place: Place) -> bool:
        """Return whether the newest answer is for this place."""
        return self.newest is not None and self.newest.place == place

    def ghost(self, place: Place) -> str:
        """Return the ghost text at a place."""
        if self.is_silent(place):
            return ""
        return self._asked_for(place) or self._ghost(self._source, place)

    def _asked_for(self, place: Place) -> str:
        """Return what is left of the ghost that was asked for."""
        return "" if self._shown is None else self._shown[0].remaining(self._shown[1], place) or ""

    def _ghost(self, source: Answer | None, place: Place) -> str:
        if source is None:
            return ""
        return ghost_text(source.prediction, place.before, self.threshold, source.more or "", place.after)

    def candidates(self, place: Place) -> list[Suggestion]:
        """Return the words that can be taken at a place."""
        if self.is_silent(place) or self.newest is None:
            return []
        source = self.newest if self.newest.prediction.words or self.newest.complete else self._source
        return [] if source is None else held(source.prediction, place)

    def silence(self, place: Place) -> None:
        """Offer nothing until the line changes."""
        self._silent = place.line
        self._shown = None

    def is_silent(self, place: Place) -> bool:
        """Return whether nothing is to be offered."""
        return self._silent == place.line

    def edited(self, place: Place) -> None:
        """Take note that the line or the cursor changed."""
        if not self.is_silent(place):
            self._silent = None
        if not self._asked_for(place):
            self._shown = None
        if self.taken(place) is None:
            self._taken = None

    def turn(self, place: Place, by: int) -> None:
        """Show the next candidate, or the one before, as ghost."""
        self._silent = None
        inserts = [word.insert for word in self.candidates(place) if word.insert]
        if not inserts:
            return
        shown = self.ghost(place)
        # What follows the best guess is shown with it; of `s` and `st`, the longer one is the one that is shown.
        fits = [i for i, insert in enumerate(inserts) if shown.startswith(insert)]
        current = max(fits, key=lambda i: len(inserts[i]), default=-1 if by > 0 else 0)
        self._shown = (place, inserts[(current + by) % len(inserts)])

    def taken(self, place: Place) -> tuple[list[Suggestion], int] | None:
        """Return the candidates that were offered before one was taken, and which is; nothing unless the cursor is behind it."""
        return None if self._taken is None or self._taken[0] != place else self._taken[1:]

    def take(self, place: Place, by: int, offered: list[Suggestion] | None = None) -> tuple[int, str] | None:
        """
        Take the next candidate in the place of the one just taken, or the one before; after the last comes what was typed.

        :param offered: what can be taken, instead of the candidates.
        :returns: how many characters left of the cursor to replace, and by what; nothing where there is no candidate.
        """
        if (taken := self.taken(place)) is not None:
            words, current = taken
        else:
            words = self.candidates(place) if offered is None else offered
            current = len(words)
        if not words:
            return None
        inserts = [*(word.insert for word in words), ""]
        chosen = (current + by) % len(inserts)
        remove, insert = len(inserts[current]), inserts[chosen]
        self._taken = (place.replaced(remove, insert), words, chosen)
        return remove, insert
