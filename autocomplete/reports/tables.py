"""Tables without lines and charts without colours, as all reports have them; and the fillings of a line as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from autocomplete.inference.filling import Filling

__all__ = ["empty_chart", "filling_table", "plain_table"]

_WIDTH = 80  # of a chart, where there is room


def plain_table(*headings: str, gap: int = 2, title: str | None = None, pad_edge: bool = True) -> Table:
    """
    Return an empty table.

    :param headings: of the columns; those that begin with `>` are flush right.
    :param gap: cells between two columns.
    :param pad_edge: whether the gap is kept behind the last column, too.
    """
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=pad_edge, header_style="dim", title=title)
    table.title_justify, table.title_style = "left", "bold"
    for heading in headings:
        right = heading.startswith(">")
        # As Text, so that nothing in it is taken for markup.
        table.add_column(Text(heading.removeprefix(">")), justify="right" if right else "left", no_wrap=True)
    return table


def empty_chart(width: int, height: int) -> Any:
    """Return plotext with nothing drawn, in the terminal's colours, and no wider than it needs to be."""
    import plotext  # which a table does without

    plotext.main().clear_figure()  # all of it, not only the chart that was drawn into last
    plotext.theme("clear")
    plotext.plotsize(min(width, _WIDTH), height)
    return plotext


def filling_table(filling: Filling) -> str:
    """Return the line with its gaps and, below it, a row for each filling, best first, with a head."""
    if not filling.fills:
        return f"{filling.text}\n  no word that is known fits"
    count = len(filling.fills[0].texts)
    gaps = ["gap"] if count == 1 else [f"gap {number}" for number in range(1, count + 1)]
    rows = [["probability", *gaps], *([f"{fill.probability:.3f}", *fill.texts] for fill in filling.fills)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = ["line", *(fill.line for fill in filling.fills)]
    table = [
        "".join(f"  {set_cell_size(cell, width)}" for cell, width in zip(row, widths, strict=True)) + f"  {line}"
        for row, line in zip(rows, lines, strict=True)
    ]
    return "\n".join([filling.text, *table])
