"""What a training takes over from another checkpoint: weights, words, and text to rehearse; what it forgets is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.corpus.corpus import Corpus
from autocomplete.models.class_softmax import PREFIX
from autocomplete.models.word_ngrams import Pairs
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import named
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.training.batching.prefixes import Words
from autocomplete.training.measure import measure
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.validation import measure_text
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.snapshot import Snapshot
from autocomplete.training.words.word_network import Network

__all__ = ["Origin"]

_EVIDENCE = 3  # times that new text must have a word to be asked how it is written
_ROWS = ("embedding.weight", "decoder.weight", "decoder.bias")  # tensors with a row for each symbol


@dataclass(frozen=True)
class Origin:
    """What is taken over from a checkpoint."""

    name: str
    unit: Literal["words", "text"]
    weight: float  # share of its words in the sum of all counts, from 0 to below 1; at 0, nothing is rehearsed
    configuration: Configuration
    vocabulary: Vocabulary
    lexicon: Mapping[str, float] = field(
        repr=False
    )  # counts by key, in the order of the vocabulary, which gives the ids
    surfaces: Mapping[str, str] = field(repr=False)  # where they are not the key
    pairs: Pairs | None = field(repr=False)  # which words followed which; None for lists of words
    rehearsed: NDArray[np.integer[Any]] = field(repr=False)  # (n,) symbols of text that the old network wrote
    sample: NDArray[np.integer[Any]] = field(repr=False)  # (m,) of other such text, to measure on
    rare: tuple[str, ...] = field(repr=False)  # the old list of rare words
    before: float  # bits per character of the sample, or bits per word of the lexicon, under the old network
    word_network: Network | None = field(default=None, repr=False)
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)  # none where a run is resumed

    def settings(self, settings: TrainingSettings) -> TrainingSettings:
        """Return settings with the sizes of the old network, as far as they are not to grow, and the weight of its words."""
        sizes = {name: getattr(self.configuration, name) for name in ("cell", "layers", "hidden", "embedding")}
        if self.word_network is not None:
            sizes["word_embedding"] = max(settings.word_embedding, self.word_network[0].embedding)
        return replace(settings, from_weight=self.weight, **sizes)

    def merge(self, corpus: Corpus) -> Corpus:
        """Return a corpus with the old words and pairs of words added to its own; the text and all that names it stay."""
        if self.weight == 0 or not self.lexicon:
            return corpus
        counts = dict(zip(corpus.words, corpus.counts.tolist(), strict=True))
        least = _EVIDENCE if self.unit == "text" else 0
        own = {word for word, count in counts.items() if count >= least or word not in self.lexicon}
        surfaces = {word: surface for word, surface in self.surfaces.items() if word not in own}
        surfaces |= {word: surface for word, surface in corpus.surfaces.items() if word in own}
        every = _joined(counts, self.lexicon, self.weight)
        ordered = sorted(every.items(), key=lambda item: (-item[1], item[0]))
        return replace(
            corpus,
            words=tuple(word for word, _ in ordered),
            counts=np.array([count for _, count in ordered], dtype=np.float64),
            surfaces=surfaces,
            pairs=_joined(corpus.pairs, self._named_pairs(), self.weight),
        )

    def words_in(self, keys: Sequence[str]) -> Network | None:
        """Return the old network of words, for those that are in a new lexicon, too, with the ids that they have there."""
        if self.word_network is None:
            return None
        configuration, tensors = self.word_network
        numbers, old = {key: number for number, key in enumerate(keys)}, list(self.lexicon)
        rows = np.array([numbers.get(old[row], -1) for row in tensors["rows"].tolist()], dtype=np.int32)
        kept = np.append([BOUNDARY, UNKNOWN], np.flatnonzero(rows >= 0) + 2)
        tensors = {name: array[kept] if name in _ROWS else array for name, array in tensors.items()}
        if f"{PREFIX}words" in tensors:
            others = np.array([numbers.get(old[row], -1) for row in tensors[f"{PREFIX}words"].tolist()], dtype=np.int32)
            tensors[f"{PREFIX}words"] = others[others >= 0]
            tensors[f"{PREFIX}numbers"] = tensors[f"{PREFIX}numbers"][:, others >= 0]
        return replace(configuration, vocabulary=len(kept)), tensors | {"rows": rows[rows >= 0]}

    def extend(self, vocabulary: Vocabulary) -> Vocabulary:
        """Return a vocabulary with the old characters added, in code point order."""
        return Vocabulary(sorted({*self.vocabulary.characters, *vocabulary.characters}))

    def translate(self, symbols: NDArray[np.integer[Any]], vocabulary: Vocabulary) -> NDArray[np.integer[Any]]:
        """Return symbols of the old vocabulary as those of one that `extend` made."""
        translated: NDArray[np.integer[Any]] = self._places(vocabulary)[symbols]
        return translated.astype(np.min_scalar_type(len(vocabulary)))

    def initialize(self, model: CharRNN, vocabulary: Vocabulary) -> None:
        """
        Let a new network, of the old sizes and over a vocabulary that `extend` made, begin as the old one.

        The embedding of a new character stays random; its row of the decoder is that of the unknown symbol. With 19 new
        characters, the first step then has 7.5 bits a character in place of 11.0.
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
            return measure_text(model, self.translate(self.sample, vocabulary))["bits_per_character"]
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
        words = None if self.word_network is None else asdict(self.word_network[0])
        told = {name: getattr(self, name) for name in ("name", "unit", "weight", "before")}
        told |= {"configuration": asdict(self.configuration), "vocabulary": list(self.vocabulary.characters)}
        return told | {"word_network": words}

    def parts(self) -> dict[str, Tensor]:
        """Return what a resumed run needs as tensors."""
        words = json.dumps([list(self.lexicon.items()), list(self.surfaces.items()), self.rare]).encode()
        arrays: dict[str, NDArray[Any]] = {
            "words": np.frombuffer(words, np.uint8),
            "rehearsed": self.rehearsed,
            "sample": self.sample,
        }
        if self.pairs is not None:
            first, second = (numbers.astype(np.int32) for numbers in (self.pairs.first, self.pairs.second))
            arrays |= {"first": first, "second": second, "counts": self.pairs.counts}
        if self.word_network is not None:
            arrays |= {f"network.{name}": array for name, array in self.word_network[1].items()}
        return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}

    @classmethod
    def from_snapshot(cls, saved: Snapshot) -> Self | None:
        """Return what `facts` and `parts` told to the snapshot of a run; None where it took over nothing."""
        if "from" not in saved.facts:
            return None
        facts = saved.facts["from"]
        parts = {name: tensor.numpy() for name, tensor in saved.part("from").items()}
        lexicon, surfaces, rare = json.loads(parts["words"].tobytes())
        pairs = None
        if "first" in parts:
            first, second = (parts[name].astype(np.int64) for name in ("first", "second"))
            pairs = Pairs(first, second, parts["counts"])
        network = None
        if facts["word_network"] is not None:
            network = Configuration(**facts["word_network"]), named(parts, "network.")
        return cls(
            name=facts["name"],
            unit=facts["unit"],
            weight=facts["weight"],
            configuration=Configuration(**facts["configuration"]),
            vocabulary=Vocabulary(facts["vocabulary"]),
            lexicon=dict(lexicon),
            surfaces=dict(surfaces),
            pairs=pairs,
            rehearsed=parts["rehearsed"],
            sample=parts["sample"],
            rare=tuple(rare),
            before=facts["before"],
            word_network=network,
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


def _joined(new: Mapping[Any, float], old: Mapping[Any, float], weight: float) -> dict[Any, float]:
    """Return the counts of both together, the old ones making up that share of their sum if there are any new ones."""
    scale = sum(new.values()) / sum(old.values()) * weight / (1 - weight) if new and old else 1.0
    every = dict.fromkeys([*new, *old])  # in one order always, on which the last bits of sums depend
    return {key: new.get(key, 0.0) + scale * old.get(key, 0.0) for key in every}
