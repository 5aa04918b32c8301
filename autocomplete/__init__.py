"""
Finish what is typed, letter by letter and word by word, from a character-level recurrent network.

    from autocomplete import Predictor

    predictor = Predictor.load("english")
    predictor.next_characters("tria", count=5)
    predictor.suggest("my tria", count=5)

Importing this package imports neither torch nor prompt_toolkit; `autocomplete.terminal` has what a prompt needs.
"""

from autocomplete.errors import AutocompleteError, CheckpointError, CorpusError, SettingsError
from autocomplete.inference.predictor import NextCharacter, Prediction, Predictor, Suggestion

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
