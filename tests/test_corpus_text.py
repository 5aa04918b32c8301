"""Running text, lists and pair counts, alone and side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.errors import CorpusError
from autocomplete.text.blocklist import explicit_words
from autocomplete.text.normalization import without_marks
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.text.words import running_words

Read = Callable[..., Corpus]


WRITTEN = "The cat sat here.\nThen the cat ran off.\n"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that writes files and reads them as one corpus."""

    def read_files(*contents: str) -> Corpus:
        paths = [tmp_path / f"{number}.txt" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_text(content, encoding="utf-8")
        return read_corpus(paths)

    return read_files


def counts(corpus: Corpus) -> dict[str, float]:
    return dict(zip(corpus.words, corpus.counts.tolist(), strict=True))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("of the\t12\nin the\t9\n", "pair counts"),
        ("of\t12\nin\t9\nNew York\t5\n", "word counts"),
        ("of the\nin the\non the\n", "running text"),
        ("of\nin\nthe\nNew York\nto\nat\n", "word list"),
        ("of the day\t12\nin the day\t9\n", "running text"),
        ("of the\t12 13\nin the\t9 10\n", "running text"),
        ("Dear\tSir or Madam\nYours\ttruly yours\n", "running text"),
    ],
)
def test_kind_is_told_from_most_of_the_lines(read: Read, content: str, kind: str) -> None:
    assert read(content, WRITTEN).kinds == (kind, "running text")


def test_pairs_are_counted_by_their_keys_and_are_no_words(read: Read) -> None:
    corpus = read(WRITTEN, "Of the\t12\nof The\t3\nthe  cat\t0.5\ndon’t know\t1e3\n")
    assert corpus.pairs == {("of", "the"): 15, ("the", "cat"): 0.5, ("don't", "know"): 1000}
    assert corpus.words == read(WRITTEN).words
    assert "of" not in corpus.words
    assert "running text and pair counts" in corpus.describe()


def test_pairs_alone_are_no_corpus(read: Read) -> None:
    with pytest.raises(CorpusError, match="no word found"):
        read("of the\t12\nin the\t9\n")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("the\t7", "line 4 is not word, word, tab, count; write it so"),
        ("one of the\t7", "line 4 is not word, word, tab, count; write it so"),
        ("of the", "line 4: no count after the word"),
        ("of the\tmany", "line 4: the count 'many' is not a number"),
        ("of the\t-3", "line 4: the count -3 is not a positive number"),
        ("of the\t0", "line 4: the count 0 is not a positive number"),
        ("of the\tnan", "line 4: the count nan is not a positive number"),
        ("of the\t1e200", "line 4: the count 1e200 is out of all proportion"),
    ],
)
def test_line_that_is_no_pair_is_told_with_its_number(read: Read, line: str, problem: str) -> None:
    with pytest.raises(CorpusError) as raised:
        read("of the\t12\n\nin the\t9\n" + line + "\non the\t4\n")
    assert problem in str(raised.value)
    assert "0.txt" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@given(st.floats(1e-9, 1e9), st.integers(1, 50))
def test_lists_beside_text_get_a_fixed_share(
    tmp_path_factory: pytest.TempPathFactory, scale: float, copies: int
) -> None:
    """A list may be of a billion words, or of a few: its counts are on a scale of their own."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "text.txt").write_text(WRITTEN * copies)
    (folder / "list.txt").write_text(f"the\t{scale}\nzebra\t{2 * scale}\nyak\t{scale}\n")
    found = counts(read_corpus([folder / "text.txt", folder / "list.txt"]))
    total = 9 * copies / (2 / 3)
    assert sum(found.values()) == pytest.approx(total)
    assert found["zebra"] == pytest.approx(total / 3 / 2)
    assert found["yak"] == pytest.approx(total / 3 / 4)
    assert found["the"] == pytest.approx(2 * copies + total / 3 / 4)
    assert found["cat"] == pytest.approx(2 * copies)


def test_order_of_the_files_does_not_matter_to_the_counts(read: Read) -> None:
    lists = ["zebra\t5\nyak\t7\n", "of the\t12\nin the\t2\n", "owl\nfox\nyak\n"]
    assert counts(read(WRITTEN, *lists)) == counts(read(*reversed(lists), WRITTEN))


def test_text_is_kept_line_by_line_in_normal_form(read: Read) -> None:
    corpus = read("  The cafe\u0301 here.  \r\n\r\n\tIt is good\n", "zebra\nyak\nowl\n")
    assert corpus.text is not None
    assert list(corpus.text.lines()) == ["The café here.", "It is good"]
    assert "in 2 lines" in corpus.describe()
    assert read("zebra\nyak\nowl\n").text is None


# How words are written.


def test_word_that_begins_a_sentence_is_no_evidence_of_its_case(read: Read) -> None:
    corpus = read(
        "Nobody saw Monday come. Nobody did.\nThen Monday came. I think (Perhaps) my iPhone rang on Monday.\n"
        "“Nobody knows,” said Anna. My iPhone and I left!\n"
    )
    assert {corpus.surface(word) for word in ("monday", "i", "iphone", "anna")} == {"Monday", "I", "iPhone", "Anna"}
    assert [corpus.surface(word) for word in ("nobody", "then", "perhaps", "my")] == ["nobody", "then", "perhaps", "my"]
    assert set(corpus.surfaces) == {"monday", "i", "iphone", "anna"}


@pytest.mark.parametrize(
    ("sentences", "surface"),
    [
        ("We saw the May sun. ", "May"),
        ("We saw the May sun. We may go. ", "May"),  # one half
        ("We saw the May sun. We may go. It may be. ", "may"),
        ("We saw the MAY sun. It was in May or mAy so we may. ", "may"),  # no spelling has half of it
    ],
)
def test_spelling_is_taken_over_where_half_the_text_agrees(read: Read, sentences: str, surface: str) -> None:
    assert read(sentences + "\n").surface("may") == surface


def test_beside_a_list_a_few_times_in_a_text_are_no_evidence(read: Read) -> None:
    listed = "march\t90\nanna\t10\nPolish\t5\n"
    few = "We met Anna in March. " * 3
    many = "We met Anna in March and will polish it. " * 4
    assert [read(few + "\n", listed).surface(word) for word in ("march", "anna", "polish")] == [
        "march",
        "anna",
        "Polish",
    ]
    assert [read(many + "\n", listed).surface(word) for word in ("march", "anna", "polish")] == [
        "March",
        "Anna",
        "polish",
    ]


# Words and lines.


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("The cat sat. It ran!", "THE cat sat IT ran"),
        ("don't rock ’n’ roll 'tis", "DON'T rock n roll TIS"),
        ("he said: yes… no? so", "HE said YES NO SO"),
        ("“Stop.” He (Anna) did", "STOP HE ANNA did"),
        ("well-known a1 2b 33", "WELL known a1 2b"),
        ("-- ?? ''", ""),
        pytest.param("“Well-known thing", "WELL known thing"),
    ],
)
def test_words_of_a_line_and_which_begin_a_sentence(line: str, expected: str) -> None:
    found = [word.upper() if begins else word.lower() for word, begins in running_words(line)]
    assert found == expected.split()


@given(st.text("aB' ’.!é1-\"\u0301", max_size=30))
def test_words_of_any_line_are_words(line: str) -> None:
    for word, _ in running_words(line):
        assert any(character.isalpha() for character in word)
        assert word == word.strip("'’")
        assert not set(word) & set(' .!-"')


@given(st.text("aB' ’.!é1-\"\u0301İ\t", max_size=30))
def test_line_without_marks_has_the_characters_of_words_apostrophes_and_single_spaces(line: str) -> None:
    typed = without_marks(line)
    assert typed == " ".join(typed.split(" "))
    assert "  " not in typed
    assert typed == typed.strip(" ")
    assert not set(typed) & set('.!-"’\tB')
    assert without_marks(typed) == typed


def test_a_number_keeps_the_letters_that_it_stands_with() -> None:
    assert without_marks("On the 8th of March, at 5pm!") == "on the 8th of march at 5pm"


@given(st.lists(st.text("abcz ", max_size=6), min_size=1, max_size=8))
def test_lines_are_encoded_with_a_boundary_between_them(lines: list[str]) -> None:
    vocabulary = Vocabulary("abc ")
    expected = [BOUNDARY]
    for line in lines:
        expected += [*vocabulary.encode(line), BOUNDARY]
    assert vocabulary.encode_lines(lines).tolist() == expected


def test_symbols_of_words_are_letters_digits_marks_and_inside_apostrophes() -> None:
    vocabulary = Vocabulary("aé1\u0301' .-")
    begin, inside = vocabulary.word_symbols()
    assert [vocabulary.character(i) for i in range(len(vocabulary)) if begin[i]] == ["a", "é", "1", "\u0301"]
    assert [vocabulary.character(i) for i in range(len(vocabulary)) if inside[i]] == ["a", "é", "1", "\u0301", "'"]
    assert not (begin[[BOUNDARY, UNKNOWN]].any() or inside[[BOUNDARY, UNKNOWN]].any())


def test_explicit_words_are_single_words_in_lower_case() -> None:
    words = explicit_words()
    assert len(words) > 100
    assert len(set(words)) == len(words)
    assert all(word == word.casefold() and without_marks(word) == word for word in words)
