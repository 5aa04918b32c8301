"""
Type lines of 200 characters of a text letter by letter and time each answer: five letters and five words.

    python benchmarks/latency.py [--checkpoint english] [--text corpora/README.md] [--lines 30]

Prints the median and the 99th percentile, how often the search proved its answer, and two ratios from the same run: to
one bare step of the network, and to the same search done through torch. BLAS and torch use one thread.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import gc
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from autocomplete.inference.predictor import Predictor
from autocomplete.models.protocol import States, Symbols
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.checkpoint import read_checkpoint, read_context, read_lexicon
from autocomplete.storage.lookup import find_checkpoint
from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.networks.recurrent import CharRNN


class TorchNetwork:
    """The network as a character language model through torch; a state has the batch first, as everywhere."""

    def __init__(self, configuration, tensors) -> None:
        self._model = CharRNN(configuration).eval()
        self._model.load_state_dict({name: torch.from_numpy(value).float() for name, value in tensors.items()})

    def start(self, symbol: int = BOUNDARY) -> States:
        """Return the state after the first symbol."""
        return self._run(torch.tensor([[symbol]]), None)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        state = tuple(torch.from_numpy(array).transpose(0, 1).contiguous() for array in states[1:])
        return self._run(torch.as_tensor(np.asarray(symbols))[:, None], state if len(state) > 1 else state[0])

    def log_probabilities(self, states: States) -> np.ndarray:
        """Return the log of the softmax."""
        with torch.inference_mode():
            return self._model.decoder(torch.from_numpy(states[0])).log_softmax(dim=-1).numpy()

    def _run(self, symbols, state) -> States:
        with torch.inference_mode():
            outputs, state = self._model.recurrent(self._model.embedding(symbols), state)
        parts = state if isinstance(state, tuple) else (state,)
        return (outputs[:, -1].numpy(), *(part.transpose(0, 1).contiguous().numpy() for part in parts))


class TorchPredictor(Predictor):
    """The same predictor with its network run through torch."""

    network = TorchNetwork


def timed(function: Callable[[], object]) -> float:
    """Return the milliseconds that a call takes."""
    started = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - started)


def typed_lines(path: Path, lines: int, length: int) -> list[str]:
    """Return what stands on the line at each key while a text is typed in lines of so many characters."""
    text = " ".join(path.read_text(encoding="utf-8").split())
    whole = [text[start : start + length] for start in range(0, len(text), length)][:lines]
    return [line[:end] for line in whole for end in range(len(line) + 1)]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="english")
    parser.add_argument("--text", type=Path, default=Path(__file__).parents[1] / "corpora" / "README.md")
    parser.add_argument("--lines", type=int, default=30)
    parser.add_argument("--length", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = find_checkpoint(options.checkpoint)
    checkpoint, lexicon, context = read_checkpoint(folder), read_lexicon(folder), read_context(folder)
    lines = typed_lines(options.text, options.lines, options.length)

    network = RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)
    state = network.start()
    step = np.median([timed(lambda: network.log_probabilities(network.step(state, [5]))) for _ in range(2_000)])

    results = {}
    for name, predictor in (
        ("numpy", Predictor(checkpoint, lexicon, context)),
        ("torch", TorchPredictor(checkpoint, lexicon, context)),
    ):
        gc.collect()
        gc.freeze()  # as the prompt does: to look through all that torch brings takes 80 ms, whenever that comes
        times, exact = [], 0
        for line in lines:
            started = time.perf_counter()
            prediction = predictor.predict(line)
            times.append(1000 * (time.perf_counter() - started))
            exact += prediction.exact
        results[name] = np.array(times), exact / len(lines)

    print(f"{folder.name}: {checkpoint.configuration}; {len(lines):,} keys of {options.text.name}")
    print(f"one bare network step: {step:.3f} ms")
    print(f"{'':8}{'median':>9}{'99 %':>9}{'worst':>9}{'/ step':>9}{'exact':>9}")
    for name, (times, exact) in results.items():
        median, high = np.percentile(times, [50, 99])
        print(f"{name:8}{median:9.3f}{high:9.3f}{times.max():9.3f}{median / step:9.1f}{100 * exact:8.2f}%")
    ratios = [np.percentile(results["torch"][0], q) / np.percentile(results["numpy"][0], q) for q in (50, 99)]
    print(f"torch / numpy: {ratios[0]:.1f} at the median, {ratios[1]:.1f} at the 99th percentile")


if __name__ == "__main__":
    main()
