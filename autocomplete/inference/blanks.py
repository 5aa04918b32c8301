"""Parse a line with gaps: `_` for a missing letter, `[ ]` for a missing word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from autocomplete.errors import SettingsError
from autocomplete.text.normalization import is_word_character

__all__ = ["Blank", "read_blanks"]

_GAP = re.compile(r"_+|\[\s*\]")
_LONGEST, _MOST = 1_000, 8  # characters and gaps of a line
_LETTERS = 12  # letters of one gap; with more, the search takes too long


@dataclass(frozen=True)
class Blank:
    """A gap."""

    length: int  # missing letters; 0 for a word of unknown length

    @property
    def kind(self) -> Literal["letters", "word"]:
        """What is missing."""
        return "letters" if self.length else "word"

    def __str__(self) -> str:
        return "_" * self.length or "[ ]"


def read_blanks(line: str) -> list[str | Blank]:
    """
    Return the parts of a line in order: texts, with single spaces, and gaps.

    :raises SettingsError: if the line is too long, has no gap or too many, or a missing word right beside letters.
    """
    line = re.sub(r"\s+", " ", _GAP.sub(lambda gap: gap[0] if gap[0][0] == "_" else "[ ]", line)).strip()
    if len(line) > _LONGEST:
        raise SettingsError(f"the line has {len(line):,} characters; give one of {_LONGEST:,} at most")
    parts: list[str | Blank] = []
    end = 0
    for gap in _GAP.finditer(line):
        parts += [line[end : gap.start()]] * (gap.start() > end)
        parts.append(Blank(len(gap[0]) if gap[0][0] == "_" else 0))
        end = gap.end()
        beside = line[gap.start() - 1 : gap.start()] + line[end : end + 1]
        if gap[0][0] == "[" and any(is_word_character(c) or c in "_[" for c in beside):
            raise SettingsError(
                f"[ ] is a missing word in {_shown(line)}; put a space between it and the letters beside it"
            )
        if len(gap[0]) > _LETTERS:
            raise SettingsError(
                f"{len(gap[0])} letters are missing in a row; give {_LETTERS} at most, or [ ] for a whole word"
            )
    parts += [line[end:]] * (end < len(line))
    gaps = sum(isinstance(part, Blank) for part in parts)
    if not gaps:
        example = 'write _ for a missing letter and [ ] for a missing word, as in "na_e"'
        raise SettingsError(f"no gap in {_shown(line)}; {example}")
    if gaps > _MOST:
        raise SettingsError(f"{gaps} gaps in {_shown(line)} are too many; leave out some, {_MOST} are allowed")
    return parts


def _shown(line: str) -> str:
    return repr(line if len(line) <= 40 else line[:39] + "…")
