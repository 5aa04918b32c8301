"""The windows of the prompt: the line with its ghost text, and below it what may come next."""

from __future__ import annotations

from collections.abc import Callable

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
    HighlightIncrementalSearchProcessor,
    HighlightSelectionProcessor,
    Processor,
    Transformation,
    TransformationInput,
)
from prompt_toolkit.layout.utils import explode_text_fragments
from prompt_toolkit.widgets import SearchToolbar

from autocomplete.prompt.strip import Fragments
from autocomplete.text.printable import printable

__all__ = ["PROMPT", "prompt_layout"]

PROMPT = "> "


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
    buffer: Buffer, *, ghost: Callable[[], str], strip: Callable[[], Fragments], height: Callable[[], int]
) -> Layout:
    """
    Return the windows of the prompt.

    :param buffer: the line.
    :param ghost: asked in every frame for the text to show at the cursor.
    :param strip: asked in every frame for the lines below.
    :param height: how many those are.
    """

    def prefix(line_number: int, wrap_count: int) -> StyleAndTextTuples:
        return [("class:prompt", " " * len(PROMPT) if line_number or wrap_count else PROMPT)]

    search = SearchToolbar()
    control = BufferControl(
        buffer=buffer,
        search_buffer_control=search.control,
        preview_search=True,
        input_processors=[HighlightIncrementalSearchProcessor(), HighlightSelectionProcessor(), _Ghost(ghost)],
        include_default_input_processors=False,
    )
    line = Window(control, wrap_lines=True, dont_extend_height=True, get_line_prefix=prefix)

    # Windows of a fixed height and not a toolbar of prompt_toolkit's, which vanishes where the terminal does not tell
    # where the cursor is. The least height is 0 so that in a tiny terminal the strip gives way to the line.
    def rows() -> Dimension:
        return Dimension(min=0, max=height(), preferred=height())

    below = Window(FormattedTextControl(lambda: [*strip()]), height=rows)
    return Layout(
        HSplit(
            [
                line,
                ConditionalContainer(below, filter=~is_done & ~is_searching),
                ConditionalContainer(HSplit([search, Window()], height=rows), filter=~is_done & is_searching),
            ],
            align=VerticalAlign.TOP,
        ),
        focused_element=line,
    )
