"""The former place of what other prompt_toolkit programs import from `autocomplete.prompt.completion`."""

from autocomplete.prompt.completion import RNNAutoSuggest, RNNCompleter

__all__ = ["RNNAutoSuggest", "RNNCompleter"]
