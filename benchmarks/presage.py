"""
Presage, the n-gram word predictor of Debian, as a suggester: trained by its `text2ngram`, asked through its C library.

It is asked as its makers wrote it: its smoothed n-gram predictor, with its own weights, over counts of one, two and three
words; suggestions are repeated as long as they fit, and nothing is learnt from what is typed. Two things are done for it.
It would cut "don't" in two at the apostrophe, so that it could never suggest it: the apostrophe is written as a digit, which
is a letter to presage and never stands in a phrase. And of a phrase it is shown the last three words: it looks at no more.

Beside it presage can ask its recency predictor, which suggests words that stand among the last twenty, with the settings that
Debian gives to it. It then looks at that many words.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from ctypes.util import find_library
from pathlib import Path
from typing import NamedTuple

__all__ = ["Presage", "Suggestion"]

_ORDER, _RECENT = 3, 20
_APOSTROPHE = "9"
_CONFIGURATION = """<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<Presage>
  <PredictorRegistry><LOGGER>ERROR</LOGGER><PREDICTORS>{predictors}</PREDICTORS></PredictorRegistry>
  <ContextTracker>
    <LOGGER>ERROR</LOGGER><LOWERCASE_MODE>yes</LOWERCASE_MODE><ONLINE_LEARNING>no</ONLINE_LEARNING>
  </ContextTracker>
  <Selector>
    <LOGGER>ERROR</LOGGER><SUGGESTIONS>{count}</SUGGESTIONS><REPEAT_SUGGESTIONS>yes</REPEAT_SUGGESTIONS>
    <GREEDY_SUGGESTION_THRESHOLD>0</GREEDY_SUGGESTION_THRESHOLD>
  </Selector>
  <PredictorActivator>
    <LOGGER>ERROR</LOGGER><PREDICT_TIME>1000</PREDICT_TIME><MAX_PARTIAL_PREDICTION_SIZE>60</MAX_PARTIAL_PREDICTION_SIZE>
    <COMBINATION_POLICY>Meritocracy</COMBINATION_POLICY>
  </PredictorActivator>
  <Predictors>
    <DefaultSmoothedNgramPredictor>
      <PREDICTOR>SmoothedNgramPredictor</PREDICTOR><LOGGER>ERROR</LOGGER>
      <DBFILENAME>{database}</DBFILENAME><DELTAS>0.01 0.1 0.89</DELTAS><LEARN>false</LEARN>
    </DefaultSmoothedNgramPredictor>
    <DefaultRecencyPredictor>
      <PREDICTOR>RecencyPredictor</PREDICTOR><LOGGER>ERROR</LOGGER>
      <LAMBDA>1</LAMBDA><N_0>1</N_0><CUTOFF_THRESHOLD>{recent}</CUTOFF_THRESHOLD>
    </DefaultRecencyPredictor>
  </Predictors>
</Presage>
"""
_Text = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


class Suggestion(NamedTuple):
    """A word and its probability, which presage does not tell."""

    word: str
    probability: float = 0.0


class Presage:
    """
    Presage with counts of a text.

    :param database: made by `train`.
    :param count: suggestions that it gives at most.
    :param folder: for its configuration.
    :param recency: whether to ask its recency predictor, too.
    """

    def __init__(self, database: Path, count: int, folder: Path, *, recency: bool = False) -> None:
        self._library = ctypes.CDLL(find_library("presage"))
        self._words = _RECENT + 1 if recency else _ORDER  # that it looks at
        predictors = "DefaultSmoothedNgramPredictor" + " DefaultRecencyPredictor" * recency
        settings = {"count": count, "database": database, "predictors": predictors, "recent": _RECENT}
        configuration = folder / ("presage-recency.xml" if recency else "presage.xml")
        configuration.write_text(_CONFIGURATION.format(**settings), encoding="utf-8")
        # Presage asks for the text before the cursor and after it, and copies what the pointers point to.
        self._past, self._future = ctypes.create_string_buffer(65_536), ctypes.create_string_buffer(1)
        self._callbacks = [_Text(lambda _, text=text: ctypes.addressof(text)) for text in (self._past, self._future)]
        self._presage = ctypes.c_void_p()
        self._check(
            self._library.presage_new_with_config(
                self._callbacks[0], None, self._callbacks[1], None, bytes(configuration), ctypes.byref(self._presage)
            )
        )
        self._known: dict[str, list[Suggestion]] = {}
        self.milliseconds: list[float] = []  # of each question that presage itself answered

    @staticmethod
    def missing() -> str:
        """Return what must be installed, or nothing."""
        return "" if shutil.which("text2ngram") and find_library("presage") else "presage is not installed"

    @staticmethod
    def train(phrases: list[str], database: Path) -> None:
        """Count words, pairs and triples of phrases into a database, which must not exist."""
        text = database.with_suffix(".txt")
        text.write_text("".join(f"{_to_presage(phrase)}\n" for phrase in phrases), encoding="utf-8")
        for order in range(1, _ORDER + 1):
            command = ["text2ngram", "-n", str(order), "-f", "sqlite", "-o", str(database), str(text)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        text.unlink()

    def suggest(self, text: str, count: int) -> list[Suggestion]:
        """Return `count` words at most that the end of a text can become, best first."""
        seen = " ".join(_to_presage(text).split(" ")[-self._words :])
        if seen not in self._known:
            started = time.perf_counter()
            self._known[seen] = [Suggestion(word.replace(_APOSTROPHE, "'")) for word in self._predict(seen)]
            self.milliseconds.append(1000 * (time.perf_counter() - started))
        return self._known[seen][:count]

    def _predict(self, text: str) -> list[str]:
        self._past.value = text.encode()
        found = ctypes.POINTER(ctypes.c_char_p)()
        self._check(self._library.presage_predict(self._presage, ctypes.byref(found)))
        words = []
        for word in found:
            if word is None:
                break
            words.append(word.decode("utf-8", "replace"))
        self._library.presage_free_string_array(found)
        return words

    def _check(self, error: int) -> None:
        if error:
            raise RuntimeError(f"presage: error {error}")


def _to_presage(text: str) -> str:
    return text.lower().replace("'", _APOSTROPHE)
