"""The teacher of the English checkpoint: a tiny Llama in a real GGUF file, against the same computed step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from teacher import COMPILER, PROBABLE, Line, Llama, Matrix, Teacher, joined, passages, text_of

from autocomplete.corpus.soft_targets import SoftTargets
from autocomplete.corpus.tokens import OTHER, START
from autocomplete.models.word_ngrams import NGrams
from autocomplete.text.alphabets.letters import Letters
from autocomplete.text.normalization import without_marks
from autocomplete.training.words.context import NumberedWords

WIDTH, HEADS, KEY_HEADS, HEAD, INNER, LAYERS = 16, 4, 2, 4, 24, 2
MERGES = ["t h", "th e", "Ġ the", "T h", "Th e", "c a", "ca t", "Ġ cat", "d o", "do n", "Ġ don", "Ġ I", "Ġ t", "Ġt o"]
LETTERS = [chr(code) for code in [*range(33, 127), *range(161, 173), *range(174, 256)]]
PIECES = [*LETTERS, *(chr(256 + i) for i in range(68)), *(merge.replace(" ", "") for merge in MERGES)]
WORDS = ("cat", "do", "don't", "i", "i'm", "t", "the", "to", "tomorrow")
UNIGRAMS = np.array([0.2, 0.1, 0.15, 0.1, 0.05, 0.08, 0.1, 0.13, 0.09], dtype=np.float32)
NUMBER = {word: number for number, word in enumerate(WORDS, start=2)}


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return (generator.normal(size=shape) * shape[-1] ** -0.5).astype(np.float32)

    found = {"token_embd": drawn(len(PIECES), WIDTH) * 4, "output_norm": 1 + 0.1 * drawn(WIDTH)}
    for layer in range(LAYERS):
        for name, shape in {
            "attn_norm": (WIDTH,),
            "attn_q": (HEADS * HEAD, WIDTH),
            "attn_k": (KEY_HEADS * HEAD, WIDTH),
            "attn_v": (KEY_HEADS * HEAD, WIDTH),
            "attn_output": (WIDTH, HEADS * HEAD),
            "ffn_norm": (WIDTH,),
            "ffn_gate": (INNER, WIDTH),
            "ffn_up": (INNER, WIDTH),
            "ffn_down": (WIDTH, INNER),
        }.items():
            found[f"blk.{layer}.{name}"] = drawn(*shape) + (len(shape) == 1)
    return found


@pytest.fixture(scope="module")
def tiny(weights: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("llama") / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(100.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_token_list(PIECES)
    writer.add_token_merges(MERGES)
    for name, array in weights.items():
        writer.add_tensor(f"{name}.weight", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module", autouse=True)
def _in_bytes() -> Iterator[None]:
    """Have matrices in bytes, whatever the processor is fast at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("teacher.BYTES", True)
        yield


@pytest.fixture(scope="module")
def llama(tiny: Path) -> Llama:
    return Llama(tiny)


def in_bytes(row: np.ndarray) -> np.ndarray:
    """Return the nearest to a row of which all numbers are whole ones up to 127, times the same."""
    scale = np.abs(row).max() / 127
    return np.rint(row / scale) * scale


def product(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return the product of a matrix and a vector, in double precision, but for the bytes of both."""
    return np.array([in_bytes(row.astype(np.float64)) for row in matrix]) @ in_bytes(vector)


def step_by_step(
    weights: dict[str, np.ndarray], ids: list[int], product: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return (time, width) outputs: each head, time and pair by itself, in double precision."""

    def norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x * x).mean() + 1e-5) * weight

    def turned(head: np.ndarray, time: int) -> np.ndarray:
        result = np.empty(HEAD)
        for pair in range(HEAD // 2):
            angle = time * 100.0 ** (-2 * pair / HEAD)
            a, b = head[2 * pair], head[2 * pair + 1]
            result[2 * pair] = a * np.cos(angle) - b * np.sin(angle)
            result[2 * pair + 1] = a * np.sin(angle) + b * np.cos(angle)
        return result

    stream = [weights["token_embd"][i].astype(np.float64) for i in ids]
    for layer in range(LAYERS):
        own = {name.split(".")[2]: w for name, w in weights.items() if name.startswith(f"blk.{layer}.")}
        normed = [norm(x, own["attn_norm"]) for x in stream]
        keys = [
            [turned(head, t) for head in product(own["attn_k"], x).reshape(KEY_HEADS, HEAD)]
            for t, x in enumerate(normed)
        ]
        values = [product(own["attn_v"], x).reshape(KEY_HEADS, HEAD) for x in normed]
        for t, x in enumerate(normed):
            heads = []
            for number, query in enumerate(product(own["attn_q"], x).reshape(HEADS, HEAD)):
                group = number * KEY_HEADS // HEADS
                scores = np.array([turned(query, t) @ keys[s][group] for s in range(t + 1)]) / np.sqrt(HEAD)
                shares = np.exp(scores - scores.max())
                heads.append(sum(share * values[s][group] for s, share in enumerate(shares / shares.sum())))
            stream[t] = stream[t] + product(own["attn_output"], np.concatenate(heads))
        for t, x in enumerate(stream):
            inner = norm(x, own["ffn_norm"])
            gate, up = product(own["ffn_gate"], inner), product(own["ffn_up"], inner)
            stream[t] = x + product(own["ffn_down"], gate / (1 + np.exp(-gate)) * up)
    return np.array([norm(x, weights["output_norm"]) for x in stream])


def test_model_is_a_llama(weights: dict[str, np.ndarray], llama: Llama) -> None:
    # A draw where nothing lies so near to the middle of two bytes that single precision would round it to the other one.
    ids = np.random.default_rng(2).integers(0, len(PIECES), (2, 7))
    with torch.no_grad():
        outputs = llama.read(torch.from_numpy(ids)).numpy()
    for row, found in zip(ids.tolist(), outputs, strict=True):
        np.testing.assert_allclose(found, step_by_step(weights, row, product), atol=1e-4)
        np.testing.assert_allclose(found, step_by_step(weights, row, np.matmul), atol=0.06)  # what the bytes leave out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, by torch
@pytest.mark.skipif(not COMPILER, reason="needs a C++ compiler")
@torch.no_grad()
def test_compiled_teacher_expects_the_same(tiny: Path, taught_by: Teacher) -> None:
    compiled = Teacher(Llama(tiny, compiled=True), WORDS, NGrams(UNIGRAMS, []))
    for text in ("the cat don't", "to the cat to"):
        numbers, places, candidates, shares = taught_by.expect([[taught_by.line(text, hurried=False)]])
        again = compiled.expect([[compiled.line(text, hurried=False)]])
        assert again[:2] == (numbers, places)
        for row, (words, expected) in enumerate(zip(candidates, shares, strict=True)):
            by_word, other = (
                np.bincount(w, s, minlength=20) for w, s in ((words, expected), (again[2][row], again[3][row]))
            )
            # What lies in the middle of two bytes may be rounded to either.
            np.testing.assert_allclose(other, by_word, atol=0.03)


def test_matrix_is_one_in_bytes() -> None:
    generator = np.random.default_rng(2)
    weights, inputs = generator.normal(size=(5, 16)), generator.normal(size=(2, 3, 16))
    weights[0], inputs[0, 0] = 0.0, 0.0
    inputs[0, 1] *= 1_000
    found = Matrix(torch.from_numpy(weights).float())(torch.from_numpy(inputs).float()).numpy()
    assert not found[..., 0].any()
    assert not found[0, 0].any()
    for place in [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]:
        np.testing.assert_allclose(found[place][1:], product(weights[1:], inputs[place]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("in_tiles", "close"), [(False, None), (True, 0.05)])
def test_matrix_is_one_of_floats_where_bytes_are_slow(
    in_tiles: bool, close: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teacher.BYTES", False)
    monkeypatch.setattr("teacher.BFLOAT16", in_tiles)
    weights, inputs = torch.randn(5, 16), torch.randn(2, 3, 16)
    found = Matrix(weights)(inputs)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, inputs @ weights.T, rtol=close, atol=close)


def test_pieces_stand_for_text() -> None:
    assert text_of("Ġcat") == " cat"
    assert text_of("Ã¶") == "ö"
    assert text_of("Ã") is None  # half a character
    assert text_of("<|im_end|>") == "<|im_end|>"


@pytest.fixture(scope="module")
def taught_by(llama: Llama) -> Teacher:
    return Teacher(llama, WORDS, NGrams(UNIGRAMS, []))


def pieces_of(line: Line) -> list[str]:
    return [PIECES[i] for i in line.ids]


def test_lines_are_asked_at_their_words(taught_by: Teacher) -> None:
    line = taught_by.line("The cat. I'm 2 (to) well-known", hurried=False)
    the, cat, me, to = (NUMBER[word] for word in ("the", "cat", "i'm", "to"))
    assert line.numbers == [START, the, cat, START, me, START, to, OTHER, OTHER]
    assert pieces_of(line)[-1] == "Ċ"
    assert [(pieces_of(line)[piece], line.numbers[number]) for piece, number in line.asked] == [
        ("The", the), ("Ġcat", cat), ("ĠI", me), ("Ġ", OTHER),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["The cat don't, to well-known", "The cat. I'm 2 (to) well-known", "(The) cat! The"])
def test_hurried_lines_lose_their_marks_for_the_student_only(taught_by: Teacher, text: str) -> None:
    as_written, hurried = (taught_by.line(text, hurried=each) for each in (False, True))
    assert hurried.ids == as_written.ids
    student = NumberedWords(WORDS, np.ones(len(WORDS))).encode([without_marks(text)], Letters())
    known = [*range(2, len(WORDS) + 2), START, OTHER]
    assert hurried.numbers == [known[number] for number in student.tolist()]
    asked = [[(place, line.numbers[number]) for place, number in line.asked] for line in (as_written, hurried)]
    assert asked[0] == asked[1]


@torch.no_grad()
def test_what_is_expected_is_what_the_model_says(llama: Llama, taught_by: Teacher) -> None:
    """Two passages of one and two lines; pieces that are one word are added up, and those that several begin with divided."""
    texts = [["the cat don't"], ["to the cat", "I the"]]
    asked = [[taught_by.line(text, hurried=False) for text in passage] for passage in texts]
    numbers, places, candidates, shares = taught_by.expect(asked)
    assert [WORDS[number - 2] for number in numbers if number >= 2] == [
        "the",
        "cat",
        "don't",
        "to",
        "the",
        "cat",
        "i",
        "the",
    ]
    found = dict(zip(places, zip(candidates.tolist(), shares.tolist(), strict=True), strict=True))
    assert sorted(found) == [2, 3, 6, 7, 9, 10]  # of the first word of a passage nothing can be known
    for place, prompt, first in [
        (2, "\nthe", False), (3, "\nthe cat", False),
        (6, "\nto", False), (7, "\nto the", False), (9, "\nto the cat\n", True), (10, "\nto the cat\nI", False),
    ]:  # fmt: skip
        ids = llama.tokenizer.encode(prompt).ids
        logits = Matrix(llama.output)(llama.read(torch.tensor([ids])))[0, -1]
        begun = {
            "The": ["the"], "T": ["to", "tomorrow", "t"], "I": ["i", "i'm"], "C": ["cat"], "D": ["do", "don't"],
        } if first else {
            " the": ["the"], " cat": ["cat"], " don": ["don't"], " I": ["i", "i'm"], " to": ["to", "tomorrow"], " t": ["t"],
        }  # fmt: skip
        pieces = [i for i, piece in enumerate(PIECES) if text_of(piece) in begun]
        shares_of = dict.fromkeys(WORDS, 0.0)
        for i, share in zip(pieces, logits[pieces].softmax(dim=0).tolist(), strict=True):
            words = begun[text_of(PIECES[i])]
            weights = [UNIGRAMS[NUMBER[word] - 2] for word in words]
            if share <= PROBABLE:  # is not divided
                weights = [weight == max(weights) for weight in weights]
            for word, weight in zip(words, weights, strict=True):
                shares_of[word] += share * weight / sum(weights)
        expected = dict.fromkeys(WORDS, 0.0)
        for number, share in zip(*found[place], strict=True):
            expected[WORDS[number - 2]] += share
        assert expected == pytest.approx(shares_of, abs=0.001), (place, prompt)


def test_passages_are_lines_in_a_row(taught_by: Teacher) -> None:
    lines = [*(f"the cat {'to ' * (7 * i % 50)}" for i in range(60)), "to " * 200, "...", "", "the cat"]
    read = list(passages(lines, taught_by, np.random.default_rng(0)))
    texts = [
        "".join(filter(None, map(text_of, pieces_of(line)))).replace("\n", "") for passage in read for line in passage
    ]
    assert texts == [line.strip() for line in lines if line.strip(" .")]
    for passage, after in pairwise(read):
        sizes = [len(line.ids) for line in passage]
        assert sum(sizes) < 96 or len(passage) == 1
        assert 1 + sum(sizes) + len(after[0].ids) > 96


def test_parts_are_joined() -> None:
    def part(text: list[int], places: list[int]) -> SoftTargets:
        candidates, shares = np.full((len(places), 2), 2, np.uint16), np.full((len(places), 2), 0.5, np.float16)
        return SoftTargets(WORDS, np.array(text, np.int32), np.array(places), candidates, shares)

    both = joined([part([0, 2, 3], [1, 2]), part([0, 4], [1])])
    assert both.text.tolist() == [0, 2, 3, 0, 4]
    assert both.places.tolist() == [1, 2, 4]
    assert both.candidates.shape == (3, 2)
