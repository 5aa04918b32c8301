"""
Build english.txt, the 50,000 most frequent English words with their counts per billion, from wordfreq's large list.

    pip install wordfreq==3.1.1
    python corpora/build_english.py

See README.md beside this file for the source and its licence.
"""

from pathlib import Path
from unicodedata import name

from wordfreq import get_frequency_dict

WORDS = 50_000
PER = 1_000_000_000


def is_latin_word(word: str) -> bool:
    """Return whether a word is made of Latin letters and apostrophes only, and of one letter at least."""
    letters = word.replace("'", "")
    return letters.isalpha() and all(name(letter, "").startswith("LATIN SMALL LETTER") for letter in letters)


def main() -> None:
    """Write english.txt beside this script."""
    frequencies = {word: f for word, f in get_frequency_dict("en", "large").items() if is_latin_word(word)}
    ordered = sorted(frequencies.items(), key=lambda item: (-item[1], item[0]))[:WORDS]
    lines = [f"{word}\t{round(frequency * PER)}\n" for word, frequency in ordered]
    Path(__file__).with_name("english.txt").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
