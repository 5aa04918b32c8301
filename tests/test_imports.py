"""What may be imported is a promise: the prompt opens at once because nothing that it needs loads torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import autocomplete

PACKAGE = Path(autocomplete.__file__).parent
HEAVY = ("torch", "autocomplete.training")

LIST_MODULES = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""


def loaded(*names: str) -> set[str]:
    """Return the names of all modules in a fresh Python once these were imported."""
    arguments = [sys.executable, "-c", LIST_MODULES, *names]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def reached(names: tuple[str, ...], forbidden: tuple[str, ...]) -> set[str]:
    """Return which of the forbidden packages are loaded along with some modules."""
    return loaded(*names) & set(forbidden)


def modules(room: str) -> tuple[str, ...]:
    """Return the names of all modules in a folder of the package."""
    return tuple(f"autocomplete.{room}.{path.stem}" for path in sorted((PACKAGE / room).glob("[!_]*.py")))


@pytest.mark.parametrize(
    "names",
    [
        ("autocomplete.text", *modules("text")),
        ("autocomplete.storage.checkpoint",),
        ("autocomplete.inference", *modules("inference")),
        *((names,) if (names := modules("evaluation")) else ()),
        ("autocomplete.terminal", "autocomplete.prompt.prompt"),
        ("autocomplete.cli.main",),
    ],
    ids=lambda names: names[0],
)
def test_room_never_loads_torch_or_training(names: tuple[str, ...]) -> None:
    assert reached(names, HEAVY) == set()


def test_the_check_can_fail() -> None:
    assert reached(("autocomplete.training.networks.recurrent",), HEAVY) == set(HEAVY)
    assert reached(("autocomplete.training.settings",), HEAVY) == {"autocomplete.training"}


def test_package_loads_nothing_heavy_until_a_name_is_asked_for() -> None:
    heavy = ("torch", "numpy", "prompt_toolkit", "rich", "safetensors")
    assert reached(("autocomplete",), heavy) == set()
    assert reached(("autocomplete.inference.predictor",), heavy) == {"numpy", "safetensors"}


def test_every_public_name_can_be_had() -> None:
    for name in autocomplete.__all__:
        assert getattr(autocomplete, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        autocomplete.nothing  # noqa: B018


def test_network_in_numpy_needs_no_screen() -> None:
    assert reached(modules("inference"), ("prompt_toolkit", "rich", "autocomplete.terminal")) == set()


def test_session_of_the_prompt_needs_no_toolkit() -> None:
    assert reached(("autocomplete.prompt.session",), ("prompt_toolkit", "rich")) == set()
    assert reached(("autocomplete.prompt.layout",), ("prompt_toolkit",)) == {"prompt_toolkit"}


def test_former_name_of_what_other_programs_import_still_works() -> None:
    from autocomplete import terminal
    from autocomplete.prompt import completion

    assert terminal.RNNAutoSuggest is completion.RNNAutoSuggest
    assert terminal.RNNCompleter is completion.RNNCompleter


def test_training_knows_nothing_of_screens_or_inference() -> None:
    forbidden = ("prompt_toolkit", "autocomplete.terminal", "autocomplete.inference", "autocomplete.cli.main")
    assert reached(modules("training"), forbidden) == set()


def test_optuna_is_loaded_by_a_search_alone() -> None:
    others = tuple(name for name in modules("training") if name.rpartition(".")[2] not in ("sweep", "trials"))
    assert reached(("autocomplete.cli.main", "autocomplete.reports.training", *others), ("optuna",)) == set()
    assert reached(("autocomplete.training.search.sweep",), ("optuna",)) == {"optuna"}


def test_text_imports_no_other_room() -> None:
    rooms = {"autocomplete", "autocomplete.errors", "autocomplete.text", *modules("text")}
    assert {name for name in loaded(*modules("text")) if name.split(".")[0] == "autocomplete"} == rooms
