"""The words of running text, and which of them begin a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autocomplete.text.normalize import Kept, is_word_character

__all__ = ["running_words", "token_words"]

_SPACED = Kept(lambda c: is_word_character(c) or c in "'’")
_ENDING, _CLOSING, _OPENING = frozenset(".!?:…"), "\"')]”’»", frozenset("\"'([“‘«")  # of sentences


def running_words(line: str) -> Iterator[tuple[str, bool]]:
    """
    Yield the words of a line of text, and whether each begins a sentence.

    A word is letters, digits and marks, with apostrophes inside, and has at least one letter.
    """
    begins = True
    for token in line.split():
        found, begins = token_words([token], begins)
        yield from found


def token_words(tokens: Iterable[str], begins: bool) -> tuple[list[tuple[str, bool]], bool]:
    """
    Return the words of some tokens, each with whether it begins a sentence, and whether the next word after them does.

    :param tokens: text without white space.
    :param begins: whether a word would begin a sentence where the first of them stands.
    """
    found = []
    for token in tokens:
        if token.isalpha():
            found.append((token, begins))
            begins = False
            continue
        begins = begins or token[0] in _OPENING
        for word in token.translate(_SPACED).split():
            word = word.strip("'’")
            if any(map(str.isalpha, word)):
                found.append((word, begins))
                begins = False
        begins = begins or token.rstrip(_CLOSING)[-1:] in _ENDING
    return found, begins
