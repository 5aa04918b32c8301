"""
What stands below the line, in one of two layouts: what may come next, and the status.

    > the quick bro|wn fox
      next  w .71  o .12  k .06  t .03  e .02
      1 brown .64   2 broke .09   3 broad .05   4 brother .04   5 brought .03
     F2 demo   F4 emacs   english   0.8 ms   exact

    > the quick bro|wn
       w ###################  71%     1 brown    .64
       o ###                  12%     2 broke    .09
       k ##                    6%     3 broad    .05
       t #                     3%     4 brother  .04
       e                       2%     5 brought  .03
      letters typed: b .31  r .88  o .93      keys saved: 41 %
     F2 strip   F4 emacs   english   0.8 ms   exact

Functions of a `Prediction` compute it, without a terminal. A layout has the same height whatever it says: nothing jumps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autocomplete.inference.prediction import NextCharacter, Prediction
from autocomplete.prompt.commands import COMMANDS
from autocomplete.text.printable import cell_width, cut, printable, visible, wrapped

__all__ = ["HEIGHTS", "Fragments", "Status", "format_probability", "render_commands", "render_demo", "render_strip"]

Fragments = list[tuple[str, str]]  # style and text, as prompt_toolkit takes them

_ROWS = 5  # of bars and words in the demo layout
_DEMO_LEFT = 34  # columns of a bar with its letter and figure
HEIGHTS = {"strip": 3, "demo": _ROWS + 2}  # of the layouts, below the line
_END = ("", "\n")


@dataclass(frozen=True)
class Status:
    """
    The last row.

    :param checkpoint: name of the checkpoint that is asked.
    :param hints: keys and what they do, left out where the terminal is too narrow.
    :param message: shown instead of all else, and of what is above where it needs more rows.
    :param complete: whether the search has ended.
    :param stale: whether the prediction is for another text than the one on the screen, and is greyed.
    """

    checkpoint: str
    hints: tuple[str, ...] = ()
    message: str = ""
    complete: bool = True
    stale: bool = False


def render_strip(
    prediction: Prediction | None, status: Status, *, width: int, letters: bool = True, taken: int | None = None
) -> Fragments:
    """
    Return three lines: next letters, words, and what they come from.

    :param prediction: nothing while the checkpoint is being loaded.
    :param width: of the terminal; letters and words that do not fit in it as a whole are left out.
    :param letters: whether to show the next letters.
    :param taken: the place of the word that was just taken.
    """
    rows: Fragments = []
    if letters:
        label = "  next"
        rows += [("class:label", label), *_fit(_letters(prediction.next if prediction else ()), 2, width - len(label))]
    words = [
        [
            ("class:label", f"{i + 1} "),
            (_word_style(i, taken), printable(word.word)),
            ("class:probability", f" {format_probability(word.probability)}"),
        ]
        for i, word in enumerate(prediction.words if prediction else ())
    ]
    rows += [_END, *_fit(words, 3, width), _END]
    return _above_status(rows, status, prediction, width)


def render_demo(
    prediction: Prediction | None,
    status: Status,
    *,
    width: int,
    saved: float,
    letters: bool = True,
    taken: int | None = None,
) -> Fragments:
    """
    Return seven lines: next letters as bars beside words, the letters typed with the probability that they had, and the status.

    :param saved: share of the keys that suggestions have spared so far.
    """
    bars = prediction.next if prediction and letters else ()
    words = prediction.words[:_ROWS] if prediction else ()
    left = min(_DEMO_LEFT, width // 2) if letters else 0
    room = width - left - 9
    longest = min(room, max((cell_width(printable(word.word)) for word in words), default=0))
    rows: Fragments = []
    for i in range(_ROWS):
        bar = _bar(bars[i], max(1, left - 14)) if i < len(bars) else []
        rows += bar
        if i < len(words):
            word = cut(printable(words[i].word), room)
            rows += [
                ("", " " * (left - _width(bar))),
                ("class:label", f"  {i + 1} "),
                (_word_style(i, taken), word),
                ("", " " * (longest - cell_width(word) + 1)),
                ("class:probability", format_probability(words[i].probability)),
            ]
        rows.append(_END)
    keys = f"keys saved: {100 * saved:.0f} %"
    line: Fragments = []
    gap = 2
    if width >= len(keys) + 24:
        label = "  letters typed:"
        typed = _letters(prediction.typed if prediction else ())
        line = [("class:label", label), *_fit_last(typed, width - len(label) - len(keys) - 4)]
        gap = max(2, min(44, width - len(keys)) - _width(line))
    rows += [*line, ("", " " * gap), ("class:label", keys), _END]
    return _above_status(rows, status, prediction, width)


def render_commands(names: Sequence[str], status: Status, *, width: int, height: int) -> Fragments:
    """Return as many lines as `height` for below a command: how it may go on, and what it does."""
    what = COMMANDS[names[0][1:]][1] if names and names[0][1:] in COMMANDS else ""
    rows: Fragments = [("class:label", cut(f"  {what}", width)), _END]
    rows += _fit([[(_word_style(i, None), printable(name))] for i, name in enumerate(names)], 3, width)
    rows += [_END] * (height - 2)
    return _with_status(rows, status, (), width)


def format_probability(probability: float) -> str:
    """Return two decimals without the zero before them, always three characters wide or, for the tiny ones, four."""
    if probability < 0.005:
        return "<.01"
    return "1.0" if probability >= 0.995 else f"{probability:.2f}"[1:]


def _letters(letters: Iterable[NextCharacter]) -> list[Fragments]:
    return [
        [("class:letter", visible(each.character)), ("class:probability", f" {format_probability(each.probability)}")]
        for each in letters
    ]


def _bar(letter: NextCharacter, longest: int) -> Fragments:
    """Return a letter, a bar of up to so many columns, and a figure."""
    bar = "#" * round(longest * letter.probability)
    return [
        ("", "   "),
        ("class:letter", visible(letter.character)),
        ("", " "),
        ("class:letter", bar),
        ("", " " * (longest - len(bar) + 1)),
        ("class:probability", f"{100 * letter.probability:3.0f}%"),
    ]


def _word_style(place: int, taken: int | None) -> str:
    return "class:taken" if place == taken else "class:best" if place == 0 else "class:word"


def _width(fragments: Fragments) -> int:
    return sum(cell_width(text) for _, text in fragments)


def _fit(items: Sequence[Fragments], gap: int, width: int) -> Fragments:
    """Return the items in a row, as many as fit; they are closer together where all have room only so."""
    widths = list(map(_width, items))
    if 2 + sum(widths) + gap * (len(items) - 1) > width:
        gap = 2
    row: Fragments = []
    used = 2
    for item, item_width in zip(items, widths, strict=True):
        if used + item_width > width:
            break
        row += [("", " " * (gap if row else 2)), *item]
        used += item_width + gap
    return row


def _fit_last(items: Sequence[Fragments], width: int) -> Fragments:
    """Return the last items that fit in a row."""
    row: Fragments = []
    for item in reversed(items):
        width -= 2 + _width(item)
        if width < 0:
            break
        row = [("", "  "), *item, *row]
    return [("", " "), *row[1:]] if row else []


def _above_status(rows: Fragments, status: Status, prediction: Prediction | None, width: int) -> Fragments:
    """Return the lines about a prediction with the status below them, greyed where it is for another text."""
    figures: tuple[str, ...] = ("loading",)
    if prediction is not None:
        state = "exact" if prediction.exact else "not proved" if status.complete else "searching"
        figures = f"{prediction.milliseconds:.1f} ms", state
    if status.stale:
        rows = [("class:stale", text) for _, text in rows]
    return _with_status(rows, status, figures, width)


def _with_status(rows: Fragments, status: Status, figures: tuple[str, ...], width: int) -> Fragments:
    """Return lines, all of which have an end, with the last one below them; a message takes the place of as many as it needs."""
    if not status.message:
        items = (printable(status.checkpoint), *figures)
        row = " " + "   ".join((*status.hints, *items))
        if cell_width(row) > width:
            row = " " + "   ".join(items)
        return [*rows, ("class:stale" if status.stale else "class:status", cut(row, width))]
    ends = [0, *(i for i, (_, text) in enumerate(rows, start=1) if text == "\n")]  # of no line, of one, of two, ...
    lines = wrapped(printable(status.message), width).split("\n")
    if len(lines) > len(ends):
        lines[len(ends) - 1 :] = [cut("".join(lines[len(ends) - 1 :]), width)]
    return [*rows[: ends[len(ends) - len(lines)]], ("class:message", "\n".join(lines))]
