"""Keystroke savings of accepted suggestions."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["KeysSaved"]


@dataclass
class KeysSaved:
    """The keystroke savings of some lines that were typed, the one that is being typed included."""

    characters: int = 0
    spared: int = 0
    accepted: list[tuple[str, int]] = field(default_factory=list)  # on this line: the line before, and the keys spared

    def accept(self, line: str, characters: int) -> None:
        """Count an acceptance: one key in place of so many characters."""
        self.accepted.append((line, characters - 1))

    def changed(self, line: str) -> None:
        """Drop what was accepted since the line was as it is again: that was undone."""
        undone = [i for i, (before, _) in enumerate(self.accepted) if before == line or not line]
        del self.accepted[undone[0] if undone else len(self.accepted) :]

    def end(self, line: str) -> None:
        """Count a line."""
        self.characters += len(line)
        self.spared += sum(spared for _, spared in self.accepted)

    def saved(self, line: str) -> float:
        """Return the share of the keys that were spared, the line that is being typed included."""
        spared = self.spared + sum(spared for _, spared in self.accepted)
        return max(0.0, min(1.0, spared / max(1, self.characters + len(line))))
