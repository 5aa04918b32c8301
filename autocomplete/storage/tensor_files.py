"""
Files of tensors: what `safetensors` writes, with metadata and a checksum of all.

A file whose header is whole may be damaged behind it; without the checksum, whatever stands there would be taken for weights.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from autocomplete.errors import CheckpointError

__all__ = ["deflate", "inflate", "named", "read_tensors", "tensor_bytes"]

_METADATA_KEY, _CHECKSUM = "autocomplete", ', "crc32": "'


def tensor_bytes(tensors: Mapping[str, NDArray[Any]], metadata: str) -> bytes:
    """Return the content of a file with tensors and metadata, a JSON object, to which the checksum of all is added."""
    # In the same object: safetensors write several in any order, and the same checkpoint shall be the same bytes.
    text = f'{metadata[:-1]}{_CHECKSUM}{_checksum(tensors, metadata)}"}}'
    return save(dict(tensors), metadata={_METADATA_KEY: text})


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """
    Return the tensors and the metadata of a file, as `tensor_bytes` was given them.

    :raises SafetensorError, OSError: where it cannot be read.
    :raises CheckpointError: where another program wrote it.
    :raises ValueError: where its checksum is wrong; the first files had none.
    """
    with safe_open(path, framework="numpy") as file:
        text = (file.metadata() or {}).get(_METADATA_KEY)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dictionary
    if text is None:
        raise CheckpointError("it was not written by autocomplete")
    start, mark, end = text.rpartition(_CHECKSUM)
    if not mark:
        return tensors, text
    metadata = start + "}"
    if end != _checksum(tensors, metadata) + '"}':
        raise ValueError("its checksum is not that of its content")
    return tensors, metadata


def named(tensors: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Return the tensors whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _checksum(tensors: Mapping[str, NDArray[Any]], metadata: str) -> str:
    """Return the CRC-32 of metadata and of the bytes of all tensors in the order of their names."""
    result = zlib.crc32(metadata.encode())
    for _, tensor in sorted(tensors.items()):
        result = zlib.crc32(np.ascontiguousarray(tensor).reshape(-1).view(np.uint8).data, result)
    return f"{result:08x}"


def deflate(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of numbers, first the lowest of all numbers and at last the highest, deflated."""
    planes = array.astype(array.dtype.newbyteorder("<")).reshape(-1, 1).view(np.uint8).T
    return np.frombuffer(zlib.compress(planes.tobytes()), dtype=np.uint8)


def inflate(deflated: NDArray[np.uint8], dtype: str) -> NDArray[Any]:
    """Return the numbers that were deflated, (numbers,)."""
    whole = np.frombuffer(zlib.decompress(deflated.tobytes()), dtype=np.uint8)
    planes = whole.reshape(np.dtype(dtype).itemsize, -1)
    little = np.dtype(dtype).newbyteorder("<")
    return np.ascontiguousarray(planes.T).reshape(-1).view(little).astype(dtype, copy=False)
