"""
The command line: its commands, and what a mistake or a signal makes of the exit status.

The commands import what they need when they run, so that the prompt opens without torch.

Exit status: 0 done; 2 a mistake in the arguments or the input, told in one line; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import NoReturn

from autocomplete import __version__
from autocomplete.cli.checkpoints import checkpoints, inspect
from autocomplete.cli.demo import compare, demo
from autocomplete.cli.evaluate import evaluate
from autocomplete.cli.options import Parser
from autocomplete.cli.suggest import fill, suggest
from autocomplete.cli.train import train
from autocomplete.cli.type import type_command
from autocomplete.errors import AutocompleteError
from autocomplete.prompt.renamed import present_option
from autocomplete.storage.signals import INTERRUPTED

__all__ = ["main", "make_parser"]

_COMMANDS = (type_command, train, suggest, fill, evaluate, inspect, checkpoints, compare, demo)
_TAKE_A_LINE = ("suggest", "fill", "demo")  # of words, in one argument


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    # One step of a network is too small to be worth two threads: they cost more than they bring. Read when numpy loads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # an old encoding shall not end the program
            stream.reconfigure(errors="replace")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    arguments[:end] = map(present_option, arguments[:end])
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments.insert(0, "type")
    try:
        options, rest = make_parser().parse_known_args(arguments)
        if rest:
            is_line = options.command in _TAKE_A_LINE and not rest[0].startswith("-")
            quotes = "; put a line of several words in quotes" if is_line else ""
            options.parser.error(f"unrecognized arguments: {' '.join(rest)}{quotes}")
        status = options.run(options)
        sys.stdout.flush()
    except AutocompleteError as error:
        print(f"autocomplete: {' '.join(str(error).split())}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = INTERRUPTED
    except OSError as error:  # of standard output, mostly: the files that a user names have errors of their own
        gone = isinstance(error, BrokenPipeError)  # the reader, as `head` does: no mistake
        if not gone:
            where = error.filename or "standard output"
            print(f"autocomplete: {where}: {error.strerror}; write it elsewhere", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # not to be told again when Python closes it
        status = 0 if gone else 2
    sys.exit(status)


def make_parser() -> Parser:
    """Return the parser of the command line; `run` of what it returns runs the command and returns the exit status."""
    parser = Parser(prog="autocomplete", description="Finish what you type, letter by letter and word by word.")
    parser.add_argument("--version", action="version", version=f"autocomplete {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for add_to in _COMMANDS:
        add_to(commands)
    return parser
