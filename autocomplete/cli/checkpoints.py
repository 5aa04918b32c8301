"""The commands `inspect` and `checkpoints`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from autocomplete.cli.options import JSON, checkpoint_name, command, option, print_result
from autocomplete.errors import AutocompleteError, SettingsError

__all__ = ["checkpoints", "inspect"]


@command(
    "inspect",
    option("checkpoint", nargs="?", help="name or folder (default: english)"),
    JSON,
    option("--plot", type=Path, metavar="FILE.svg", help="draw the curve of its training as a picture too"),
)
def inspect(options: Namespace) -> int:
    """Show what a checkpoint says of itself."""
    from autocomplete.reports.checkpoints import CurveChart, checkpoint_json, checkpoint_tables
    from autocomplete.reports.output import refuse_unwritable, write_picture
    from autocomplete.storage.checkpoint import read_with_lexicon
    from autocomplete.storage.lookup import find_checkpoint

    folder = find_checkpoint(checkpoint_name(options))
    checkpoint, lexicon = read_with_lexicon(folder)
    if options.plot is not None:
        refuse_unwritable(options.plot, "--plot", ".svg")
        if len(curve := checkpoint.figures.get("curve", [])) < 2:
            raise SettingsError(f"{folder}: has no curve of two validations or more; leave out --plot")
        write_picture(CurveChart(curve), f"autocomplete inspect {folder.name}", options.plot, "--plot")
    fields = checkpoint_json(folder, checkpoint, lexicon)
    print_result(options, fields, checkpoint_tables(folder, checkpoint, lexicon))
    return 0


@command("checkpoints")
def checkpoints(options: Namespace) -> int:
    """List the checkpoints that can be named."""
    from autocomplete.reports.checkpoints import checkpoint_list
    from autocomplete.reports.output import print_report
    from autocomplete.storage.checkpoint import read_checkpoint
    from autocomplete.storage.lookup import list_checkpoints

    found = {}
    for folder in list_checkpoints():
        try:
            found[folder] = read_checkpoint(folder)
        except AutocompleteError as error:  # one that is damaged must not hide the others
            print(f"autocomplete: {error}", file=sys.stderr)
    print_report(checkpoint_list(found))
    return 0
