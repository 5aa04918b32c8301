"""The pictures of the scene `cell`: matrices times vectors, gates in numbers, heat maps, and counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocomplete.demo.drawing import centred, name_of, percent_tile, sign_tile
from autocomplete.reports.tables import plain_table

if TYPE_CHECKING:
    from autocomplete.lab.unrolled import ParameterCount, Step, Walk
    from autocomplete.storage.configuration import Cell

__all__ = ["beside", "cell_name", "counts_picture", "gates_picture", "map_picture", "step_picture"]

_LABEL = 14  # cells of the names of the rows of a heat map
_WIDEST = 7  # cells of one of its columns
_STEP_WIDTH = 46  # cells of a step in numbers
_PYTORCH = (
    "PyTorch keeps a bias beside Wx and one beside Wh, for the library cuDNN; one would do but in a GRU's candidate."
)

# Of each part of a step: what it is, how it is computed, and what that means.
_PARTS: dict[str, list[tuple[str, str, str, str]]] = {
    "lstm": [
        ("forget", "forget gate f", "σ(Wf·x + Uf·h + bf)", "how much of the cell is kept"),
        ("input", "input gate i", "σ(Wi·x + Ui·h + bi)", "how much is let into the cell"),
        ("candidate", "candidate g", "tanh(Wg·x + Ug·h + bg)", "what could be let in"),
        ("cell before", "cell before c", "zeros before the first letter", "what was remembered"),
        ("cell", "new cell c'", "f·c + i·g", "part kept, part let in"),
        ("output", "output gate o", "σ(Wo·x + Uo·h + bo)", "how much of it is shown"),
        ("after", "new state h'", "o·tanh(c')", "the next letter is told from it"),
    ],
    "gru": [
        ("before", "state before h", "zeros before the first letter", "what was remembered"),
        ("reset", "reset gate r", "σ(Wr·x + Ur·h + br)", "how much of h the candidate sees"),
        ("candidate", "candidate n", "tanh(Wn·x + bn + r·(Un·h + b'n))", "what could come in its place"),
        ("update", "update gate z", "σ(Wz·x + Uz·h + bz)", "how much of h is kept"),
        ("after", "new state h'", "z·h + (1 − z)·n", "the next letter is told from it"),
    ],
}
_MAPPED = {"lstm": ["forget", "input", "output", "cell", "after"], "gru": ["reset", "update", "candidate", "after"]}
_GATES = ("forget", "input", "output", "reset", "update")  # from 0 to 1


def cell_name(cell: Cell) -> str:
    """Return what a cell is called."""
    return "tanh RNN" if cell == "rnn" else cell.upper()


def step_picture(walk: Walk, time: int, names: Sequence[str], stage: int = 4) -> RenderableType:
    """
    Return one step of a tanh RNN.

    :param names: of the symbols that are read.
    :param stage: 1 shows the letter, 2 the memory, too, 3 the sum, too, 4 the new state, too.
    """
    step = walk.steps[time]
    reads, remembers = f"what it reads: {_shown(names[time])}", "what it remembers: the state before"
    blocks = [
        _product(reads, "Wx", walk.input_weights, "x", step.input, step.parts["letter"]),
        _product(remembers, "Wh", walk.recurrent_weights, "h", step.before, step.parts["memory"]),
        _sum(step, show_state=stage >= 4),
    ]
    return Text("\n").join(line for block in blocks[:stage] for line in [*block, Text()])


def _product(meaning: str, matrix: str, weights: Any, vector: str, inputs: Any, outputs: Any) -> list[Text]:
    """Return the lines of a matrix times a vector."""
    lines = [_heading(meaning), Text(f"{matrix:<27}{vector:<9}{matrix}·{vector}", style="dim")]
    for i, (row, number, output) in enumerate(zip_longest(weights, inputs, outputs)):
        line = Text("" if row is None else " ".join(map(_number, row)))
        line.pad_right(24 - len(line))
        line.append("·  " if i == 1 else "   ", "dim").append("" if number is None else _number(number), "cyan")
        line.append(" =  " if i == 1 else "    ", "dim").append("" if output is None else _number(output), "bold")
        lines.append(line)
    return lines


def _sum(step: Step, *, show_state: bool) -> list[Text]:
    """Return the lines of the sum and of its tanh."""
    heading = "Wx·x    Wh·h    b       sum     " + "h' = tanh(sum)" * show_state
    lines = [_heading("the new state"), Text(heading, style="dim")]
    columns = zip(*(step.parts[name] for name in ("letter", "memory", "bias", "sum")), step.after, strict=True)
    for letter, memory, bias, total, state in columns:
        line = Text(f"{_number(letter)} + {_number(memory)} + {_number(bias)} = ").append(_number(total), "bold")
        if show_state:
            line.append("   ").append(_number(state), style="bold cyan").append(" ").append(sign_tile(state, 6))
        lines.append(line)
    return lines


def gates_picture(cell: Cell, step: Step, read: Sequence[str]) -> RenderableType:
    """
    Return the gates of one step.

    :param read: names of the symbols up to this one.
    """
    after = f", after {' '.join(map(_shown, read[:-1]))}" if len(read) > 1 else ""
    table = plain_table("what", "how it is computed", *(f">unit {unit + 1}" for unit in range(len(step.after))))
    for name, label, equation, meaning in _PARTS[cell]:
        values = _values(step, name)
        style = "bold cyan" if name == "after" else "bold"
        table.add_row(Text(label, style=style), equation, *(Text(_number(value), style=style) for value in values))
        table.add_row("", Text(meaning, style="dim"), *(_tile(name, value, 6) for value in values))
    return Group(_heading(f"it reads {_shown(read[-1])}{after}"), Text(), table)


def map_picture(cell: Cell, steps: Sequence[Step], names: Sequence[str], width: int) -> RenderableType:
    """Return a heat map: a column for each symbol, three rows for each gate."""
    column = min(_WIDEST, (width - _LABEL) // len(names))
    labels = {name: label for name, label, *_ in _PARTS[cell]}
    shown = [(centred(name_of(name, column if column >= 5 else 1), column), "bold cyan") for name in names]
    lines = [Text.assemble((f"{'it reads':<{_LABEL}}", "dim"), *shown)]
    for part in _MAPPED[cell]:
        if part not in (_MAPPED[cell][0], "after"):  # the new state stands below what it is made of: that spares a line
            lines.append(Text())
        captions = (labels[part].rsplit(" ", 1)[0], "in %" if part in _GATES else "− to +")
        for unit in range(len(steps[0].after)):
            caption = f"{captions[unit] if unit < 2 else '':<{_LABEL}}"
            tiles = (Text.assemble(_tile(part, _values(step, part)[unit], column - 1), " ") for step in steps)
            lines.append(Text.assemble((caption, "dim" if unit else "bold"), *tiles))
    return Text("\n").join(lines)


def counts_picture(sizes: Iterable[tuple[Cell, int, ParameterCount]], units: int) -> RenderableType:
    """Return how many numbers layers learn, worked out, and how many PyTorch says they do."""
    lines = [_heading("numbers to learn")]
    for cell, inputs, count in sizes:
        gates = count.bias // units
        times = "" if gates == 1 else f"{gates} · "
        lines += [
            Text(f"{cell_name(cell)}, {inputs} inputs, {units} units"),
            Text(f" {times}({inputs}·{units} + {units}·{units} + {units})", style="dim"),
            Text(f" = {count.input} + {count.recurrent} + {count.bias} = ")
            .append(str(count.total), "bold green")
            .append(f"  PyTorch {count.torch}"),
        ]
    return Text("\n").join([*lines, Text(), Text(_PYTORCH, style="dim")])


def beside(left: RenderableType, right: RenderableType) -> RenderableType:
    """Return two pictures side by side, at 80 columns."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=_STEP_WIDTH, no_wrap=True)
    grid.add_column()
    grid.add_row(left, right)
    return grid


def _values(step: Step, name: str) -> Any:
    return {"before": step.before, "after": step.after}.get(name, step.parts.get(name))


def _tile(name: str, value: float, width: int) -> Text:
    return percent_tile(value, width) if name in _GATES else sign_tile(value, width)


def _shown(name: str) -> str:
    return name_of(name, len(name))


def _heading(text: str) -> Text:
    return Text(text, style="bold cyan")


def _number(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
