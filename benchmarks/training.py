"""
The speed of training, as a ratio to a bare loop over the same batches: forward, backward, AdamW, nothing else.

    python benchmarks/training.py [CORPUS] [--seconds 20]

The trainer draws words, builds the batch, hides characters, clips gradients, validates, samples and saves; the bare loop has its
tensors prepared. A third figure shows what the tree of prefixes is worth: the same words run one by one in padded batches of
like length, as text books have it. Characters are those of the words drawn, with their boundaries, in all three.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from autocomplete.corpus.corpus import read_corpus
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.training.batching.prefixes import PrefixBatch, Words, WordSampler
from autocomplete.training.events import Progress, Started
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

PREPARED = 32  # batches, gone through again and again


def rate(seconds: float, step: Callable[[int], float]) -> float:
    """Return characters a second over at least so many seconds of steps, after a few to warm up."""
    for i in range(3):
        step(i)
    characters, i, started = 0.0, 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        characters += step(i)
        i += 1
    return characters / (time.perf_counter() - started)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "corpus", nargs="?", type=Path, default=Path(__file__).parent.parent / "corpora" / "english.txt"
    )
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    corpus = read_corpus([options.corpus])
    settings = TrainingSettings(minutes=options.seconds / 60, patience=1_000)
    vocabulary = Vocabulary.from_words(corpus.words)
    words = Words(corpus.words, vocabulary)
    counts = corpus.counts[words.order]
    generator = np.random.default_rng(0)
    draws = [WordSampler(counts, settings.alpha, settings.draws, generator).draw() for _ in range(PREPARED)]
    batches = [PrefixBatch.from_trie(words.trie(rows, weights)) for rows, weights in draws]

    with tempfile.TemporaryDirectory() as folder:
        for event in train(TrainingInputs(corpus, Path(folder) / "speed", settings)):
            if isinstance(event, Started):
                precision = event.precision
            elif isinstance(event, Progress):
                ours = event.characters_per_second

    model = CharRNN(settings.configuration(len(vocabulary)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def take(loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def bare(i: int) -> float:
        batch = batches[i % PREPARED]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = model.over_prefixes(batch)
        chosen = logits.float().log_softmax(dim=-1)[batch.sources, batch.targets]
        take(-(chosen @ batch.weights) / batch.characters)
        return batch.characters

    spelled = [vocabulary.encode(corpus.words[i]) for i in words.order]
    padded = []
    for rows, weights in draws:
        every = sorted(
            (row for row, n in zip(rows, weights, strict=True) for _ in range(int(n))), key=lambda r: len(spelled[r])
        )
        for start in range(0, len(every), 128):
            part = [spelled[row] for row in every[start : start + 128]]
            longest = max(map(len, part)) + 1
            inputs = torch.tensor([[BOUNDARY, *word, *[BOUNDARY] * (longest - len(word) - 1)] for word in part])
            targets = torch.tensor([[*word, BOUNDARY, *[-100] * (longest - len(word) - 1)] for word in part])
            padded.append((inputs, targets, sum(len(word) + 1 for word in part)))

    def one_by_one(i: int) -> float:
        inputs, targets, characters = padded[i % len(padded)]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = model(inputs)
        take(torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-100))
        return characters

    loop = rate(options.seconds, bare)
    padding = rate(options.seconds, one_by_one)
    print(
        f"{settings.cell} of {settings.hidden}, {settings.draws} words a step, {precision}, {torch.get_num_threads()} threads"
    )
    print(f"train:                    {ours:10,.0f} characters a second")
    print(f"bare loop, same batches:  {loop:10,.0f}   train / bare: {ours / loop:.2f}")
    print(f"padded words, bare:       {padding:10,.0f}   train / padded: {ours / padding:.2f}")


if __name__ == "__main__":
    main()
