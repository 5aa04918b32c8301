"""Real searches over small networks: a list of words, and a text, in a second or two each."""

from __future__ import annotations

import io
import json
import resource
import shlex
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import autocomplete, interrupted_training
from rich.console import Console

from autocomplete.cli.main import main
from autocomplete.corpus.corpus import read_corpus
from autocomplete.errors import CheckpointError, SettingsError
from autocomplete.inference.predictor import Predictor
from autocomplete.inference.speed import answer_seconds
from autocomplete.reports.search import SweepDisplay, ranking
from autocomplete.reports.training_log import SweepLog
from autocomplete.storage.checkpoint import CONTEXT, LEXICON, MODEL, RESUME, Configuration, read_checkpoint
from autocomplete.training.events import SweepEvent, SweepFinished, SweepProgress, SweepStarted, Trial
from autocomplete.training.search.sweep import sweep
from autocomplete.training.settings import TrainingSettings

SMALL = TrainingSettings(hidden=16, embedding=8, draws=32, batch=8, bptt=16, precision="fp32", steps=48)
LIST = "name\t50\ntriangle\t30\nmy\t20\ntrial\t9\nMonday\t7\ntried\t3\nnames\t2\nmany\t1\nangle\t1\nlane[/]\t1\n"
TEXT = "".join(
    f"The {a} saw the {b} in the garden.\n" for a in ("cat", "dog", "man") for b in ("house", "tree", "bird") * 9
)

pytestmark = pytest.mark.usefixtures("one_thread")


def search(
    folder: Path, settings: TrainingSettings = SMALL, *, text: str = LIST, limit: float = 1.0, **options
) -> Iterator[SweepEvent]:
    """Search among three settings with layers of 16 units; a second is allowed for an answer."""
    (folder / "corpus.txt").write_text(text)
    return sweep(
        read_corpus([folder / "corpus.txt"]),
        folder / "mine",
        settings,
        **{"trials": 3, "fixed": {"hidden"}, "answer_seconds": answer_seconds, "answer_limit": limit} | options,
    )


def last(events: list[SweepEvent]) -> SweepFinished:
    assert isinstance(events[-1], SweepFinished)
    return events[-1]


def ended(events: list[SweepEvent]) -> list[Trial]:
    return [event for event in events if isinstance(event, Trial) and event.ended]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searched")


@pytest.fixture(scope="module")
def searched(place: Path) -> list[SweepEvent]:
    return list(search(place))


# What is kept.


def test_checkpoint_is_that_of_the_best_trial(searched: list[SweepEvent], place: Path) -> None:
    finished = last(searched)
    best = finished.ranking[0]
    checkpoint = read_checkpoint(place / "mine")
    assert finished.folder == finished.finished.folder == place / "mine"
    assert [trial.bits for trial in finished.ranking] == sorted(trial.bits for trial in ended(searched))
    assert (checkpoint.configuration.cell, checkpoint.configuration.layers) == (best.cell, best.layers)
    assert checkpoint.training["dropout"] == best.dropout
    assert checkpoint.training["learning_rate"] == best.learning_rate
    assert checkpoint.training == finished.settings.to_json()
    assert checkpoint.figures["steps"] == finished.finished.steps
    assert Predictor.load(str(place / "mine")).suggest("tri")
    assert names(place) == ["corpus.txt", "mine"]  # no folder of a trial is left
    assert set(names(place / "mine")) == {MODEL, LEXICON}


def test_text_is_searched_and_its_words_in_context_are_kept(tmp_path: Path) -> None:
    settings = replace(SMALL, steps=24, word_hidden=8, word_vocabulary=100)
    events = list(search(tmp_path, settings, text=TEXT, trials=2))
    finished = last(events)
    assert names(tmp_path / "mine") == sorted([MODEL, LEXICON, CONTEXT])
    alone = finished.ranking[0].state == "done"  # only the last run has a network of words
    assert ("words" in finished.finished.figures["mixture"]["bits_per_word"]) == alone
    assert finished.ranking[0].bits == pytest.approx(
        min(bits for _, _, bits in finished.finished.curve), abs=1e-3
    )  # on text, held-out bits are what networks are compared by


# The rounds.


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[SweepEvent], list[int]]:
    """Return the events of a search with three rounds, and how many runs had left something on disk after each run."""
    folder = tmp_path_factory.mktemp("halved")
    events, left = [], []
    for event in search(folder, replace(SMALL, steps=96), trials=6):
        events.append(event)
        if isinstance(event, Trial) and event.state == "waiting":
            [hidden] = folder.glob(".mine.search-*")
            left.append(len(names(hidden)))
    return events, left


def test_trials_are_halved_under_one_budget_of_steps(halved: tuple[list[SweepEvent], list[int]]) -> None:
    events, _ = halved
    [started] = [event for event in events if isinstance(event, SweepStarted)]
    assert started.rounds == (6, 2, 1)
    rounds = {trial.number: trial.round for trial in ended(events)}
    assert sorted(rounds.values()) == [1, 1, 1, 1, 2, 3]
    steps = [event for event in events if isinstance(event, SweepProgress)]
    assert len(steps) == 96  # a quarter in runs of 4 each, a quarter in two of 12, half in the last
    assert steps[-1].progress == 1
    first = [event for event in events if isinstance(event, Trial) and (event.round, event.state) == (1, "waiting")]
    assert {trial.steps for trial in first} == {4}
    # Who is ended in a round has more bits than all that pass it.
    pruned = [trial.bits for trial in ended(events) if trial.round == 1]
    assert sorted(trial.bits for trial in first)[2:] == sorted(pruned)


def test_only_the_best_so_far_stays_on_disk(halved: tuple[list[SweepEvent], list[int]]) -> None:
    assert set(halved[1]) == {1}


def test_minutes_bound_the_whole_search(tmp_path: Path) -> None:
    events = list(search(tmp_path, replace(SMALL, steps=None, minutes=0.1), trials=2, fixed={"hidden", "layers"}))
    settings = last(events).settings
    assert settings.steps is None
    assert settings.minutes is not None
    assert settings.minutes < 0.1


def test_same_seed_searches_the_same_and_another_seed_does_not(searched: list[SweepEvent], tmp_path: Path) -> None:
    def without_times(trials: Iterable[Trial]) -> list[Trial]:
        return [replace(trial, seconds=0.0, answer_seconds=0.0) for trial in trials]

    assert without_times(last(list(search(tmp_path))).ranking) == without_times(last(searched).ranking)
    other = next(search(tmp_path, replace(SMALL, seed=1), overwrite=True))
    assert isinstance(searched[0], SweepStarted)
    assert isinstance(other, SweepStarted)
    assert without_times(other.trials)[:1] == without_times(searched[0].trials)[:1]
    assert without_times(other.trials) != without_times(searched[0].trials)


def test_first_trial_has_the_defaults(searched: list[SweepEvent]) -> None:
    [first] = [trial for trial in ended(searched) if trial.number == 1]
    assert (first.cell, first.layers, first.dropout) == (SMALL.cell, SMALL.layers, SMALL.dropout)
    assert first.learning_rate == TrainingSettings.word_rate


def test_what_is_given_is_fixed(searched: list[SweepEvent], tmp_path: Path) -> None:
    assert {trial.hidden for trial in ended(searched)} == {16}
    settings = replace(SMALL, cell="gru", learning_rate=0.02, dropout=0.1)
    fixed = {"cell", "learning_rate", "dropout", "layers", "embedding"}
    events = list(search(tmp_path, settings, fixed=fixed))
    assert {(t.cell, t.learning_rate, t.dropout, t.layers) for t in ended(events)} == {("gru", 0.02, 0.1, 1)}
    assert len({t.hidden for t in ended(events)}) == 3  # no setting is tried twice


def test_fewer_settings_than_asked_for_are_each_tried_once(tmp_path: Path) -> None:
    events = list(search(tmp_path, trials=8, fixed={"hidden", "layers", "dropout", "learning_rate"}))
    assert sorted(trial.cell for trial in ended(events)) == ["gru", "lstm", "rnn"]


# What is too slow.


def test_networks_that_are_too_slow_are_never_trained(tmp_path: Path) -> None:
    # Two layers take more than one. What a network takes is told here beside one layer of its kind, measured at the same moment,
    # so that other work of the machine does not matter.
    measured: list[float] = []

    def measure(configuration: Configuration) -> float:
        one = answer_seconds(replace(configuration, layers=1))
        measured.append(answer_seconds(configuration) / one)
        return measured[-1]

    limit = 1.3
    events = list(search(tmp_path, trials=4, limit=limit, answer_seconds=measure))
    slow = [trial for trial in ended(events) if trial.state == "too slow"]
    assert slow
    assert sorted(trial.answer_seconds for trial in ended(events)) == sorted(measured)
    for trial in ended(events):
        assert (trial.state == "too slow") == (trial.answer_seconds > limit)
    assert not {trial.number for trial in slow} & {trial.number for trial in last(events).ranking}
    assert all(trial.bits is None and trial.round == 0 for trial in slow)
    assert last(events).ranking[0].answer_seconds <= limit


def test_nothing_in_time_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"none of the networks answers in time .* the fastest takes 0\.\d\d ms, 0\.00 ms"
    ):
        list(search(tmp_path, limit=1e-9))
    assert names(tmp_path) == ["corpus.txt"]


# What goes wrong.


def test_search_goes_on_without_what_diverges(tmp_path: Path) -> None:
    wild = replace(SMALL, weight_decay=5, warmup=0, steps=1000, learning_rate=0.5)
    fixed = {"dropout", "hidden", "learning_rate", "layers"}
    events = list(search(tmp_path, wild, fixed=fixed))
    finished = last(events)
    failed = [trial for trial in ended(events) if trial.state == "failed"]
    assert failed
    for trial in failed:
        assert trial.problem.startswith(("the loss", "the norm", "the validation"))
        assert ".search-" not in trial.problem  # a folder that is gone
    assert finished.reason == "done"
    checkpoint = read_checkpoint(tmp_path / "mine")
    assert checkpoint.configuration.cell == finished.ranking[0].cell
    assert checkpoint.figures["steps"] == finished.finished.steps
    assert names(tmp_path) == ["corpus.txt", "mine"]


def test_nothing_but_divergence_is_told(tmp_path: Path) -> None:
    wild = replace(SMALL, weight_decay=10, warmup=0, steps=1200, learning_rate=10)
    told = "all 3 settings failed, the last as the (loss|norm|validation).*; try a lower --learning-rate"
    with pytest.raises(SettingsError, match=told):
        list(search(tmp_path, wild, fixed={"dropout", "hidden", "learning_rate", "layers"}))
    assert names(tmp_path) == ["corpus.txt"]


def test_best_so_far_is_kept_where_a_later_run_cannot_be_written(tmp_path: Path) -> None:
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(CheckpointError, match=r"cannot be written .*The best so far is in .*mine$"):
            for event in search(tmp_path):
                if isinstance(event, Trial) and (event.number, event.state) == (1, "waiting"):
                    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, most))  # as good as a full disk
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))
    assert names(tmp_path) == ["corpus.txt", "mine"]
    assert Predictor.load(str(tmp_path / "mine")).suggest("tri")


def test_checkpoint_that_exists_is_replaced_only_with_leave_and_at_the_end(
    searched: list[SweepEvent], place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "mine" / MODEL).read_bytes()
    other = replace(SMALL, seed=3, steps=12)
    with pytest.raises(CheckpointError, match="a checkpoint of this name exists"):
        list(search(tmp_path, other))
    for event in search(tmp_path, other, overwrite=True, trials=2):
        if not isinstance(event, SweepFinished):
            assert (tmp_path / "mine" / MODEL).read_bytes() == before
    assert (tmp_path / "mine" / MODEL).read_bytes() != before


def test_search_that_is_given_up_keeps_the_best_so_far(tmp_path: Path) -> None:
    events = search(tmp_path)  # as where the log cannot be written any more, or Ctrl-C is pressed twice
    while not (isinstance(event := next(events), Trial) and event.bits is not None):
        pass
    events.close()
    assert names(tmp_path) == ["corpus.txt", "mine"]
    assert read_checkpoint(tmp_path / "mine").training["cell"] == event.cell


@pytest.mark.parametrize("steps", [5, 40])
def test_interrupted_search_keeps_the_best_so_far(tmp_path: Path, steps: int) -> None:
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > steps

    events = list(search(tmp_path, should_stop=should_stop))
    finished = last(events)
    assert finished.reason == "interrupted"
    assert {trial.state for trial in ended(events)} <= {"stopped", "pruned"}
    assert finished.ranking[0].bits == min(trial.bits for trial in ended(events) if trial.bits is not None)
    checkpoint = read_checkpoint(tmp_path / "mine")
    assert checkpoint.figures["steps"] == finished.finished.steps
    assert "all" in checkpoint.figures
    assert names(tmp_path) == ["corpus.txt", "mine"]


# What is shown and written down.


def test_log_has_a_line_for_each_trial(searched: list[SweepEvent], tmp_path: Path) -> None:
    with SweepLog(tmp_path / "log", resume=False) as log:
        for event in searched:
            log.show(event)
    start, *trials, end = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (start["event"], start["rounds"], start["settings"]["steps"]) == ("start", [3, 1], 48)
    assert start["corpus"]["words"] == 10
    assert [line | {"event": 0} for line in trials] == [vars(trial) | {"event": 0} for trial in ended(searched)]
    assert {line["event"] for line in trials} == {"trial"}
    assert (end["event"], end["reason"], end["ranking"][0]["bits"]) == ("end", "done", last(searched).ranking[0].bits)


def screen(events: list[SweepEvent], width: int, height: int) -> list[str]:
    """Return what a terminal of that size shows after some events."""
    output = io.StringIO()
    display = SweepDisplay(Console(file=io.StringIO(), force_terminal=True, width=width, height=height))
    for event in events:
        display.show(event)
    Console(file=output, width=width).print(display)
    return output.getvalue().splitlines()


def test_display_shows_every_trial_in_eighty_columns_and_fits_the_screen(
    halved: tuple[list[SweepEvent], list[int]],
) -> None:
    events, _ = halved
    best = last(events).ranking[0]
    for height in (24, 10):
        shown = [screen(events[:count], 80, height) for count in range(1, len(events), 5)]
        assert max(map(len, shown)) <= height
        assert all(len(line.rstrip()) <= 80 and "…" not in line for lines in shown for line in lines)
    whole = screen(events, 80, 24)
    assert len([line for line in whole if " x 16 " in line]) == 6
    assert whole[1].split()[-2:] == [str(best.steps), "done"]
    assert any("running 3 of 3" in line for lines in shown for line in lines)


def test_pipe_has_a_line_for_each_run_and_each_end(searched: list[SweepEvent]) -> None:
    output = io.StringIO()
    with SweepDisplay(Console(file=output, width=80)) as display:
        for event in searched:
            display.show(event)
    found = [line for line in output.getvalue().splitlines() if line.startswith("trial")]
    assert len([line for line in found if "round 1 of 2:" in line]) == 3
    assert len([line for line in found if " pruned 1 of 2: " in line]) == 2
    [done] = [line for line in found if " done: " in line]
    best = last(searched).ranking[0]
    assert done.endswith(f"{best.bits:.3f} bits/char after {best.steps} steps")


def test_ranking_fits_a_terminal(searched: list[SweepEvent]) -> None:
    output = io.StringIO()
    Console(file=output, width=80).print(ranking(last(searched)))
    title, _, *rows, few, more = filter(str.strip, output.getvalue().splitlines())
    assert f"{few.strip()} {more.strip()}".startswith("Some were judged after fewer than 50 steps, which tells little")
    assert title.strip() == "Settings by what they reached"
    assert [f"{trial.bits:.3f}" in row for trial, row in zip(last(searched).ranking, rows, strict=True)] == [True] * 3


# The command.

OPTIONS = ["--hidden", "16", "--embedding", "8", "--draws", "32", "--steps", "48", "--precision", "fp32"]
NO_OPTUNA = "raise ModuleNotFoundError('not installed')\n"


def test_command_prints_what_trains_the_same_network_again(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(LIST)
    completed = autocomplete("train", "words.txt", "--search", "3", *OPTIONS, "--log", "log", folder=tmp_path)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.startswith("Settings by what they reached")
    assert completed.stderr.splitlines()[-1] == "try it: autocomplete type --checkpoint words"
    assert len((tmp_path / "log").read_text().splitlines()) >= 5
    assert names(tmp_path / "checkpoints") == ["words"]
    kept = read_checkpoint(tmp_path / "checkpoints" / "words")
    [again] = [line for line in completed.stdout.splitlines() if line.startswith("train it again: ")]
    command = shlex.split(again.removeprefix("train it again: autocomplete "))
    assert "--draws" in command
    (tmp_path / "optuna.py").write_text(NO_OPTUNA)  # which nothing but a search needs
    completed = autocomplete(*command, folder=tmp_path)
    assert completed.returncode == 0, completed.stderr
    trained = read_checkpoint(tmp_path / "checkpoints" / "words")
    assert {name: t.tobytes() for name, t in trained.tensors.items()} == {
        name: t.tobytes() for name, t in kept.tensors.items()
    }


def test_interrupted_command_keeps_the_best_and_can_be_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(LIST)
    status, errors = interrupted_training(
        "words.txt", "--search", "1", "--hidden", "16", "--steps", "100000", folder=tmp_path, after="settings in"
    )
    assert status == 130, errors
    assert names(tmp_path / "checkpoints") == ["words"]
    assert RESUME in names(tmp_path / "checkpoints" / "words")
    [line] = [line for line in errors.splitlines() if line.startswith("go on with")]
    assert line.endswith("autocomplete train words.txt --name words --resume")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("--search 0", "--search is 0; give the number of settings to try, 1 or more"),
        ("--search -3", "--search is -3; give the number of settings to try, 1 or more"),
        ("--search 2 --resume", "--search goes without --resume; leave out one"),
        ("--search 2 --tensorboard runs", "--search goes without --tensorboard; leave out one"),
        ("--search 9 --steps 20", "--search 9 needs at least --steps 36, a step for each run; give more"),
        ("--search 900 --minutes 0.01", "or a lower --search"),
        (
            "--search 2 --cell gru --hidden 8 --layers 1 --dropout 0 --learning-rate 0.1",
            "--search has nothing left to search; leave out one of --cell, --hidden, --layers, --dropout, --learning-rate",
        ),
        (
            "--search 2 --hidden 4000 --layers 3",
            "none of the networks answers in time for the prompt: the fastest takes",
        ),
        ("--search 2 --log none/log", "none/log: there is no folder none"),
    ],
)
def test_mistake_is_told_in_one_line(
    tmp_path: Path, arguments: str, problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.txt").write_text(LIST)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["train", "words.txt", *arguments.split()])
    output, errors = capsys.readouterr()
    assert (ended.value.code, output) == (2, "")
    assert len(errors.splitlines()) == 1, errors
    assert problem in errors
    assert not list(tmp_path.glob("checkpoints/*")) + list(tmp_path.glob("checkpoints/.*"))


def test_without_optuna_a_search_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(LIST)
    (tmp_path / "optuna.py").write_text(NO_OPTUNA)
    completed = autocomplete("train", "words.txt", "--search", "2", folder=tmp_path)
    assert completed.returncode == 2
    assert completed.stderr.splitlines() == [
        "autocomplete: --search needs the package optuna; run pip install 'optuna>=5,<6'"
    ]


def test_help_tells_what_is_searched_and_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "--search N" in told
    assert "(default: a minute for each setting)" in told
