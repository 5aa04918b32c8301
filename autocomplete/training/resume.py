"""
The state of a run that may go on: written beside the checkpoint at each validation, deleted when the run is over.

Weights, the optimizer's moments and torch's random state are tensors; the rest is JSON in the metadata. Never a pickle.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from autocomplete.checkpoint import RESUME, replace_file
from autocomplete.errors import CheckpointError
from autocomplete.text.corpus import Corpus
from autocomplete.text.running_text import RunningText
from autocomplete.training.lessons import Lesson
from autocomplete.training.model import CharRNN
from autocomplete.training.settings import TrainingSettings

__all__ = ["RunState", "input_hashes", "load_state", "resumable_settings", "save_state"]


@dataclass
class RunState:
    """All that changes in a run beside weights and optimizer; what a resumed run needs of it."""

    steps: int = 0
    seconds: float = 0.0
    characters: float = 0.0
    training_bits: float = 0.0
    gradient_norm: float = 0.0
    first_bits: float = math.inf
    steps_climbed: int = 0
    best_bits: float = math.inf
    validations_since_best: int = 0
    next_validation: float = 1 / TrainingSettings.validations
    curve: list[tuple[int, float, float]] = field(default_factory=list)


def save_state(
    folder: Path,
    model: CharRNN,
    optimizer: torch.optim.Optimizer,
    generator: np.random.Generator,
    state: RunState,
    settings: TrainingSettings,
    hashes: dict[str, str],
    lesson: Lesson,
) -> None:
    """Write all that a run needs to go on as if it had never stopped; raise CheckpointError where that fails."""
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    tensors |= {f"lesson.{name}": value for name, value in lesson.tensors().items()}
    tensors["random"] = torch.get_rng_state()
    metadata = {
        "settings": settings.to_json(),
        "state": asdict(state),
        "generator": generator.bit_generator.state,
        "hashes": hashes,
    }
    text = {"autocomplete": json.dumps(metadata)}
    replace_file(folder / RESUME, save(tensors, metadata=text))


def load_state(
    folder: Path,
    model: CharRNN,
    optimizer: torch.optim.Optimizer,
    generator: np.random.Generator,
    lesson: Lesson,
) -> RunState:
    """
    Put model, optimizer and random generators back where they were, and return the rest.

    :raises CheckpointError: where the file is damaged or belongs to another network.
    """
    metadata, tensors = _read_resume(folder)
    try:
        model.load_state_dict(_with_prefix(tensors, "model."))
        optimizer_state = optimizer.state_dict()
        for index in range(len(list(model.parameters()))):
            optimizer_state["state"][index] = _with_prefix(tensors, f"optimizer.{index}.")
        optimizer.load_state_dict(optimizer_state)
        lesson.load(_with_prefix(tensors, "lesson."), model.device)
        torch.set_rng_state(tensors["random"])
        generator.bit_generator.state = metadata["generator"]
        return RunState(**metadata["state"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(folder, error) from None


def input_hashes(corpus: Corpus, validation: RunningText | None, background: RunningText | None) -> dict[str, str]:
    """Return a hash of each thing that a resumed run has to be given again."""
    return {"corpus": corpus.sha256, "validation": _hash(validation), "background": _hash(background)}


def resumable_settings(folder: Path, corpus_name: str, hashes: dict[str, str]) -> TrainingSettings:
    """
    Return the settings of the interrupted run in a folder.

    :param hashes: of what is given now.
    :raises CheckpointError: where there is none, it is damaged, or it was given something else.
    """
    if not (folder / RESUME).is_file():
        raise CheckpointError(f"{folder}: no interrupted training here; start one without --resume")
    metadata, _ = _read_resume(folder)
    try:
        for name, other in {
            "corpus": f"began on another corpus than {corpus_name}; give that one",
            "validation": "was measured on another text; give the same --validation, or none",
            "background": "read another background; give the same --background, or none",
        }.items():
            if metadata["hashes"][name] != hashes[name]:
                raise CheckpointError(f"{folder}: its training {other}")
        return TrainingSettings(**metadata["settings"])
    except (KeyError, TypeError) as error:
        raise _damaged(folder, error) from None


def _hash(text: RunningText | None) -> str:
    return hashlib.sha256().hexdigest() if text is None else text.sha256


def _read_resume(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(folder / RESUME, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dictionary
            return json.loads(file.metadata()["autocomplete"]), tensors
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from None


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _damaged(folder: Path, error: Exception) -> CheckpointError:
    problem = (str(error).splitlines() or [type(error).__name__])[0]
    return CheckpointError(f"{folder / RESUME}: damaged ({problem}); delete it, and train again with --force")
