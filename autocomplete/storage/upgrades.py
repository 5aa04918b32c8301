"""
Upgrade what older versions wrote: the metadata of a checkpoint's files, and fields that have been renamed since.

To change the format, raise FORMAT_VERSION by one and give each table the function for the version before, where one is needed.
A field that is only renamed needs no new format: give both names in RENAMED, and it is read under either.

Tensors tell their layout themselves: n-grams written before 2026-11-22 have a "2.contexts", and `models/word_ngrams.py` reads
both layouts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autocomplete.errors import CheckpointError

__all__ = ["CONTEXT_UPGRADES", "FORMAT_VERSION", "MODEL_UPGRADES", "RENAMED", "Upgrade", "upgrade"]

FORMAT_VERSION = 2

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


def _name_alphabet(metadata: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew one alphabet, and called it a normalization; its form was always NFC."""
    fields = metadata.pop("normalization")
    return metadata | {"alphabet": {"name": "letters"} | {k: v for k, v in fields.items() if (k, v) != ("form", "NFC")}}


# From a version to what makes its metadata that of the next one.
MODEL_UPGRADES: dict[int, Upgrade] = {1: _name_alphabet}
CONTEXT_UPGRADES: dict[int, Upgrade] = {}

# By the part of the metadata, such as "training": former names of its fields, and those of today.
RENAMED: dict[str, dict[str, str]] = {}


def upgrade(metadata: Mapping[str, Any], upgrades: Mapping[int, Upgrade]) -> dict[str, Any]:
    """
    Return metadata as this version writes it, but for its format, which is left out.

    :param metadata: with its "format".
    :param upgrades: the table of its file.
    :raises CheckpointError: where a newer version wrote it.
    """
    result = dict(metadata)
    version = result.pop("format")
    if version > FORMAT_VERSION:
        raise CheckpointError(f"its format is {version}, this version reads up to {FORMAT_VERSION}")
    for number in range(version, FORMAT_VERSION):
        if number in upgrades:
            result = upgrades[number](result)
    for part in RENAMED.keys() & result.keys():
        fields, names = result[part], RENAMED[part]
        today = {name: names.get(name, name) for name in fields}
        result[part] = {today[name]: fields.get(today[name], value) for name, value in fields.items()}
    return result
