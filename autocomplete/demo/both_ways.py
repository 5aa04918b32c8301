"""
A gap in a line, believed from the left and from both sides; and what one more letter at the end of the line changes.

From the left, the network of characters is asked that ships with the tool for the prompt; from both sides, the one that ships for
`autocomplete fill`. Both spell with the same search, and choose words from the same lexicon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from autocomplete.demo.drawing import bar, cell_of, fitted, height, percent, shade, tail
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.errors import SettingsError
from autocomplete.inference.blanks import Blank, read_blanks
from autocomplete.inference.filling import Filler, joined
from autocomplete.inference.search import Search
from autocomplete.models.gaps import Letters
from autocomplete.models.known_words import KnownWords
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.protocol import CharacterLanguageModel
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.models.within_word import WithinWord
from autocomplete.storage.checkpoint import read_checkpoint
from autocomplete.storage.lookup import DEFAULT, find_checkpoint

__all__ = ["SCENE"]

_SHOWN = 5  # fillings
_MOST, _LONGEST = 3, 200  # gaps, and characters of a line
_STEPS = 6  # pictures in which the right side is read
_TYPED = "s"  # that is typed at the end of the line
_LABEL, _BEST = "dim", "bold green"

Array = NDArray[np.float64]
Belief = list[tuple[str, float]]  # texts with their probabilities, the most probable first


def play(word: str, size: Size) -> Iterator[Frame]:
    """Yield the frames; raise SettingsError for a line that cannot be filled."""
    line = _with_gap(" ".join(word.split()))
    parts = read_blanks(line)
    gaps = [place for place, part in enumerate(parts) if isinstance(part, Blank)]
    if len(gaps) > _MOST or len(line) > _LONGEST:
        raise SettingsError(
            f"{len(line)} characters with {len(gaps)} gaps are too many to show; give {_LONGEST} with {_MOST} gaps at most"
        )
    filler = Filler.load()
    forward = _Forward(filler.lexicon)
    texts: list[str] = []
    for place in gaps:
        before, after = joined(parts[:place], texts), joined(parts[place + 1 :], ())
        gap = parts[place]
        assert isinstance(gap, Blank)
        left = forward.believe(before, gap)
        sides = (before, gap, after)
        yield Frame(_picture(sides, 0, left, None, size), _left_told(gap), 2.0)
        belief: Belief = []
        for known in _lengths(len(after)):
            belief = _between(filler, parts, place, texts, known)
            yield Frame(_picture(sides, known, left, belief, size), _right_told(known, len(after)), 0.8)
        yield Frame(_picture(sides, len(after), left, belief, size), _verdict(gap, left, belief), 2.5)
        texts.append(belief[0][0] if belief else "")
    filled = filler.checkpoint.alphabet.key(joined(parts, texts))
    forward_changes, backward_changes = _changes(filler, filled)
    rows = _typed_picture(filled, forward_changes, backward_changes, size)
    picture = Group(_picture(sides, len(after), left, belief, size), Text(), *rows)
    yield Frame(picture, _change_told(forward_changes, backward_changes), 4.0)


def _with_gap(line: str) -> str:
    """Return a line as it is, or with a gap where it has none: the middle letter of a word, the middle word of several."""
    if "_" in line or "[" in line or not line:
        return line
    words = line.split()
    if len(words) > 1:
        return " ".join([*words[: len(words) // 2], "[ ]", *words[len(words) // 2 + 1 :]])
    middle = len(line) // 2
    return line[:middle] + "_" + line[middle + 1 :]


class _Forward:
    """The network that reads forward, which fills a missing word with one of some words."""

    def __init__(self, words: Sequence[str]) -> None:
        checkpoint = read_checkpoint(find_checkpoint(DEFAULT))
        self._vocabulary, self._alphabet = checkpoint.vocabulary, checkpoint.alphabet
        self._network = RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)
        letters = set(self._vocabulary.characters)
        known = [word for word in words if letters.issuperset(word)]
        self._lexicon = Lexicon(known, [1.0] * len(known), self._vocabulary)

    def believe(self, before: str, gap: Blank) -> Belief:
        """Return what it expects after a text, whatever stands right of the gap."""
        symbols = self._vocabulary.encode(self._alphabet.key(before))
        model: CharacterLanguageModel
        if gap.kind == "letters":
            model = Letters(self._network, symbols, gap.length, self._vocabulary.word_symbols()[1])
        else:
            state = self._network.start()
            for symbol in symbols:
                state = self._network.step(state, [symbol])
            model = KnownWords(WithinWord(self._network, state, self._vocabulary), self._lexicon)
        found = Search(SearchTree(model), ROOT, _SHOWN)
        return [(self._vocabulary.decode(each.suffix), each.probability) for each in found]


def _between(filler: Filler, parts: Sequence[str | Blank], place: int, texts: Sequence[str], known: int) -> Belief:
    """Return what both sides say of a gap, of the right one so many characters, as if the line ended there."""
    shown: list[str | Blank] = []
    for part in parts[place + 1 :]:
        taken = part if isinstance(part, Blank) and known > 0 else str(part)[: max(0, known)]
        shown += [taken] if taken else []
        known -= len(str(part))
    return filler.candidates(*filler.sides([*parts[: place + 1], *shown], texts), _SHOWN)[0]


def _lengths(whole: int) -> list[int]:
    """Return how many characters of the right side are known from picture to picture: none, one, then more and more."""
    return sorted({0, whole} | {min(whole, round(whole ** (step / (_STEPS - 2)))) for step in range(_STEPS - 1)})


def _changes(filler: Filler, line: str) -> tuple[Array, Array]:
    """
    Return by how much of its size one more letter at the end of a line changes each state along it.

    :returns: (characters,) of the forward state after each character, and of the backward state before it.
    """
    symbols, longer = filler.encode(line), filler.encode(line + _TYPED)
    network = filler.network
    forward = _moved(_along(network.forward, symbols), _along(network.forward, longer)[:-1])
    backward = _moved(_along(network.backward, symbols[::-1]), _along(network.backward, longer[::-1])[1:])
    return forward, backward[::-1]


def _along(stack: RecurrentNetwork, symbols: Sequence[int]) -> Array:
    """Return (symbols, hidden) the state after each symbol."""
    state, states = stack.start(), []
    for symbol in symbols:
        state = stack.step(state, [symbol])
        states.append(stack.top(state)[0])
    return np.array(states, dtype=np.float64)


def _moved(before: Array, after: Array) -> Array:
    moved: Array = np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)
    return moved


def _picture(
    sides: tuple[str, Blank, str], known: int, left: Belief, both: Belief | None, size: Size
) -> RenderableType:
    """Return the line with its gap, and what is believed of it: from the left, and, if they have been asked, from both sides."""
    before, gap, after = sides
    room = (size.width - 14 - len(str(gap))) // 2
    left_side, shown_gap = tail(before, room), f" {gap} " if gap.kind == "word" else str(gap)
    line = _line("  ").append(left_side, "bold").append(shown_gap, "bold reverse")
    line.append(fitted(after[:known], min(known, room)).rstrip() if known else "", "bold green")
    line.append(fitted(after[known:], max(0, room - known)).rstrip(), "dim")
    arrows = _line("  ").append("─" * max(0, len(left_side) - 1) + ("▶" if before else ""), "cyan")
    arrows.append(" " * len(shown_gap)).append("◀" + "─" * (min(known, room) - 1) if known else "", "green")
    half = size.width // 2
    rows = [Text(fitted("  left only", half) + "both sides", _LABEL)]
    best = both[0][0] if both else ""
    for i in range(_SHOWN):
        row = _line("")
        for belief, colour in ((left, "cyan"), (both or [], "green")):
            if i < len(belief):
                text, probability = belief[i]
                room = half - 26
                row.append("  ").append(fitted(text, 14), _BEST if text == best else "bold").append(" ")
                row.append(bar(probability, room), colour).append(f"{percent(probability):>7}  ")
            else:
                row.append(" " * half)
        rows.append(row)
    return Group(line, arrows, Text(), *rows)


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="crop")


def _typed_picture(line: str, forward: Array, backward: Array, size: Size) -> list[Text]:
    """Return which states change when one more letter is typed at the end of the line."""
    width = size.width - 14
    shown = range(max(0, len(line) - width), len(line))
    rows = [Text(f"  one more letter is typed: {_TYPED}. What changes of the states along the line?", _LABEL)]
    letters = _line("  letter    ", _LABEL)
    for place in shown:
        letters.append(cell_of(line[place], 1), "bold not dim")
    rows.append(letters.append(_TYPED, "bold reverse not dim"))
    for name, changes in (("forward", forward), ("backward", backward)):
        row = _line(f"  {name:<10}", _LABEL)
        for value in changes[shown.start :].tolist():
            row.append(*((height(value), f"{shade(0.5 + value / 2)} not dim") if value else ("·", "dim")))
        rows.append(row)
    return rows


def _left_told(gap: Blank) -> str:
    what = "letter" if gap.length == 1 else "letters" if gap.length else "word"
    return (
        f"A network that reads forward stops at the gap: of the missing {what} it knows what mostly follows, no more."
    )


def _right_told(known: int, whole: int) -> str:
    if not whole:
        return "Right of the gap the line ends, and that is all that the right side can say here."
    if not known:
        return "From both sides: a second stack reads from the end of the line; as yet, it is told that the line ends at the gap."
    rest = "all of it" if known == whole else f"{known} of {whole} characters"
    return f"The right side becomes known, {rest}: the backward state at the gap changes, and so does what is believed."


def _verdict(gap: Blank, left: Belief, both: Belief) -> str:
    if not both:
        return "No word that is known fits here."
    text, probability = both[0]
    alone = dict(left).get(text)
    before = "not among its first five" if alone is None else percent(alone)
    return f"From both sides {fitted(text, 20).rstrip()} has {percent(probability)}; from the left only, {before}."


def _change_told(forward: Array, backward: Array) -> str:
    return (
        f"While one types nothing stands right of the cursor, and each letter changes all before it: {(backward > 0).sum()} of "
        f"{len(backward)} backward states, {(forward > 0).sum()} forward ones. Those are kept."
    )


SCENE = Scene(
    name="both ways",
    title="a gap filled from both sides, and why typing cannot use it",
    about="A letter and a word are missing. A network that reads forward knows the left side only. The bidirectional one has a "
    "second stack of layers that reads from the end of the line, and joins both at the gap: watch what is believed as the "
    "right side becomes known. At last one more letter is typed, and you see which states it changes.",
    hint='A line of your own with _ for a letter and [ ] for a word, such as "she [ ] to the do_r". Without a gap, one is made.',
    equations="forward   h(t) = LSTM(x(t), h(t−1))          from the beginning of the line\n"
    "backward  g(t) = LSTM'(x(t), g(t+1))         from its end\n"
    "p(x(t) | all others) = softmax(V max(0, W [h(t−1); g(t+1)] + b) + c)\n"
    "neither h(t−1) nor g(t+1) has read x(t)\n"
    "a word: p(x(a)) p(x(a+1) | x(a)) ... p(end), each from [h; g right of it]\n"
    "a letter typed at the end changes every g, and no h",
    word="i need a h_tel room for [ ] nights",
    play=play,
)
