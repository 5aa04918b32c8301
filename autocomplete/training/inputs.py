"""What a training is given, and hashes of it: a resumed run must be given the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from autocomplete.corpus.corpus import Corpus
from autocomplete.corpus.running_text import RunningText
from autocomplete.corpus.soft_targets import SoftTargets
from autocomplete.corpus.word_vectors import WordVectors
from autocomplete.training.settings import TrainingSettings

__all__ = ["NO_INPUT", "TrainingInputs"]

NO_INPUT = hashlib.sha256().hexdigest()  # stands for an input that is not given


@dataclass(frozen=True)
class TrainingInputs:
    """
    What `train` is given.

    :param folder: where the checkpoint is written.
    :param overwrite: replace a checkpoint that is there.
    :param resume: go on with the interrupted or killed run in that folder, under its own settings.
    :param save_every: seconds after which the state of the run is saved again; it is also saved with each new best network.
    :param validation: text to measure on, in place of the last part of the corpus.
    :param background: text that the networks read beside that of the corpus, less towards the end of the run. Its word
        n-grams are counted too, but its words and characters are not added to the corpus's.
    :param taught: what a larger model expects in some text: soft targets for the network of words.
    :param vectors: word vectors by which the trained network of words tells words apart that it does not know; not used where
        the run is interrupted.
    :param source: folder of a checkpoint to start from. The sizes of its network replace those in the settings. A resumed run
        does not need it any more.
    :param should_stop: asked after every step; once it answers yes, the best network so far is saved and the run ends.
    """

    corpus: Corpus
    folder: Path
    settings: TrainingSettings
    overwrite: bool = False
    resume: bool = False
    save_every: float = 60.0
    validation: RunningText | None = None
    background: RunningText | None = None
    taught: SoftTargets | None = None
    vectors: WordVectors | None = None
    source: Path | None = None
    should_stop: Callable[[], bool] = lambda: False

    @cached_property
    def hashes(self) -> dict[str, str]:
        """A hash of each thing that a resumed run has to be given again."""
        given = {
            "corpus": self.corpus,
            "validation": self.validation,
            "background": self.background,
            "soft_targets": self.taught,
            "word_vectors": self.vectors,
        }
        return {name: NO_INPUT if each is None else each.sha256 for name, each in given.items()}
