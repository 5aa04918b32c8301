"""
Four networks learn the same words; after the same last letter, which of them knows what stood before it?

They are trained while one looks on. The scene shows their answers after two beginnings of words, and how far back a letter can
stand and still move an answer.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.text import Text

from autocomplete.demo.beginnings import LETTERS, plain_words, read_beginnings
from autocomplete.demo.drawing import bar, height, percent, tail, visible
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.lab.contenders import Contender
from autocomplete.reports.tables import plain_table
from autocomplete.storage.checkpoint import read_lexicon
from autocomplete.storage.lookup import DEFAULT, find_checkpoint
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["SCENE"]

_WORDS = 1500  # the most frequent ones: few enough to be learned in seconds
_NEAR = 100  # further words with each of the two beginnings, so that there is something to know after them
_STEPS, _FRAMES = 200, 10
_SECONDS = 12.0  # of training at most, so that a busy machine does not make the scene longer
_WINDOW, _LAYERS = 3, 3
_FIELD = 2**_LAYERS  # letters that the convolution sees
_BACK = 10  # letters back that the answers are tested
_TESTED = 60  # beginnings of words that they are tested on
_START = "|"  # how the beginning of a word is shown
_NETWORKS = {  # by name: the letters that each sees, None for all of them; and its sizes
    "one letter": (1, Contender("window", 1, 96, embedding=24, seen=1)),
    f"window of {_WINDOW}": (_WINDOW, Contender("window", 1, 96, embedding=24, seen=_WINDOW)),
    "convolution": (_FIELD, Contender("convolution", _LAYERS, 48, embedding=24)),
    "RNN": (None, Contender("rnn", 1, 96, embedding=24)),
}


@dataclass
class _Pupil:
    """One of the networks, and what is shown of it."""

    name: str
    seen: int | None  # letters that it sees; None for all of them
    bits: float = 0.0
    answers: NDArray[np.float32] | None = None  # (2, vocabulary) probabilities after the two beginnings
    # (letters back,) how far its answers move with a letter, the last one first
    moved: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def sees(self, beginning: str) -> str:
        """Return the part of a beginning that it sees."""
        whole = _START + beginning
        return whole if self.seen is None else whole[-self.seen :]

    @property
    def differ(self) -> float:
        """How far its two answers are apart, from 0 to 1 (total variation distance)."""
        return 0.0 if self.answers is None else float(np.abs(self.answers[0] - self.answers[1]).sum()) / 2


def play(word: str, size: Size) -> Iterator[Frame]:
    """Yield the frames; raise SettingsError where there are not two beginnings with the same last letter."""
    lexicon = plain_words(read_lexicon(find_checkpoint(DEFAULT)))
    beginnings = read_beginnings(word, dict(list(lexicon.items())[:_WORDS]))
    words = _chosen(lexicon, beginnings)
    vocabulary = Vocabulary(sorted(LETTERS))
    pupils = [_Pupil(name, seen) for name, (seen, _) in _NETWORKS.items()]
    first, second = beginnings
    caption = f"Both {first} and {second} end in {first[-1]}. What each network sees of them; {_START} is where a word begins."
    yield Frame(_picture(pupils, beginnings, vocabulary, size), caption, 2.0)

    from autocomplete.lab.learners import build_network
    from autocomplete.lab.training import draw_words, isolated_torch, paced, train_alike, word_rows
    from autocomplete.lab.windows import answers, influence

    tested = [word[:_BACK] for word in words if len(word) >= _BACK][:_TESTED]
    weights = np.sqrt(np.array(list(words.values())))  # so that rare words are seen, too
    with isolated_torch():
        networks = {name: build_network(network, len(vocabulary)) for name, (_, network) in _NETWORKS.items()}
        batches = draw_words(word_rows(list(words), vocabulary), weights)
        losses = train_alike(networks, batches, _STEPS)
        shown = {1, *range(_STEPS // _FRAMES, _STEPS + 1, _STEPS // _FRAMES)}
        for step, bits in paced(_smoothed(losses), shown, _SECONDS):
            for pupil, network in zip(pupils, networks.values(), strict=True):
                pupil.bits = bits[pupil.name]
                pupil.answers = answers(network, beginnings, vocabulary)
                pupil.moved = influence(network, tested, string.ascii_lowercase, vocabulary)
            caption = f"All four learn the same {len(words):,} words in the same steps: {step} of {_STEPS} so far."
            yield Frame(_picture(pupils, beginnings, vocabulary, size), caption, 0.05)
    yield Frame(_picture(pupils, beginnings, vocabulary, size), _verdict(pupils), 4.0)


def _chosen(lexicon: Mapping[str, float], beginnings: Sequence[str]) -> dict[str, float]:
    """Return the words that are learned, with their counts."""
    items = list(lexicon.items())
    chosen = dict(items[:_WORDS])
    for beginning in beginnings:
        chosen |= dict([(word, count) for word, count in items[_WORDS:] if word.startswith(beginning)][:_NEAR])
    return chosen


def _smoothed(losses: Iterable[Mapping[str, float]]) -> Iterator[Mapping[str, float]]:
    """Yield the moving average of the losses."""
    average: dict[str, float] = {}
    for loss in losses:
        average = {name: 0.9 * average.get(name, bits) + 0.1 * bits for name, bits in loss.items()}
        yield average


def _picture(pupils: Sequence[_Pupil], beginnings: Sequence[str], vocabulary: Vocabulary, size: Size) -> RenderableType:
    """Return the networks under each other: what they see, what they predict, how far back they look."""
    rows = 5 if size.height >= 30 else 3
    name = 18 + (size.width - 80) // 8
    wide = (size.width - name - 30) // 2
    table = plain_table(gap=1, pad_edge=False)
    table.add_column(" network", width=name, no_wrap=True)
    for beginning in beginnings:
        table.add_column(Text.assemble("after ", (beginning, "bold not dim")), width=wide, no_wrap=True)
    table.add_column("moved by a letter", width=26, no_wrap=True)
    for i, pupil in enumerate(pupils):
        if i:
            table.add_row()
        answers = ([_answer(pupil, which, row, vocabulary, wide) for row in range(rows)] for which in range(2))
        for cells in zip_longest(_about(pupil, beginnings, name), *answers, _looks(pupil), fillvalue=Text()):
            table.add_row(*cells)
    return table


def _about(pupil: _Pupil, beginnings: Sequence[str], width: int) -> list[Text]:
    """Return three lines: the network, and what it sees of either beginning, one under the other."""
    seen = [pupil.sees(beginning) for beginning in beginnings]
    lines = [Text(f" {pupil.name}", "bold")]
    for label, beginning in zip((" sees ", "      "), seen, strict=True):
        shown = tail(beginning, width - len(label)).rjust(width - len(label))
        lines.append(Text.assemble((label, "dim"), (shown, "red" if seen[0] == seen[1] else "green")))
    return lines


def _answer(pupil: _Pupil, which: int, row: int, vocabulary: Vocabulary, wide: int) -> Text:
    """Return one of the most probable next letters after one of the beginnings."""
    if pupil.answers is None:
        return Text()
    answer = pupil.answers[which]
    symbol = int(np.argsort(-answer, kind="stable")[row])
    letter = "␣" if symbol == BOUNDARY else visible(vocabulary.character(symbol))
    share = float(answer[symbol])
    return Text.assemble((f"{letter} ", "bold"), (bar(share, wide - 9), "cyan"), f"{percent(share):>6}")


def _looks(pupil: _Pupil) -> list[Text]:
    """Return how far a letter moves the answers, the last letter at the right, and how far the two answers are apart."""
    if pupil.answers is None:
        return []
    heights = Text()
    for share in pupil.moved[::-1].tolist():
        # Each step of height is a factor of two, so that what fades can be seen; nothing at all is a dot.
        heights.append("·" if share == 0 else height(1 + np.log2(share) / 8), "dim" if share == 0 else "magenta")
    far = pupil.moved[-1]
    heights.append(f"  {_BACK} back {100 * far:.1f} %" if far else f"  {_BACK} back 0", "" if far else "dim")
    same = pupil.differ == 0
    return [
        heights,
        Text("the same answers", "bold red") if same else Text(f"answers {percent(pupil.differ)} apart", "bold green"),
        Text(f"{pupil.bits:.2f} bits a letter", "dim"),
    ]


def _verdict(pupils: Sequence[_Pupil]) -> str:
    alike = " and ".join(pupil.name for pupil in pupils if pupil.differ == 0)
    told = f"{alike[0].upper()}{alike[1:]} cannot tell the two apart" if alike else "All four tell the two apart"
    edges = f"Beyond {_WINDOW} letters the window sees nothing, the convolution beyond {_FIELD}"
    return f"{told}. {edges}; an RNN's memory has no edge."


SCENE = Scene(
    name="memory",
    title="after the same letter: who remembers what came before?",
    about="Four networks learn the same words in the same steps: one sees the last letter only, one the last three, a causal "
    "convolution the last eight, and the RNN one letter at a time, with a memory. After two beginnings with the same last "
    "letter, the first must give the same answer twice. The dots and blocks at the right show how much a letter further back "
    "moves an answer, the last letter at their right end.",
    hint="Beginnings that differ ever further back: na tria, then nation station.",
    equations="window of k   h = tanh(W [e(x_t-k+1); ...; e(x_t)] + b)        k = 1, 3\n"
    "convolution   y_t = x_t + relu(W0 x_t-d + W1 x_t + b)         d = 1, 2, 4\n"
    "RNN           h_t = tanh(W e(x_t) + U h_t-1 + b),  h_0 = 0\n"
    "apart = 1/2 sum over letters of |p(letter | one) - p(letter | the other)|",
    word="na tria",
    play=play,
)
