"""Tables without lines and charts without colours, as all reports have them."""

from __future__ import annotations

from typing import Any

from rich.table import Table

__all__ = ["empty_chart", "plain_table"]

_WIDTH = 80  # of a chart, where there is room


def plain_table(*headings: str, gap: int = 2, title: str | None = None) -> Table:
    """
    Return an empty table.

    :param headings: of the columns; those that begin with `>` are flush right.
    :param gap: cells between two columns.
    """
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim", title=title)
    table.title_justify, table.title_style = "left", "bold"
    for heading in headings:
        right = heading.startswith(">")
        table.add_column(heading.removeprefix(">"), justify="right" if right else "left", no_wrap=True)
    return table


def empty_chart(width: int, height: int) -> Any:
    """Return plotext with nothing drawn, in the terminal's colours, and no wider than it needs to be."""
    import plotext  # which a table does without

    plotext.main().clear_figure()  # all of it, not only the chart that was drawn into last
    plotext.theme("clear")
    plotext.plotsize(min(width, _WIDTH), height)
    return plotext
