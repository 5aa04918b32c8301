"""
The one contract between training and inference: a folder that both can read.

    NAME/
      model.safetensors      the weights, fp16 or fp32; in its metadata, as JSON, everything else that `Checkpoint` has
      lexicon.tsv            the words of the corpus: surface, tab, count
      context.safetensors    of text only: word n-grams, the network of words if there is one, its matrices in bytes
                             (`byte_matrix`), and the weights of all; whole numbers as `zlib` deflates them, the lowest bytes of
                             all first, the highest last
      resume.safetensors     only while a training may go on: the trainer's own state, written and read by `training`

A training that has not validated its network yet may have saved the last of these alone. Safetensors hold nothing but numbers,
so loading a stranger's checkpoint runs no code; a checksum tells whether they are those that were written. A reader never sees
half of a checkpoint: a new one is renamed to its place, one that exists is changed one whole file at a time (`atomic`).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from autocomplete.errors import AutocompleteError, CheckpointError
from autocomplete.storage.atomic import (
    clear_leftovers,
    is_temporary,
    place_folder,
    replace_file,
    replace_folder,
    writing,
)
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import deflate, inflate, read_tensors, tensor_bytes
from autocomplete.storage.upgrades import CONTEXT_UPGRADES, FORMAT_VERSION, MODEL_UPGRADES, upgrade
from autocomplete.text.alphabets import Alphabet, alphabet_json, read_alphabet
from autocomplete.text.vocabulary import Vocabulary

__all__ = [
    "RESUME",
    "Checkpoint",
    "check_name",
    "check_place",
    "context_bytes",
    "place_checkpoint",
    "read_checkpoint",
    "read_context",
    "read_lexicon",
    "read_with_lexicon",
    "update_checkpoint",
    "write_checkpoint",
    "write_context",
    "write_resume",
]

MODEL, LEXICON, CONTEXT, RESUME = "model.safetensors", "lexicon.tsv", "context.safetensors", "resume.safetensors"

# What may be raised by a file that is not as it was written.
_DAMAGED = SafetensorError, zlib.error, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and everything that is needed to use it."""

    configuration: Configuration
    vocabulary: Vocabulary
    alphabet: Alphabet
    tensors: Mapping[str, NDArray[Any]] = field(repr=False)  # of the shapes that `configuration` gives, fp16 or fp32
    unit: Literal["words", "text"] = "words"  # each word starts afresh from zeros, or the line before it counts
    corpus: Mapping[str, Any] = field(default_factory=dict)  # what it was trained on, as `Corpus.to_json` tells it
    training: Mapping[str, Any] = field(default_factory=dict)  # the settings of the run
    figures: Mapping[str, Any] = field(default_factory=dict)  # measured at its end, and the prior of the network

    def __post_init__(self) -> None:
        if not 0 < self.network_prior < 1:
            raise CheckpointError(f"the prior of its network is {self.network_prior}, not between 0 and 1")
        if len(self.vocabulary) != self.configuration.vocabulary:
            raise CheckpointError(
                f"the vocabulary has {len(self.vocabulary)} symbols, the configuration {self.configuration.vocabulary}"
            )
        expected = self.configuration.shapes()
        for name in sorted(expected.keys() | self.tensors.keys()):
            if name in self.tensors and self.tensors[name].dtype not in (np.float16, np.float32):
                raise CheckpointError(f"the tensor {name} is of {self.tensors[name].dtype}, not fp16 or fp32")
            found = tuple(self.tensors[name].shape) if name in self.tensors else "missing"
            if found != expected.get(name):
                raise CheckpointError(f"the tensor {name} is {found}, its configuration says {expected.get(name)}")

    @property
    def network_prior(self) -> float:
        """The weight of the network beside the lexicon; one in twenty where it was not tuned."""
        return float(self.figures.get("network_prior", 0.05))

    def metadata(self) -> dict[str, Any]:
        """Return everything but the weights as JSON types."""
        return {
            "format": FORMAT_VERSION,
            "configuration": asdict(self.configuration),
            "vocabulary": list(self.vocabulary.characters),
            "alphabet": alphabet_json(self.alphabet),
            "unit": self.unit,
            "corpus": dict(self.corpus),
            "training": dict(self.training),
            "figures": dict(self.figures),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Return the checkpoint that `metadata` described; raise CheckpointError where the two do not match."""
        known = {parameter.name for parameter in fields(Configuration)}
        return cls(
            configuration=Configuration(**{k: v for k, v in metadata["configuration"].items() if k in known}),
            vocabulary=Vocabulary(metadata["vocabulary"]),
            alphabet=read_alphabet(metadata["alphabet"]),
            tensors=tensors,
            **{part: metadata[part] for part in ("unit", "corpus", "training", "figures")},
        )


def check_place(folder: Path, *, overwrite: bool, size: int) -> None:
    """
    Check that a checkpoint can be written before hours are spent on it, and clear away what killed runs left of theirs.

    :param size: bytes needed.
    :raises CheckpointError: where one exists and `overwrite` is false, or the place cannot be written or is full.
    """
    clear_leftovers(folder)
    check_name(folder, overwrite=overwrite)
    if folder.parent.exists() and not folder.parent.is_dir():
        raise CheckpointError(f"{folder}: cannot be written ({folder.parent} is a file, not a folder); move it away")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
        free = shutil.disk_usage(folder.parent).free
    if free < size:
        raise CheckpointError(
            f"{folder}: needs {size:,} bytes, {free:,} are free; free some space or choose another place"
        )


def check_name(folder: Path, *, overwrite: bool) -> None:
    """Raise CheckpointError where a folder is no checkpoint, or one that may not be replaced."""
    with writing(folder):  # a name may be too long
        names = {path.name for path in folder.iterdir() if not is_temporary(path.name)} if folder.is_dir() else set()
        exists = folder.exists()
    if exists and (not names & {MODEL, RESUME} or names - {MODEL, LEXICON, CONTEXT, RESUME}):
        raise CheckpointError(f"{folder}: exists and is not, or not only, a checkpoint; choose another --name")
    if exists and not overwrite:
        kind = "a checkpoint" if MODEL in names else "an unfinished training"
        go_on = "add --resume to go on with it, or " if RESUME in names else ""
        raise CheckpointError(
            f"{folder}: {kind} of this name exists; {go_on}choose another --name, or add --force to replace it"
        )


def write_checkpoint(
    folder: Path,
    checkpoint: Checkpoint,
    lexicon: Mapping[str, float],
    *,
    overwrite: bool = False,
    others: Mapping[str, bytes] | None = None,
) -> None:
    """
    Write a new checkpoint, whole or not at all.

    :param lexicon: surfaces with their counts; where several surfaces are one word, the first of them is shown.
    :param others: further files of the checkpoint: `CONTEXT`, `RESUME`.
    :raises CheckpointError: where it exists and `overwrite` is false, or cannot be written; what was there stays.
    """
    check_name(folder, overwrite=overwrite)
    # Sorted, as whoever reads it wants it: to sort it again then takes a tenth of the time.
    ordered = sorted(lexicon.items(), key=lambda entry: checkpoint.alphabet.key(entry[0]))
    lines = (f"{surface}\t{str(float(count)).removesuffix('.0')}\n" for surface, count in ordered)
    replace_folder(folder, {MODEL: _model_bytes(checkpoint), LEXICON: "".join(lines).encode(), **(others or {})})


def write_resume(folder: Path, content: bytes, *, overwrite: bool = False) -> None:
    """
    Write, or replace in one step, what a training goes on with, also where it has no checkpoint yet.

    :raises CheckpointError: as `write_checkpoint` does.
    """
    check_name(folder, overwrite=overwrite)
    if folder.exists():
        replace_file(folder / RESUME, content)
    else:
        replace_folder(folder, {RESUME: content})


def place_checkpoint(fresh: Path, folder: Path, *, overwrite: bool) -> None:
    """Rename a checkpoint that was written elsewhere on the same disk; raise CheckpointError as `write_checkpoint` does."""
    check_name(folder, overwrite=overwrite)
    with writing(folder):
        place_folder(fresh, folder)


def write_context(folder: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    """Write, or replace in one step, what a checkpoint knows of words in context; raise CheckpointError where that fails."""
    replace_file(folder / CONTEXT, context_bytes(tensors, metadata))


def context_bytes(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> bytes:
    """Return what a checkpoint knows of words in context, as the content of its file: numbers of few bytes are deflated."""
    small = {name: array for name, array in tensors.items() if array.dtype.kind in "iu" or array.dtype.itemsize == 2}
    deflated = {name: deflate(array) for name, array in small.items()}
    types = {name: array.dtype.str for name, array in small.items()}
    shapes = {name: array.shape for name, array in small.items() if array.ndim != 1}
    return tensor_bytes(
        {**tensors, **deflated}, json.dumps({**metadata, "format": FORMAT_VERSION, "deflated": types, "shapes": shapes})
    )


def read_context(folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Return what a checkpoint knows of words in context, None where it knows nothing; raise CheckpointError for damage."""
    path = folder / CONTEXT
    if not path.exists():
        return None
    with _reading(path):
        tensors, text = read_tensors(path)
        metadata = upgrade({"format": 1, **json.loads(text)}, CONTEXT_UPGRADES)  # once, none was written
        shapes = metadata.pop("shapes", {})
        inflated = {
            name: inflate(tensors[name], dtype).reshape(shapes.get(name, -1))
            for name, dtype in metadata.pop("deflated", {}).items()
        }
        return tensors | inflated, metadata


def update_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the weights and metadata of a checkpoint, in one step; raise CheckpointError where that fails."""
    replace_file(folder / MODEL, _model_bytes(checkpoint))


def _model_bytes(checkpoint: Checkpoint) -> bytes:
    return tensor_bytes(checkpoint.tensors, json.dumps(checkpoint.metadata(), ensure_ascii=False))


def read_checkpoint(folder: Path) -> Checkpoint:
    """
    Read a checkpoint without torch.

    :raises CheckpointError: where it is missing, truncated, of a newer format, or its parts do not match.
    """
    path = folder / MODEL
    if not path.is_file():
        raise CheckpointError(f"{folder}: no {MODEL} in it; give the folder of a checkpoint")
    with _reading(path):
        tensors, text = read_tensors(path)
        return Checkpoint.from_metadata(upgrade(json.loads(text), MODEL_UPGRADES), tensors)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise CheckpointError that says what to do with a file that cannot be read."""
    try:
        yield
    except AutocompleteError as error:
        raise CheckpointError(f"{path}: {error}; upgrade autocomplete, or train it again") from None
    except _DAMAGED as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: damaged ({problem}); train it again, or copy it again") from None


def read_with_lexicon(folder: Path) -> tuple[Checkpoint, dict[str, float]]:
    """
    Return a checkpoint and its lexicon.

    :raises CheckpointError: where one of them is damaged, or there is no lexicon though the corpus had words.
    """
    checkpoint, lexicon = read_checkpoint(folder), read_lexicon(folder)
    if checkpoint.corpus.get("words") and not lexicon:
        raise CheckpointError(f"{folder / LEXICON}: missing or empty; copy the checkpoint again")
    return checkpoint, lexicon


def read_lexicon(folder: Path) -> dict[str, float]:
    """
    Return the surfaces and counts of a checkpoint's lexicon, in the order of the words; nothing where it has none.

    :raises CheckpointError: for a line that is not a word, a tab and a positive count.
    """
    path = folder / LEXICON
    if not path.exists():
        return {}
    try:
        text = path.read_bytes().decode().removesuffix("\n")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not UTF-8 at byte {error.start}; copy the checkpoint again") from None
    # All at once, as the prompt waits for it; line by line only to find what is wrong.
    if not text:
        return {}
    characters = np.frombuffer(text.encode(), dtype=np.uint8)
    marks = characters[(characters == ord("\t")) | (characters == ord("\n"))]
    whole = bool((marks[::2] == ord("\t")).all() and (marks[1::2] == ord("\n")).all())
    fields = text.replace("\n", "\t").split("\t")
    try:
        lexicon = dict(zip(fields[::2], map(float, fields[1::2]), strict=True))
        counts = np.fromiter(lexicon.values(), dtype=np.float64, count=len(lexicon))
        whole = whole and "" not in lexicon and bool((counts > 0).all() and np.isfinite(counts).all())
    except ValueError:
        whole = False
    if not whole:
        number = next(i for i, line in enumerate(text.split("\n"), start=1) if not _is_entry(line))
        raise CheckpointError(f"{path}: line {number} is not a word, a tab and a count; copy it again")
    return lexicon


def _is_entry(line: str) -> bool:
    surface, _, count = line.partition("\t")
    try:
        return bool(surface) and 0 < float(count) < float("inf")
    except ValueError:
        return False
