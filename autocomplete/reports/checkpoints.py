"""Checkpoints, drawn: one with all that it says of itself, or a list of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from autocomplete.reports.tables import empty_chart, plain_table
from autocomplete.storage.checkpoint import Checkpoint, read_context
from autocomplete.storage.configuration import Configuration

__all__ = ["CurveChart", "checkpoint_json", "checkpoint_list", "checkpoint_tables", "forgotten", "network_name"]


def checkpoint_json(folder: Path, checkpoint: Checkpoint, lexicon: Mapping[str, float]) -> dict[str, Any]:
    """Return everything but the weights, with where it is and how large."""
    return {
        "name": folder.name,
        "folder": str(folder),
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "parameters": checkpoint.configuration.parameters,
        "layers": checkpoint.configuration.layer_parameters(),
        "tensors": {name: list(tensor.shape) for name, tensor in checkpoint.tensors.items()},
        **checkpoint.metadata(),
        "lexicon": len(lexicon),
        "context": _context(read_context(folder)),
    }


def checkpoint_tables(folder: Path, checkpoint: Checkpoint, lexicon: Mapping[str, float]) -> RenderableType:
    """Return the networks layer by layer, the corpus, the settings of the training, what was measured, and the curve."""
    figures = dict(checkpoint.figures)
    curve = figures.pop("curve", [])
    found = read_context(folder)
    networks = {"characters": checkpoint.configuration}
    if found is not None and (words := _word_configuration(found[1])) is not None:
        networks["words"] = words
    characters = checkpoint.vocabulary.characters
    return Group(
        Text(str(folder), style="bold"),
        _layers(networks),
        Text(f"{len(characters)} characters: {''.join(characters)}"),
        _pairs("Corpus", {**checkpoint.corpus, "words_in_the_lexicon": len(lexicon)}),
        *([_pairs("Words in context", context)] if (context := _context(found)) else []),
        _pairs("Training", checkpoint.training),
        _pairs("Figures", _flat(figures)),
        *forgotten(figures),
        *([CurveChart(curve)] if len(curve) > 1 else []),
    )


def forgotten(figures: Mapping[str, Any]) -> list[Text]:
    """Return a line on how much a fine-tuned network lost of what it knew; nothing for one that began untrained."""
    if "from" not in figures:
        return []
    origin = figures["from"]
    name, before, after, unit = origin["name"], origin["before"], origin["after"], f"a {origin['unit']}"
    if after < before:
        return [Text(f"nothing forgotten of {name}: {before:.2f} bits {unit} became {after:.2f}")]
    return [Text(f"forgotten of {name}: {after - before:.2f} bits {unit} ({before:.2f} to {after:.2f})")]


class CurveChart:
    """
    The curve of a training, as wide as the terminal but no wider than it needs to be.

    :param curve: (step, training bits, held-out bits per character) of each validation; two or more.
    """

    def __init__(self, curve: Sequence[Sequence[float]]) -> None:
        self._curve = curve

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        steps, training, held_out = zip(*self._curve, strict=True)
        plotext = empty_chart(options.max_width, 14)
        plotext.title("bits per character: training ▚, held out •")
        plotext.plot(steps, training, marker="hd")  # which fonts for pictures have, unlike braille
        plotext.scatter(steps, held_out, marker="dot")
        plotext.xticks([steps[round(i * (len(steps) - 1) / 4)] for i in range(5)])
        yield Text.from_ansi(plotext.build())


def checkpoint_list(checkpoints: Mapping[Path, Checkpoint]) -> RenderableType:
    """Return a line for each checkpoint."""
    table = plain_table("name", "network", "corpus", "bits/char")
    table.add_column("folder")
    for column in table.columns:
        column.overflow = "fold"
    for folder, checkpoint in checkpoints.items():
        sizes = checkpoint.configuration
        measured = "held_out" if checkpoint.unit == "text" else "training"  # by which networks are compared
        bits = checkpoint.figures.get(measured, {}).get("bits_per_character")
        table.add_row(
            folder.name,
            network_name(sizes),
            str(checkpoint.corpus.get("name", "")),
            "" if bits is None else f"{bits:.3f}",
            str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder),
        )
    return table


def network_name(sizes: Configuration) -> str:
    """Return what a network is in a few words, such as `2 x 256 LSTM`."""
    return f"{sizes.layers} x {sizes.hidden} {sizes.cell.upper()}{' both ways' * sizes.bidirectional}"


def _layers(networks: Mapping[str, Configuration]) -> Table:
    """Return the sizes of the layers, and how many trained numbers each has."""
    table = Table(title="Network", title_justify="left", title_style="bold")
    for heading in ("of", "layer", "sizes", "parameters"):
        table.add_column(heading, justify="right" if heading == "parameters" else "left")
    for name, network in networks.items():
        for (layer, count), (size, following) in zip(network.layer_parameters().items(), _sizes(network), strict=True):
            table.add_row(name, layer, f"{size:,} → {following:,}", f"{count:,}")
        table.add_section()
    table.add_row("all", "", "", f"{sum(network.parameters for network in networks.values()):,}")
    return table


def _sizes(network: Configuration) -> list[tuple[int, int]]:
    """Return what each layer makes of how much."""
    stack = [(size, network.hidden) for size in [network.embedding, *[network.hidden] * (network.layers - 1)]]
    first, both = (network.vocabulary, network.embedding), 2 * network.hidden
    if network.bidirectional:
        return [first, *stack, *stack, (both, both), (both, both), (both, network.vocabulary)]
    return [first, *stack, (network.hidden, network.vocabulary)]


def _word_configuration(metadata: Mapping[str, Any]) -> Configuration | None:
    """Return the sizes of a checkpoint's network of words, if it has one."""
    return Configuration(**metadata["configuration"]) if "configuration" in metadata else None


def _context(found: tuple[dict[str, Any], dict[str, Any]] | None) -> dict[str, Any]:
    """Return how much a checkpoint of text knows of words in context; nothing where it knows nothing."""
    if found is None:
        return {}
    tensors, metadata = found
    lengths = range(2, 2 + sum(name.endswith(".shares") for name in tensors))
    counts: dict[str, Any] = {f"{n}-grams": len(tensors[f"ngrams.{n}.shares"]) for n in lengths}
    if "rare.same" in tensors:
        counts["rare words"] = len(tensors["rare.same"])
    if (configuration := _word_configuration(metadata)) is not None:
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
