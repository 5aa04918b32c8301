"""
What is seen: prompt_toolkit and rich. Only `training_display` and the logs see the events of a training.

    from autocomplete.terminal import RNNAutoSuggest, RNNCompleter  # for any prompt_toolkit program

The names are looked up when they are first used, so that the display of a training does not load prompt_toolkit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocomplete.prompt.completion import RNNAutoSuggest, RNNCompleter

__all__ = ["RNNAutoSuggest", "RNNCompleter"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from autocomplete.prompt import completion

    return getattr(completion, name)
