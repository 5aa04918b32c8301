"""The answers of a predictor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["NextCharacter", "Prediction", "Suggestion"]


@dataclass(frozen=True)
class NextCharacter:
    """A possible next character; a space is the end of a word, a line feed that of the line."""

    character: str
    probability: float


@dataclass(frozen=True)
class Suggestion:
    """A suggested word. Accepting it deletes `replaces` characters left of the cursor and inserts `insert`."""

    word: str  # as it will stand in the text
    insert: str  # with a space, if one is missing before the next word
    replaces: int  # 0 for a plain completion
    space: bool  # whether a space belongs after the word
    probability: float  # given what was typed
    exact: bool  # whether its rank is proved

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types, without `exact`, which a prediction has for all its words."""
        fields = asdict(self) | {"probability": round(self.probability, 6)}
        del fields["exact"]
        return fields


@dataclass(frozen=True)
class Prediction:
    """What may follow a text."""

    text: str
    next: tuple[NextCharacter, ...]  # best first
    words: tuple[Suggestion, ...]  # that continue what was typed, best first
    exact: bool  # whether these are proved to be the best words; false while the search goes on
    milliseconds: float  # taken so far
    after: str = ""  # the text right of the cursor
    typed: tuple[
        NextCharacter, ...
    ] = ()  # the letters of the word so far, with their probabilities before they were typed
    whole: float = 0.0  # the probability that these letters are a whole word

    @property
    def best(self) -> Suggestion | None:
        """The best guess: the first word, or what was typed, inserting nothing, if that is at least as probable."""
        first = self.words[0] if self.words else None
        if self.whole and (first is None or self.whole >= first.probability):
            typed = "".join(letter.character for letter in self.typed)
            return Suggestion(typed, "", 0, not self.after, self.whole, self.exact)
        return first

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {
            "text": self.text,
            "next": [{"character": n.character, "probability": round(n.probability, 6)} for n in self.next],
            "words": [word.to_json() for word in self.words],
            "exact": self.exact,
            "milliseconds": round(self.milliseconds, 3),
        }
