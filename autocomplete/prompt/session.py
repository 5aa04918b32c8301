"""A session of the prompt without its screen: the settings in force, what is offered, and what the commands do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from autocomplete.errors import AutocompleteError, SettingsError
from autocomplete.inference.engine import Engine, Request
from autocomplete.inference.offers import COUNTS, THRESHOLDS, Answer, Offers, Place
from autocomplete.inference.prediction import Suggestion
from autocomplete.inference.predictor import Predictor
from autocomplete.inference.savings import KeysSaved
from autocomplete.prompt.commands import complete_command, help_text, is_command, parse_command
from autocomplete.prompt.settings import PromptSettings
from autocomplete.prompt.strip import HEIGHTS, Fragments, Status, render_commands, render_demo, render_strip
from autocomplete.storage.lookup import find_checkpoint, list_checkpoints
from autocomplete.text.printable import printable

__all__ = ["Load", "Session"]

Load = Callable[[str], Predictor]


class Session:
    """
    What the prompt knows and offers.

    :param load: makes the predictor of a checkpoint by its name; called on the engine's thread.
    :param place: returns where the cursor is.
    :param redraw: called when there is something new to show.
    :param fail: called with what ended the engine's thread.
    :ivar message: text shown below the line until the line changes.
    :ivar printed: text to print below the line that was just entered.
    """

    def __init__(
        self,
        load: Load,
        settings: PromptSettings,
        place: Callable[[], Place],
        redraw: Callable[[], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self.settings = settings
        self.offers = Offers(settings.threshold)
        self.keys = KeysSaved()
        self.engine = Engine(partial(load, settings.checkpoint), self._receive, self.offers.keep, fail)
        self.message = self.printed = ""
        self.place = place
        self._load, self._redraw = load, redraw
        self._asked: Place | None = None  # of the last request
        self._lines: list[str] = []
        self._checkpoints = [folder.name for folder in list_checkpoints()]

    # The line.

    def begin_line(self) -> None:
        """Take note that a line begins; a message stays, which may have come after the former line was ended."""
        message = self.message
        self.offers.begin()
        self.moved()
        self.message = message

    def moved(self) -> None:
        """Take note that the line or the cursor changed, and of what was answered for that place before."""
        place = self.place()
        self.message = ""
        self.keys.changed(place.line)
        self.offers.edited(place)
        self.offers.recall(place)

    def enter(self) -> bool:
        """Take the line, or do what a command asks for; return whether to leave; raise AutocompleteError for a mistake in it."""
        line = self.place().line
        if is_command(line):
            return self._command(*parse_command(line))
        self._lines.append(line)
        self.keys.end(line)
        return False

    def _command(self, name: str, argument: str) -> bool:
        if name == "help":
            self.printed = help_text(self.settings)
        elif name == "letters":
            self.settings = replace(self.settings, letters=not self.settings.letters)
        elif name == "checkpoint":
            self._use(argument)
        elif name == "save":
            self._save(argument)
        elif name == "count":
            self.settings = replace(self.settings, count=COUNTS.parse(argument, "the count"))
            self._forget()
        elif name == "threshold":
            self.offers.threshold = THRESHOLDS.parse(argument, "the threshold")
            self.settings = replace(self.settings, threshold=self.offers.threshold)
            self._forget()
        return name == "quit"

    def _use(self, checkpoint: str) -> None:
        """Ask another checkpoint from now on, once it is loaded."""
        find_checkpoint(checkpoint)  # which raises at once for a name that there is not

        def done(failure: AutocompleteError | None) -> None:
            if failure is None:
                self.settings = replace(self.settings, checkpoint=checkpoint)
            else:
                self.message = f"still at {self.settings.checkpoint}: {failure}"
            self._forget()
            self._redraw()

        self.engine.use(partial(self._load, checkpoint), done)

    def _save(self, name: str) -> None:
        """Write the lines of this session into a file that is not there yet."""
        path = Path(name)
        try:
            path = path.expanduser()
            with path.open("x", encoding="utf-8", errors="replace") as file:
                file.writelines(line + "\n" for line in self._lines)
        except FileExistsError:
            raise SettingsError(f"{path} exists, and is left as it is; give another name") from None
        except (
            OSError,
            RuntimeError,
            ValueError,
        ) as error:  # RuntimeError: the home of nobody; ValueError: a zero in it
            reason = error.strerror if isinstance(error, OSError) else error
            raise SettingsError(f"{path}: {reason}; give another place") from None
        count = len(self._lines)
        self.printed = f"{count} {'line' if count == 1 else 'lines'} written to {printable(str(path))}"

    def switch_layout(self) -> None:
        """Show the other layout."""
        self.settings = replace(self.settings, layout="strip" if self.settings.layout == "demo" else "demo")

    # Suggestions.

    def ask(self) -> None:
        """Ask for what may be inserted at the cursor, unless that was asked last."""
        place = self.place()
        if place == self._asked or is_command(place.line):
            return
        self._asked = place
        is_drawn, known = self.offers.is_fresh(place), None
        if self.offers.recall(place):
            known = self.offers.newest
            if not is_drawn:
                self._redraw()
        if known is None or known.more is None or self.settings.ahead:
            self._request(place, known)

    def _request(self, place: Place, known: Answer | None = None) -> None:
        settings = self.settings
        self.engine.request(Request(place, settings.count, settings.threshold, settings.ahead, known))

    def _forget(self) -> None:
        """Ask anew. At once, or an answer to what was asked before would come later, and be kept."""
        self.offers.forget()
        self._asked = None
        place = self.place()
        self._request(Place("") if is_command(place.line) else place)

    def _receive(self, answer: Answer) -> None:
        place = self.place()
        if answer.place != place and self.offers.is_fresh(place):
            return  # it comes late, and what is on the screen needs none
        is_drawn = self.offers.newest == replace(answer, more=None) and not answer.more
        self.offers.receive(answer)
        if not is_drawn:
            self._redraw()

    def ghost(self) -> str:
        """Return the ghost text at the cursor."""
        place = self.place()
        if is_command(place.line):
            completions = self._completions()
            return completions[0].insert if len(completions) == 1 else ""
        return self.offers.ghost(place)

    def take(self, by: int) -> Place | None:
        """Return where the cursor is once the next candidate, or the one before, stands there; nothing where there is none."""
        place = self.place()
        taken = self.offers.take(place, by, self._completions() if is_command(place.line) else None)
        if taken is None:
            return None
        remove, insert = taken
        self.keys.accept(place.line, len(insert) - remove)
        return place.replaced(remove, insert)

    def candidate(self, number: int) -> str:
        """Return what a candidate inserts, by its number from 1 on."""
        place = self.place()
        candidates = [] if is_command(place.line) else self.offers.candidates(place)
        return candidates[number - 1].insert if number <= len(candidates) else ""

    def _completions(self) -> list[Suggestion]:
        """Return how the command on the line may go on."""
        place = self.place()
        return [] if place.after else complete_command(place.before, self._checkpoints)

    # What is drawn below the line.

    def strip(self, width: int, editing: str) -> Fragments:
        """Return the lines below the line that is typed, in the layout that is shown."""
        place, newest, settings = self.place(), self.offers.newest, self.settings
        is_demo = settings.layout == "demo"
        status = Status(
            Path(settings.checkpoint).name,
            hints=(f"F2 {'strip' if is_demo else 'demo'}", f"F4 {editing}"),
            message=self.message,
            complete=newest is not None and newest.complete,
            stale=newest is not None and newest.place != place,
        )
        if is_command(place.line):
            names = [completion.word for completion in self._completions()]
            return render_commands(names, status, width=width, height=HEIGHTS[settings.layout])
        words, chosen = self.offers.taken(place) or (None, None)
        if self.offers.is_silent(place) and words is None:
            words = []
        prediction = None if newest is None else newest.prediction
        if prediction is not None and words is not None:
            prediction = replace(prediction, words=tuple(words))
        if is_demo:
            saved = self.keys.saved(place.line)
            return render_demo(prediction, status, width=width, saved=saved, letters=settings.letters, taken=chosen)
        return render_strip(prediction, status, width=width, letters=settings.letters, taken=chosen)
