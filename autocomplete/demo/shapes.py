"""
Scene `shapes`: the shape of every tensor on the way from letters to answers, many-to-many and many-to-one.

The network is that of `autocomplete train`, which learns many-to-many; the prompt asks it many-to-one, after the last letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from autocomplete.demo.drawing import centred, name_of, sign_tile, with_way
from autocomplete.demo.inputs import read_word
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.errors import SettingsError
from autocomplete.storage.configuration import Configuration
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

if TYPE_CHECKING:
    from autocomplete.lab.unrolled import Unrolled

__all__ = ["SCENE"]

_EMBEDDING, _HIDDEN, _LAYERS = 4, 6, 2
_STEPS = 200  # of training
_MOST, _LONGEST = 4, 14  # words, one below the other, and letters of one
_LABEL, _WIDEST = 30, 10  # cells of a name and a shape, and of a column


@dataclass(frozen=True)
class _Tensors:
    """The tensors of one pass."""

    letters: Sequence[Sequence[str]]  # (batch, time) as they are shown
    unrolled: Unrolled
    layers: Sequence[Any]  # each (batch, time, hidden)
    last: Any  # (batch, hidden) the state of the top layer after the last letter of each word
    last_logits: Any  # (batch, vocabulary)
    returned: tuple[
        tuple[int, ...], tuple[int, ...]
    ]  # shapes of what torch returns: the top layer, and all last states
    name: Callable[[int], str]  # returns a symbol as an answer


def _play(word: str, size: Size) -> Iterator[Frame]:
    tensors = _tensors(_words(word))
    batch, time, symbols = tensors.unrolled.logits.shape
    every, last = tensors.returned
    captions = [
        f"A batch: {batch} word{'s' * (batch > 1)} read side by side, in {time} steps of time, one letter of each at a step.",
        f"Each letter becomes {_EMBEDDING} numbers, its features, which are learned: (batch, time, features).",
        f"Layer 1 hands its {_HIDDEN} units on from step to step. It returns a sequence: layer 2 must read a state at each.",
        "Many-to-many: layer 2 returns its sequence, too. So the network is trained: every letter is a lesson.",
        f"The decoder makes of each state a number for each of {symbols} symbols; the highest is the answer, at every step.",
        "Many-to-one: layer 2 returns only the state after the last letter of each word. There is no time in this shape.",
        f"One answer for a word: so the prompt asks, after each key. torch.nn.RNN returns both: every state {every}, "
        f"and the last of each layer {last}.",
    ]
    for stage, caption in enumerate(captions, start=1):
        yield Frame(_picture(tensors, stage, size.width), caption, 2.0)


def _words(text: str) -> list[str]:
    """Return the words of a batch; raise SettingsError where there are none, too many, or too long ones."""
    room = "the scene shapes has room for"
    words = [read_word(word, "shapes") for word in text.split() or [text]]
    if len(words) > _MOST:
        raise SettingsError(f"{room} {_MOST} words, and {text!r} has {len(words)}; leave some out")
    for word in words:
        if len(word) > _LONGEST:
            raise SettingsError(f"{room} {_LONGEST} letters, and {word!r} has {len(word)}; give a shorter word")
    return words


def _tensors(words: Sequence[str]) -> _Tensors:
    """Return the tensors of a pass over some words, after a training on them."""
    from autocomplete.lab.training import train_on_words
    from autocomplete.lab.unrolled import unroll

    vocabulary = Vocabulary.from_words(words)
    configuration = Configuration(len(vocabulary), "rnn", _LAYERS, _HIDDEN, _EMBEDDING)
    model, (inputs, _) = train_on_words(configuration, words, vocabulary, _STEPS)
    unrolled = unroll(model, inputs)
    outputs, state = model.recurrent(model.embedding(inputs))
    longest = max(map(len, words))
    rows, ends = list(range(len(words))), [len(word) for word in words]
    return _Tensors(
        letters=[["start", *word, *["·"] * (longest - len(word))] for word in words],
        unrolled=unrolled,
        layers=[layer[:, 1:] for layer in unrolled.states],  # without the initial state
        last=unrolled.states[-1][:, 1:][rows, ends],
        last_logits=unrolled.logits[rows, ends],
        returned=(tuple(outputs.shape), tuple(state.shape)),
        name=lambda symbol: "end" if symbol == BOUNDARY else vocabulary.character(symbol),
    )


def _picture(tensors: _Tensors, stage: int, width: int) -> RenderableType:
    """
    Return the tensors down to a stage.

    :param stage: 1 letters, 2 embedded, 3 layer 1, 4 layer 2, 5 its answers, 6 the last state, 7 its answer.
    """
    time = len(tensors.letters[0])
    end = max(step for step, letter in enumerate(tensors.letters[0]) if letter != "·")  # of the first word
    column = min(_WIDEST, (width - _LABEL) // time)
    answers = [tensors.name(int(symbol)) for symbol in tensors.unrolled.logits[0].argmax(axis=-1)]
    one = tensors.name(int(tensors.last_logits[0].argmax()))

    def line(name: str, shape: tuple[int, ...], cells: Sequence[Text]) -> Text:
        shown = f"({', '.join(map(str, shape))})"
        return Text.assemble((f" {name:<15}", "bold"), (f"{shown:<{_LABEL - 16}}", "bold green"), *cells)

    def letters(names: Sequence[str], style: str) -> list[Text]:
        return [Text(centred(name_of(name, column - 1), column), style=style) for name in names]

    def states(values: Any, *, joined: bool = True) -> list[Text]:
        return [_state(value, column, goes=joined and step < time - 1) for step, value in enumerate(values)]

    first, *others = tensors.letters
    at_end = [Text(" " * column)] * end
    blocks = [
        [
            Text.assemble((f" {'tensor':<15}{'shape':<{_LABEL - 16}}", "dim"), ("time →", "dim")),
            line("letters", (len(tensors.letters), time), letters(first, "bold cyan")),
            *(Text.assemble(" " * _LABEL, *letters(names, "cyan")) for names in others),
        ],
        [
            _arrow("each letter becomes numbers (from here on, of the first word only)"),
            line("embedded", tensors.unrolled.embedded.shape, states(tensors.unrolled.embedded[0], joined=False)),
        ],
        [
            _arrow("layer 1 reads the features in order, and returns its state at every step"),
            line("layer 1", tensors.layers[0].shape, states(tensors.layers[0][0])),
        ],
        [
            _arrow("many-to-many: layer 2 reads these, and returns its state at every step"),
            line("layer 2", tensors.layers[1].shape, states(tensors.layers[1][0])),
        ],
        [line("answers", tensors.unrolled.logits.shape, letters(answers, "bold yellow"))],
        [
            _arrow("many-to-one: layer 2 returns its state after the last letter only"),
            line("layer 2, last", tensors.last.shape, [*at_end, _state(tensors.last[0], column, goes=False)]),
        ],
        [line("answer", tensors.last_logits.shape, [*at_end, *letters([one], "bold yellow")])],
    ]
    return Text("\n").join(line for block in blocks[:stage] for line in block)


def _arrow(text: str) -> Text:
    return Text.assemble("\n", ("   ↓  ", "bold"), (text, "dim"))


def _state(values: Any, column: int, *, goes: bool) -> Text:
    """Return a tile for each number; a dot for all where there is too little room."""
    tiles = [sign_tile(float(value)) for value in values] if len(values) < column else [Text("●", style="yellow")]
    return with_way(tiles, column, comes=False, goes=goes)


SCENE = Scene(
    name="shapes",
    title="(batch, time, features) through stacked layers",
    about="Which shape each tensor has on the way through two stacked layers, and what each number in it counts: words side by "
    "side (batch), letters of a word (time), numbers for a letter (features). Many-to-many answers at every step, "
    "many-to-one after the last: the difference is which layer returns its whole sequence, and which its last state.",
    hint="Up to four words of your own (w), shorter and longer ones, and watch which number in the shapes changes, and which "
    "never do. Then step with the arrow keys, and say the next shape before you see it.",
    equations="""letters   (batch, time)              shorter words are filled up
embedded  (batch, time, embedding)   a row of a table for each letter
layer 1   (batch, time, hidden)      h₁(t) = tanh(W₁·x(t) + U₁·h₁(t−1) + b₁)
layer 2   (batch, time, hidden)      h₂(t) = tanh(W₂·h₁(t)+ U₂·h₂(t−1) + b₂)
answers   (batch, time, vocabulary)  V·h₂(t) + c at every t: many-to-many
layer 2   (batch, hidden)            h₂(T) at the step T of the last letter
answer    (batch, vocabulary)        V·h₂(T) + c: many-to-one

Weights have no batch and no time in their shapes: they are the same at
every step and for every word.""",
    word="name game tea",
    play=_play,
)
