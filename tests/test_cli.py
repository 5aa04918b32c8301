"""The commands, run as processes: what they print, where, and with which status."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from command_line import COMMAND, ENVIRONMENT, autocomplete, interrupted_training
from safetensors.numpy import load_file, save_file

from autocomplete.cli.main import main
from autocomplete.prompt.renamed import RENAMED

ROOT = Path(__file__).parent.parent
SMALL = ["--hidden", "16", "--embedding", "8", "--steps", "60"]


def fails(completed: subprocess.CompletedProcess[str], *parts: str) -> None:
    """The process ended with status 2 and one line on standard error that has all the parts."""
    assert completed.returncode == 2, completed
    assert completed.stdout == ""
    assert len(completed.stderr.splitlines()) == 1, completed.stderr
    for part in parts:
        assert part in completed.stderr


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with words.txt and a checkpoint trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "words.txt").write_text("triangle\t5\ntrial\t20\nname\t30\nMonday\t9\nmy\t50\nthe\t90\n")
    completed = autocomplete("train", "words.txt", *SMALL, folder=folder)
    assert completed.returncode == 0, completed.stderr
    (folder / "output").write_text(completed.stdout)
    (folder / "progress").write_text(completed.stderr)
    return folder


def test_training_says_what_it_read_and_what_it_reached(trained):
    assert "read words.txt as word counts: 6 distinct words, 28 characters, 13 distinct characters" in (
        trained / "progress"
    ).read_text().replace("\n", " ")
    output = (trained / "output").read_text()
    assert "bits per character" in output
    assert "entropy" in output
    assert "saved in checkpoints/words" in output
    assert "\x1b" not in output


def test_a_word_typed_in_part_is_offered_whole(trained):
    completed = autocomplete("suggest", "--json", "--checkpoint", "words", "my tria", folder=trained)
    answer = json.loads(completed.stdout)
    assert answer["text"] == "my tria"
    assert {"word": "trial", "insert": "l"}.items() <= answer["words"][0].items()
    assert answer["words"][1]["word"] == "triangle"
    assert [character["character"] for character in answer["next"]][:2] == ["l", "n"]
    assert answer["exact"] is True
    assert answer["milliseconds"] > 0
    assert completed.stderr == ""


def test_lines_of_standard_input_are_answered_as_they_come(trained):
    command = [sys.executable, "-m", "autocomplete", "suggest", "--json", "--checkpoint", "words"]
    with subprocess.Popen(
        command, cwd=trained, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        for text, word in [("na", "name"), ("Mon", "Monday"), ("TRIAN", "TRIANGLE")]:
            process.stdin.write(text + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["words"][0]["word"] == word
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_without_json_the_words_are_readable(trained):
    completed = autocomplete("suggest", "--checkpoint", "words", "na", folder=trained)
    assert completed.stdout.splitlines()[0] == "na"
    assert "words  name" in completed.stdout


def test_in_a_pipe_the_prompt_answers_lines(trained):
    completed = autocomplete("type", "--checkpoint", "words", folder=trained, input="na\ntri\n")
    assert completed.returncode == 0
    assert "words  name" in completed.stdout
    assert "\x1b" not in completed.stdout


def test_in_a_pipe_the_settings_of_the_prompt_hold(trained, tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text('checkpoint = "words"\ncount = 1\n')
    completed = autocomplete("type", "--config", str(settings), folder=trained, input="tri\n")
    assert completed.stdout.splitlines()[-1].split()[:2] == ["words", "trial"]
    assert "triangle" not in completed.stdout
    assert "triangle" in autocomplete("--config", str(settings), "--count", "2", folder=trained, input="tri\n").stdout
    fails(autocomplete("--threshold", "2", folder=trained, input="tri\n"), "--threshold is 2", "from 0 to 1")
    settings.write_text("count 1")
    fails(
        autocomplete("--config", str(settings), folder=trained, input="tri\n"), "settings.toml", "such as `count = 5`"
    )


def test_a_former_name_of_an_option_is_read_as_the_present_one(trained, monkeypatch, capsys):
    monkeypatch.setitem(RENAMED, "number", "count")
    monkeypatch.chdir(trained)
    for given in (["--number", "1", "tri"], ["--number=1", "tri"], ["--number=1", "--", "tri"]):
        with pytest.raises(SystemExit) as left:
            main(["suggest", "--json", "--checkpoint", "words", *given])
        assert left.value.code == 0
        assert len(json.loads(capsys.readouterr().out)["words"]) == 1
    with pytest.raises(SystemExit):
        main(["suggest", "--json", "--checkpoint", "words", "--", "--number"])
    assert json.loads(capsys.readouterr().out)["text"] == "--number"  # what is typed is no option


@pytest.mark.parametrize("command", [["suggest", "--checkpoint", "words"], ["fill"]])
def test_standard_input_that_is_no_text_is_told_with_its_place(trained, command):
    completed = subprocess.run(
        [*COMMAND, *command], cwd=trained, input=b"na_e\nn\xff\n", env=ENVIRONMENT, capture_output=True, check=False
    )
    assert completed.returncode == 2
    assert b"na" in completed.stdout  # the line before it is answered
    assert completed.stderr == b"autocomplete: standard input: line 2, byte 2: not UTF-8; save the text as UTF-8\n"


def test_arguments_too_many_are_told_by_the_command_that_was_given_them(trained):
    quotes = "put a line of several words in quotes"
    fails(
        autocomplete("suggest", "my", "tria", folder=trained),
        "arguments: tria",
        quotes,
        "`autocomplete suggest --help`",
    )
    for arguments in (["suggest", "--bogus", "my"], ["evaluate", "a", "b"]):
        completed = autocomplete(*arguments, folder=trained)
        fails(
            completed, f"autocomplete {arguments[0]}: unrecognized arguments", f"`autocomplete {arguments[0]} --help`"
        )
        assert "quotes" not in completed.stderr


def test_help_of_the_demonstration_names_each_scene(trained):
    shown = autocomplete("demo", "--help", folder=trained).stdout
    assert [f"autocomplete demo {name} " in shown for name in ("name", "triangle", "both-ways", "compare")] == [
        True
    ] * 4


def test_a_reader_that_leaves_is_no_error(trained):
    completed = subprocess.run(
        f"{sys.executable} -m autocomplete suggest --checkpoint words | head -1",
        shell=True, cwd=trained, env=ENVIRONMENT, capture_output=True, text=True, input="na\n" * 2000, check=False,
    )  # fmt: skip
    assert completed.stdout == "na\n"
    assert completed.stderr == ""


def test_inspect_prints_what_the_checkpoint_says_of_itself(trained):
    answer = json.loads(autocomplete("inspect", "words", "--json", folder=trained).stdout)
    assert answer["configuration"]["hidden"] == 16
    assert answer["parameters"] == sum(int(np.prod(shape)) for shape in answer["tensors"].values())
    assert answer["corpus"]["words"] == 6
    assert 0 < answer["figures"]["training"]["bits_per_character"] < 5
    sizes = answer["layers"]
    assert list(sizes) == ["embedding", "lstm 1", "decoder"]
    assert sum(sizes.values()) == answer["parameters"]
    assert sizes["lstm 1"] == 4 * 16 * (8 + 16 + 2)
    assert answer["lexicon"] == 6
    printed = autocomplete("inspect", "words", folder=trained).stdout
    for layer, count in [*sizes.items(), ("all", answer["parameters"])]:
        assert re.search(rf"│ {layer} .* {count:,} │", printed)
    for part in ("hidden", "words.txt", "held out bits per character", "bits per character: training"):
        assert part in printed


def test_inspect_shows_the_layers_of_both_networks(tmp_path):
    printed = autocomplete("inspect", "english", folder=tmp_path).stdout
    counts = [int(row.split("│")[4].replace(",", "")) for row in printed.splitlines() if re.match("│ [cwa]", row)]
    assert re.findall(r"^│ (\w+) +│ (\w[\w ]*?) +│", printed, re.MULTILINE) == [
        (network, layer) for network in ("characters", "words") for layer in ("embedding", "lstm 1", "decoder")
    ]
    assert sum(counts[:-1]) == counts[-1]
    assert re.search(r"rare words +150,000", printed)


def test_inspect_draws_the_curve(trained, tmp_path):
    picture = tmp_path / "curve.svg"
    completed = autocomplete("inspect", "words", "--json", "--plot", str(picture), folder=trained)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert json.loads(completed.stdout)["name"] == "words"
    drawn = ElementTree.parse(picture).getroot()
    assert drawn.tag.endswith("svg")
    text = "".join(drawn.itertext()).replace("\xa0", " ")
    assert "bits per character: training" in text
    assert "•" in text
    former = picture.read_bytes()
    for name, problem in [("curve.png", "does not end in .svg"), ("none/curve.svg", "no folder")]:
        fails(autocomplete("inspect", "words", "--plot", str(tmp_path / name), folder=trained), name, problem, "--plot")
    (tmp_path / "words.txt").write_text("name\n")
    assert autocomplete("train", "words.txt", *SMALL, "--steps", "1", folder=tmp_path).returncode == 0
    fails(autocomplete("inspect", "words", "--plot", str(picture), folder=tmp_path), "words", "no curve")
    assert picture.read_bytes() == former
    assert "by step" not in autocomplete("inspect", "words", folder=tmp_path).stdout


def test_a_training_that_diverges_ends_with_one_line_and_keeps_the_best(tmp_path):
    (tmp_path / "words.txt").write_text("name\nmane\namen\nmean\n")
    arguments = [
        *SMALL,
        "--steps",
        "400",
        "--cell",
        "rnn",
        "--learning-rate",
        "10",
        "--precision",
        "fp32",
        "--patience",
        "99",
    ]
    completed = autocomplete("train", "words.txt", *arguments, folder=tmp_path)
    assert (completed.returncode, completed.stdout) == (2, "")
    [line] = [line for line in completed.stderr.splitlines() if line.startswith("autocomplete: ")]
    assert completed.stderr.endswith(line + "\n")
    assert "the loss climbed from" in line
    assert line.endswith("the best so far is in checkpoints/words. Try a lower --learning-rate than 10")
    assert json.loads(autocomplete("suggest", "na", "--json", "--checkpoint", "words", folder=tmp_path).stdout)["words"]


def test_checkpoints_lists_them(trained):
    listed = autocomplete("checkpoints", folder=trained).stdout
    assert "words" in listed
    assert "english" in listed


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty"),
        (b"\n \n\t\n", "blank"),
        (b"\x7fELF\0\0\0", "binary"),
        ("na\u00efve".encode("latin-1"), "byte 2"),
        (b"one\tfive\ntwo\t2\n", "line 1"),
        (b"one\t1\ntwo\t-2\n", "line 2"),
        (b"one\t1\ntwo\t0\n", "line 2"),
        (b"a\naa\naaa\n", "one distinct character"),
        (b"ab " * 3_500_000, "line 1"),
    ],
    ids=["empty", "blank", "binary", "latin-1", "no number", "negative", "zero", "one character", "long line"],
)
def test_a_corpus_that_cannot_be_read_is_told_in_one_line(tmp_path, content, part):
    (tmp_path / "bad.txt").write_bytes(content)
    fails(autocomplete("train", "bad.txt", folder=tmp_path), "bad.txt", part)
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.txt"]


def test_a_missing_corpus_and_a_folder_are_told_apart(tmp_path):
    fails(autocomplete("train", "none.txt", folder=tmp_path), "none.txt", "No such file")
    (tmp_path / "folder").mkdir()
    fails(autocomplete("train", "folder", folder=tmp_path), "folder")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cell", "transformer"],
        ["--layers", "0"],
        ["--hidden", "-5"],
        ["--embedding", "0"],
        ["--dropout", "1.5"],
        ["--minutes", "-1"],
        ["--minutes", "nan"],
        ["--steps", "0"],
        ["--alpha", "nan"],
        ["--learning-rate", "0"],
        ["--precision", "int4"],
        ["--name", "../up"],
        ["--hidden", "many"],
        ["--resume"],
        ["--resume", "--hidden", "32"],
        ["--resume", "--force"],
        ["--name=-x"],
        ["--no-such-option"],
    ],
    ids=" ".join,
)
def test_a_setting_out_of_range_is_told_in_one_line(tmp_path, arguments):
    (tmp_path / "words.txt").write_text("name\n")
    fails(autocomplete("train", "words.txt", *arguments, folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["words.txt"]


def test_a_checkpoint_is_overwritten_only_by_force(trained):
    before = snapshot(trained / "checkpoints")
    fails(autocomplete("train", "words.txt", *SMALL, folder=trained), "words", "--force")
    assert snapshot(trained / "checkpoints") == before


def test_force_replaces_a_checkpoint(tmp_path):
    (tmp_path / "words.txt").write_text("name\n")
    for hidden in ("8", "12"):
        completed = autocomplete("train", "words.txt", *SMALL, "--hidden", hidden, "--force", folder=tmp_path)
        assert completed.returncode == 0, completed.stderr
    answer = json.loads(autocomplete("inspect", "words", "--json", folder=tmp_path).stdout)
    assert answer["configuration"]["hidden"] == 12
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["words"]


@pytest.mark.parametrize("name", ["thesis", "notes"])
def test_force_never_replaces_what_is_no_checkpoint(trained, tmp_path, name):
    (tmp_path / "words.txt").write_text("name\n")
    (tmp_path / "checkpoints/thesis").mkdir(parents=True)
    (tmp_path / "checkpoints/thesis/chapter.txt").write_text("precious")
    (tmp_path / "checkpoints/notes").write_text("a file")
    before = snapshot(tmp_path)
    fails(
        autocomplete("train", "words.txt", *SMALL, "--name", name, "--force", folder=tmp_path), name, "another --name"
    )
    assert snapshot(tmp_path) == before


def test_an_output_of_another_encoding_is_no_error(trained):
    for arguments in (["suggest", "日 na"], ["suggest", "--json", "日 na"], ["inspect", "words"]):
        completed = subprocess.run(
            [sys.executable, "-m", "autocomplete", *arguments, *["--checkpoint", "words"] * (arguments[0] == "suggest")],
            cwd=trained, env=ENVIRONMENT | {"PYTHONIOENCODING": "cp1252"}, capture_output=True, check=False,
        )  # fmt: skip
        assert completed.returncode == 0, completed.stderr
        completed.stdout.decode("cp1252")
        if "--json" in arguments:
            assert json.loads(completed.stdout)["text"] == "日 na"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_an_output_that_is_full_is_told_in_one_line(trained):
    with Path("/dev/full").open("w") as full:
        completed = subprocess.run(
            [sys.executable, "-m", "autocomplete", "suggest", "--checkpoint", "words", "na"],
            cwd=trained, env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert completed.returncode == 2
    assert completed.stderr == "autocomplete: standard output: No space left on device; write it elsewhere\n"


def test_a_place_that_cannot_be_written_is_told_before_training(tmp_path):
    (tmp_path / "words.txt").write_text("name\n")
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    fails(autocomplete("train", "words.txt", folder=tmp_path), "checkpoints")
    assert (tmp_path / "checkpoints").read_text() == "a file where the folder should be"


def test_a_full_disk_leaves_the_former_checkpoint_whole(tmp_path):
    (tmp_path / "words.txt").write_text("name\nmane\n")
    assert autocomplete("train", "words.txt", *SMALL, folder=tmp_path).returncode == 0
    before = snapshot(tmp_path / "checkpoints")

    def nearly_full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    completed = autocomplete("train", "words.txt", *SMALL, "--force", folder=tmp_path, preexec_fn=nearly_full)
    assert completed.returncode == 2
    assert completed.stderr.splitlines()[-1].startswith("autocomplete: checkpoints/words")
    assert "cannot be written" in completed.stderr
    assert snapshot(tmp_path / "checkpoints") == before


@pytest.mark.parametrize("damage", ["truncated", "newer", "mismatched", "garbage", "foreign", "lexicon"])
def test_a_damaged_checkpoint_is_told_in_one_line(trained, tmp_path, damage):
    folder = tmp_path / "broken"
    folder.mkdir()
    source = trained / "checkpoints" / "words"
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    path = folder / "model.safetensors"
    content = path.read_bytes()
    tensors = load_file(path)
    text = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]["autocomplete"]
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "newer":
        save_file(tensors, path, metadata={"autocomplete": json.dumps(json.loads(text) | {"format": 99})})
    elif damage == "mismatched":
        save_file(tensors | {"decoder.bias": np.zeros(3, np.float16)}, path, metadata={"autocomplete": text})
    elif damage == "garbage":
        path.write_bytes(os.urandom(1000))
    elif damage == "foreign":
        save_file(tensors, path)
    else:
        (folder / "lexicon.tsv").write_text("triangle\tmany\n")
    before = snapshot(folder)
    fails(autocomplete("suggest", "na", "--checkpoint", str(folder), folder=tmp_path), "broken")
    if damage != "lexicon":
        fails(autocomplete("inspect", str(folder), folder=tmp_path), "broken")
    assert snapshot(folder) == before


def test_the_defaults_that_help_tells_are_those_of_the_settings(tmp_path):
    from autocomplete.training.settings import TrainingSettings

    options = autocomplete("train", "--help", folder=tmp_path).stdout.split("\n  --")[1:]
    found = (re.match(r"([a-z-]+)\b.*\(default:\s+([\w.]+)", option, re.DOTALL) for option in options)
    told = dict(match.groups() for match in found if match)
    settings = vars(TrainingSettings()) | {"steps": TrainingSettings.default_steps}
    checked = {name: value for name, value in told.items() if name.replace("-", "_") in settings}
    assert len(checked) >= 12
    for name, value in checked.items():
        default = settings[name.replace("-", "_")]
        if default is not None:  # else it depends on the corpus, and the text tells how
            assert type(default)(value) == default, name


def test_an_empty_checkpoint_name_is_a_mistake(trained):
    fails(autocomplete("suggest", "na", "--checkpoint", "", folder=trained), "empty")


def test_an_unknown_checkpoint_is_told_with_those_that_there_are(trained):
    fails(autocomplete("suggest", "na", "--checkpoint", "klingon", folder=trained), "klingon", "words")


def test_ctrl_c_keeps_the_best_so_far_and_the_run_can_go_on(tmp_path):
    (tmp_path / "words.txt").write_text("name\nmane\namen\nmean\n")
    settings = ["--hidden", "16", "--minutes", "10", "--patience", "1000000", "--log", "my log"]
    status, errors = interrupted_training("words.txt", *settings, folder=tmp_path)
    assert status == 130
    assert "go on with: autocomplete train words.txt --log 'my log' --name words --resume" in errors
    assert (tmp_path / "checkpoints/words/resume.safetensors").exists()
    fails(autocomplete("train", "words.txt", folder=tmp_path), "--resume")
    assert json.loads(autocomplete("suggest", "na", "--json", "--checkpoint", "words", folder=tmp_path).stdout)["words"]

    (tmp_path / "other.txt").write_text("other\n")
    fails(autocomplete("train", "other.txt", "--name", "words", "--resume", folder=tmp_path), "another corpus")
    # The rest of ten minutes is not waited for: it goes on, and is interrupted again.
    again = ["words.txt", "--log", "my log", "--resume"]
    assert interrupted_training(*again, folder=tmp_path, after="going on from step")[0] == 130
    log = [json.loads(line) for line in (tmp_path / "my log").read_text().splitlines()]
    kinds = [line.get("reason", "start") for line in log if line["event"] != "validation"]
    assert kinds == ["start", "interrupted"] * 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe, which is read from until somebody writes")
def test_ctrl_c_that_leaves_no_time_to_save_says_what_there_is(tmp_path):
    os.mkfifo(tmp_path / "words.txt")

    def interrupted(*arguments: str) -> list[str]:
        process = subprocess.Popen(
            [*COMMAND, "train", "words.txt", *arguments],
            cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with process, (tmp_path / "words.txt").open("w"):  # which opens as soon as the training wants to read it
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        return errors.splitlines()

    assert interrupted() == ["stopped at once; nothing was saved"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["words.txt"]
    (tmp_path / "checkpoints/words").mkdir(parents=True)
    (tmp_path / "checkpoints/words/resume.safetensors").write_bytes(b"of a run before")
    assert interrupted("--force") == [
        "stopped at once; go on from what was saved with: autocomplete train words.txt --name words --resume"
    ]
    assert (tmp_path / "checkpoints/words/resume.safetensors").read_bytes() == b"of a run before"
