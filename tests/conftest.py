"""What several tests share: small checkpoints with random weights, small corpora, and one way to run hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.storage.checkpoint import Checkpoint
from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.text.alphabets.letters import Letters
from autocomplete.text.vocabulary import Vocabulary

# The same examples on every run, and no time limit: a busy machine is no failure.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch use one thread: networks as small as those of the tests are slower on two."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_checkpoint(
    words: Sequence[str],
    cell: Cell = "lstm",
    layers: int = 1,
    hidden: int = 16,
    seed: int = 0,
    *,
    boundary_bias: float = 0.0,
    bidirectional: bool = False,
    figures: Mapping[str, object] | None = None,
) -> Checkpoint:
    """
    Return a checkpoint over the characters of some words whose weights are drawn at random.

    :param boundary_bias: added to the decoder's bias of the boundary: the higher, the shorter the words.
    """
    vocabulary = Vocabulary.from_words(words)
    configuration = Configuration(len(vocabulary), cell, layers, hidden, embedding=8, bidirectional=bidirectional)
    generator = np.random.default_rng(seed)
    # Products of about the size of their factors: larger weights make a chaotic network, where roundings grow to differences.
    tensors = {
        name: generator.normal(0, 1.0 if name.startswith("embedding") else shape[-1] ** -0.5, shape).astype(np.float32)
        for name, shape in configuration.shapes().items()
    }
    tensors["decoder.bias"][0] += boundary_bias
    return Checkpoint(configuration, vocabulary, Letters(), tensors, figures=dict(figures or {}))


@pytest.fixture
def write_corpus(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Return a function that writes a corpus file and returns its path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "corpus.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def make_corpus(write_corpus: Callable[[str | bytes], Path]) -> Callable[[str | bytes], Corpus]:
    """Return a function that makes a corpus of the content of a file."""
    return lambda content: read_corpus([write_corpus(content)])
