"""Which precisions of the matrix products there are, and which is faster: measured with a run's network before its first step."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch

from autocomplete.errors import SettingsError
from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.training.networks.recurrent import CharRNN, new_recurrent
from autocomplete.training.objectives.lessons import Lesson
from autocomplete.training.optimization import autocast
from autocomplete.training.processes import Processes

__all__ = ["check_bf16", "faster_precision"]

_STEPS = 2  # that are timed in each precision, after one that is not; the faster one counts
_FASTER = 1.15  # times, at least: a gain that is smaller is not worth the rounding, and might be none the next time


def check_bf16(cells: Iterable[Cell], device: torch.device) -> None:
    """Raise SettingsError where torch cannot compute some recurrent layers in bf16: the LSTM on an older processor."""
    for cell in cells:
        layer = new_recurrent(Configuration(3, cell, hidden=8, embedding=8), 0.0).to(device)
        try:
            with autocast(device, "bf16"):
                layer(torch.zeros(1, 1, 8, device=device))
        except RuntimeError:
            name = {"rnn": "a plain RNN", "gru": "a GRU", "lstm": "an LSTM"}[cell]
            raise SettingsError(f"this processor cannot train {name} in bf16; choose --precision fp32") from None


def faster_precision(
    model: CharRNN, lesson: Lesson, generator: np.random.Generator, processes: Processes
) -> Literal["fp32", "bf16"]:
    """
    Return "bf16" where a step in it is clearly faster than in "fp32"; nothing that the run depends on is changed.

    A processor without instructions for bf16 is not asked: there it is slow.
    """
    device = model.device
    if not _multiplies_in_bf16(device):
        return "fp32"
    random, data = generator.bit_generator.state, lesson.tensors()
    seconds = dict.fromkeys(("fp32", "bf16"), float("inf"))
    with torch.random.fork_rng():  # for dropout
        for precision in seconds:
            for step in range(_STEPS + 1):
                started = time.perf_counter()
                lesson.loss(model, precision, 0.0).nats.backward()  # type: ignore[no-untyped-call]
                if device.type == "cuda":
                    torch.cuda.synchronize()
                if step:
                    seconds[precision] = min(seconds[precision], time.perf_counter() - started)
                generator.bit_generator.state = random
                lesson.load(data, device)
    model.zero_grad()
    [gain] = processes.from_first(lambda: [seconds["fp32"] / seconds["bf16"]], 1)
    return "bf16" if gain >= _FASTER else "fp32"


def _multiplies_in_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    processor = torch.cpu.get_capabilities()
    return bool(processor.get("amx_bf16") or processor.get("avx512_bf16"))
