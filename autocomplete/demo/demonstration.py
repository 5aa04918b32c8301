"""
`autocomplete demo`: which scene is shown, with which word, and how.

On a terminal a scene is played, and without one there is the menu; where nothing can move, a scene is printed.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path

from prompt_toolkit.utils import is_dumb_terminal

from autocomplete.demo.reel import end_process
from autocomplete.demo.scene import Scene, find_scene, list_scenes
from autocomplete.errors import AutocompleteError, SettingsError

__all__ = ["show_demonstration"]

_ANY_WORD = "name"  # the scene that a word is shown in where no scene is named
_NEAR = 0.85  # how much a word is like the name of a scene, from 0 to 1, to be taken for a slip


def show_demonstration(scene: str | None, word: str | None, *, explain: bool = False, svg: Path | None = None) -> int:
    """
    Show a scene, or the menu; return the exit status.

    :param scene: its name, or a word for the scene that takes any.
    :param word: that the scene shows in place of its own.
    :param explain: show the equations, too.
    :param svg: a file for the scene's picture; then nothing is played.
    :raises AutocompleteError: for a word that a scene cannot show, or a file that cannot be written.
    """
    if scene is None:
        if svg is not None:
            raise SettingsError(f"--svg draws one scene; name it: autocomplete demo {_ANY_WORD} --svg {svg}")
        return _show_menu(explain)
    chosen, word = _choose(scene, word)
    if svg is not None or not _can_move():
        from autocomplete.demo.still import print_still

        print_still(chosen, word, explain=explain, svg=svg)
        return 0
    from autocomplete.demo.stage import play_scene

    return end_process(play_scene(chosen, word, explain=explain))


def _choose(name: str, word: str | None) -> tuple[Scene, str]:
    """Return a scene and its word."""
    if (scene := find_scene(name)) is not None:
        return scene, scene.word if word is None else word
    names = [scene.name for scene in list_scenes()]
    if word is not None:
        raise SettingsError(f"there is no scene {name!r}; there are {', '.join(names)}; put a sentence in quotes")
    if near := get_close_matches(name, names, n=1, cutoff=_NEAR):
        raise SettingsError(
            f"there is no scene {name!r}; is it {near[0]}? To see the word learned: autocomplete demo {_ANY_WORD} {name}"
        )
    scene = find_scene(_ANY_WORD)
    assert scene is not None
    return scene, name


def _show_menu(explain: bool) -> int:
    from autocomplete.demo.menu import Choice, choose_scene, list_commands
    from autocomplete.demo.stage import play_scene

    scenes = list_scenes()
    if not _can_move():
        print(list_commands(scenes))
        return 0
    choice, message, status = Choice(0), "", 0
    while status == 0 and (choice := choose_scene(scenes, choice.place, message)).status is None:
        scene, message = scenes[choice.place], ""
        try:
            status = play_scene(scene, scene.word, explain=explain)
        except AutocompleteError as error:
            message = str(error)
    return end_process(status or choice.status or 0)


def _can_move() -> bool:
    """Return whether there is a terminal to play on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not is_dumb_terminal()
