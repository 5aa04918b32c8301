"""The commands `compare` and `demo`: networks trained to be compared or looked at."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from autocomplete.cli.options import JSON, command, option, print_result
from autocomplete.errors import SettingsError
from autocomplete.storage.signals import INTERRUPTED, stopping_on_interrupt

__all__ = ["compare", "demo"]


@command(
    "compare",
    option("corpus", nargs="+", type=Path, help="a list of words, or text"),
    option("--minutes", type=float, default=5.0, metavar="M", help="for all together (default: 5)"),
    JSON,
    option("--svg", type=Path, metavar="FILE", help="draw the table and the curves as a picture too"),
)
def compare(options: Namespace) -> int:
    """Train networks of all kinds on your words for equally long, and compare them."""
    from rich.console import Console

    from autocomplete.corpus.corpus import read_corpus
    from autocomplete.reports.output import refuse_unwritable
    from autocomplete.reports.progress import reading

    if not 0 < options.minutes < float("inf"):
        raise SettingsError(f"--minutes is {options.minutes:g}; it must be above 0")
    if options.svg is not None:
        refuse_unwritable(options.svg, "--svg", ".svg")
    with reading(Console(stderr=True)) as watch:
        corpus = read_corpus(options.corpus, watch=watch)

    from autocomplete.lab.comparison import compare
    from autocomplete.lab.contenders import CONTENDERS
    from autocomplete.lab.material import read_material
    from autocomplete.reports.comparison import ComparisonDisplay, comparison_json, comparison_report

    material = read_material(corpus)
    with stopping_on_interrupt() as interrupted, ComparisonDisplay(Console(stderr=True)) as display:
        for standings in compare(material, CONTENDERS, 60 * options.minutes, should_stop=interrupted):
            display.show(standings)
    fields = {"corpus": corpus.to_json()} | comparison_json(standings, material, options.minutes)
    print_result(options, fields, comparison_report(standings, material))
    return INTERRUPTED if standings.reason == "interrupted" else 0


def _details() -> str:
    from autocomplete.demo.menu import list_commands
    from autocomplete.demo.scene import list_scenes

    return list_commands(list_scenes())


@command(
    "demo",
    option("scene", nargs="?", help="a scene by its name, or any word to see it learned"),
    option("word", nargs="?", help="a word or a sentence, in quotes, for the scene"),
    option("--explain", action="store_true", help="show the equations, too"),
    option("--svg", type=Path, metavar="FILE", help="draw the scene's last picture into a file"),
    details=_details,
)
def demo(options: Namespace) -> int:
    """Watch how a network learns to spell; without a scene, a menu of them."""
    from autocomplete.demo.demonstration import show_demonstration

    return show_demonstration(options.scene, options.word, explain=options.explain, svg=options.svg)
