"""Matrices in bytes: what they keep of floats, and their products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from autocomplete.storage.byte_matrix import ByteMatrix, dequantize, packed, quantize, unpacked

matrices = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(-100, 100, width=32))


@given(matrices, st.sampled_from([1, 4]))
def test_numbers_are_off_by_half_a_step_of_their_row_at_most(matrix: np.ndarray, step: int) -> None:
    found = ByteMatrix.of(matrix, step)
    assert (found.numbers % step == 0).all()
    units = np.exp2(found.exponents.astype(np.float64))[:, None]
    highest = 127 // step * step * units  # from where on it is off by up to three units, to stay in a byte
    off = np.abs(found.floats() - matrix)
    assert (off <= np.where(np.abs(matrix) > highest, 127 * units - highest, step * units / 2)).all()
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    assert (units <= np.maximum(2 * largest / 127, 2.0**-24)).all()


@given(matrices, st.sampled_from([1, 4]))
def test_what_is_in_bytes_is_in_fp16_without_loss_and_comes_back_as_it_was(matrix: np.ndarray, step: int) -> None:
    kept = ByteMatrix.of(matrix, step).floats()
    np.testing.assert_array_equal(kept.astype(np.float16).astype(np.float32), kept)
    for again in (1, step):
        np.testing.assert_array_equal(ByteMatrix.of(kept.astype(np.float16), again).floats(), kept)


def test_the_largest_numbers_of_fp16_keep_their_sign() -> None:
    matrix = np.array([[65504.0, -65504.0]])  # a little more than 127 times the highest power of two
    np.testing.assert_array_equal(ByteMatrix.of(matrix).floats(), [[127 * 512.0, -127 * 512.0]])


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (1000, 300), (3, 200_000)])  # smaller and larger than a block
@pytest.mark.parametrize("batch", [1, 4])
def test_products_and_rows_are_those_of_the_floats(shape: tuple[int, int], batch: int) -> None:
    generator = np.random.default_rng(1)
    matrix = ByteMatrix.of(generator.normal(0, 0.1, shape))
    vectors = generator.normal(0, 1, (batch, shape[1])).astype(np.float32)
    expected = vectors.astype(np.float64) @ matrix.floats().T.astype(np.float64)
    np.testing.assert_allclose(matrix.times(vectors), expected, rtol=0, atol=1e-3 * np.sqrt(shape[1] / 300))
    rows = generator.integers(0, shape[0], 3)
    np.testing.assert_array_equal(matrix.take(rows), matrix.floats()[rows])


def test_tensors_go_into_a_file_and_come_back() -> None:
    generator = np.random.default_rng(2)
    tensors = {"weight": generator.normal(0, 0.1, (4, 6)), "bias": generator.normal(0, 0.1, 4).astype(np.float16)}
    arrays = packed(quantize(tensors))
    assert {name: array.dtype for name, array in arrays.items()} == {
        "weight": np.int8,
        "weight.exponents": np.int8,
        "bias": np.float16,
    }
    back = dequantize(unpacked(arrays))
    np.testing.assert_array_equal(back["weight"], ByteMatrix.of(tensors["weight"]).floats())
    np.testing.assert_array_equal(back["bias"], tensors["bias"])


@pytest.mark.parametrize("exponents", [np.zeros(3, np.int8), np.zeros(4, np.float32), np.zeros((4, 1), np.int8)])
def test_exponents_that_are_not_those_of_the_rows_are_told(exponents: np.ndarray) -> None:
    with pytest.raises(ValueError, match="weight is no matrix in bytes"):
        unpacked({"weight": np.zeros((4, 6), np.int8), "weight.exponents": exponents})
