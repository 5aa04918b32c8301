"""
Finish what is typed, letter by letter and word by word, from a character-level recurrent network.

    from autocomplete import Predictor

    predictor = Predictor.load("english")
    predictor.next_characters("tria", count=5)
    predictor.suggest("my tria", count=5)

Importing this package loads nothing but the names below, each when it is first asked for, and never torch.
`autocomplete.terminal` has what a prompt_toolkit program needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocomplete.errors import AutocompleteError, CheckpointError, CorpusError, SettingsError
    from autocomplete.inference.prediction import NextCharacter, Prediction, Suggestion
    from autocomplete.inference.predictor import Predictor

__version__ = "0.1.0"

__all__ = [
    "AutocompleteError",
    "CheckpointError",
    "CorpusError",
    "NextCharacter",
    "Prediction",
    "Predictor",
    "SettingsError",
    "Suggestion",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "autocomplete.errors" if name.endswith("Error") else "autocomplete.inference.predictor"
    return getattr(import_module(module), name)
