"""
How well a network learns first names, in nats per character of names that it never saw, the end of each name included.

    python benchmarks/names.py NAMES [--seeds 5] [--validate]

NAMES is the list of karpathy/makemore (MIT): 32,032 names, one a line. After a shuffle with seed 42 the last 1,000 are the
test, and nothing is chosen by them: settings were chosen with `--validate`, which leaves the 1,000 before those out as well and
measures them in their place. For scale: a transformer is published with about 1.92, a GRU of 256 reached 1.93. Time is that of
the processor, of all threads.
"""

import argparse
import math
import random
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from autocomplete.corpus.corpus import read_corpus
from autocomplete.storage.checkpoint import read_checkpoint
from autocomplete.training.batching.prefixes import Words
from autocomplete.training.measure import measure
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

SETTINGS = TrainingSettings(
    steps=4_000,
    layers=2,
    hidden=192,
    dropout=0.3,
    weight_decay=0.1,
    draws=512,
    unknown=0.03,
    learning_rate=0.005,
    held_out=0.01,
    patience=1_000,
)
TESTED = 1_000


def nats_per_character(folder: Path, names: list[str]) -> float:
    """Return the mean negative log probability of the characters of names under a checkpoint."""
    checkpoint = read_checkpoint(folder)
    model = CharRNN(checkpoint.configuration)
    model.load_state_dict(
        {name: model.state_dict()[name].new_tensor(value) for name, value in checkpoint.tensors.items()}
    )
    distinct = sorted(set(names))
    words = Words(distinct, checkpoint.vocabulary)
    counts = np.array([names.count(distinct[i]) for i in words.order], dtype=np.float64)
    return measure(model, words, np.arange(len(words))).figures(counts)["bits_per_character"] * math.log(2)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--validate", action="store_true", help="measure names that are not the test's")
    for name in ("steps", "layers", "hidden", "draws"):
        parser.add_argument(f"--{name}", type=int, default=getattr(SETTINGS, name))
    for name in ("dropout", "learning_rate", "weight_decay", "unknown", "held_out"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(SETTINGS, name))
    options = vars(parser.parse_args())
    names = options.pop("names").read_text(encoding="utf-8").split()
    seeds, validate = options.pop("seeds"), options.pop("validate")
    random.Random(42).shuffle(names)
    if validate:
        names = names[:-TESTED]
    learned, tested = names[:-TESTED], names[-TESTED:]
    results = []
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "names.txt").write_text("\n".join(learned) + "\n", encoding="utf-8")
        corpus = read_corpus([Path(place) / "names.txt"])
        for seed in range(seeds):
            settings = TrainingSettings(**{**asdict(SETTINGS), **options, "seed": seed})
            started = time.process_time()
            for _ in train(TrainingInputs(corpus, Path(place) / str(seed), settings)):
                pass
            minutes = (time.process_time() - started) / 60
            results.append(nats_per_character(Path(place) / str(seed), tested))
            print(
                f"seed {seed}: {results[-1]:.4f} nats per character, {minutes:.1f} minutes of the processor", flush=True
            )
    print(f"mean of {seeds}: {statistics.mean(results):.4f}")


if __name__ == "__main__":
    main()
