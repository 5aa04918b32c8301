"""
Read the checkpoint that a training starts from: its network, its words, and its text as far as the network remembers it.

A network that learns something new forgets, unless it rehearses. One that learned words goes on drawing them by their counts.
One that learned text also reads what it wrote itself before it began (pseudorehearsal; Robins, "Catastrophic forgetting,
rehearsal and pseudorehearsal", 1995). What it forgets is measured on the old words, or on more of its own text, where the
additional bits estimate the Kullback-Leibler divergence of the two networks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autocomplete.corpus.corpus import Corpus
from autocomplete.errors import CheckpointError, SettingsError
from autocomplete.models.rare_words import RareWords
from autocomplete.models.word_ngrams import NGrams, Pairs
from autocomplete.storage.byte_matrix import dequantize, unpacked
from autocomplete.storage.checkpoint import read_checkpoint, read_context, read_lexicon
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import named
from autocomplete.text.alphabets import alphabet_json
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.origin import Origin
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.words.word_network import Network

__all__ = ["draw_text", "read_origin"]

_WEIGHT = 0.5  # of old words, as many as new ones, where nothing else is asked for
# Streams that the old network writes side by side: to be read again, and to be measured on.
_REHEARSED, _MEASURED = 256, 64
_WRITTEN = 1_200  # characters of each stream: 300,000 to be read again, some seconds of work


def read_origin(folder: Path, corpus: Corpus, settings: TrainingSettings) -> Origin:
    """
    Return what a training on a corpus takes over from a checkpoint, which writes text for that and is measured.

    :raises CheckpointError: where the checkpoint is missing or damaged.
    :raises SettingsError: where the two do not fit together.
    """
    weight = _WEIGHT if settings.from_weight is None else settings.from_weight
    checkpoint = read_checkpoint(folder)
    if checkpoint.configuration.bidirectional:
        raise SettingsError(f"{folder}: this checkpoint reads from both sides; give --from one that reads forward")
    unit = "text" if corpus.text is not None else "words"
    if checkpoint.unit != unit:
        learned = {"words": "lists of words", "text": "running text"}
        raise SettingsError(
            f"{folder}: this checkpoint learned {learned[checkpoint.unit]}, and {corpus.name} is {learned[unit]}; give --from "
            f"one that learned {learned[unit]}"
        )
    if checkpoint.alphabet != corpus.alphabet:
        raise SettingsError(
            f"{folder}: this checkpoint compares words by {alphabet_json(checkpoint.alphabet)}, and {corpus.name} is read by "
            f"{alphabet_json(corpus.alphabet)}; give --from another"
        )
    vocabulary, alphabet = checkpoint.vocabulary, checkpoint.alphabet
    lexicon: Counter[str] = Counter()
    surfaces: dict[str, str] = {}
    for surface, count in read_lexicon(folder).items():
        key = alphabet.key(surface)
        lexicon[key] += count  # type: ignore[assignment]  # counts may be fractions
        surfaces.setdefault(key, surface)
    if unit == "words" and not lexicon:
        raise SettingsError(
            f"{folder}: this checkpoint has no lexicon, so its words cannot be rehearsed; give --from another"
        )
    keys = list(lexicon)
    ordered = {keys[i]: float(lexicon[keys[i]]) for i in vocabulary.sort(keys)}

    model = CharRNN(checkpoint.configuration)
    model.load_state_dict({k: torch.from_numpy(v.astype(np.float32)) for k, v in checkpoint.tensors.items()})
    pairs: Pairs | None = None
    network: Network | None = None
    rehearsed: NDArray[np.integer[Any]] = np.zeros(0, np.uint8)
    sample = rehearsed
    rare: list[str] = []
    if unit == "text":
        pairs, network, listed = _words_in_context(folder, len(ordered))
        if network is not None and 0 < settings.word_hidden < (units := network[0].hidden):
            raise SettingsError(
                f"{folder}: its network of words has {units} units; give --word-hidden {units} or more, or leave it out to use "
                f"that network as it is"
            )
        rare = listed.words(vocabulary) if weight > 0 else []
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
        rare=tuple(rare),
        before=0.0,
        word_network=network,
        tensors=checkpoint.tensors,
    )
    return replace(origin, before=origin.measure(model, vocabulary))


def _words_in_context(folder: Path, words: int) -> tuple[Pairs | None, Network | None, RareWords]:
    """Return the pairs, network and rare words of a checkpoint of so many words; raise CheckpointError where they misfit."""
    listed = RareWords.none()
    if (found := read_context(folder)) is None:
        return None, None, listed
    tensors, metadata = found
    try:
        ngrams = NGrams.from_tensors(named(tensors, "ngrams."))
        network = None
        if "configuration" in metadata:
            network = Configuration(**metadata["configuration"]), dequantize(unpacked(named(tensors, "network.")))
        if rare := named(tensors, "rare."):
            listed = RareWords.from_tensors(**rare)
        fits = ngrams.start == words and (network is None or int(network[1]["rows"].max(initial=0)) < words)
    except (LookupError, TypeError, ValueError):
        fits = False
    if not fits:
        raise CheckpointError(
            f"{folder}: its words in context do not fit its lexicon; train it again, or copy it again"
        )
    return ngrams.pairs(), network, listed


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
