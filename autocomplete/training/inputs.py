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
    """What `train` is given."""

    corpus: Corpus
    folder: Path  # where the checkpoint is written
    settings: TrainingSettings
    overwrite: bool = False  # replace a checkpoint that is there
    resume: bool = False  # go on with the interrupted or killed run in the folder, under its own settings
    save_every: float = 60.0  # seconds after which the run is saved again; it is also saved with each new best network
    validation: RunningText | None = None  # text to measure on, in place of the last part of the corpus
    # Text that the networks read beside that of the corpus, less towards the end. Its word n-grams are counted too, but
    # its words and characters are not added to the corpus's.
    background: RunningText | None = None
    taught: SoftTargets | None = None  # what a larger model expects in some text, for the network of words
    # By which the trained network of words tells words apart that it does not know; not used where the run is interrupted.
    vectors: WordVectors | None = None
    # Folder of a checkpoint to start from; the sizes of its network replace those in the settings. Not needed to resume.
    source: Path | None = None
    # Asked after every step; once it answers yes, the best network so far is saved and the run ends.
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
