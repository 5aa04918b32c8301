"""
All that the training of a network needs to go on as if it had never stopped.

Weights, the optimizer's moments and torch's random states are tensors; the rest is JSON, in the metadata of the file. Never a
pickle. On other hardware, or with another number of threads, a training goes on from a snapshot too, but not to the last bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from autocomplete.training.networks.recurrent import CharRNN

__all__ = ["Snapshot"]

_METADATA_KEY = "autocomplete"


@dataclass(frozen=True)
class Snapshot:
    """A training at one moment."""

    facts: dict[str, Any]  # what JSON can say of it
    tensors: dict[str, Tensor]  # the name tells what a tensor belongs to, then, after a dot, which one it is

    @classmethod
    def take(
        cls,
        model: CharRNN,
        optimizer: torch.optim.Optimizer,
        generator: np.random.Generator,
        facts: Mapping[str, Any],
        **parts: Mapping[str, Tensor],
    ) -> Self:
        """
        Return a training as it is now. The tensors are those of the network itself: use them before the next step.

        :param parts: tensors beside those of the network, under the names that `part` will know.
        """
        random = {"cpu": torch.get_rng_state()}
        if model.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(model.device)
        states = optimizer.state_dict()["state"].items()
        moments = {f"{index}.{name}": value for index, state in states for name, value in state.items()}
        every = {"model": model.state_dict(), "optimizer": moments, "random": random} | parts
        tensors = {f"{part}.{name}": tensor for part, values in every.items() for name, tensor in values.items()}
        return cls({**facts, "generator": generator.bit_generator.state}, tensors)

    def restore(self, model: CharRNN, optimizer: torch.optim.Optimizer, generator: np.random.Generator) -> None:
        """
        Put a network, its optimizer and all random generators back to that moment.

        :raises KeyError, TypeError, ValueError, RuntimeError: where it is the snapshot of another network, or of none.
        """
        model.load_state_dict(self.part("model"))
        state = optimizer.state_dict()
        for index in {name.partition(".")[0] for name in self.part("optimizer")}:
            state["state"][int(index)] = self.part(f"optimizer.{index}")
        optimizer.load_state_dict(state)
        random = self.part("random")
        torch.set_rng_state(random["cpu"])
        if model.device.type == "cuda" and "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"], model.device)
        generator.bit_generator.state = self.facts["generator"]

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of a part, by the names that they have within it."""
        start = f"{name}."
        return {each.removeprefix(start): tensor for each, tensor in self.tensors.items() if each.startswith(start)}

    def to_bytes(self) -> bytes:
        """Return the content of a safetensors file."""
        tensors = {name: tensor.detach().contiguous() for name, tensor in self.tensors.items()}
        return save(tensors, metadata={_METADATA_KEY: json.dumps(self.facts)})

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return what `to_bytes` was asked for; raise ValueError where that is damaged."""
        try:
            # Copies: torch aligns what it allocates, and products of what lies otherwise, as in a file, may round otherwise.
            tensors = {name: tensor.clone() for name, tensor in load(content).items()}
            header = content[8 : 8 + int.from_bytes(content[:8], "little")]  # as safetensors files begin
            return cls(json.loads(json.loads(header)["__metadata__"][_METADATA_KEY]), tensors)
        except (SafetensorError, KeyError, TypeError) as error:
            raise ValueError(str(error)) from None
