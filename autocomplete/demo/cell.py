"""
Scene `cell`: one step of a recurrent layer in numbers, what gates do over a word, and how many numbers are trained.

The layers are those of `autocomplete train`, of three units each, so that all their numbers fit on the screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from autocomplete.demo.cell_pictures import beside, cell_name, counts_picture, gates_picture, map_picture, step_picture
from autocomplete.demo.drawing import fitted, visible
from autocomplete.demo.inputs import read_word
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from autocomplete.lab.unrolled import Walk

__all__ = ["SCENE"]

_INPUTS, _UNITS = 4, 3
_LARGER = 10  # inputs, to compare
_STEPS = 200  # of training
_WORD = 23  # cells of the word below which all that is said of a network fits into 80
_STAGES = (
    "The letter arrives as 4 numbers, x, that were learned for it. Each of the 3 units weighs them with a row of Wx and adds up.",
    "The memory, h: the 3 hidden units as they were one step before, weighed with Wh. Before the first letter they are zeros.",
    "What the letter brings and what the memory brings are added, and a bias b for each unit.",
    "tanh presses each sum between −1 and 1. That is the new hidden state: from it the next letter is predicted, and it is kept.",
)
_LSTM_STEPS = (
    "An LSTM has a second memory, the cell c. Gates between 0 and 1 say how much of it is kept, let in and shown.",
    "One letter later there is something to keep: the forget gate multiplies the old cell, the input gate what may be let in.",
)
_GRU_STEP = (
    "A GRU has one memory and two gates: reset says how much of it the candidate sees, update how much of it stays."
)
_COUNTS = (
    "Inputs times units, units times units, and a bias for each unit: 12 + 9 + 3 = 24. An LSTM has that four times, a GRU three "
    "times."
)


def _play(word: str, size: Size) -> Iterator[Frame]:
    letters = read_word(word, "cell")
    from autocomplete.lab.unrolled import count_parameters

    names = ["start", *letters]
    rnn, _ = _trained("rnn", letters)
    for stage, caption in enumerate(_STAGES, start=1):
        yield Frame(_of("rnn", letters, step_picture(rnn, 0, names, stage)), caption, 1.2)
    last = min(3, len(letters))
    for time in range(1, last + 1):
        read = visible(letters[time - 1])
        caption = f"It reads {read}, with the same weights. The state that was new is its memory now."
        yield Frame(_of("rnn", letters, step_picture(rnn, time, names)), caption, 0.8)

    lstm, right = _trained("lstm", letters)
    for time in range(min(2, last + 1)):
        gates = gates_picture("lstm", lstm.steps[time], names[: time + 1])
        yield Frame(_of("lstm", letters, gates), _LSTM_STEPS[time], 1.2)
    heat_map = map_picture("lstm", lstm.steps, names, size.width)
    yield Frame(_of("lstm", letters, heat_map), _lstm_map(lstm, right), 1.2)

    gru, right = _trained("gru", letters)
    yield Frame(_of("gru", letters, gates_picture("gru", gru.steps[1], names[:2])), _GRU_STEP, 1.2)
    yield Frame(_of("gru", letters, map_picture("gru", gru.steps, names, size.width)), _gru_map(gru, right), 1.2)

    counted: list[tuple[Cell, int]] = [("rnn", _INPUTS), ("rnn", _LARGER), ("lstm", _INPUTS), ("gru", _INPUTS)]
    sizes = [(cell, inputs, count_parameters(cell, inputs, _UNITS)) for cell, inputs in counted]
    pictures = beside(step_picture(rnn, last, names), counts_picture(sizes, _UNITS))
    yield Frame(_of("rnn", letters, pictures), _COUNTS, 1.2)


def _of(cell: Cell, letters: str, picture: RenderableType) -> RenderableType:
    """Return a picture below the name and the sizes of the network that its numbers come from."""
    word = fitted(letters, _WORD).rstrip()
    network = f"{cell_name(cell)}: {_INPUTS} inputs, {_UNITS} units, trained for {_STEPS} steps on “{word}”"
    return Group(Text(network, "dim"), picture)


def _lstm_map(walk: Walk, right: float) -> str:
    kept, let_in = _percent(walk, "forget"), _percent(walk, "input")
    return (
        f"{_learned(right)} On average the forget gates keep {kept} of the cell, and the input gates let in {let_in}."
    )


def _gru_map(walk: Walk, right: float) -> str:
    kept = _percent(walk, "update")
    return f"{_learned(right)} On average the update gates keep {kept} of the state; the rest is new."


def _learned(right: float) -> str:
    return f"After its training the right next letters get {100 * right:.0f} %."


def _percent(walk: Walk, part: str) -> str:
    return f"{100 * sum(float(step.parts[part].mean()) for step in walk.steps) / len(walk.steps):.0f} %"


def _trained(cell: Cell, letters: str) -> tuple[Walk, float]:
    """Return what a trained layer does over a word, and the mean probability that it gives the right next letters."""
    from autocomplete.lab.training import train_on_words
    from autocomplete.lab.unrolled import unroll, walk

    vocabulary = Vocabulary.from_words([letters])
    configuration = Configuration(len(vocabulary), cell, hidden=_UNITS, embedding=_INPUTS)
    model, (inputs, targets) = train_on_words(configuration, [letters], vocabulary, _STEPS)
    probabilities = unroll(model, inputs).probabilities[0]
    return walk(model, inputs[0]), float(probabilities[range(len(targets[0])), targets[0]].mean())


SCENE = Scene(
    name="cell",
    title="one step in numbers: tanh RNN, LSTM and GRU",
    about="What a recurrent layer computes when one letter arrives, with all its numbers: the letter x, the hidden state before "
    "h, the weights Wx and Wh, the bias b, tanh, and the new state. Then the gates of an LSTM and a GRU, as a heat map over "
    "a word; and last how many numbers each has to learn, worked out, beside what PyTorch counts.",
    hint="Step with the arrow keys, and check a number by hand. Then another word (w): do the gates do something else at a "
    "letter that comes twice? Press e for the equations.",
    equations="""tanh RNN  h' = tanh(Wx·x + Wh·h + b)            letter and memory in −1..1

LSTM      f = σ(Wf·x + Uf·h + bf)               how much of c is kept
          i = σ(Wi·x + Ui·h + bi)               how much is let in
          g = tanh(Wg·x + Ug·h + bg)            what could be let in
          o = σ(Wo·x + Uo·h + bo)               how much is shown
          c' = f·c + i·g,  h' = o·tanh(c')      the cell, and the state

GRU       r = σ(Wr·x + Ur·h + br)               how much of h n sees
          z = σ(Wz·x + Uz·h + bz)               how much of h is kept
          n = tanh(Wn·x + bn + r·(Un·h + b'n))  what could come instead
          h' = z·h + (1 − z)·n                  part kept, part new

σ(x) = 1 / (1 + e^−x), from 0 to 1
numbers to learn = gates · (inputs·units + units·units + units);
gates: 1 (RNN), 4 (LSTM: f, i, g, o), 3 (GRU: r, z, n)""",
    word="name",
    play=_play,
)
