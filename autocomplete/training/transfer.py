"""
What a training takes over from another checkpoint: its network, its words, and its text as far as the network remembers it.

The old corpus is not there any more, and a network that learns something new forgets what it knew, unless it rehearses. Where
it had learned words, it goes on drawing those of its lexicon by their counts. Where it had learned text, it reads beside the new
one what it wrote itself before it began (pseudorehearsal; Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal",
Connection Science 7, 1995). What it forgets nevertheless is measured: on the words of the old lexicon, or on more of its own
text, where the bits that the new network needs beyond those of the old one estimate the Kullback-Leibler divergence of the two.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.checkpoint import Configuration, read_checkpoint, read_context, read_lexicon
from autocomplete.errors import SettingsError
from autocomplete.text.corpus import Corpus
from autocomplete.text.ngrams import NGrams, Pairs
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.training.batches import Words
from autocomplete.training.measure import measure
from autocomplete.training.model import CharRNN
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.snapshot import Snapshot
from autocomplete.training.streams import bits

__all__ = ["Origin", "draw_text", "read_origin"]

_WEIGHT = 0.5  # of old words, as many as new ones, where nothing else is asked for
_REHEARSED, _MEASURED = (
    256,
    64,
)  # streams that the old network writes side by side, to be read again and to be measured on
_WRITTEN = 1_200  # characters of each stream: 300,000 to be read again, some seconds of work
_EVIDENCE = 3  # times that new text must have a word to be asked how it is written
_ROWS = ("embedding.weight", "decoder.weight", "decoder.bias")  # tensors with a row for each symbol


@dataclass(frozen=True)
class Origin:
    """
    What is taken over.

    :param name: of the old checkpoint.
    :param weight: share of its words in the sum of all counts, from 0 to below 1; at 0, nothing is rehearsed.
    :param lexicon: its keys with their counts, in the order of its vocabulary, by which `pairs` numbers them.
    :param surfaces: how they are written, for those where that is not the key.
    :param pairs: which of its words followed which; None for lists of words.
    :param rehearsed: (n,) symbols of text that the old network wrote; empty for lists of words.
    :param sample: (m,) of other such text, to measure on.
    :param before: bits per character of that, or bits per word of the lexicon, under the old network.
    :param tensors: the weights of the old network; none where a run goes on, which has its own.
    """

    name: str
    unit: Literal["words", "text"]
    weight: float
    configuration: Configuration
    vocabulary: Vocabulary
    lexicon: Mapping[str, float] = field(repr=False)
    surfaces: Mapping[str, str] = field(repr=False)
    pairs: Pairs | None = field(repr=False)
    rehearsed: NDArray[np.integer[Any]] = field(repr=False)
    sample: NDArray[np.integer[Any]] = field(repr=False)
    before: float
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def settings(self, settings: TrainingSettings) -> TrainingSettings:
        """Return settings with the sizes of the old network and the weight of its words."""
        sizes = {name: getattr(self.configuration, name) for name in ("cell", "layers", "hidden", "embedding")}
        return replace(settings, from_weight=self.weight, **sizes)

    def merge(self, corpus: Corpus) -> Corpus:
        """Return a corpus with the old words and pairs of words added to its own; the text and all that names it stay."""
        if self.weight == 0 or not self.lexicon:
            return corpus
        counts = dict(zip(corpus.words, corpus.counts.tolist(), strict=True))
        least = _EVIDENCE if self.unit == "text" else 0
        written = {word for word, count in counts.items() if count >= least}
        surfaces = dict(self.surfaces) | corpus.surfaces
        for word in written - corpus.surfaces.keys():
            surfaces.pop(word, None)
        every = _joined(counts, self.lexicon, self.weight)
        ordered = sorted(every.items(), key=lambda item: (-item[1], item[0]))
        return replace(
            corpus,
            words=tuple(word for word, _ in ordered),
            counts=np.array([count for _, count in ordered], dtype=np.float64),
            surfaces=surfaces,
            pairs=_joined(corpus.pairs, self._named_pairs(), self.weight),
        )

    def extend(self, vocabulary: Vocabulary) -> Vocabulary:
        """Return a vocabulary with the old characters added, in code point order."""
        return Vocabulary(sorted({*self.vocabulary.characters, *vocabulary.characters}))

    def translate(self, symbols: NDArray[np.integer[Any]], vocabulary: Vocabulary) -> NDArray[np.integer[Any]]:
        """Return symbols of the old vocabulary as those of one that `extend` made."""
        translated: NDArray[np.integer[Any]] = self._places(vocabulary)[symbols]
        return translated.astype(np.min_scalar_type(len(vocabulary)))

    def initialize(self, model: CharRNN, vocabulary: Vocabulary) -> None:
        """
        Let a new network begin as the old one.

        Of a character that the old one did not know, the embedding stays as a new network has it, drawn at random; what the
        decoder has for it is what it had for the unknown symbol, so that it is expected no more than anything unknown was.

        :param model: of the old sizes, over a vocabulary that `extend` made.
        """
        places = torch.from_numpy(self._places(vocabulary).astype(np.int64))
        state = model.state_dict()
        for name, value in self.tensors.items():
            old = torch.from_numpy(value.astype(np.float32)).to(model.device)
            if name not in _ROWS:
                state[name] = old
                continue
            if name != "embedding.weight":
                state[name][:] = old[UNKNOWN]
            state[name][places] = old
        model.load_state_dict(state)

    def measure(self, model: CharRNN, vocabulary: Vocabulary) -> float:
        """Return the bits per character of the old network's text, or per word of the old lexicon, under a network."""
        if self.unit == "text":
            return bits(model, self.translate(self.sample, vocabulary))["bits_per_character"]
        words = Words(list(self.lexicon), vocabulary)
        counts = np.array(list(self.lexicon.values()))[words.order]
        return measure(model, words, np.arange(len(words))).figures(counts)["bits_per_word"]

    def figures(self, model: CharRNN, vocabulary: Vocabulary) -> dict[str, Any]:
        """Return what is told of how much a finished network forgot."""
        unit = "character" if self.unit == "text" else "word"
        after = self.measure(model, vocabulary)
        return {"name": self.name, "weight": self.weight, "unit": unit, "before": self.before, "after": after}

    def facts(self) -> dict[str, Any]:
        """Return what a resumed run needs as JSON types, beside `parts`."""
        named = {name: getattr(self, name) for name in ("name", "unit", "weight", "before")}
        return named | {"configuration": asdict(self.configuration), "vocabulary": list(self.vocabulary.characters)}

    def parts(self) -> dict[str, Tensor]:
        """Return what a resumed run needs as tensors."""
        words = json.dumps([list(self.lexicon.items()), list(self.surfaces.items())]).encode()
        arrays: dict[str, NDArray[Any]] = {
            "words": np.frombuffer(words, np.uint8),
            "rehearsed": self.rehearsed,
            "sample": self.sample,
        }
        if self.pairs is not None:
            first, second = (numbers.astype(np.int32) for numbers in (self.pairs.first, self.pairs.second))
            arrays |= {"first": first, "second": second, "counts": self.pairs.counts}
        return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}

    @classmethod
    def from_snapshot(cls, saved: Snapshot) -> Self | None:
        """Return what `facts` and `parts` told to the snapshot of a run; None where it took over nothing."""
        if "from" not in saved.facts:
            return None
        facts = saved.facts["from"]
        parts = {name: tensor.numpy() for name, tensor in saved.part("from").items()}
        lexicon, surfaces = map(dict, json.loads(parts["words"].tobytes()))
        pairs = None
        if "first" in parts:
            first, second = (parts[name].astype(np.int64) for name in ("first", "second"))
            pairs = Pairs(first, second, parts["counts"])
        return cls(
            name=facts["name"],
            unit=facts["unit"],
            weight=facts["weight"],
            configuration=Configuration(**facts["configuration"]),
            vocabulary=Vocabulary(facts["vocabulary"]),
            lexicon=lexicon,
            surfaces=surfaces,
            pairs=pairs,
            rehearsed=parts["rehearsed"],
            sample=parts["sample"],
            before=facts["before"],
        )

    def _places(self, vocabulary: Vocabulary) -> NDArray[np.int32]:
        """Return the new number of each old symbol, (old vocabulary,)."""
        characters = vocabulary.encode("".join(self.vocabulary.characters))
        return np.array([BOUNDARY, UNKNOWN, *characters], dtype=np.int32)

    def _named_pairs(self) -> dict[tuple[str, str], float]:
        if self.pairs is None:
            return {}
        keys = list(self.lexicon)
        rows = zip(self.pairs.first.tolist(), self.pairs.second.tolist(), self.pairs.counts.tolist(), strict=True)
        return {(keys[first], keys[second]): count for first, second, count in rows}


def read_origin(folder: Path, corpus: Corpus, settings: TrainingSettings) -> Origin:
    """
    Return what a training takes over from a checkpoint, for which that one writes text and is measured.

    :param corpus: that is to be learned now.
    :raises CheckpointError: where the checkpoint is missing or damaged.
    :raises SettingsError: where the two do not fit together.
    """
    weight = _WEIGHT if settings.from_weight is None else settings.from_weight
    checkpoint = read_checkpoint(folder)
    unit = "text" if corpus.lines else "words"
    if checkpoint.unit != unit:
        learned = {"words": "lists of words", "text": "running text"}
        raise SettingsError(
            f"{folder}: --from has learned {learned[checkpoint.unit]}, and {corpus.name} is {learned[unit]}; give a corpus or a "
            "checkpoint of the other kind"
        )
    if checkpoint.normalization != corpus.normalization:
        raise SettingsError(
            f"{folder}: --from compares words by {checkpoint.normalization.to_json()}, and {corpus.name} is read by "
            f"{corpus.normalization.to_json()}; give another checkpoint"
        )
    vocabulary, normalization = checkpoint.vocabulary, checkpoint.normalization
    lexicon: Counter[str] = Counter()
    surfaces: dict[str, str] = {}
    for surface, count in read_lexicon(folder).items():
        key = normalization.key(surface)
        lexicon[key] += count  # type: ignore[assignment]  # counts may be fractions
        surfaces.setdefault(key, surface)
    if unit == "words" and not lexicon:
        raise SettingsError(
            f"{folder}: --from has no lexicon, so its words cannot be rehearsed; give another checkpoint"
        )
    keys = list(lexicon)
    ordered = {keys[i]: float(lexicon[keys[i]]) for i in vocabulary.sort(keys)}

    model = CharRNN(checkpoint.configuration)
    model.load_state_dict({k: torch.from_numpy(v.astype(np.float32)) for k, v in checkpoint.tensors.items()})
    pairs: Pairs | None = None
    rehearsed: NDArray[np.integer[Any]] = np.zeros(0, np.uint8)
    sample = rehearsed
    if unit == "text":
        context = read_context(folder)
        if context is not None:
            named = {k.removeprefix("ngrams."): v for k, v in context[0].items() if k.startswith("ngrams.")}
            pairs = NGrams.from_tensors(named).pairs()
        streams = _MEASURED + _REHEARSED * (weight > 0)
        text = draw_text(model, streams, _WRITTEN, torch.Generator().manual_seed(settings.seed))
        sample, rehearsed = text[:_MEASURED].ravel(), text[_MEASURED:].ravel()
    origin = Origin(
        name=folder.resolve().name,
        unit=checkpoint.unit,
        weight=weight,
        configuration=checkpoint.configuration,
        vocabulary=vocabulary,
        lexicon=ordered,
        surfaces={key: surface for key, surface in surfaces.items() if key != surface},
        pairs=pairs,
        rehearsed=rehearsed,
        sample=sample,
        before=0.0,
        tensors=checkpoint.tensors,
    )
    return replace(origin, before=origin.measure(model, vocabulary))


@torch.no_grad()
def draw_text(model: CharRNN, streams: int, length: int, generator: torch.Generator) -> NDArray[np.integer[Any]]:
    """Return text drawn from a network's own probabilities, (streams, length + 1) symbols, each stream from a new line on."""
    model.eval()
    symbols = torch.full((streams, 1), BOUNDARY, device=model.device)
    state, drawn = None, [symbols.cpu()]
    for _ in range(length):
        logits, state = model.continue_from(state, symbols)
        logits[:, :, UNKNOWN] = -torch.inf  # no character that could be read again
        drawn.append(torch.multinomial(logits[:, 0].float().softmax(dim=-1).cpu(), 1, generator=generator))
        symbols = drawn[-1].to(model.device)
    model.train()
    text: NDArray[np.int64] = torch.cat(drawn, dim=1).numpy()
    return text.astype(np.min_scalar_type(model.configuration.vocabulary))


def _joined(new: Mapping[Any, float], old: Mapping[Any, float], weight: float) -> dict[Any, float]:
    """Return the counts of both together, the old ones making up that share of their sum if there are any new ones."""
    scale = sum(new.values()) / sum(old.values()) * weight / (1 - weight) if new and old else 1.0
    every = dict.fromkeys([*new, *old])  # in one order always, on which the last bits of sums depend
    return {key: new.get(key, 0.0) + scale * old.get(key, 0.0) for key in every}
