from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autocomplete.corpus.corpus import Corpus, entropy, read_corpus
from autocomplete.errors import CorpusError

Write = Callable[[str | bytes], Path]
Make = Callable[[str | bytes], Corpus]


def counts(corpus: Corpus) -> dict[str, float]:
    return dict(zip(corpus.words, corpus.counts.tolist(), strict=True))


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        ("name\ntriangle\nname\n", "word list", {"name": 2, "triangle": 1}),
        ("name\t5\ntriangle\t0.5\n", "word counts", {"name": 5, "triangle": 0.5}),
        ("The name, the 'name'.\nIt isn’t 12 names\n", "running text",
         {"the": 2, "name": 2, "it": 1, "isn't": 1, "names": 1}),
    ],
)  # fmt: skip
def test_each_kind_of_file_becomes_words_with_counts(
    make_corpus: Make, content: str, kind: str, expected: object
) -> None:
    corpus = make_corpus(content)
    assert corpus.kinds == (kind,)
    assert counts(corpus) == expected
    assert kind in corpus.describe()


def test_words_are_in_order_of_count_then_of_spelling(make_corpus: Make) -> None:
    assert make_corpus("b\t1\nc\t7\na\t1\n").words == ("c", "a", "b")


@pytest.mark.parametrize(
    "content",
    [
        "name\r\ntriangle\r\n",
        "\ufeffname\ntriangle\n",
        "  name \t\n\n\n   \ntriangle   \n",
        "name\ntriangle",
    ],
    ids=["Windows line ends", "byte-order mark", "spaces and blank lines", "no last line end"],
)
def test_marks_that_are_not_words_are_left_out(make_corpus: Make, content: str) -> None:
    assert counts(make_corpus(content)) == {"name": 1, "triangle": 1}


def test_windows_line_ends_and_spaces_around_counts_are_no_mistake(make_corpus: Make) -> None:
    assert counts(make_corpus("\ufeffname \t 5 \r\ntriangle\t1e3\r\n")) == {"name": 5, "triangle": 1000}


def test_duplicates_are_added_up_and_the_most_frequent_spelling_is_kept(make_corpus: Make) -> None:
    corpus = make_corpus("may\t1\nMay\t3\nMAY\t2\niPhone\t1\n")
    assert counts(corpus) == {"may": 6, "iphone": 1}
    assert corpus.surfaces == {"may": "May", "iphone": "iPhone"}
    assert corpus.surface("may") == "May"


def test_composed_and_decomposed_spellings_are_one_word(make_corpus: Make) -> None:
    assert counts(make_corpus("cafe\u0301\ncafé\n")) == {"café": 2}


def test_several_files_are_one_corpus(tmp_path: Path) -> None:
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("name\t5\ntriangle\t2\n")
    second.write_text("name\n")
    corpus = read_corpus([first, second])
    assert counts(corpus) == {"name": 6, "triangle": 2}
    assert corpus.kinds == ("word counts", "word list")
    assert corpus.name == "first.txt, second.txt"
    assert corpus.size == first.stat().st_size + second.stat().st_size


def test_figures_of_a_corpus_are_those_of_its_words(make_corpus: Make, write_corpus: Write) -> None:
    corpus = make_corpus("ab\t1\nabc\t1\nd\t2\n")
    assert "6 characters, 4 distinct characters" in corpus.describe()
    assert entropy(corpus.counts) == pytest.approx(1.5)
    content = write_corpus("ab\t1\nabc\t1\nd\t2\n").read_bytes()
    assert (corpus.size, corpus.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_words_too_long_to_be_words_are_left_out_and_told(make_corpus: Make) -> None:
    corpus = make_corpus("name\ntriangle\n" + "x" * 101 + "\n")
    assert corpus.words == ("name", "triangle")
    assert corpus.left_out == 1
    assert "left out 1 word" in corpus.describe()


def test_one_word_is_a_corpus(make_corpus: Make) -> None:
    assert make_corpus("name\n").words == ("name",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n  \r\n\t\n", "only blank lines"),
        (b"\x7fELF\x02\x01\x00\x00", "binary data (a zero byte at byte 6)"),
        ("name\nübel\n".encode("latin-1"), "not UTF-8 at byte 5"),
        (b"name\t1\ntriangle\tmany\n", "line 2: the count 'many' is not a number"),
        (b"name\t1\ntriangle\t-3\n", "line 2: the count -3 is not a positive number"),
        (b"name\t1\ntriangle\t0\n", "line 2: the count 0 is not a positive number"),
        (b"name\t1\ntriangle\tnan\n", "line 2: the count nan is not a positive number"),
        (b"name\t1\ntriangle\tinf\n", "line 2: the count inf is not a positive number"),
        (b"name\t1\nall\t1\ntriangle\n", "line 3: no count after the word"),
        (b"a\naa\naaa\n", "one distinct character"),
        (b"a\nA\n", "one distinct character"),
        (b"x" * 10_000_000, "line 1 is longer than"),
        (b"name\n" + b"x" * 10_000_000 + b"\n", "line 2 is longer than"),
        (b"12 34 56\n7 8 9\n", "no word found"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_file_that_is_no_corpus_is_refused_in_one_line_with_its_name(
    write_corpus: Write, content: bytes, problem: str
) -> None:
    with pytest.raises(CorpusError) as raised:
        read_corpus([write_corpus(content)])
    message = str(raised.value)
    assert problem in message
    assert "corpus.txt" in message
    assert len(message.splitlines()) == 1


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"words\.txt: cannot be read \(No such file or directory\)"):
        read_corpus([tmp_path / "words.txt"])
    with pytest.raises(CorpusError, match="this is a folder"):
        read_corpus([tmp_path])


def test_byte_of_a_mistake_is_counted_from_the_start_of_the_file(write_corpus: Write) -> None:
    with pytest.raises(CorpusError, match="not UTF-8 at byte 11"):
        read_corpus([write_corpus(b"\xef\xbb\xbfname\n\nna\xff\n")])


def test_words_listed_with_white_space_inside_are_several_words(make_corpus: Make) -> None:
    """A line separator in a word would break the lexicon of the checkpoint, which has a word a line."""
    ordinary = "".join(f"{word}\t9\n" for word in ("name", "triangle", "trial", "my"))
    corpus = make_corpus(ordinary + "New  York\t3\nfoo\u2028bar\t2\nfoo\rbaz\t1\n")
    assert set(corpus.words[4:]) == {"new", "york", "foo", "bar", "baz"}


@pytest.mark.parametrize("content", ["ab\t1e308\nAB\t1e308\n", "ab\t1e308\nc\t1e308\n", "ab\t1e-300\nc\t1e300\n"])
def test_counts_beyond_what_can_be_added_up_are_refused_or_give_figures(write_corpus: Write, content: str) -> None:
    path = write_corpus(content)
    try:
        corpus = read_corpus([path])
    except CorpusError:
        return
    assert math.isfinite(entropy(corpus.counts))
    assert all(map(math.isfinite, corpus.counts.tolist()))


lines = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.text(max_size=10).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.tuples(st.text(max_size=5), st.one_of(st.floats().map(str), st.integers().map(str), st.text(max_size=3))).map(
            lambda pair: "\t".join(pair).encode("utf-8", "surrogatepass")
        ),
    ),
    max_size=20,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), lines.map(b"\n".join), lines.map(b"\r\n".join)))
def test_any_bytes_are_a_corpus_or_a_corpus_error(write_corpus: Write, content: bytes) -> None:
    path = write_corpus(content)
    try:
        corpus = read_corpus([path])
    except CorpusError as error:
        assert len(str(error).splitlines()) == 1
        assert "corpus.txt" in str(error)
        return
    assert len(set(corpus.words)) == len(corpus.words) == len(corpus.counts)
    assert all(corpus.words)
    assert (corpus.counts > 0).all()
    assert all(corpus.alphabet.key(surface) == word for word, surface in corpus.surfaces.items())
    assert all(not line.splitlines()[1:] for line in (*corpus.words, *corpus.surfaces.values()))
