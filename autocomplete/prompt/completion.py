"""
Suggestions for any prompt_toolkit program: ghost text, and a completion menu.

    predictor = Predictor.load()
    session = PromptSession(auto_suggest=RNNAutoSuggest(predictor), completer=RNNCompleter(predictor))

Both answer within a millisecond or so, so they need no thread, but may be called from one. They go by the line of the cursor.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from prompt_toolkit.auto_suggest import AutoSuggest, Suggestion
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from autocomplete.inference.offers import THRESHOLD, ghost_text
from autocomplete.inference.predictor import Predictor
from autocomplete.prompt.strip import format_probability

__all__ = ["RNNAutoSuggest", "RNNCompleter"]

# A suggester and a completer usually share a predictor, which serves one thread at a time, and prompt_toolkit may run each
# in a thread. One lock for all costs nothing: a prediction holds the interpreter nearly all its time anyway.
_one_at_a_time = threading.Lock()


class RNNAutoSuggest(AutoSuggest):
    """The rest of the most probable word, at the end of the text, unless that is less probable than the threshold."""

    def __init__(self, predictor: Predictor, threshold: float = THRESHOLD) -> None:
        self._predictor = predictor
        self._threshold = threshold

    def get_suggestion(self, buffer: Buffer, document: Document) -> Suggestion | None:
        """Return the rest of the word, or nothing where no word is probable enough."""
        line = document.current_line_before_cursor
        if not document.is_cursor_at_the_end:
            return None
        with _one_at_a_time:
            prediction = self._predictor.predict(line, count=1)
        ghost = ghost_text(prediction, line, self._threshold)
        return Suggestion(ghost) if ghost else None


class RNNCompleter(Completer):
    """The most probable words, best first, each with its probability; `count` at most."""

    def __init__(self, predictor: Predictor, count: int = 5) -> None:
        self._predictor = predictor
        self._count = count

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield the words that fit at the cursor; what was typed of one stays as it is, only what is missing is inserted."""
        before, after = document.current_line_before_cursor, document.current_line_after_cursor
        with _one_at_a_time:
            prediction = self._predictor.predict(before, self._count, after=after)
        for word in prediction.words:
            # The typed part is not replaced: it may differ from the word's own spelling in more than its length.
            yield Completion(word.insert, display=word.word, display_meta=format_probability(word.probability))
