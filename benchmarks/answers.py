"""
Whether the shipped checkpoints still answer as they did: record their answers, change the code, and compare.

    python benchmarks/answers.py record answers.json.gz --text ewt_dev.txt
    python benchmarks/answers.py compare answers.json.gz --text ewt_dev.txt

The answers are those of `english` at 2,000 places of a text, a fourth of them with the cursor inside the line, and the fillings
of `english-both-ways` for 200 of its lines. Two answers are the same where words, order, `exact` and next characters are, and no
probability differs by more than a millionth; candidates whose probabilities are so close may change places. The recording
holds answers only: the text stays where it is.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autocomplete import Predictor
from autocomplete.inference.filling import Filler

PLACES, LINES, SEED, CLOSE = 2_000, 200, 24, 1e-6
Candidate = tuple[str, float]


def places(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (text before the cursor, text after it)."""
    chance = random.Random(SEED)
    for place in range(PLACES):
        line = lines[chance.randrange(len(lines))][:300]
        cursor = chance.randrange(len(line) + 1)
        yield line[:cursor], "" if place % 4 else line[cursor:]


def gaps(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines in which one or two letters, or a word, are missing."""
    chance = random.Random(SEED)
    for number in range(LINES):
        words = [w for w in lines[chance.randrange(len(lines))][:120].split() if "_" not in w and "[" not in w]
        place = chance.randrange(len(words))
        word = words[place]
        if number % 3 == 2:
            words[place] = "[ ]"
        else:
            letter = chance.randrange(len(word))
            missing = 1 + number % 3
            words[place] = word[:letter] + "_" * missing + word[letter + missing :]
        yield " ".join(words)


def answers(text: Path) -> dict[str, Any]:
    """Return what the checkpoints answer to places of a text, as JSON types."""
    lines = [line for line in text.read_text(encoding="utf-8").splitlines() if len(line.split()) > 1]
    predictor, found = Predictor.load("english"), []
    for before, after in places(lines):
        prediction = predictor.predict(before, 5, after=after)
        found.append(
            {
                "words": [(word.word, word.probability) for word in prediction.words],
                "inserts": [word.insert for word in prediction.words],
                "next": [(each.character, each.probability) for each in prediction.next],
                "exact": [prediction.exact, *(word.exact for word in prediction.words)],
                "ghost": predictor.continuation(prediction, 0.6),
            }
        )
    filler, fillings = Filler.load(), []
    for line in gaps(lines):
        filling = filler.fill(line)
        fillings.append({"words": [(fill.line, fill.probability) for fill in filling.fills], "exact": filling.exact})
    return {"text": zlib.crc32(text.read_bytes()), "answers": found, "fillings": fillings}


def differences(before: Sequence[Candidate], now: Sequence[Candidate]) -> list[str]:
    """Return what differs between two rankings, candidates as probable as each other aside."""
    if len(before) != len(now):
        return [f"{len(before)} candidates were {before}, {len(now)} are {now}"]
    expected = dict(before)
    edge = before[-1][1] if before else 0.0  # one as probable as the last may have taken its place
    found = []
    for (_, was), (name, probability) in zip(before, now, strict=True):
        if abs(was - probability) > CLOSE:
            found.append(f"{name!r} has {probability:.8f} in place of {was:.8f}")
        elif name not in expected and abs(edge - probability) > CLOSE:
            found.append(f"{name!r} is new")
        elif abs(expected.get(name, edge) - probability) > CLOSE:
            found.append(f"{name!r} has {probability:.8f}, had {expected[name]:.8f}")
    return found


def compare(before: dict[str, Any], now: dict[str, Any]) -> int:
    """Print all differences, and return how many answers have one."""
    if before["text"] != now["text"]:
        raise SystemExit("this is not the text that was recorded")
    different = 0
    for kind in ("answers", "fillings"):
        for number, (was, is_now) in enumerate(zip(before[kind], now[kind], strict=True)):
            found = differences(was["words"], is_now["words"]) + differences(
                was.get("next", []), is_now.get("next", [])
            )
            found += [name for name in ("exact", "ghost") if was.get(name) != is_now.get(name)]
            words = [[name for name, _ in each["words"]] for each in (was, is_now)]
            found += ["inserts"] * (words[0] == words[1] and was.get("inserts") != is_now.get("inserts"))
            if found:
                different += 1
                print(f"{kind} {number}: {'; '.join(found)}")
        print(f"{kind}: {len(before[kind]):,} compared")
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["record", "compare"])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--text", type=Path, required=True, help="a phrase a line")
    options = parser.parse_args()
    found = json.loads(json.dumps(answers(options.text)))
    if options.action == "record":
        options.recording.write_bytes(gzip.compress(json.dumps(found).encode(), mtime=0))
        return
    different = compare(json.loads(gzip.decompress(options.recording.read_bytes())), found)
    print(f"{different} differ")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
