"""
A word, letter by letter: what the default checkpoint expects before each key, and when it knows the word.

The answers are those of the prompt: the same predictor, asked the same way. Keys are counted as in `evaluation`: one key takes a
word together with the space after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocomplete.demo.drawing import bar, cell_of, counted, fitted, height, letter_cells, percent, tail
from autocomplete.demo.inputs import read_sentence
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.errors import SettingsError
from autocomplete.evaluation.known import KnownWord, known_words
from autocomplete.inference.prediction import Prediction, Suggestion
from autocomplete.inference.predictor import Predictor
from autocomplete.reports.tables import plain_table
from autocomplete.text.normalization import APOSTROPHES, split_last_word

__all__ = ["SCENE"]

_OFFERED = 5
_SECONDS = 14.0  # that all letters together are given
_WORD = 28  # cells that a word may take in a table
_BEST, _FOUND, _LABEL = "bold green", "bold yellow", "dim"


def play(word: str, size: Size) -> Iterator[Frame]:
    """Yield the frames; raise SettingsError for a text without a word, or a long one."""
    text = _read(word)
    predictor = Predictor.load()
    text = predictor.checkpoint.alphabet.surface(text)
    answers = [predictor.predict(text[:i], _OFFERED) for i in range(len(text) + 1)]
    words = known_words(text, answers, predictor.checkpoint.alphabet)
    expected = [_expected(predictor, text, i) for i in range(len(text))]
    seconds = min(0.8, _SECONDS / (len(text) + 1))
    for i in range(len(text) + 1):
        yield Frame(_moment(text, i, answers[i], words, expected, size), _caption(i, words), seconds)
    picture = _letters(text, answers, words[0], size) if len(words) == 1 else _words(words, size)
    yield Frame(Group(picture, Text(), _savings(words)), _verdict(words), 3.0)


def _read(word: str) -> str:
    text = " ".join(word.split())
    if not any(character.isalnum() for character in text):
        shown = f"{fitted(text, 20).rstrip()!r} has no letters" if text else "the word is empty"
        raise SettingsError(f"{shown}; give a word or a sentence, such as triangle")
    return read_sentence(text, SCENE.word)


def _expected(predictor: Predictor, text: str, place: int) -> float:
    """Return the probability that a character had before it was typed."""
    before, typed = split_last_word(text[: place + 1], APOSTROPHES)
    answer = predictor.predict(text[: place + 1], 1, 1)
    if typed and answer.typed:
        return answer.typed[-1].probability
    offered = predictor.predict(before[:place], 1, 200).next  # no letter of a word: a space, say
    return next((n.probability for n in offered if n.character == text[place]), 0.0)


def _moment(
    text: str, at: int, answer: Prediction, words: Sequence[KnownWord], expected: Sequence[float], size: Size
) -> RenderableType:
    """Return what is expected once some characters have been typed."""
    word = next((word for word in reversed(words) if word.start <= at), words[0])
    line = Text(no_wrap=True, overflow="ellipsis").append(" typed  ", _LABEL)
    line.append(tail(text[:at], size.width - 12), "bold").append("▏")
    half = size.width // 2
    wide = max(15, half // 2 - 4)  # for a word
    rows = [Text(fitted(" next letter", half) + "whole word", _LABEL)]
    for i in range(_OFFERED):
        row = Text(" ", no_wrap=True, overflow="crop")
        if i < len(answer.next):
            letter = answer.next[i]
            row.append(cell_of(letter.character, 3), "bold").append(bar(letter.probability, half - 14), "cyan")
            row.append(f"{percent(letter.probability):>6}")
        row.append(" " * (half - row.cell_len))
        if i < len(answer.words):
            offer = answer.words[i]
            mark, style = _mark(word, at, i)
            row.append(mark, style).append(f"{i + 1} ", _LABEL).append(fitted(offer.word, wide), style)
            row.append(bar(offer.probability, half - wide - 12), "green" if style else "bright_black")
            row.append(f"{percent(offer.probability):>6}")
        rows.append(row)
    return Group(line, Text(), *rows, Text(), *_trace(text, at, expected, size), Text(), _state(word, at))


def _trace(text: str, at: int, expected: Sequence[float], size: Size) -> list[Text]:
    """Return two lines: the letters typed, and how probable each was before its key."""
    width = letter_cells(text, 0)
    letters, heights = Text(" letter      ", _LABEL), Text(" expected    ", _LABEL)
    for i in range(max(0, at - (size.width - 14) // width), at):
        letters.append(cell_of(text[i], width), "bold not dim")
        heights.append(height(expected[i]).ljust(width), "cyan not dim")
    return [letters, heights]


def _state(word: KnownWord, at: int) -> Text:
    """Return what is known of the word that is being typed."""
    place = _place(word, at)
    line = Text(f" {_short(word)} ", no_wrap=True, overflow="ellipsis")
    if at - word.start >= len(word.word):
        return line.append("stands there whole", _LABEL)
    if not place:
        return line.append("is not among the five words", _LABEL)
    still = max(0, word.keys - (at - word.start) - 1)
    spared = f": taking it now spares {counted(still, 'key')}" if still else ""
    where, style = ("first of all", _BEST) if place == 1 else ("one of the five", _FOUND)
    return line.append(f"is {where}{spared}", style)


def _place(word: KnownWord, at: int) -> int:
    """Return the place of a word among those offered once so many characters have been typed, 0 where it has none."""
    return word.places[at - word.start] if 0 <= at - word.start < len(word.places) else 0


def _mark(word: KnownWord, at: int, row: int) -> tuple[str, str]:
    """Return what stands before a word that is offered, and its style: none where another word is meant."""
    if row + 1 != _place(word, at):
        return " ", ""
    return "▸", _BEST if row == 0 else _FOUND


def _caption(at: int, words: Sequence[KnownWord]) -> str:
    for word in words:
        letters = at - word.start
        now, after = f"Now {_short(word)} is", f"after {counted(letters, 'letter')}"
        if word.first == letters:
            return f"{now} the most probable word of all, {after}."
        if word.offered == letters:
            return f"{now} among the five, {after}: one key takes it."
    if at == 0:
        return "Before the first letter only how lines begin is known."
    return "Each letter narrows down what can follow: the next letter, and the whole words."


def _letters(text: str, answers: Sequence[Prediction], word: KnownWord, size: Size) -> Table:
    """Return for one word: what was offered after each of its letters."""
    table = plain_table(" typed", *(f" {i + 1}" for i in range(_OFFERED)), "known", gap=1, pad_edge=False)
    longest = min(14, max(8, cell_len(text)))
    offered = [[offer.word for offer in answer.words[:_OFFERED]] for answer in answers]
    rooms = _rooms(offered, size.width - longest - 14)
    moments = list(range(word.start, word.start + len(word.word) + 1))
    marked = [word.start + (word.offered or 0), word.start + (word.first or 0)]
    for at in _kept(moments, marked, size.height - 4):
        if at is None:
            table.add_row(Text(" …", _LABEL))
            continue
        typed, letters = text[word.start : at], at - word.start
        shown = typed if cell_len(typed) <= longest else "…" + typed[-longest + 3 :]
        cells = [Text(fitted(f" {shown}", longest + 1), "bold")]
        for i in range(_OFFERED):
            offer = answers[at].words[i] if i < len(answers[at].words) else None
            mark, style = _mark(word, at, i)
            cells.append(Text(mark + _fitting(offer, letters, rooms[i] - 1), style))
        known = Text("first of all", _BEST) if letters == word.first else Text("one of five", _FOUND)
        table.add_row(*cells, known if letters in (word.first, word.offered) else "")
    return table


def _rooms(offered: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the cells of each column of words and the mark before them: what they take, less of the widest if need be."""
    rooms = [max((cell_len(words[i]) for words in offered if i < len(words)), default=0) + 1 for i in range(_OFFERED)]
    while sum(rooms) + _OFFERED > width:
        rooms[rooms.index(max(rooms))] -= 1
    return rooms


def _fitting(offer: Suggestion | None, letters: int, room: int) -> str:
    """Return a word that is offered after some letters, in so many cells: where it has no room, without those letters."""
    if offer is None:
        return " " * room
    if letters and offer.insert and cell_len(offer.word) > room:
        return fitted("…" + offer.insert, room)
    return fitted(offer.word, room)


def _kept(moments: list[int], marked: Sequence[int], room: int) -> list[int | None]:
    """Return as many moments as there is room for, those marked among them; None for those that are left out."""
    if len(moments) <= room:
        return list(moments)
    others = (moment for moment in [moments[-1], *moments] if moment not in marked)
    chosen = {*marked, *islice(dict.fromkeys(others), max(0, room - 3 - len(set(marked))))}  # three gaps at most
    return [moment for moment, _ in groupby(moment if moment in chosen else None for moment in moments)]


def _words(words: Sequence[KnownWord], size: Size) -> Table:
    """Return for a sentence: how much of each word had to be typed."""
    table = plain_table(" word", "offered", ">place", ">keys", ">saved", "", pad_edge=False)
    room = size.height - 4
    if len(words) > room:
        table.add_row(Text(f" … {len(words) - room + 1} before", _LABEL))
        words = words[len(words) - room + 1 :]
    for word in words:
        saved = word.keys - word.pressed
        typed, rest = word.word[: word.offered], word.word[word.offered :] if word.offered is not None else ""
        mark = "" if word.offered is None else "▸"
        known = _BEST if word.first == word.offered else _FOUND
        shown = Text.assemble(" ", (typed, "bold"), (mark, _LABEL), (rest, known))
        shown.truncate(_WORD, overflow="ellipsis")
        table.add_row(
            shown,
            "never" if word.offered is None else f"after {counted(word.offered, 'letter')}",
            "-" if word.offered is None else str(word.places[word.offered]),
            f"{word.pressed} of {word.keys}",
            str(saved),
            Text("■" * min(saved, 12), "green"),
        )
    return table


def _savings(words: Sequence[KnownWord]) -> Text:
    keys, pressed = sum(word.keys for word in words), sum(word.pressed for word in words)
    line = Text(f" {counted(keys, 'key')} in full, {pressed} with what is offered taken: ")
    return line.append(f"{counted(keys - pressed, 'key')} saved, {percent((keys - pressed) / keys)}", _BEST)


def _verdict(words: Sequence[KnownWord]) -> str:
    if len(words) > 1:
        known = [word for word in words if word.pressed < word.keys]
        return f"{len(known)} of {len(words)} words can be had for fewer keys: after the ▸ nothing need be typed."
    (word,) = words
    if word.offered is None:
        return "This word is never among the five before its end, so every letter of it is typed."
    first = (
        "never first before its end" if word.first is None else f"first of all after {counted(word.first, 'letter')}"
    )
    return f"The word is known after {counted(word.offered, 'letter')}: one of the five then, {first}."


def _short(word: KnownWord) -> str:
    return fitted(word.word, 24).rstrip()


SCENE = Scene(
    name="triangle",
    title="a word arrives letter by letter: when is it known?",
    about="The letters of a word are typed one at a time. After each, the network that ships with the tool says which letter "
    "comes next, and a search turns that into whole words, best first. The scene marks when your word is among the five, when it "
    "is the first of them, and how many keys that spares.",
    hint="A sentence: the words before help to know the next. Or a name that no one has heard of.",
    equations="p(next letter) = softmax(V h + c), of the state h after all letters so far\n"
    "p(word) = p(1st letter) p(2nd | 1st) ... p(end | all letters)\n"
    "keys saved = letters of the word (1 more for the space if a word follows)\n"
    "             - (letters typed + 1 key to take it)",
    word="triangle",
    play=play,
)
