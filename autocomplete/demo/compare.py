"""
A race: six models learn to spell the same words for equally long, and one looks on as their curves fall.

It is `autocomplete compare` (`lab/comparison.py`) on the words that come with the tool, with fewer and smaller models and a
budget of seconds. The budget is by the clock: a busy machine makes the figures worse, not the scene longer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from autocomplete.demo.beginnings import LETTERS, plain_words
from autocomplete.demo.drawing import fitted
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.errors import SettingsError
from autocomplete.reports.comparison import comparison_table, verdict
from autocomplete.reports.comparison_chart import CurvesChart
from autocomplete.storage.checkpoint import read_lexicon
from autocomplete.storage.lookup import DEFAULT, find_checkpoint
from autocomplete.text.alphabets.letters import Letters

if TYPE_CHECKING:
    from autocomplete.lab.comparison import Standing

__all__ = ["SCENE"]

_SECONDS, _LEAST = 16.0, 5.0  # from the first picture to the last, in which torch is loaded, too; for the race at least
_ROUNDS = 10
_LONGEST = 14  # letters of the word


def play(word: str, size: Size) -> Iterator[Frame]:
    """Yield the frames; raise SettingsError for a word that is not spelled in a to z."""
    began = time.monotonic()
    word = _read(word)
    words = [each for each in plain_words(read_lexicon(find_checkpoint(DEFAULT))) if each != word]

    from autocomplete.lab.comparison import Standing, compare
    from autocomplete.lab.contenders import FEW
    from autocomplete.lab.material import words_material
    from autocomplete.training.settings import TrainingSettings

    settings = TrainingSettings(batch=32, bptt=16, warmup=20, learning_rate=0.02)  # small networks stand a high rate
    material = words_material(words)
    each = tuple(Standing(contender) for contender in FEW)
    left = max(_LEAST, _SECONDS - (time.monotonic() - began))
    caption = f"Six models that know nothing yet, {len(words):,} words to learn from. {word} is kept from all of them."
    yield Frame(_picture(each, word, size), caption, 1.0)
    race = compare(material, FEW, left, rounds=_ROUNDS, word=word, settings=settings)
    with closing(race) as events:
        shown = 0
        for standings in events:
            each = standings.each
            if standings.round > shown:
                shown, seconds = standings.round, max(standing.seconds for standing in each)
                caption = "how many bits the letters of words that were never seen cost."
                yield Frame(_picture(each, word, size), f"After {seconds:.1f} s for each: {caption}", 0.3)
    yield Frame(_picture(each, word, size), verdict(each), 4.0)


def _read(word: str) -> str:
    key = Letters().key(word).strip()
    shown = fitted(key, 20).rstrip()
    if not key or not set(key) <= LETTERS:
        problem = f"{shown} is not one word in the letters a to z" if key else "no word is given"
        raise SettingsError(f"{problem}, of which these models learn words; try {SCENE.word}")
    if len(key) > _LONGEST:
        raise SettingsError(f"{shown} has {len(key)} letters; give a word of {_LONGEST} at most")
    return key


def _picture(each: Sequence[Standing], word: str, size: Size) -> RenderableType:
    """Return the curves and, below them, the table."""
    chart = CurvesChart(each, size.height - len(each) - 2)
    return Group(chart, Text(), comparison_table(each, word))


SCENE = Scene(
    name="compare",
    title="a race: RNN, GRU, LSTM, a window, a convolution, a 5-gram",
    about="Six models learn the same words for equally long, one after the other in rounds; a part of the words is held out. The "
    "curves show how many bits a letter of those costs, in the time that each has been trained: the lower, the better it spells. "
    "The table shows how often the next letter was the most probable one or among three, the numbers that were learned, letters "
    "a second in training, what a key costs, and the bits a letter of one word that all of them have never seen.",
    hint="A usual word and an odd one: nation, then rhythm. With your own words, more models and more time: autocomplete compare "
    "CORPUS, where slower networks have the time to pay.",
    equations="bits   = mean of -log2 p(letter | letters before), over held-out words\n"
    "5-gram p = share of the n-gram, less a discount, + what the 4-gram says\n"
    "window p = softmax(V tanh(W [e(x_t-1); e(x_t)] + b) + c)\n"
    "others p = softmax(V h_t + c), h_t of all letters before, or of the last 8\n"
    "rate   = of the optimizer: rises, then falls to 2 % as the time runs out",
    word="triangle",
    play=play,
)
