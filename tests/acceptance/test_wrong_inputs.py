"""Whatever is wrong with a command, a file or a folder: one clear error, the right exit code, and nothing half written."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.lib import format as npy

from tests.acceptance.command_line import EXAMPLES, REPOSITORY, Answer, neuroemu, neuroemu_process

DIGITS = EXAMPLES / "digits_mlp.nir"
SAMPLES = EXAMPLES / "digits_test.npz"
CHIP = ("--chip", "loihi1")


def refused(answer: Answer, code: str, exit_code: int = 2) -> str:
    """What was said, after checking that it is an error of this code and nothing else."""
    assert answer.exit_code == exit_code, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err and "NE9000" not in answer.err
    assert f"{code} " in answer.err
    assert answer.err.splitlines()[-1].endswith(f"; more: neuroemu explain {code}")
    return answer.err


def refused_without_a_trace(code: str, *words: str | Path, into: Path) -> str:
    """The same for a command with an output folder, in text and in JSON: the folder is not left behind."""
    said = refused(neuroemu(*words, "-o", into), code)
    assert not into.exists()
    as_json = neuroemu(*words, "-o", into, "--json")
    assert as_json.exit_code == 2 and as_json.err == ""
    document = as_json.document
    assert (document["schema"], document["exit_code"]) == ("neuroemu.error/1", 2)
    assert code in as_json.codes
    assert not into.exists()
    for finding in document["findings"]:
        assert finding["message"] in said
    return said


# ---- networks --------------------------------------------------------------------------------------------------------


def copied_digits(folder: Path) -> Path:
    return Path(shutil.copy(DIGITS, folder / "net.nir"))


def truncated(folder: Path) -> Path:
    file = copied_digits(folder)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    return file


def with_data(folder: Path, place: str, change: Callable[[Any], Any]) -> Path:
    file = copied_digits(folder)
    with h5py.File(file, "r+") as nir:
        data = nir[place]
        data[...] = change(data[...])
    return file


def nan_weights(folder: Path) -> Path:
    return with_data(folder, "node/nodes/fc1/weight", lambda weight: np.where(weight == weight.max(), np.nan, weight))


def negative_tau(folder: Path) -> Path:
    return with_data(folder, "node/nodes/lif1/tau", lambda tau: -tau)


def ten_gigabytes_in_a_kilobyte(folder: Path) -> Path:
    file = copied_digits(folder)
    with h5py.File(file, "r+") as nir:
        layer = nir["node/nodes/fc1"]
        del layer["weight"]
        layer.create_dataset("weight", shape=(50_000, 50_000), dtype="f4", chunks=(500, 500))
    return file


def no_file(folder: Path) -> Path:
    return folder / "missing.nir"


def a_folder(folder: Path) -> Path:
    return folder


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def a_picture(folder: Path) -> Path:
    file = folder / "net.nir"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    return file


def nothing(folder: Path) -> Path:
    file = folder / "net.nir"
    file.write_bytes(b"")
    return file


@pytest.mark.parametrize(
    ("network", "code", "part"),
    [
        (truncated, "NE1003", "truncated"),
        (nan_weights, "NE1015", "fc1/weight"),
        (negative_tau, "NE1016", "lif1/tau"),
        (ten_gigabytes_in_a_kilobyte, "NE1004", "fc1/weight"),
        (no_file, "NE1001", "No such file"),
        (a_folder, "NE1001", "directory"),
        (a_picture, "NE1002", "net.nir"),
        (nothing, "NE1002", "net.nir"),
    ],
)
def test_an_unusable_network_file(network: Callable[[Path], Path], code: str, part: str, tmp_path: Path) -> None:
    file = network(tmp_path)
    words = ("deploy", file, "--dialect", "snntorch-hard", "--input", SAMPLES, *CHIP)
    said = refused_without_a_trace(code, *words, into=tmp_path / "out")
    assert str(file) in said and part in said


def test_a_yaml_network_with_a_typo_gives_line_and_column(tmp_path: Path) -> None:
    text = (EXAMPLES / "edge_detector.yaml").read_text()
    file = tmp_path / "edges.yaml"
    file.write_text(text.replace("threshold: 1.0}", "treshold: 1.0}", 1))
    line = 1 + text[: text.index("threshold: 1.0}")].count("\n")
    answer = neuroemu("check", file)
    assert answer.exit_code == 2
    assert f"{file}:{line}:" in answer.err and "did you mean 'threshold'?" in answer.err


def test_a_yaml_network_of_ten_gigabytes_is_refused_before_it_is_made(tmp_path: Path) -> None:
    file = tmp_path / "vast.yaml"
    file.write_text((EXAMPLES / "edge_detector.yaml").read_text().replace("[1, 8, 8]", "[1, 80000, 80000]"))
    assert "80000" in neuroemu("check", file).err or "6400000000" in neuroemu("check", file).err
    assert neuroemu("check", file).exit_code == 2


def test_an_unknown_dialect_names_the_nearest(tmp_path: Path) -> None:
    words = ("deploy", DIGITS, "--dialect", "snntorch-hrad", *CHIP)
    assert "did you mean 'snntorch-hard'?" in refused_without_a_trace("NE1031", *words, into=tmp_path / "out")


@pytest.mark.parametrize("step", ["-1", "0", "nan", "inf"])
def test_a_step_must_be_positive_seconds(step: str) -> None:
    refused(neuroemu("check", DIGITS, "--dt", step), "NE1035")


# ---- chips -----------------------------------------------------------------------------------------------------------


def test_an_unknown_chip_names_the_nearest(tmp_path: Path) -> None:
    said = refused_without_a_trace("NE2010", "deploy", DIGITS, "--chip", "lohi1", into=tmp_path / "out")
    assert "there is no chip called 'lohi1'" in said and "did you mean 'loihi1'?" in said


def test_a_typo_in_a_chip_file_gives_file_line_and_column(tmp_path: Path) -> None:
    chip = tmp_path / "mine.yaml"
    chip.write_text(
        "extends: loihi1\nname: mine\ntitle: Mine\nlimits:\n  compartmets: {value: 2048, kind: assumed, note: more}\n"
    )
    said = refused_without_a_trace("NE2020", "deploy", DIGITS, "--chip", chip, into=tmp_path / "out")
    assert f"{chip}:5:3: NE2020" in said and "did you mean 'compartments'?" in said
    validated = neuroemu("chips", "validate", chip)
    assert validated.exit_code == 2
    assert f"{chip}:5:3: NE2020" in validated.out and validated.out.endswith("1 problem\n")
    assert neuroemu("chips", "validate", chip, "--json").document["findings"][0]["code"] == "NE2020"


def test_a_chip_file_that_is_not_there(tmp_path: Path) -> None:
    answer = neuroemu("chips", "validate", tmp_path / "none.yaml")
    assert answer.exit_code == 2 and "NE2001" in answer.out
    refused(neuroemu("chips", "show", "none"), "NE2010")


# ---- samples ---------------------------------------------------------------------------------------------------------


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "samples.npz", **arrays)
    return folder / "samples.npz"


def wrong_shape(folder: Path) -> Path:
    return saved(folder, input=np.zeros((2, 20, 65), np.uint8))


def without_ticks(folder: Path) -> Path:
    return saved(folder, input=np.zeros((2, 64), np.uint8))


def currents(folder: Path) -> Path:
    return saved(folder, input=np.full((2, 20, 64), 0.25))


def negative_counts(folder: Path) -> Path:
    return saved(folder, input=np.full((2, 20, 64), -1))


def nan_counts(folder: Path) -> Path:
    return saved(folder, input=np.full((2, 20, 64), np.nan))


def no_samples(folder: Path) -> Path:
    return saved(folder, input=np.zeros((0, 20, 64), np.uint8))


def no_ticks(folder: Path) -> Path:
    return saved(folder, input=np.zeros((2, 0, 64), np.uint8))


def another_key(folder: Path) -> Path:
    return saved(folder, spikes=np.zeros((2, 20, 64), np.uint8))


def labels_of_another_length(folder: Path) -> Path:
    return saved(folder, input=np.zeros((2, 20, 64), np.uint8), labels=np.zeros(3, np.int64))


def pickled(folder: Path) -> Path:
    return saved(folder, input=np.array([{"a": 1}], dtype=object))


def cut_off(folder: Path) -> Path:
    content = SAMPLES.read_bytes()
    (folder / "samples.npz").write_bytes(content[: len(content) // 2])
    return folder / "samples.npz"


def declares_ten_gigabytes(folder: Path) -> Path:
    header = {"descr": "|u1", "fortran_order": False, "shape": (10_000, 15_625, 64)}
    with zipfile.ZipFile(folder / "samples.npz", "w") as archive, archive.open("input.npy", "w") as member:
        npy.write_array_header_1_0(member, header)
        member.write(bytes(64))
    return folder / "samples.npz"


@pytest.mark.parametrize(
    ("samples", "code", "part"),
    [
        (wrong_shape, "NE1131", "(2, 20, 65)"),
        (without_ticks, "NE1131", "(samples, ticks, 64)"),
        (currents, "NE1043", "0.25"),
        (negative_counts, "NE1043", "-1"),
        (nan_counts, "NE1043", "nan"),
        (no_samples, "NE1043", "0 samples"),
        (no_ticks, "NE1043", "0 ticks"),
        (another_key, "NE1042", "input"),
        (labels_of_another_length, "NE1044", "(3,)"),
        (pickled, "NE1040", "pickle"),
        (cut_off, "NE1040", "samples.npz"),
        (declares_ten_gigabytes, "NE1041", "10000000000"),
        (no_file, "NE1001", "No such file"),
        (a_folder, "NE1001", "directory"),
        (a_pipe, "NE1001", "no regular file"),
    ],
)
def test_unusable_samples(samples: Callable[[Path], Path], code: str, part: str, tmp_path: Path) -> None:
    file = samples(tmp_path)
    words = ("deploy", DIGITS, "--dialect", "snntorch-hard", "--input", file, *CHIP)
    said = refused_without_a_trace(code, *words, into=tmp_path / "out")
    assert str(file) in said and part in said


# ---- output ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "deeper", "deeper/still"])
def test_an_output_folder_that_cannot_be_made(below: str, tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("mine")
    words = ("deploy", DIGITS, "--dialect", "snntorch-hard", "--input", SAMPLES, *CHIP, "-o", occupied / below)
    assert str(occupied) in refused(neuroemu(*words), "NE6010")
    assert neuroemu(*words, "--json").codes == ["NE6010"]
    assert occupied.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_result_file_that_is_in_the_way_is_named(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "program.nemu").mkdir(parents=True)
    words = ("deploy", DIGITS, "--dialect", "snntorch-hard", "--input", SAMPLES, "--samples", "1", *CHIP, "-o", out)
    refused(neuroemu(*words, "-q"), "NE6010")
    assert not (out / "report.json").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("check", DIGITS),
        ("verify", REPOSITORY / "tests" / "golden" / "nir" / "ties_snntorch", "-q"),
    ],
)
def test_an_answer_file_in_a_folder_that_does_not_exist(words: tuple[str | Path, ...], tmp_path: Path) -> None:
    refused(neuroemu(*words, "-o", tmp_path / "none" / "answer.json"), "NE6010")
    refused(neuroemu(*words, "-o", tmp_path), "NE6010")
    assert list(tmp_path.iterdir()) == []


# ---- programs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("program")
    assert neuroemu("deploy", DIGITS, "--dialect", "snntorch-hard", *CHIP, "-q", "-o", folder).exit_code == 0
    return (folder / "program.nemu").read_bytes()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda whole: whole[:-1], "NE5002"),
        (lambda whole: whole[:40], "NE5002"),
        (lambda whole: b"", "NE5000"),
        (lambda whole: whole + b"more", "NE5002"),
        (lambda whole: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], "NE5006"),
        (lambda whole: whole[:100] + bytes([whole[100] ^ 128]) + whole[101:], "NE5003"),
        (lambda whole: whole[:8] + b"\x02" + whole[9:], "NE5001"),
        (lambda whole: b"PK" + whole[2:], "NE5000"),
    ],
)
def test_a_damaged_program(damage: Callable[[bytes], bytes], code: str, program: bytes, tmp_path: Path) -> None:
    file = tmp_path / "program.nemu"
    file.write_bytes(damage(program))
    said = refused_without_a_trace(code, "run", file, "--input", SAMPLES, into=tmp_path / "out")
    assert str(file) in said


@pytest.mark.parametrize("other", [no_file, a_folder, a_pipe])
def test_a_program_that_is_not_there(other: Callable[[Path], Path], tmp_path: Path) -> None:
    refused_without_a_trace("NE5008", "run", other(tmp_path), "--input", SAMPLES, into=tmp_path / "out")


def test_samples_that_do_not_fit_the_program(program: bytes, tmp_path: Path) -> None:
    (tmp_path / "program.nemu").write_bytes(program)
    words = ("run", tmp_path / "program.nemu", "--input", EXAMPLES / "digits_conv.npz")
    assert "(100, 12, 1, 8, 8)" in refused_without_a_trace("NE1131", *words, into=tmp_path / "out")


def test_a_population_that_cannot_be_probed(program: bytes, tmp_path: Path) -> None:
    (tmp_path / "program.nemu").write_bytes(program)
    words = ("run", tmp_path / "program.nemu", "--input", SAMPLES, "--probe", "lif3")
    assert "lif1, lif2" in refused_without_a_trace("NE6008", *words, into=tmp_path / "out")


# ---- reports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", "NE8001"),
        ('{"schema": "neuroemu.report/2"}', "NE8002"),
        ('{"schema": "neuroemu.compare/1", "reports": []}', "NE8002"),
        ("[]", "NE8002"),
        ('{"schema": "neuroemu.report/1", "version": 7}', "NE8003"),
        ('{"schema": "neuroemu.report/1", "cost": NaN}', "NE8001"),
    ],
)
def test_a_report_of_another_kind(text: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text)
    page = tmp_path / "page.html"
    assert str(tmp_path / "report.json") in refused(neuroemu("report", tmp_path, "-o", page), code)
    assert code in neuroemu("report", tmp_path, "--json").codes
    assert not page.exists()


def test_a_pipe_is_no_report(tmp_path: Path) -> None:
    assert "no regular file" in refused(neuroemu("report", a_pipe(tmp_path)), "NE6011")


def test_a_folder_without_a_report(tmp_path: Path) -> None:
    assert "report.json" in refused(neuroemu("report", tmp_path), "NE6011")


# ---- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("deploi",), "deploy"),
        (("deploy", DIGITS, "--chips", "loihi1"), "--chip"),
        (("deploy", DIGITS), "--chip"),
        (("deploy",), "FILE"),
        (("deploy", DIGITS, *CHIP, "--samples", "0"), "--samples"),
        (("deploy", DIGITS, *CHIP, "--samples", "many"), "--samples"),
        (("deploy", DIGITS, *CHIP, "--seed", "-1"), "--seed"),
        (("run", "program.nemu"), "--input"),
        (("chips", "lst"), "list"),
        (("explain",), "CODE"),
        (("compare", DIGITS), "--chips"),
    ],
)
def test_a_command_line_that_is_not_understood(words: tuple[str | Path, ...], part: str) -> None:
    said = refused(neuroemu(*words), "NE6013")
    assert part in said and "--help" in said
    assert neuroemu(*words, "--json").codes == ["NE6013"]


@pytest.mark.parametrize("option", ["--partitioner", "--placer"])
def test_an_unknown_algorithm_is_answered_with_those_there_are(option: str, tmp_path: Path) -> None:
    said = refused_without_a_trace("NE6015", "deploy", DIGITS, *CHIP, option, "magic", into=tmp_path / "out")
    assert "magic" in said and "use one of" in said


def test_an_unknown_code() -> None:
    assert "NE3603" in refused(neuroemu("explain", "NE303"), "NE9002")
    assert neuroemu("explain", "NE303", "--json").codes == ["NE9002"]


def test_a_comparison_without_chips() -> None:
    refused(neuroemu("compare", DIGITS, "--chips", ","), "NE6012")


def test_a_seed_beyond_64_bits() -> None:
    refused(neuroemu("deploy", DIGITS, *CHIP, "--seed", str(1 << 64)), "NE5100")


# ---- a real process --------------------------------------------------------------------------------------------------


def test_a_process_shows_no_traceback_and_keeps_the_streams_apart(tmp_path: Path) -> None:
    file = truncated(tmp_path)
    answer = neuroemu_process("deploy", file, "--input", SAMPLES, *CHIP, "-o", "out", folder=tmp_path)
    refused(answer, "NE1003")
    assert not (tmp_path / "out").exists()


def test_a_defect_is_told_apart_from_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(file: Path, dialect: str, dt_s: float | None) -> None:
        raise ZeroDivisionError("in the middle")

    monkeypatch.setattr("neuroemu.verbs.load_checked", broken)
    answer = neuroemu("check", DIGITS)
    assert answer.exit_code == 3 and answer.out == ""
    assert "NE9000 this is a defect of neuroemu" in answer.err and "ZeroDivisionError: in the middle" in answer.err
    assert "Traceback" not in answer.err
    as_json = neuroemu("check", DIGITS, "--json")
    assert as_json.exit_code == 3 and json.loads(as_json.out)["findings"][0]["code"] == "NE9000"


def test_the_trace_of_a_defect_is_shown_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuroemu.verbs.load_checked", None)
    monkeypatch.setenv("NEUROEMU_DEBUG", "1")
    answer = neuroemu("check", DIGITS)
    assert answer.exit_code == 3 and "Traceback" in answer.err


def test_too_little_memory_is_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(file: Path, dialect: str, dt_s: float | None) -> None:
        raise MemoryError

    monkeypatch.setattr("neuroemu.verbs.load_checked", exhausted)
    refused(neuroemu("check", DIGITS), "NE6017")


def test_a_terminal_of_few_characters_shows_the_rest_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    shown = neuroemu_process("chips", "show", "loihi1")
    assert shown.exit_code == 0 and "23.6 pJ" in shown.out and shown.out.isascii()
    as_json = neuroemu_process("chips", "show", "loihi1", "--json")
    assert as_json.document == neuroemu("chips", "show", "loihi1", "--json").document


def test_ctrl_c_before_there_is_a_result_writes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(file: Path, dialect: str, dt_s: float | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("neuroemu.verbs.load_checked", interrupted)
    words = ("deploy", DIGITS, *CHIP, "-o", tmp_path / "new" / "out")
    refused(neuroemu(*words), "NE6014", exit_code=130)
    assert neuroemu(*words, "--json").document["exit_code"] == 130
    assert list(tmp_path.iterdir()) == []
