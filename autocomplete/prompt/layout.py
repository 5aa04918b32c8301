"""
The screen: the line with its ghost text, and below it what may come next, in one of two layouts.

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

What is drawn is computed by functions of a `Prediction`, so that it can be tested, printed or drawn as a picture
without a terminal; `prompt_layout` puts it into windows. A layout has the same height whatever it says: nothing jumps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus, is_done, is_searching
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.formatted_text.base import OneStyleAndTextTuple
from prompt_toolkit.formatted_text.utils import split_lines
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    Dimension,
    FormattedTextControl,
    HSplit,
    Layout,
    VerticalAlign,
    Window,
)
from prompt_toolkit.layout.processors import (
    HighlightIncrementalSearchProcessor,
    HighlightSelectionProcessor,
    Processor,
    Transformation,
    TransformationInput,
)
from prompt_toolkit.layout.utils import explode_text_fragments
from prompt_toolkit.utils import get_cwidth
from prompt_toolkit.widgets import SearchToolbar

from autocomplete.inference.prediction import NextCharacter, Prediction, Suggestion
from autocomplete.prompt.commands import COMMANDS
from autocomplete.text.printable import cut, printable, visible, wrapped

__all__ = [
    "HEIGHTS",
    "PROMPT",
    "Status",
    "format_probability",
    "prompt_layout",
    "render_commands",
    "render_demo",
    "render_strip",
]

PROMPT = "> "
_ROWS = 5  # of bars and words in the demo layout
_BAR = 20  # columns of a bar that stands for certainty
_DEMO_LEFT = 34  # columns of a bar with its letter and figure
HEIGHTS = {"strip": 3, "demo": _ROWS + 2}  # of the layouts, below the line

_Item = StyleAndTextTuples


@dataclass(frozen=True)
class Status:
    """
    The last row.

    :param checkpoint: the name of what is asked.
    :param hints: keys and what they do, left out where the terminal is too narrow.
    :param message: shown in the place of all else, and of what is above that where it needs more rows.
    :param complete: whether the search has ended.
    :param stale: whether the prediction is for another text than the one on the screen; then all of it is greyed.
    """

    checkpoint: str
    hints: tuple[str, ...] = ()
    message: str = ""
    complete: bool = True
    stale: bool = False


def render_strip(
    prediction: Prediction | None, status: Status, *, width: int, letters: bool = True, taken: int | None = None
) -> StyleAndTextTuples:
    """
    Return three lines: next letters, words, and what they come from.

    :param prediction: nothing while the checkpoint is being loaded.
    :param width: of the terminal; letters and words that do not fit in it as a whole are left out.
    :param letters: whether to show the next letters.
    :param taken: the place of the word that was just taken.
    """
    next_letters: list[_Item] = []
    words: list[_Item] = []
    if prediction is not None:
        next_letters = [_letter(n) for n in prediction.next]
        words = [_word(i, word, taken == i) for i, word in enumerate(prediction.words)]
    strip: StyleAndTextTuples = []
    if letters:
        strip += [("class:label", "  next")]
        strip += _fit(next_letters, gaps=(2,), width=width - len("  next"), indent=2)
    strip.append(("", "\n"))
    strip += _fit(words, gaps=(3, 2), width=width, indent=2)
    strip.append(("", "\n"))
    return _ended(_greyed(strip, status), status, _figures(prediction, status), width)


def render_demo(
    prediction: Prediction | None,
    status: Status,
    *,
    width: int,
    saved: float,
    letters: bool = True,
    taken: int | None = None,
) -> StyleAndTextTuples:
    """
    Return seven lines: next letters as bars beside words, the letters typed with the probability that they had, and the status.

    :param saved: share of the keys that suggestions have spared so far.
    """
    rows: StyleAndTextTuples = []
    bars = prediction.next if prediction is not None and letters else ()
    words = prediction.words if prediction is not None else ()
    left = min(_DEMO_LEFT, width // 2) if letters else 0
    bar = max(1, left - 14)
    for i in range(_ROWS):
        used = 0
        if i < len(bars):
            shown = visible(bars[i].character)
            filled = "#" * round(bar * bars[i].probability)
            figure = f"{100 * bars[i].probability:3.0f}%"
            rows += [
                ("", "   "),
                ("class:letter", shown),
                ("", " " * (3 - get_cwidth(shown)) if get_cwidth(shown) > 1 else " "),
                ("class:letter", filled),
                ("", " " * (bar - len(filled) + 1)),
                ("class:probability", figure),
            ]
            used = sum(get_cwidth(text) for _, text, *_ in rows[-6:])
        if i < len(words):
            room = width - left - 9
            word = cut(printable(words[i].word), room)
            style = "class:taken" if taken == i else "class:best" if i == 0 else "class:word"
            longest = min(room, max(get_cwidth(printable(w.word)) for w in words[:_ROWS]))
            rows += [
                ("", " " * (left - used)),
                ("class:label", f"  {i + 1} "),
                (style, word),
                ("", " " * (longest - get_cwidth(word) + 1)),
                ("class:probability", format_probability(words[i].probability)),
            ]
        rows.append(("", "\n"))
    typed = prediction.typed if prediction is not None else ()
    keys = f"keys saved: {100 * saved:.0f} %"
    line: StyleAndTextTuples = [("class:label", "  letters typed:")]
    line += _fit_last([_letter(n) for n in typed], width=width - len("  letters typed:") - len(keys) - 4)
    gap = max(2, min(44, width - len(keys)) - sum(get_cwidth(text) for _, text, *_ in line))
    if width < len(keys) + 24:
        line, gap = [], 2
    rows += [*line, ("", " " * gap), ("class:label", keys), ("", "\n")]
    return _ended(_greyed(rows, status), status, _figures(prediction, status), width)


def render_commands(names: Sequence[str], status: Status, *, width: int, height: int) -> StyleAndTextTuples:
    """
    Return the lines below a command: how it may go on, and what it does.

    :param height: lines.
    """
    what = COMMANDS.get(names[0][1:], ("", ""))[1] if names else ""
    rows: StyleAndTextTuples = [("class:label", cut(f"  {what}", width)), ("", "\n")]
    items: list[_Item] = [[("class:best" if i == 0 else "class:word", printable(name))] for i, name in enumerate(names)]
    rows += _fit(items, gaps=(3, 2), width=width, indent=2)
    rows.append(("", "\n" * (height - 2)))
    return _ended(rows, status, (), width)


def _greyed(rows: StyleAndTextTuples, status: Status) -> StyleAndTextTuples:
    return [("class:stale", fragment[1]) for fragment in rows] if status.stale else rows


def _figures(prediction: Prediction | None, status: Status) -> tuple[str, ...]:
    if prediction is None:
        return ("loading",)
    state = "exact" if prediction.exact else "not proved" if status.complete else "searching"
    return f"{prediction.milliseconds:.1f} ms", state


def _ended(rows: StyleAndTextTuples, status: Status, figures: tuple[str, ...], width: int) -> StyleAndTextTuples:
    """Return lines, all of which have an end, with the last one below them; a message takes the place of as many as it needs."""
    if not status.message:
        return [*rows, _status(status, figures, width)]
    *above, _ = split_lines(rows)
    height = len(above) + 1
    lines = wrapped(printable(status.message), width).split("\n")
    if len(lines) > height:
        lines[height - 1 :] = [cut("".join(lines[height - 1 :]), width)]
    kept = [fragment for line in above[: height - len(lines)] for fragment in (*line, ("", "\n"))]
    return [*kept, ("class:message", "\n".join(lines))]


def _status(status: Status, figures: tuple[str, ...], width: int) -> OneStyleAndTextTuple:
    items = (printable(status.checkpoint), *figures)
    row = " " + "   ".join((*status.hints, *items))
    if get_cwidth(row) > width:
        row = " " + "   ".join(items)
    return "class:stale" if status.stale else "class:status", cut(row, width)


def _letter(letter: NextCharacter) -> _Item:
    return [
        ("class:letter", visible(letter.character)),
        ("class:probability", f" {format_probability(letter.probability)}"),
    ]


def _word(index: int, word: Suggestion, taken: bool) -> _Item:
    style = "class:taken" if taken else "class:best" if index == 0 else "class:word"
    return [
        ("class:label", f"{index + 1} "),
        (style, printable(word.word)),
        ("class:probability", f" {format_probability(word.probability)}"),
    ]


def _fit(items: Sequence[_Item], *, gaps: Sequence[int], width: int, indent: int) -> StyleAndTextTuples:
    """Return the items in a row after an indent, with the first of the gaps that has room for all; else as many as fit."""
    widths = [sum(get_cwidth(fragment[1]) for fragment in item) for item in items]
    gap = next((gap for gap in gaps if indent + sum(widths) + gap * (len(items) - 1) <= width), gaps[-1])
    row: StyleAndTextTuples = []
    used = indent
    for item, item_width in zip(items, widths, strict=True):
        if used + item_width > width:
            break
        row += [("", " " * (gap if row else indent)), *item]
        used += item_width + gap
    return row


def _fit_last(items: Sequence[_Item], *, width: int) -> StyleAndTextTuples:
    """Return the last items that fit in a row."""
    row: StyleAndTextTuples = []
    for item in reversed(items):
        width -= 2 + sum(get_cwidth(fragment[1]) for fragment in item)
        if width < 0:
            break
        row = [("", "  " if row else " "), *item, *row] if not row else [("", " "), *item, ("", " "), *row]
    return row


def format_probability(probability: float) -> str:
    """Return two decimals without the zero before them, always three characters wide or, for the tiny ones, four."""
    if probability < 0.005:
        return "<.01"
    return "1.0" if probability >= 0.995 else f"{probability:.2f}"[1:]


class _Ghost(Processor):
    """Draws the ghost text at the cursor."""

    def __init__(self, ghost: Callable[[], str]) -> None:
        self._ghost = ghost

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Return the line with the ghost in it."""
        fragments = transformation_input.fragments
        shown = has_focus(DEFAULT_BUFFER)() and not is_done() and printable(self._ghost())
        if not shown:
            return Transformation(fragments)
        document = transformation_input.document
        if document.is_cursor_at_the_end:
            return Transformation([*fragments, ("class:ghost", shown)])
        at = transformation_input.source_to_display(document.cursor_position)
        single = explode_text_fragments(fragments)
        return Transformation(
            [*single[:at], ("class:ghost", shown), *single[at:]],
            source_to_display=lambda i: i if i <= at else i + len(shown),
            display_to_source=lambda i: i if i <= at else max(at, i - len(shown)),
        )


def prompt_layout(
    buffer: Buffer, *, ghost: Callable[[], str], strip: Callable[[], StyleAndTextTuples], height: Callable[[], int]
) -> Layout:
    """
    Return the windows of the prompt.

    :param buffer: the line.
    :param ghost: asked in every frame for the text to show at the cursor.
    :param strip: asked in every frame for the lines below.
    :param height: how many those are.
    """
    search = SearchToolbar()
    control = BufferControl(
        buffer=buffer,
        search_buffer_control=search.control,
        preview_search=True,
        input_processors=[HighlightIncrementalSearchProcessor(), HighlightSelectionProcessor(), _Ghost(ghost)],
        include_default_input_processors=False,
    )
    line = Window(control, wrap_lines=True, dont_extend_height=True, get_line_prefix=_line_prefix)

    # Windows of a fixed height and not a toolbar of prompt_toolkit's, which vanishes where the terminal does not tell
    # where the cursor is. The least height is 0 so that in a tiny terminal the strip gives way to the line.
    def rows() -> Dimension:
        return Dimension(min=0, max=height(), preferred=height())

    return Layout(
        HSplit(
            [
                line,
                ConditionalContainer(Window(FormattedTextControl(strip), height=rows), filter=~is_done & ~is_searching),
                ConditionalContainer(HSplit([search, Window()], height=rows), filter=~is_done & is_searching),
            ],
            align=VerticalAlign.TOP,
        ),
        focused_element=line,
    )


def _line_prefix(line_number: int, wrap_count: int) -> StyleAndTextTuples:
    is_first = line_number == 0 and wrap_count == 0
    return [("class:prompt", PROMPT if is_first else " " * len(PROMPT))]
