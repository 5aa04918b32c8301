"""
The speed of training on running text, beside three others: same network, same batches, same machine, one run.

    python benchmarks/text_training.py [CORPUS] [--steps 60]

- A loop in Python that steps one character at a time through an `nn.LSTMCell`, as text books have it: fp32, AdamW.
- PyTorch's own example `word_language_model` (https://github.com/pytorch/examples), adapted to characters: `nn.LSTM` in fp32,
  dropout, clipped gradients, plain SGD, the state carried on.
- The matrix products alone that the recurrent layer needs for a step and its gradients, at the precision that `train` uses:
  what no training can undercut.

`train` reads its corpus, hides characters, clips, takes AdamW's step and yields an event for each; its validations are left
out. Each is timed in turns, and the median of its turns counts. Without a corpus, sentences are drawn from the list of English
words by their counts.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from autocomplete.corpus.corpus import read_corpus
from autocomplete.storage.configuration import Configuration
from autocomplete.training.events import Event, Progress, Started
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

TURNS = 5
WORDS = 400_000  # of the text that is made where none is given


def make_text(path: Path) -> None:
    """Write sentences of English words."""
    corpus = read_corpus([Path(__file__).parent.parent / "corpora" / "english.txt"])
    generator = np.random.default_rng(0)
    drawn = generator.choice(len(corpus.words), WORDS, p=corpus.counts / corpus.counts.sum())
    words = [corpus.words[i] for i in drawn]
    lines = (" ".join(words[i : i + 10]).capitalize() + "." for i in range(0, WORDS, 10))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def seconds_of(step: Callable[[], object], steps: int) -> float:
    """Return the seconds of one step."""
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - started) / steps


def trained(events: Iterator[Event]) -> Callable[[], object]:
    """Return what takes one step of a training."""

    def step() -> None:
        while not isinstance(next(events), Progress):
            pass

    return step


class Cells(nn.Module):
    """One character at a time."""

    def __init__(self, sizes: Configuration) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.embedding)
        self.cell = nn.LSTMCell(sizes.embedding, sizes.hidden)
        self.decoder = nn.Linear(sizes.hidden, sizes.vocabulary)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return (batch, time, vocabulary) logits of (batch, time) ids."""
        state, logits = None, []
        for t in range(inputs.shape[1]):
            state = self.cell(self.embedding(inputs[:, t]), state)
            logits.append(self.decoder(state[0]))
        return torch.stack(logits, dim=1)


class Recipe(nn.Module):
    """The model of the example: time first, dropout before and after."""

    def __init__(self, sizes: Configuration) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.2)
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.embedding)
        self.recurrent = nn.LSTM(sizes.embedding, sizes.hidden)
        self.decoder = nn.Linear(sizes.hidden, sizes.vocabulary)

    def forward(
        self, inputs: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Return (time * batch, vocabulary) log probabilities of (time, batch) ids, and the state after them."""
        outputs, state = self.recurrent(self.dropout(self.embedding(inputs)), state)
        return self.decoder(self.dropout(outputs)).flatten(0, 1).log_softmax(dim=-1), state


def cell_loop(sizes: Configuration, batches: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> Callable[[], object]:
    """Return a step of the loop over cells."""
    model = Cells(sizes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> None:
        inputs, targets = batches()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        optimizer.step()

    return step


def recipe(sizes: Configuration, batches: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> Callable[[], object]:
    """Return a step of the example."""
    model = Recipe(sizes)
    state = (torch.zeros(1, 1, sizes.hidden), torch.zeros(1, 1, sizes.hidden))

    def step() -> None:
        nonlocal state
        inputs, targets = (ids.t().contiguous() for ids in batches())
        model.zero_grad()
        former = tuple(part.detach().expand(1, inputs.shape[1], -1).contiguous() for part in state)
        output, state = model(inputs, former)
        nn.functional.nll_loss(output, targets.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        for parameter in model.parameters():
            parameter.data.add_(parameter.grad, alpha=-1.0)

    return step


def matrix_products(sizes: Configuration, batch: int, time_steps: int, kind: torch.dtype) -> Callable[[], object]:
    """Return the products of the recurrent layer, forward and backward."""
    gates, n = 4 * sizes.hidden, batch * time_steps
    state, gradient = torch.randn(batch, sizes.hidden, dtype=kind), torch.randn(batch, gates, dtype=kind)
    recurrent, inward = torch.randn(gates, sizes.hidden, dtype=kind), torch.randn(gates, sizes.embedding, dtype=kind)
    inputs, states = torch.randn(n, sizes.embedding, dtype=kind), torch.randn(n, sizes.hidden, dtype=kind)
    gradients = torch.randn(n, gates, dtype=kind)

    def step() -> None:
        inputs @ inward.t()  # of all times at once, as its gradients
        for _ in range(time_steps):
            state @ recurrent.t()
        for _ in range(time_steps):
            gradient @ recurrent
        gradients @ inward
        gradients.t() @ inputs
        gradients.t() @ states

    return step


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", type=Path, help="running text of some megabytes")
    parser.add_argument("--steps", type=int, default=12, help="of each, in each turn")
    options = parser.parse_args()
    settings = TrainingSettings(steps=10_000_000)
    with tempfile.TemporaryDirectory() as folder:
        if options.corpus is None:
            options.corpus = Path(folder) / "text.txt"
            make_text(options.corpus)
        events = train(TrainingInputs(read_corpus([options.corpus]), Path(folder) / "speed", settings))
        started = next(event for event in events if isinstance(event, Started))
        sizes, precision = started.configuration, started.precision
        shape, generator = (settings.batch, settings.bptt), torch.Generator().manual_seed(0)

        def batches() -> tuple[torch.Tensor, torch.Tensor]:
            ids = torch.randint(sizes.vocabulary, (shape[0], shape[1] + 1), generator=generator)
            return ids[:, :-1], ids[:, 1:]

        contenders = {
            "train": trained(events),
            "a loop over LSTMCell": cell_loop(sizes, batches),
            "word_language_model": recipe(sizes, batches),
            "matrix products alone": matrix_products(
                sizes, *shape, torch.bfloat16 if precision == "bf16" else torch.float32
            ),
        }
        for step in contenders.values():
            seconds_of(step, 3)  # to warm up
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(TURNS):
            for name, step in contenders.items():
                times[name].append(seconds_of(step, options.steps))
        events.close()
    characters = shape[0] * shape[1]
    ours = characters / statistics.median(times["train"])
    print(
        f"LSTM of {sizes.hidden}, {shape[0]} x {shape[1]} characters a step, {precision}, {torch.get_num_threads()} threads"
    )
    for name, seconds in times.items():
        speed = characters / statistics.median(seconds)
        print(f"{name:24}{speed:10,.0f} characters a second   train / this: {ours / speed:.2f}")


if __name__ == "__main__":
    main()
