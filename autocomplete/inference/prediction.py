"""What a predictor answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["NextCharacter", "Prediction", "Suggestion"]


@dataclass(frozen=True)
class NextCharacter:
    """A character that may come next, and its probability; a space ends a word, a line feed the line."""

    character: str
    probability: float


@dataclass(frozen=True)
class Suggestion:
    """
    A whole word. Accepting it deletes `replaces` characters left of the cursor and inserts `insert`.

    :param word: as it will stand in the text.
    :param insert: what is inserted; where a space is missing before what follows, that is a part of it.
    :param replaces: how many characters are deleted; 0 for a plain completion.
    :param space: whether a space belongs behind the word.
    :param probability: of the word, given what was typed.
    :param exact: whether the search has proved its rank.
    """

    word: str
    insert: str
    replaces: int
    space: bool
    probability: float
    exact: bool

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types; `exact` is said once for all words."""
        fields = asdict(self) | {"probability": round(self.probability, 6)}
        del fields["exact"]
        return fields


@dataclass(frozen=True)
class Prediction:
    """
    What may follow a text.

    :param next: the most probable next characters, best first.
    :param words: the most probable words that go on from what was typed, best first; each inserts something.
    :param exact: whether the search has proved that these are the best words; false also while it is going on.
    :param milliseconds: taken so far.
    :param after: what stands right of the cursor.
    :param typed: the letters of the word so far, each with the probability that it had before it was typed.
    :param whole: the probability that these letters are a whole word already.
    """

    text: str
    next: tuple[NextCharacter, ...]
    words: tuple[Suggestion, ...]
    exact: bool
    milliseconds: float
    after: str = ""
    typed: tuple[NextCharacter, ...] = ()
    whole: float = 0.0

    @property
    def best(self) -> Suggestion | None:
        """The best guess: the first of the words or, inserting nothing, what was typed, where that is as probably whole."""
        first = self.words[0] if self.words else None
        if self.whole and (first is None or self.whole >= first.probability):
            typed = "".join(letter.character for letter in self.typed)
            return Suggestion(typed, "", 0, not self.after, self.whole, self.exact)
        return first

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types; `exact` is said once, for all the words."""
        return {
            "text": self.text,
            "next": [{"character": n.character, "probability": round(n.probability, 6)} for n in self.next],
            "words": [word.to_json() for word in self.words],
            "exact": self.exact,
            "milliseconds": round(self.milliseconds, 3),
        }
