"""Checkpoints, drawn: one with all that it says of itself, or a list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocomplete.checkpoint import Checkpoint, Configuration, read_context

__all__ = ["checkpoint_json", "checkpoint_list", "checkpoint_tables"]


def checkpoint_json(folder: Path, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return everything but the weights, with where it is and how large."""
    return {
        "name": folder.name,
        "folder": str(folder),
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "parameters": checkpoint.configuration.parameters,
        "tensors": {name: list(tensor.shape) for name, tensor in checkpoint.tensors.items()},
        **checkpoint.metadata(),
        "context": _context(folder),
    }


def checkpoint_tables(folder: Path, checkpoint: Checkpoint) -> RenderableType:
    """Return the network layer by layer, the corpus, the settings of the training and what was measured."""
    tensors = Table(title="Network", title_justify="left", title_style="bold")
    for heading in ("tensor", "shape", "parameters"):
        tensors.add_column(heading, justify="left" if heading == "tensor" else "right")
    for name, shape in checkpoint.configuration.shapes().items():
        tensors.add_row(name, " x ".join(map(str, shape)), f"{checkpoint.tensors[name].size:,}")
    tensors.add_section()
    tensors.add_row("all", "", f"{checkpoint.configuration.parameters:,}")
    figures = {name: value for name, value in checkpoint.figures.items() if name != "curve"}
    alphabet = Text(f"{len(checkpoint.vocabulary.characters)} characters: {''.join(checkpoint.vocabulary.characters)}")
    return Group(
        Text(str(folder), style="bold"),
        tensors,
        alphabet,
        _pairs("Corpus", checkpoint.corpus),
        *([_pairs("Words in context", context)] if (context := _context(folder)) else []),
        _pairs("Training", checkpoint.training),
        _pairs("Figures", _flat(figures)),
    )


def checkpoint_list(checkpoints: Mapping[Path, Checkpoint]) -> RenderableType:
    """Return a line for each checkpoint."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("name", "network", "corpus", "bits/char", "folder"):
        table.add_column(heading, no_wrap=heading != "folder", overflow="fold")
    for folder, checkpoint in checkpoints.items():
        sizes = checkpoint.configuration
        bits = checkpoint.figures.get("training", {}).get("bits_per_character")
        table.add_row(
            folder.name,
            f"{sizes.layers} x {sizes.hidden} {sizes.cell.upper()}",
            str(checkpoint.corpus.get("name", "")),
            "" if bits is None else f"{bits:.3f}",
            str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder),
        )
    return table


def _context(folder: Path) -> dict[str, Any]:
    """Return how much a checkpoint of text knows of words in context; nothing where it knows nothing."""
    if (found := read_context(folder)) is None:
        return {}
    tensors, metadata = found
    lengths = range(2, 2 + sum(name.endswith(".words") for name in tensors))
    counts: dict[str, Any] = {f"{n}-grams": len(tensors[f"ngrams.{n}.words"]) for n in lengths}
    if "configuration" in metadata:
        configuration = Configuration(**metadata["configuration"])
        counts |= {f"network {name}": value for name, value in asdict(configuration).items()}
        counts["network parameters"] = configuration.parameters
    return counts


def _pairs(title: str, values: Mapping[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False)
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, list):
            value = ", ".join(map(_short, value))
        shown = f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(name.replace("_", " "), shown)
    return table


def _short(value: Any) -> str:
    """Return a value, or the values of a row in brackets, with few digits."""
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name} {inner}": number for inner, number in _flat(value).items()}
        else:
            flat[name] = value
    return flat
