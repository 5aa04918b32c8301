"""Models trained side by side: the time is shared, the figures are right, and who beat whom is told as it is."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType
from terminals import CONTROL_C, ProcessTerminal

from autocomplete.cli.main import main
from autocomplete.corpus.corpus import Corpus
from autocomplete.demo.sentences import SENTENCES
from autocomplete.errors import CorpusError
from autocomplete.inference.speed import key_seconds
from autocomplete.lab import comparison, contenders
from autocomplete.lab.comparison import Standing, Standings, compare
from autocomplete.lab.contenders import CONTENDERS, FEW, Contender, Kind
from autocomplete.lab.learners import Figures, Learner, new_learner
from autocomplete.lab.material import Material, read_material, words_material
from autocomplete.models.character_ngrams import CharacterNgrams
from autocomplete.reports.comparison import ComparisonDisplay, comparison_report, comparison_table, verdict
from autocomplete.reports.comparison_chart import CurvesChart, ranked
from autocomplete.text.vocabulary import BOUNDARY

# From Python 3.12 on, forking with threads about warns; pexpect's child calls exec at once, which is safe.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

TEXT = "\n".join(SENTENCES * 2)
WORDS = [
    a + b + c
    for a in ("tri", "na", "sta", "bo", "we", "ca")
    for b in "bcdfghklmnprst"
    for c in ("ing", "ed", "s", "tion", "er")
]


def last(material: Material, seconds: float = 0.5, **options: object) -> Standings:
    *_, standings = compare(material, FEW, seconds, **options)
    return standings


# What is learned, and what is held out.


def test_text_is_held_out_at_its_end_between_two_lines(make_corpus: Callable[[str], Corpus]) -> None:
    corpus = make_corpus(TEXT)
    material = read_material(corpus)
    keys = corpus.alphabet.keys(TEXT.split("\n"))
    every = material.vocabulary.encode_lines(keys)
    np.testing.assert_array_equal(np.concatenate([material.learned[:-1], material.held_out]), every)
    assert material.learned[len(material.learned) - 1 :] == [BOUNDARY]
    assert material.held_out[0] == BOUNDARY
    assert 0.01 < len(material.held_out) / len(every) < 0.06
    assert material.unit == "text"


def test_text_of_one_line_is_cut_all_the_same(make_corpus: Callable[[str], Corpus]) -> None:
    material = read_material(make_corpus(" ".join(SENTENCES)))
    assert len(material.held_out) > 50
    assert BOUNDARY not in material.held_out[:-1]


def test_words_are_held_out_whole_and_each_stands_there_once(make_corpus: Callable[[str], Corpus]) -> None:
    corpus = make_corpus("\n".join(f"{word}\t{i + 1}" for i, word in enumerate(WORDS)))
    material = read_material(corpus)

    def words(ids: np.ndarray) -> list[str]:
        return "".join(" " if symbol == BOUNDARY else material.vocabulary.decode([symbol]) for symbol in ids).split()

    learned, held_out = words(material.learned), words(material.held_out)
    assert sorted(learned + held_out) == sorted(corpus.words)
    assert len(held_out) > 5
    assert material.unit == "words"


def test_what_is_too_short_is_refused(make_corpus: Callable[[str], Corpus]) -> None:
    for content in ("one\ntwo\nthree\n", "A sentence or two. It is not much."):
        with pytest.raises(CorpusError, match=r"corpus\.txt: has \d+ characters; a comparison needs 2,000"):
            read_material(make_corpus(content))


# How the time is shared.


@pytest.fixture
def steady_clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock on which whatever is timed, a step or a measurement, takes a tenth of a second, and the rest nothing."""
    clock = SimpleNamespace(now=0.0, runs=False)

    def tick() -> float:
        clock.runs = not clock.runs
        clock.now += 0.0 if clock.runs else 0.1
        return clock.now

    monkeypatch.setattr(comparison, "time", SimpleNamespace(monotonic=lambda: clock.now, perf_counter=tick))
    return clock


def test_all_networks_have_the_same_time_and_the_budget_is_kept(steady_clock: SimpleNamespace) -> None:
    standings = last(words_material(WORDS), 12.0, rounds=4)
    counter, *networks = standings.each
    assert counter.characters == len(words_material(WORDS).learned)
    times = [standing.seconds for standing in networks]
    assert max(times) - min(times) < 0.15  # a step more or less
    assert sum(times) > 5  # the rest is measuring
    assert steady_clock.now <= 12.5
    for standing in networks:
        assert [round(seconds, 6) for seconds, _ in standing.curve] == sorted({round(t, 6) for t, _ in standing.curve})
        assert len(standing.curve) == 4
        assert standing.curve[-1][1] < standing.curve[0][1]
        assert standing.curve[-1][0] == standing.seconds
        steps = round(standing.seconds / 0.1)
        assert standing.speed == pytest.approx(standing.characters / standing.seconds)
        assert 0 < standing.characters <= steps * 32 * 32


def test_time_between_two_events_is_not_counted(steady_clock: SimpleNamespace) -> None:
    events = compare(words_material(WORDS), FEW, 12.0, rounds=4)
    standings = next(events)
    for standings in events:  # noqa: B007  # the last one is wanted
        steady_clock.now += 5.0
    assert min(s.seconds for s in standings.each if s.contender.kind != "n-gram") > 0.2


def test_with_no_time_each_takes_a_step_and_is_measured() -> None:
    standings = last(words_material(WORDS), 1e-6)
    assert standings.reason == "done"
    assert all(standing.figures is not None and len(standing.curve) == 1 for standing in standings.each)


# What is measured.


def parameters(learner: Learner, vocabulary: int) -> int:
    """Return how many numbers it learns, worked out from its sizes."""
    contender, model = learner.contender, learner.model()
    if isinstance(model, CharacterNgrams):
        return model.parameters
    embedding, hidden, layers = contender.embedding, contender.hidden, contender.layers
    around = vocabulary * embedding + vocabulary * (hidden + 1)
    if contender.kind == "window":
        return around + contender.seen * embedding * hidden + hidden
    if contender.kind == "convolution":
        return around + (embedding + 1) * hidden + layers * (2 * hidden + 1) * hidden
    return contender.configuration(vocabulary).parameters


def test_figures_are_those_of_the_models_in_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    material, learners = words_material(WORDS), []

    def keep(*arguments: object) -> Learner:
        learners.append(new_learner(*arguments))
        return learners[-1]

    monkeypatch.setattr(comparison, "new_learner", keep)
    monkeypatch.setattr(comparison, "key_seconds", lambda model, symbols: 0.5)
    standings = last(material, 2.0, word="station")
    asked = material.vocabulary.encode_lines(["station"])
    for standing, learner in zip(standings.each, learners, strict=True):
        model = learner.model()
        assert standing.contender == learner.contender
        assert standing.parameters == parameters(learner, len(material.vocabulary))
        for ids, bits in ((material.held_out, standing.bits), (asked, standing.word_bits)):
            states, logs = model.start(), []
            for symbol in ids[1:].tolist():
                answer = model.log_probabilities(states)[0]
                logs.append(answer[symbol])
                states = model.step(states, [symbol])
            assert bits == pytest.approx(-np.mean(logs) / math.log(2), abs=1e-3)
        assert standing.key_seconds == 0.5


def test_a_vocabulary_too_large_for_five_letters_has_shorter_n_grams() -> None:
    words = [chr(0x4E00 + i) for i in range(5000)]
    *_, standings = compare(words_material(words), FEW[:1], 0.5)
    assert standings.each[0].contender.name == "4-gram"
    assert standings.each[0].bits > 0


def test_who_stops_early_has_what_was_measured_so_far() -> None:
    seen: list[Standings] = []
    stop = lambda: bool(seen) and len(seen[-1].each[1].curve) == 2  # noqa: E731
    seen.extend(compare(words_material(WORDS), FEW, 6.0, should_stop=stop))
    standings = seen[-1]
    assert standings.reason == "interrupted"
    assert [len(standing.curve) for standing in standings.each] == [1, 2, 1, 1, 1, 1]
    assert all(standing.figures is not None for standing in standings.each)


def test_every_contender_can_be_trained_and_timed() -> None:
    material = words_material(WORDS)
    settings = replace(comparison.SETTINGS, batch=2, bptt=4)
    for contender in CONTENDERS:
        learner = new_learner(contender, material, settings, 1.0)
        learner.learn(0.0)
        assert learner.parameters > 0
        assert 0 < key_seconds(learner.model(), material.held_out) < 10


def test_contenders_differ_in_one_thing_from_the_middle() -> None:
    assert len({contender.name for contender in CONTENDERS}) == len(CONTENDERS)
    sizes = {}
    for kind in ("rnn", "gru", "lstm"):
        sizes[kind] = {(each.layers, each.hidden) for each in CONTENDERS if each.kind == kind}
        assert all((layers == 1) != (hidden == 128) or (layers, hidden) == (1, 128) for layers, hidden in sizes[kind])
    assert sizes["rnn"] == sizes["gru"] == sizes["lstm"]
    hidden = [hidden for _, hidden in sizes["rnn"]]
    assert (min(hidden), max(hidden)) == (64, 512)
    assert {each.kind for each in CONTENDERS} == {each.kind for each in FEW} == set(Kind.__args__)


# What is told.


def standing(kind: Kind, bits: float, layers: int = 1, hidden: int = 8) -> Standing:
    curve = tuple((float(i), bits + 1 / (i + 1)) for i in range(6))
    figures = Figures(bits, 0.5, 0.75)
    return Standing(Contender(kind, layers, hidden, seen=3), 1234, 5e-5, 5.0, 100_000, figures, curve, 2.5)


@pytest.mark.parametrize(
    ("lstm", "gru", "rnn", "window", "told"),
    [
        (2.1, 2.0, 2.2, 2.5, "LSTM (2.100) and GRU (2.000) beat the tanh RNN (2.200); the RNN beat "),
        (2.1, 2.3, 2.2, 2.5, "LSTM (2.100) beat the tanh RNN (2.200), GRU (2.300) did not; the RNN beat "),
        (2.3, 2.1, 2.2, 2.1, "GRU (2.100) beat the tanh RNN (2.200), LSTM (2.300) did not; the RNN did not beat "),
        (2.3, 2.3, 2.2, 2.2, "LSTM (2.300) and GRU (2.300) did not beat the tanh RNN (2.200); the RNN did not beat "),
        (2.1996, 2.3, 2.2, 2.5, "LSTM (2.200) and GRU (2.300) did not beat the tanh RNN (2.200); the RNN beat "),
        (math.nan, 2.0, 2.2, 2.5, "GRU (2.000) beat the tanh RNN (2.200), LSTM (diverged) did not; the RNN beat "),
        (2.1, 2.0, math.nan, 2.5, "LSTM (2.100) and GRU (2.000) beat the tanh RNN (diverged); the RNN did not beat "),
    ],
)
def test_who_beat_whom_is_told_from_the_figures(lstm: float, gru: float, rnn: float, window: float, told: str) -> None:
    each = [standing("rnn", rnn), standing("lstm", lstm), standing("window", window), standing("gru", gru)]
    worse = [standing(one.contender.kind, one.bits + 1, layers=2) for one in each]
    assert verdict(worse + each) == f"{told}the feed-forward window ({window:.3f})."


def test_nothing_is_told_of_what_was_not_measured() -> None:
    each = [standing("rnn", 2.0), standing("lstm", 2.1), standing("gru", 2.1), Standing(FEW[1])]
    assert verdict(each) == ""


def lines(renderable: RenderableType, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    console.print(renderable)
    return console.file.getvalue().splitlines()


def test_report_fits_eighty_columns_with_all_its_figures() -> None:
    each = tuple(
        replace(standing(c.kind, 2 + i / 100), contender=c, parameters=10**6 * i) for i, c in enumerate(CONTENDERS)
    )
    material = words_material(WORDS)
    drawn = lines(comparison_report(Standings(each, 12, 1.0, 0.0, "done"), material))
    assert max(map(cell_len, drawn)) <= 80
    assert not any("…" in line for line in drawn)
    rows = {one.contender.name: next(line for line in drawn if line.startswith(one.contender.name)) for one in each}
    for one in each:
        for part in (f"{one.bits:.3f}", "50.0 %", "75.0 %", f"{one.parameters:,}", "20 k", "50 µs"):
            assert part in rows[one.contender.name]
    assert "\n".join(drawn).index("5-gram") < "\n".join(drawn).index("LSTM 1 x 512")  # the best first
    assert " ".join(verdict(each).split()) in " ".join(" ".join(drawn).split())


def test_curves_are_of_the_best_of_each_kind_and_of_nothing_that_diverged() -> None:
    each = [standing("rnn", 2.2), standing("rnn", 2.1, hidden=9), standing("lstm", math.nan), standing("window", 2.5)]
    drawn = lines(CurvesChart(each, 14))
    assert len(drawn) == 14
    assert sum(line.endswith(" r RNN") for line in drawn) == 1
    assert not any("LSTM" in line for line in drawn)
    assert sum(line.count("r") for line in drawn[1:]) > 20
    assert not any("l" in line for line in drawn[1:])
    assert lines(CurvesChart([], 14)) == [""] * 14


@pytest.mark.parametrize(("width", "height"), [(80, 12), (80, 16), (120, 28), (40, 10)])
def test_no_curve_hides_another_and_each_is_named_at_its_end(width: int, height: int) -> None:
    kinds: list[Kind] = ["window", "convolution", "rnn", "gru", "lstm", "n-gram"]
    ends = [2.4, 2.3, 2.3, 2.3, 2.3, 1.5]  # four of them are one and the same curve
    drawn = lines(CurvesChart([standing(kind, bits) for kind, bits in zip(kinds, ends, strict=True)], height), width)
    assert len(drawn) == height
    assert max(map(len, drawn)) <= width
    curves = [line.partition("│")[2] for line in drawn[1:-1]]
    names = [line.split()[-2:] for line in curves if line[-1:].isalpha() or line.endswith("3-gram")]
    assert sorted(letter for letter, _ in names) == ["c", "g", "l", "n", "r", "w"]
    assert names[0] == ["w", "window"]  # the worst above, the best below
    assert names[-1] == ["n", "3-gram"]
    columns = min(width, 100) - 7 - len(" c convolution")
    plot = "".join(line[:columns] for line in curves)
    assert all(plot.count(letter) >= columns / 8 for letter in "crgl")


def test_a_curve_is_drawn_from_its_first_measure_to_the_end_of_the_time_and_where_its_bits_are() -> None:
    [rnn, ngram] = [standing("rnn", 2.0), standing("n-gram", 1.0)]
    each = [
        replace(rnn, seconds=10.0, curve=((5.0, 3.0), (10.0, 2.0))),
        replace(ngram, seconds=2.0, curve=((2.0, 1.0),)),
    ]
    drawn = lines(CurvesChart(each, 23), 80)
    columns = 80 - 7 - len(" n 3-gram")
    curves = [line[7 : 7 + columns] for line in drawn[1:-1]]  # without the axis and the names
    assert [drawn[1 + row].split()[0] for row in (0, 20)] == ["3.00", "1.00"]
    assert drawn[-1].endswith(" 10.0 s")
    assert curves[0].index("r") == pytest.approx(columns / 2, abs=1)
    assert curves[10].rstrip().endswith("r")  # 2 of 1 to 3
    assert [row for row, line in enumerate(curves) if "r" in line] == list(range(11))
    assert curves[20].strip() == "n" * len(curves[20].strip())
    assert len(curves[20].strip()) == pytest.approx(0.8 * columns, abs=1)


def test_display_fits_the_screen_and_shows_all_that_is_known() -> None:
    each = [standing("rnn", 2.2), standing("gru", 2.1), Standing(FEW[0])]
    for width, height in ((80, 24), (120, 40), (80, 6)):
        display = ComparisonDisplay(Console(file=io.StringIO(), force_terminal=True, width=width, height=height))
        display.show(Standings(tuple(each), 3, 0.25, 90.0))
        drawn = lines(display, width, height)
        assert len(drawn) < height
        assert any("25 %" in line and "1:30 min left" in line for line in drawn)
        assert any(line.startswith("GRU 1 x 8") for line in drawn)
        assert any("r RNN" in line for line in drawn) == (height >= 24)
    assert [one.contender.kind for one in ranked(each)] == ["gru", "rnn", "n-gram"]
    assert "“" not in "".join(lines(comparison_table(each)))


def test_pipe_has_a_line_for_each_round() -> None:
    output = io.StringIO()
    with ComparisonDisplay(Console(file=output, width=80)) as display:
        for number in (0, 0, 1, 1, 2):
            display.show(Standings((standing("rnn", 2.2), standing("gru", 2.1)), number, 0.1 * number, 60.0))
    assert output.getvalue().splitlines() == [
        f"round {number}: best so far GRU 1 x 8, 2.100 bits/char; 1:00 min left" for number in (1, 2)
    ]


# The command.

_FEW_ONLY = """
import sys
from autocomplete.cli.main import main
from autocomplete.lab import contenders
contenders.CONTENDERS = contenders.FEW
main(sys.argv[1:])
"""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Compare few small models of a corpus in an empty folder."""
    monkeypatch.setattr(contenders, "CONTENDERS", FEW)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "words.txt").write_text("\n".join(WORDS))
    return tmp_path


@pytest.mark.parametrize("corpus", ["text.txt", "words.txt"])
def test_command_prints_a_table_and_draws_it(few: Path, corpus: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["compare", corpus, "--minutes", "0.02", "--svg", "table.svg"])
    output, errors = capsys.readouterr()
    assert ended.value.code == 0, errors
    assert "\x1b" not in output
    for contender in FEW:
        assert sum(line.startswith(contender.name) for line in output.splitlines()) == 1
    assert "the tanh RNN (" in output
    assert errors.splitlines()[0].startswith("round 1: best so far ")
    svg = "".join(ElementTree.parse(few / "table.svg").getroot().itertext()).replace("\xa0", " ")
    assert "convolution 3 x 48" in svg
    assert sorted(path.name for path in few.iterdir()) == ["table.svg", "text.txt", "words.txt"]


def test_command_prints_json(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "text.txt", "--minutes", "0.02", "--json"])
    [line] = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["unit"], found["reason"], found["minutes"], found["corpus"]["name"]) == (
        "text",
        "done",
        0.02,
        "text.txt",
    )
    assert {model["name"] for model in found["models"]} == {contender.name for contender in FEW}
    bits = [model["bits_per_character"] for model in found["models"]]
    assert bits == sorted(bits)
    for model in found["models"]:
        assert 0 <= model["accuracy_top_1"] <= model["accuracy_top_3"] <= 1
        assert min(model[n] for n in ("parameters", "characters", "seconds", "characters_per_second")) > 0
        assert model["key_microseconds"] > 0
        assert len(model["curve"]) >= 1
    assert found["verdict"].endswith(").")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["none.txt"], "none.txt: "),
        (["short.txt"], "short.txt: has 5 characters; a comparison needs 2,000"),
        (["text.txt", "--minutes", "0"], "--minutes is 0; it must be above 0"),
        (["text.txt", "--minutes", "nan"], "--minutes is nan; it must be above 0"),
        (["text.txt", "--svg", "table.png"], "table.png: this name does not end in .svg"),
    ],
)
def test_mistake_is_told_in_one_line(
    few: Path, arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (few / "short.txt").write_text("a\nbc\n")
    with pytest.raises(SystemExit) as ended:
        main(["compare", *arguments])
    output, errors = capsys.readouterr()
    assert (ended.value.code, output) == (2, "")
    assert len(errors.splitlines()) == 1, errors
    assert problem in errors


def test_interrupt_leaves_a_clean_terminal_with_what_was_measured_so_far(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    program = ["-c", _FEW_ONLY, "compare", "text.txt", "--minutes", "60"]
    with ProcessTerminal(program, {"OMP_NUM_THREADS": "1"}, rows=50, home=tmp_path) as terminal:
        terminal.process.logfile_read = io.StringIO()
        for known in ("comparing", "LSTM", "µs"):  # each after much has been loaded
            terminal.wait(lambda frame: known in "\n".join(frame.rows))  # noqa: B023  # called at once
        terminal.wait(lambda frame: any(row.startswith("5-gram") and "µs" in row for row in frame.rows))
        terminal.type(CONTROL_C)
        assert terminal.leave() == 130
        output = terminal.process.logfile_read.getvalue()
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    assert "Traceback" not in output
    rows = terminal.screen.display
    assert any("stopped early" in row for row in rows)
    assert any(row.startswith("5-gram") and "µs" in row for row in rows)
    assert not any("comparing" in row for row in rows)
