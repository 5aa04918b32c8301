"""The pictures of the scene `cell`: matrices times vectors, gates in numbers, heat maps, and counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocomplete.demo.drawing import centred, percent_tile, sign_tile, visible

if TYPE_CHECKING:
    from autocomplete.lab.unrolled import ParameterCount, Step, Walk
    from autocomplete.storage.checkpoint import Cell

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
_MAPPED = {
    "lstm": ["forget", "input", "output", "cell", "after"],
    "gru": ["reset", "update", "candidate", "after"],
}
_GATES = ("forget", "input", "output", "reset", "update")  # from 0 to 1


def cell_name(cell: Cell) -> str:
    """Return what a cell is called."""
    return "tanh RNN" if cell == "rnn" else cell.upper()


def step_picture(walk: Walk, time: int, names: Sequence[str], stage: int = 4) -> RenderableType:
    """
    Return one step of a tanh RNN.

    :param names: of the symbols that are read.
    :param stage: what is shown: 1 the letter, 2 the memory, too, 3 the sum, too, 4 the new state, too.
    """
    step = walk.steps[time]
    blocks = [
        _product(
            "Wx", walk.input_weights, "x", step.input, step.parts["letter"], f"what it reads: {_shown(names[time])}"
        ),
        _product(
            "Wh", walk.recurrent_weights, "h", step.before, step.parts["memory"], "what it remembers: the state before"
        ),
        _sum(step, show_state=stage >= 4),
    ]
    return Text("\n").join(line for block in blocks[:stage] for line in [*block, Text()])


def _product(matrix: str, weights: Any, vector: str, inputs: Any, outputs: Any, meaning: str) -> list[Text]:
    """Return the lines of a matrix times a vector."""
    lines = [
        Text(meaning, style="bold cyan"),
        Text(f"{matrix:<27}{vector:<9}{matrix}·{vector}", style="dim"),
    ]
    for i, (row, number, output) in enumerate(zip_longest(weights, inputs, outputs)):
        numbers = "" if row is None else " ".join(map(_number, row))
        lines.append(
            Text.assemble(
                (f"{numbers:<24}", ""),
                ("·  " if i == 1 else "   ", "dim"),
                ("" if number is None else _number(number), "cyan"),
                (" =  " if i == 1 else "    ", "dim"),
                ("" if output is None else _number(output), "bold"),
            )
        )
    return lines


def _sum(step: Step, *, show_state: bool) -> list[Text]:
    """Return the lines of the sum and of its tanh."""
    lines = [
        Text("the new state", style="bold cyan"),
        Text("Wx·x    Wh·h    b       sum     " + ("h' = tanh(sum)" if show_state else ""), style="dim"),
    ]
    columns = zip(*(step.parts[name] for name in ("letter", "memory", "bias", "sum")), step.after, strict=True)
    for letter, memory, bias, total, state in columns:
        line = Text(f"{_number(letter)} + {_number(memory)} + {_number(bias)} = ")
        line.append(_number(total), style="bold")
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
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("what", "how it is computed"):
        table.add_column(heading, no_wrap=True)
    for unit in range(len(step.after)):
        table.add_column(f"unit {unit + 1}", justify="right", no_wrap=True)
    for name, label, equation, meaning in _PARTS[cell]:
        values = _values(step, name)
        style = "bold cyan" if name == "after" else "bold"
        table.add_row(Text(label, style=style), equation, *(Text(_number(value), style=style) for value in values))
        table.add_row("", Text(meaning, style="dim"), *(_tile(name, value, 6) for value in values))
    return Group(Text(f"it reads {_shown(read[-1])}{after}", style="bold cyan"), Text(), table)


def map_picture(cell: Cell, steps: Sequence[Step], names: Sequence[str], width: int) -> RenderableType:
    """Return a heat map: a column for each symbol, three rows for each gate."""
    column = min(_WIDEST, (width - _LABEL) // len(names))
    labels = {name: label for name, label, *_ in _PARTS[cell]}
    shown = [_shown(name) if column >= 5 or len(name) == 1 else "▸" for name in names]
    lines = [
        Text.assemble((f"{'it reads':<{_LABEL}}", "dim"), *((centred(name, column), "bold cyan") for name in shown))
    ]
    for part in _MAPPED[cell]:
        if part not in (
            _MAPPED[cell][0],
            "after",
        ):  # the new state stands right below what it is made of: that spares a line
            lines.append(Text())
        for unit in range(len(steps[0].after)):
            label = (
                labels[part].rsplit(" ", 1)[0]
                if unit == 0
                else ("in %" if part in _GATES else "− to +")
                if unit == 1
                else ""
            )
            tiles = (Text.assemble(_tile(part, _values(step, part)[unit], column - 1), " ") for step in steps)
            lines.append(Text.assemble((f"{label:<{_LABEL}}", "bold" if unit == 0 else "dim"), *tiles))
    return Text("\n").join(lines)


def counts_picture(sizes: Iterable[tuple[Cell, int, ParameterCount]], units: int) -> RenderableType:
    """Return how many numbers layers learn, worked out, and how many PyTorch says they do."""
    lines = [Text("numbers to learn", style="bold cyan")]
    for cell, inputs, count in sizes:
        gates = count.bias // units
        times = "" if gates == 1 else f"{gates} · "
        lines += [
            Text(f"{cell_name(cell)}, {inputs} inputs, {units} units"),
            Text(f" {times}({inputs}·{units} + {units}·{units} + {units})", style="dim"),
            Text.assemble(
                f" = {count.input} + {count.recurrent} + {count.bias} = ",
                (str(count.total), "bold green"),
                f"  PyTorch {count.torch}",
            ),
        ]
    lines += [Text(), Text(_PYTORCH, style="dim")]
    return Text("\n").join(lines)


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
    return visible(name) if len(name) == 1 else name


def _number(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
