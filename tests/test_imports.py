"""What may be imported is a promise: the prompt opens at once because nothing that it needs loads torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import autocomplete

PACKAGE = Path(autocomplete.__file__).parent
SETTINGS = PACKAGE.parent / "pyproject.toml"
HEAVY = ("torch", "autocomplete.training")

LIST_MODULES = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""
CHECK_CONTRACTS = """
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports(config_filename="pyproject.toml", cache_dir=None))
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


def modules(*rooms: str) -> tuple[str, ...]:
    """Return the names of all modules in some folders of the package."""
    return tuple(
        f"autocomplete.{room}.{path.stem}" for room in rooms for path in sorted((PACKAGE / room).glob("[!_]*.py"))
    )


def test_typing_never_loads_torch() -> None:
    rooms = ("text", "storage", "corpus", "models", "inference", "evaluation", "prompt")
    assert reached((*modules(*rooms), "autocomplete.cli.main"), HEAVY) == set()


def test_the_check_can_fail() -> None:
    assert reached(("autocomplete.training.networks.recurrent",), HEAVY) == set(HEAVY)
    assert reached(("autocomplete.training.events", "autocomplete.training.settings"), HEAVY) == {
        "autocomplete.training"
    }


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("text/words.py", "", None),
        ("models/mixture.py", "from autocomplete.inference import search", "A room imports only from those below it"),
        ("reports/output.py", "from autocomplete.prompt import settings", "A room imports only from those below it"),
        ("prompt/commands.py", "import torch", "Typing needs no torch"),
        # Also where it comes from one that may: the names of what is compared are in a room that knows torch.
        ("evaluation/phrases.py", "from autocomplete.training import trainer", "Typing needs no torch"),
    ],
)
def test_contracts_fail_for_an_import_that_breaks_them(
    tmp_path: Path, module: str, line: str, broken: str | None
) -> None:
    shutil.copytree(PACKAGE, tmp_path / "autocomplete", ignore=shutil.ignore_patterns("__pycache__", "checkpoints"))
    shutil.copy(SETTINGS, tmp_path)
    path = tmp_path / "autocomplete" / module
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    arguments = [sys.executable, "-P", "-c", CHECK_CONTRACTS]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment)
    assert (done.returncode == 0) == (broken is None), done.stdout
    assert broken is None or f"{broken} BROKEN" in done.stdout


def test_package_loads_nothing_heavy_until_a_name_is_asked_for() -> None:
    heavy = ("torch", "numpy", "prompt_toolkit", "rich", "safetensors")
    assert reached(("autocomplete",), heavy) == set()
    assert reached(("autocomplete.inference.predictor",), heavy) == {"numpy", "safetensors"}


def test_every_public_name_can_be_had() -> None:
    for name in autocomplete.__all__:
        assert getattr(autocomplete, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        autocomplete.nothing  # noqa: B018


def test_names_for_prompt_toolkit_programs_are_where_they_were() -> None:
    from autocomplete.prompt import completion
    from autocomplete.terminal import RNNAutoSuggest, RNNCompleter

    assert (RNNAutoSuggest, RNNCompleter) == (completion.RNNAutoSuggest, completion.RNNCompleter)


def test_models_and_training_need_no_screen() -> None:
    forbidden = ("prompt_toolkit", "rich")
    assert reached((*modules("models", "inference", "evaluation"), "autocomplete.training.trainer"), forbidden) == set()


def test_session_of_the_prompt_needs_no_toolkit() -> None:
    assert reached(("autocomplete.prompt.session",), ("prompt_toolkit", "rich")) == set()
    assert reached(("autocomplete.prompt.layout",), ("prompt_toolkit",)) == {"prompt_toolkit"}
