"""The fillings of a line as a table in plain text: how probable each is, what is in the gaps, and the whole line."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from autocomplete.inference.filling import Filling

__all__ = ["filling_table"]


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
