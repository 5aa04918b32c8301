"""
What a checkpoint of a few minutes is worth: bits per character of held-out text, beside a character 5-gram of the same text.

    python benchmarks/first_minutes.py TEXT [--megabytes 1] [--minutes 3]

The first megabytes of a text are taken, and of these the last twentieth of the lines is held out from both. `train` has its
defaults but for the minutes and the marks, which no line loses. All are measured on the same whole lines, the end of each
included: the checkpoint as a predictor uses it, and its network of characters by itself.
"""

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from autocomplete.corpus.corpus import read_corpus
from autocomplete.inference.predictor import Predictor
from autocomplete.models.character_ngrams import CharacterNgrams
from autocomplete.storage.checkpoint import read_checkpoint
from autocomplete.training.events import Started
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.validation import measure_text
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

HELD_OUT = 0.05  # of the lines
MEASURED = 50_000  # characters of those at most, evenly spread


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--megabytes", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--order", type=int, default=5)
    options = parser.parse_args()
    with options.text.open("rb") as file:
        data = file.read(int(options.megabytes * 1e6))
    lines = data.decode(errors="ignore").splitlines()[:-1]
    kept = round(len(lines) * (1 - HELD_OUT))
    settings = TrainingSettings(minutes=options.minutes, steps=None, hurried=0.0)
    with tempfile.TemporaryDirectory() as name:
        folder, paths = Path(name) / "trained", [Path(name) / f"{part}.txt" for part in ("learned", "held_out")]
        for path, part in zip(paths, (lines[:kept], lines[kept:]), strict=True):
            path.write_text("\n".join(part) + "\n", encoding="utf-8")
        started = time.perf_counter()
        corpus = read_corpus(paths[:1])
        for event in train(TrainingInputs(corpus, folder, settings, validation=read_corpus(paths[1:]).text)):
            if isinstance(event, Started):
                sizes, precision = event.configuration, event.precision
        seconds = time.perf_counter() - started
        checkpoint = read_checkpoint(folder)
        predictor = Predictor.load(folder)
    measured = lines[kept :: max(1, sum(map(len, lines[kept:])) // MEASURED)]
    learned, held_out = (
        checkpoint.vocabulary.encode_lines([checkpoint.alphabet.key(line) for line in part])
        for part in (lines[:kept], measured)
    )
    together = -np.concatenate([predictor.score(line)[0] for line in measured]).mean() / math.log(2)
    model = CharRNN(sizes)
    model.load_state_dict({key: torch.from_numpy(value).float() for key, value in checkpoint.tensors.items()})
    network = measure_text(model, held_out)["bits_per_character"]
    started = time.perf_counter()
    ngrams = CharacterNgrams(learned, len(checkpoint.vocabulary), options.order)
    counted = -ngrams.score(held_out)[0].mean() / math.log(2)
    print(
        f"{len(learned):,} characters learned, {len(held_out):,} held out and measured; "
        f"{sizes.cell} of {sizes.hidden}, {precision}, {torch.get_num_threads()} threads"
    )
    print(f"train, {seconds / 60:.1f} minutes   {together:.3f} bits per character; its network alone {network:.3f}")
    print(f"{options.order}-gram, {time.perf_counter() - started:.1f} seconds   {counted:.3f} bits per character")
    print(f"train / {options.order}-gram: {together / counted:.3f}; its network alone {network / counted:.3f}")


if __name__ == "__main__":
    main()
