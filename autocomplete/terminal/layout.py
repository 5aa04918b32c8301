"""
The screen: the line with its ghost text, and a strip below it with what may come next.

    > the quick bro|wn
      next  w .71  o .12  k .06  t .03  e .02
      1 brown .64   2 broke .09   3 broad .05   4 brother .04   5 brought .03
     english   0.8 ms   exact

What is drawn is computed by functions of a `Prediction`, so that it can be tested, printed or drawn as a picture
without a terminal; `prompt_layout` puts it into windows. The strip has the same height whatever it says: nothing jumps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus, is_done, is_searching
from prompt_toolkit.formatted_text import StyleAndTextTuples
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
    AfterInput,
    ConditionalProcessor,
    HighlightIncrementalSearchProcessor,
    HighlightSelectionProcessor,
)
from prompt_toolkit.utils import get_cwidth
from prompt_toolkit.widgets import SearchToolbar

from autocomplete.inference.predictor import Prediction

__all__ = [
    "PROMPT",
    "STRIP_HEIGHT",
    "STYLES",
    "THRESHOLD",
    "format_probability",
    "ghost_text",
    "printable",
    "prompt_layout",
    "render_strip",
]

PROMPT = "> "
STRIP_HEIGHT = 3
THRESHOLD = 0.6  # measured by `autocomplete evaluate`: eight of ten such suggestions are right on everyday text

# Every meaning is carried by dim, italic or bold too, so that it is there without colours.
STYLES = {
    "prompt": "bold",
    "ghost": "dim italic",
    "strip.label": "dim",
    "strip.letter": "bold ansicyan",
    "strip.best": "bold ansigreen",
    "strip.word": "",
    "strip.probability": "dim",
    "strip.status": "dim",
    "strip.stale": "dim",
}

_Item = StyleAndTextTuples


def ghost_text(prediction: Prediction, text: str, threshold: float = THRESHOLD) -> str:
    """
    Return the rest of the best word after a text; nothing if that word is less probable than the threshold.

    The prediction may be for an earlier text. If what was typed since then is what it had foretold, the rest of it
    still holds; this is how the ghost stays without a gap until the next answer.
    """
    if not prediction.words or prediction.words[0].probability < threshold:
        return ""
    whole = prediction.text + prediction.words[0].insert
    # The length, because a text that was shortened since then starts the whole as well.
    return whole[len(text) :] if len(text) >= len(prediction.text) and whole.startswith(text) else ""


def render_strip(
    prediction: Prediction | None,
    *,
    checkpoint_name: str,
    width: int,
    complete: bool = True,
    stale: bool = False,
) -> StyleAndTextTuples:
    """
    Return three lines: next letters, words, and what they come from.

    :param prediction: nothing while the checkpoint is being loaded.
    :param width: of the terminal; letters and words that do not fit in it as a whole are left out.
    :param complete: whether the search has ended.
    :param stale: whether the prediction is for another text than the one on the screen; then all of it is greyed.
    """
    letters: list[_Item] = []
    words: list[_Item] = []
    if prediction is None:
        status = ["loading"]
    else:
        letters = [_letter(n.character, n.probability) for n in prediction.next]
        words = [_word(rank, w.word, w.probability) for rank, w in enumerate(prediction.words, start=1)]
        state = "exact" if prediction.exact else "not proved" if complete else "searching"
        status = [f"{prediction.milliseconds:.1f} ms", state]
    strip: StyleAndTextTuples = [("class:strip.label", "  next")]
    strip += _fit(letters, gaps=(2,), width=width - len("  next"), indent=2)
    strip.append(("", "\n"))
    strip += _fit(words, gaps=(3, 2), width=width, indent=2)
    strip.append(("", "\n"))
    strip.append(("class:strip.status", " " + "   ".join([printable(checkpoint_name), *status])))
    return [("class:strip.stale", fragment[1]) for fragment in strip] if stale else strip


def _letter(character: str, probability: float) -> _Item:
    shown = {" ": "␣", "\n": "⏎"}.get(character) or printable(character)  # the ends of word and line would be invisible
    return [("class:strip.letter", shown), ("class:strip.probability", f" {format_probability(probability)}")]


def _word(rank: int, word: str, probability: float) -> _Item:
    style = "class:strip.best" if rank == 1 else "class:strip.word"
    return [
        ("class:strip.label", f"{rank} "),
        (style, printable(word)),
        ("class:strip.probability", f" {format_probability(probability)}"),
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


def format_probability(probability: float) -> str:
    """Return two decimals without the zero before them, always three characters wide or, for the tiny ones, four."""
    if probability < 0.005:
        return "<.01"
    return "1.0" if probability >= 0.995 else f"{probability:.2f}"[1:]


def printable(text: str) -> str:
    """Return the text with the replacement character for each one that a terminal might obey instead of show."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def prompt_layout(buffer: Buffer, *, ghost: Callable[[], str], strip: Callable[[], StyleAndTextTuples]) -> Layout:
    """
    Return the windows of the prompt.

    :param buffer: the line.
    :param ghost: asked in every frame for the text to show after the cursor.
    :param strip: asked in every frame for `STRIP_HEIGHT` lines.
    """
    search = SearchToolbar()
    control = BufferControl(
        buffer=buffer,
        search_buffer_control=search.control,
        preview_search=True,
        input_processors=[
            HighlightIncrementalSearchProcessor(),
            HighlightSelectionProcessor(),
            ConditionalProcessor(
                AfterInput(lambda: [("class:ghost", printable(ghost()))]), has_focus(DEFAULT_BUFFER) & ~is_done
            ),
        ],
        include_default_input_processors=False,
    )
    line = Window(control, wrap_lines=True, dont_extend_height=True, get_line_prefix=_line_prefix)
    # Windows of a fixed height and not a toolbar of prompt_toolkit's, which vanishes where the terminal does not tell
    # where the cursor is. The least height is 0 so that in a tiny terminal the strip gives way to the line.
    height = Dimension(min=0, max=STRIP_HEIGHT, preferred=STRIP_HEIGHT)
    return Layout(
        HSplit(
            [
                line,
                ConditionalContainer(
                    Window(FormattedTextControl(strip), height=height), filter=~is_done & ~is_searching
                ),
                ConditionalContainer(HSplit([search, Window()], height=height), filter=~is_done & is_searching),
            ],
            align=VerticalAlign.TOP,
        ),
        focused_element=line,
    )


def _line_prefix(line_number: int, wrap_count: int) -> StyleAndTextTuples:
    is_first = line_number == 0 and wrap_count == 0
    return [("class:prompt", PROMPT if is_first else " " * len(PROMPT))]
