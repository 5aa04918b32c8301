"""
Draw docs/prompt.svg: start the real prompt in a pseudo-terminal, type, and save its screen.

    python docs/picture.py

pexpect and pyte come with the test dependencies.
"""

import os
import sys
import time
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pexpect
import pyte
from rich.console import Console
from rich.text import Text

TYPED, WORD = "where are you g", "going"
COLUMNS, LINES = 80, 5


def screen_after(typed: str) -> pyte.Screen:
    """Return the screen of a prompt in which a text was typed, once its suggestions are proved."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.Stream(screen)
    environment = os.environ | {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
    prompt = pexpect.spawn(
        sys.executable, ["-m", "autocomplete"], dimensions=(LINES, COLUMNS), encoding="utf-8", env=environment
    )

    def read_until(words: str) -> None:
        while not all(word in "\n".join(screen.display) for word in words.split()):
            stream.feed(prompt.read_nonblocking(4096, timeout=60))

    read_until("exact")
    for key in typed:
        prompt.send(key)
        time.sleep(0.2)  # for each answer to be drawn before the next key
    read_until(f"{WORD} exact")
    with suppress(pexpect.TIMEOUT):  # the rest of the last frame
        while True:
            stream.feed(prompt.read_nonblocking(4096, timeout=1))
    prompt.close(force=True)
    return screen


def as_text(screen: pyte.Screen) -> Text:
    """Return the screen with its colours. The terminal emulator knows no dim; what is italic is the ghost, and dim."""
    text = Text()
    for row in range(LINES):
        for column in range(COLUMNS):
            cell = screen.buffer[row][column]
            colour = "" if cell.fg == "default" else {"brown": "yellow"}.get(cell.fg, cell.fg)
            style = " ".join(filter(None, ["bold" * cell.bold, "dim italic" * cell.italics, colour]))
            at_cursor = (row, column) == (screen.cursor.y, screen.cursor.x)
            text.append(cell.data, style=f"{style} underline".strip() if at_cursor else style)
        text.append("\n")
    text.rstrip()
    return text


def main() -> None:
    """Write the picture."""
    console = Console(width=COLUMNS, record=True, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(as_text(screen_after(TYPED)))
    console.save_svg(str(Path(__file__).with_name("prompt.svg")), title="autocomplete")


if __name__ == "__main__":
    main()
