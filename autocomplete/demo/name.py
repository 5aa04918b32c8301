"""Scene `name`: a tanh RNN of two layers, unrolled in time, learns to spell one word, as `autocomplete train` trains it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from autocomplete.demo.drawing import centred, column, curve, name_of, sign_tile, visible, with_way
from autocomplete.demo.inputs import read_word
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.storage.configuration import Configuration
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

__all__ = ["SCENE"]

_HIDDEN, _EMBEDDING, _LAYERS = 8, 4, 2
_LABEL, _ZEROS, _WIDEST = 12, 4, 13  # cells of the names of the rows, of the initial state, and of a column at most
_TILES = 2  # units side by side: the state of eight units is four rows high
# Steps of the training after which there is a picture: many at first, when much changes.
_SHOWN = (1, 2, 3, 5, 8, 12, 17, 23, 30, 38, 47, 58, 70, 85, 100, 125, 150, 200, 250, 300)
_SAMPLES = 5
_SURE = 0.9  # the probability from which an answer counts as learned


@dataclass(frozen=True)
class _Moment:
    """What the network is and does at one moment."""

    step: int
    losses: Sequence[float]
    states: Sequence[Sequence[Sequence[float]]]  # by layer, time and unit; the first of each layer is the initial state
    right: Sequence[float]  # probability of the right answer of each step
    guesses: Sequence[str]  # most probable answer of each step
    samples: Sequence[str]


def _play(word: str, size: Size) -> Iterator[Frame]:
    letters = read_word(word, "name")
    from autocomplete.lab.training import sample_words, train_on_batch, train_on_words
    from autocomplete.lab.unrolled import unroll

    vocabulary = Vocabulary.from_words([letters])
    configuration = Configuration(len(vocabulary), "rnn", _LAYERS, _HIDDEN, _EMBEDDING)
    model, (inputs, targets) = train_on_words(configuration, [letters], vocabulary, steps=0)

    def moment(step: int, losses: Sequence[float]) -> _Moment:
        unrolled = unroll(model, inputs)
        right = unrolled.probabilities[0, range(len(letters) + 1), targets[0]].tolist()
        unrolled.logits[:, :, UNKNOWN] = -math.inf  # no character that could be shown
        best = unrolled.logits[0].argmax(axis=-1).tolist()
        guesses = ["end" if i == BOUNDARY else vocabulary.character(i) for i in best]
        samples = sample_words(model, vocabulary, _SAMPLES, seed=step)
        return _Moment(step, tuple(losses), unrolled.states[:, 0].tolist(), right, guesses, samples)

    losses: list[float] = []
    untrained, columns = moment(0, losses), len(letters) + 1
    for time in range(1, columns + 1) if columns <= 6 else (1, 2, 3, columns):
        yield Frame(_picture(letters, untrained, size, time), _reading(letters, untrained, time), 1.5)
    for step, loss in enumerate(train_on_batch(model, (inputs, targets), _SHOWN[-1]), start=1):
        losses.append(loss)
        if step in _SHOWN:
            now = moment(step, losses)
            yield Frame(_picture(letters, now, size), _learning(letters, now), 0.35)


def _reading(letters: str, moment: _Moment, time: int) -> str:
    """Return what is to be seen while the untrained network reads."""
    if time == 1:
        return (
            "Before the first letter the hidden state of each layer is zeros. It reads the mark where a word starts, and "
            "must guess."
        )
    if time == len(letters) + 1:
        following = visible(letters[1]) if len(letters) > 1 else "end"
        return (
            "Unrolled in time: the same weights at every step. Now it learns: after each letter the right answer is "
            f"the next one, {visible(letters[0])} → {following}."
        )
    guess = moment.guesses[time - 1]
    return (
        f"It reads {visible(letters[time - 2])}. The new state comes from the letter and the state before, which is "
        f"all its memory. Untrained, it guesses {'the end' if guess == 'end' else visible(guess)}."
    )


def _learning(letters: str, moment: _Moment) -> str:
    """Return what is to be seen while it learns."""
    if moment.step < _SHOWN[-1]:
        wrong = sum(guess != right for guess, right in zip(moment.guesses, [*letters, "end"], strict=True))
        verdict = f"{wrong} of {len(letters) + 1} guesses are wrong"
        return (
            "The error runs back through all the arrows, and each weight moves a little to make the right answers "
            f"likelier: {verdict if wrong else 'all guesses are right, and get surer'}."
        )
    unsure = sum(probability <= _SURE for probability in moment.right)
    verdict = f"After {moment.step} steps it is still unsure of {unsure} answers" if unsure else "Learned"
    samples = ", ".join(moment.samples[: 5 if len(letters) < 13 else 3])
    return f"{verdict}. Words that it makes up, each letter drawn from its own answers: {samples}."


def _picture(letters: str, moment: _Moment, size: Size, time: int | None = None) -> RenderableType:
    """Return the unrolled network; of the untrained one, what is computed after some symbols."""
    columns = len(letters) + 1
    time = columns if time is None else time
    width = min(_WIDEST, (size.width - _LABEL - _ZEROS) // columns)
    curve_height = min(6, size.height - 18)
    bar_height = min(6, size.height - 16 - curve_height)
    rows = _progress(moment, size.width, curve_height)
    grid = _Grid(width, time)
    answers = [*letters, "end"]
    found = ["bold green" if guess == right else "red" for guess, right in zip(moment.guesses, answers, strict=True)]
    # No certainty is shown that there is not.
    percents = [f"{min(99, int(100 * p))}{' %' if width >= 5 else ''}" for p in moment.right]
    bars = [column(p, max(1, width - 2), bar_height) for p in moment.right]
    up = grid.letters("", ["↑"] * columns, ["dim"] * columns)
    rows += [
        grid.letters("it guesses", moment.guesses, found),
        grid.letters("should be", answers, ["bold"] * columns),
        grid.row("probability", [Text(centred(percent, width)) for percent in percents]),
        *(grid.row("", [Text(centred(bar[i], width), style="green") for bar in bars]) for i in range(bar_height)),
    ]
    for layer in reversed(range(len(moment.states))):
        rows += [up, *_layer(grid, layer, moment.states[layer])]
    rows += [up, grid.letters("it reads", ["start", *letters], ["bold cyan"] * columns)]
    return Text("\n").join(rows)


def _progress(moment: _Moment, width: int, height: int) -> list[Text]:
    """Return how far the training is, and the curve of the loss."""
    if not moment.losses:
        return [Text("not trained yet: the weights are drawn at random", "dim"), *[Text()] * height]
    first, last = moment.losses[0], moment.losses[-1]
    head = Text(f"step {moment.step:>3}", "bold").append(
        f"   loss {last:.3f} (at first {first:.2f})   it makes up: ", "not bold"
    )
    samples = Text(", ".join(filter(None, moment.samples)), style="italic not bold")
    samples.truncate(width - len(head), overflow="ellipsis")
    rows = curve(moment.losses, width - _LABEL, height, max(moment.losses))
    labels = ["loss", *[""] * (height - 1)]
    lines = [
        Text(f"{label:<{_LABEL}}", "dim").append(row, "yellow not dim") for label, row in zip(labels, rows, strict=True)
    ]
    return [head.append(samples), *lines]


@dataclass(frozen=True)
class _Grid:
    """Rows with a column for each step."""

    width: int  # of a column
    time: int  # number of columns that are computed; the others stay empty

    def row(self, label: str, cells: Sequence[Text], initial: Text | None = None) -> Text:
        """Return a row with its name and, if it has one, the part of the initial state."""
        return Text.assemble((f"{label:<{_LABEL}}", "dim"), initial or Text(" " * _ZEROS), *cells[: self.time])

    def letters(self, label: str, names: Sequence[str], styles: Sequence[str]) -> Text:
        """Return a row of characters, or of what stands for the boundary."""
        shown = [centred(name_of(name, self.width), self.width) for name in names]
        return self.row(label, [Text(name, style=style) for name, style in zip(shown, styles, strict=True)])


def _layer(grid: _Grid, layer: int, states: Sequence[Sequence[float]]) -> list[Text]:
    """Return the rows of one layer: its state at each step, and the way from each to the next."""
    width = 1 if grid.width < 7 else 2 if grid.width < 12 else 3
    rows = []
    for row, label in enumerate(("", f"layer {layer + 1}", "h₀ = zeros", "")):
        units = slice(row * _TILES, (row + 1) * _TILES)
        is_way = row == 1
        cells = [
            with_way(
                [sign_tile(value, width) for value in state[units]],
                grid.width,
                comes=is_way and step > 1,
                goes=is_way and step < grid.time,
            )
            for step, state in enumerate(states[1:], start=1)
        ]
        zeros = "".join(f"{value:.0f}" for value in states[0][units])
        rows.append(grid.row(label, cells, Text.assemble(zeros, ("→ " if is_way else "  ", "dim"))))
    return rows


SCENE = Scene(
    name="name",
    title="a network learns one word, letter by letter",
    about="A small recurrent network (two tanh layers of 8 units) reads a word letter by letter, and after each must say which "
    "letter comes next: for name, n → a, a → m, m → e, and then the end. Each column is one step in time; the arrows to the "
    "right hand its hidden state on. Orange tiles (+) are units near +1, blue ones (−) near −1.",
    hint="Your own name: press w. Then a word in which one letter is followed by different ones, as banana or mississippi: "
    "there the letter alone does not tell what comes next, and the hidden state must. Pause, and step with the arrow keys.",
    equations="""h₁(t) = tanh(W₁·x(t)  + U₁·h₁(t−1) + b₁)  layer 1: the letter, its own past
h₂(t) = tanh(W₂·h₁(t) + U₂·h₂(t−1) + b₂)  layer 2: layer 1, its own past
h₁(0) = h₂(0) = 0                         before anything is read
p(t)  = softmax(V·h₂(t) + c)              a probability for each next letter
loss  = mean over t of −ln p(t)[right]    0 if it is sure of what is right
w     = w − rate · ∂loss/∂w               a step of training, each weight""",
    word="name",
    play=_play,
)
