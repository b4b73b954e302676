"""What the verbs do without a terminal: folders that hold all or nothing, grouped findings, interrupted work."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu import toolchain, verbs
from neuroemu.errors import BadInput, Finding
from neuroemu.formats.samples import load_samples
from neuroemu.machine import Machine
from neuroemu.report import from_json
from neuroemu.toolchain import deploy
from tests.small import meter, relay, two_inputs

YAML = """\
format: neuroemu-network/1
name: relay
dt: 1 ms
populations:
  in: {shape: [2]}
  out: {shape: [2], neuron: {model: if, threshold: 0.5}}
projections:
  - {from: in, to: out, stages: [{dense: {weight: [[1, 0], [0, 1]]}}]}
outputs: [out]
"""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- folders ---------------------------------------------------------------------------------------------------------


def test_files_appear_together_at_the_end(tmp_path: Path) -> None:
    with verbs.Output(tmp_path / "a" / "b") as output:
        output.write("report.json", b"{}")
        output.write("spikes.npz", b"")
        output.path("program.nemu").write_bytes(b"image")
        assert [path for path in (tmp_path / "a" / "b").iterdir() if not path.name.startswith(".")] == []
    assert names_in(tmp_path / "a" / "b") == ["program.nemu", "report.json", "spikes.npz"]
    assert str(output) == f"written to {tmp_path / 'a' / 'b'}: program.nemu, report.json, spikes.npz"


def test_a_failure_leaves_no_folder_that_was_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), verbs.Output(tmp_path / "a" / "b") as output:
        output.write("report.json", b"{}")
        raise RuntimeError
    assert names_in(tmp_path) == []


def test_a_failure_leaves_an_older_result_untouched(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), verbs.Output(tmp_path) as output:
        output.write("report.json", b"new")
        raise KeyboardInterrupt
    assert (tmp_path / "report.json").read_bytes() == b"old"
    assert names_in(tmp_path) == ["report.json"]


def test_a_report_never_stands_beside_files_of_another_run(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(b"old")
    (tmp_path / "program.nemu").mkdir()
    with pytest.raises(BadInput, match="NE6010"), verbs.Output(tmp_path) as output:
        output.write("report.json", b"new")
        output.write("program.nemu", b"image")
    assert names_in(tmp_path) == ["program.nemu"]


def test_a_dropped_file_goes_with_the_new_result(tmp_path: Path) -> None:
    (tmp_path / "spikes.npz").write_bytes(b"old")
    with verbs.Output(tmp_path) as output:
        output.drop("spikes.npz")
        output.drop("never.there")
        output.write("report.json", b"{}")
    assert names_in(tmp_path) == ["report.json"]


def test_without_a_folder_nothing_is_written() -> None:
    with verbs.Output(None) as output:
        output.write("report.json", b"{}")
    assert str(output) == ""


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(BadInput, match="this is a file, not a folder"), verbs.Output(tmp_path / "out"):
        raise AssertionError
    with pytest.raises(BadInput, match="NE6010"), verbs.Output(tmp_path / "out" / "deeper"):
        raise AssertionError
    assert (tmp_path / "out").read_bytes() == b"mine"


def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BadInput, match=r"report\.json: NE6010 cannot be written: No space left on device"):  # noqa: SIM117
        with verbs.Output(tmp_path / "out") as output:
            output.write("report.json", b"{}")
    assert names_in(tmp_path) == []


def test_a_single_file_appears_whole_with_ordinary_rights(tmp_path: Path) -> None:
    file = tmp_path / "verdict.json"
    verbs.write_file(file, b"first")
    verbs.write_file(file, b"second")
    assert file.read_bytes() == b"second"
    assert names_in(tmp_path) == ["verdict.json"]
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


@pytest.mark.parametrize("place", ["missing/verdict.json", "."])
def test_a_single_file_that_cannot_be_written_leaves_nothing(place: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="NE6010"):
        verbs.write_file(tmp_path / place, b"{}")
    assert names_in(tmp_path) == []


# ---- findings --------------------------------------------------------------------------------------------------------


def warning(where: str, message: str = "a", fixes: tuple[str, ...] = ()) -> Finding:
    return Finding("NE3003", message, where, fixes, "warning")


def test_the_same_about_several_populations_is_said_once() -> None:
    found = verbs.grouped([warning("population a"), warning("population b"), warning("population c", "other")])
    assert [finding.where for finding in found] == ["populations a, b", "population c"]
    assert verbs.grouped(found) == found


def test_findings_elsewhere_or_with_other_fixes_stay_apart() -> None:
    findings = [warning("net.nir"), warning("population a", fixes=("x",)), warning("population a"), warning("")]
    assert verbs.grouped(findings) == tuple(findings)


def test_no_findings_are_none() -> None:
    assert verbs.grouped([]) == ()


# ---- runs ------------------------------------------------------------------------------------------------------------


def test_the_spikes_file_holds_events_offsets_and_predictions() -> None:
    run = deploy(relay(), "loihi1").run(np.ones((2, 3, 2), np.uint8), probes=["first"])
    with np.load(io.BytesIO(verbs.spikes_file(run)), allow_pickle=False) as arrays:
        assert set(arrays.files) == {
            "predictions",
            *(
                f"{name}__{part}"
                for name in ("first", "second")
                for part in ("sample", "tick", "neuron", "tick_offset")
            ),
            "first__u",
            "first__v",
        }
        assert arrays["predictions"].tolist() == [0, 0]
        assert arrays["second__tick_offset"] == 1 and arrays["second__tick"].min() == 1
        assert arrays["second__sample"].size == 2 * 3 * 2
        assert arrays["first__v"].shape == (2, 3, 2)


def test_a_program_tells_enough_to_read_samples(tmp_path: Path) -> None:
    for network, shapes in ((meter(), {"in": (1, 1, 3)}), (two_inputs(), {"left": (2,), "right": (3,)})):
        deploy(network, "loihi1").save(tmp_path / "program.nemu")
        ports = verbs._ports_only(Machine.load(tmp_path / "program.nemu"))
        assert {name: ports.populations[name].shape for name in ports.inputs} == shapes
        arrays = {f"input__{name}": np.ones((2, 4, *shape), np.uint8) for name, shape in shapes.items()}
        np.savez(tmp_path / "samples.npz", **arrays, out_spikes=np.zeros((2, 4, 2)))
        samples = load_samples(tmp_path / "samples.npz", ports)
        assert samples.count == 2 and samples.ticks == 4


def test_the_first_samples_are_cut_with_their_labels(tmp_path: Path) -> None:
    file = tmp_path / "samples.npz"
    np.savez(file, input=np.arange(24).reshape(3, 4, 2), labels=[0, 1, 0], out_spikes=np.zeros((3, 4, 2)))
    samples = load_samples(file, relay())
    cut = verbs._cut_samples(samples, 2)
    assert cut.count == 2 and cut.labels is not None and cut.labels.tolist() == [0, 1]
    assert cut.expected is not None and cut.expected.shape == (2, 4, 2)
    assert verbs._cut_samples(samples, None) is verbs._cut_samples(samples, 3) is samples


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A network of one layer and three labelled samples."""
    (tmp_path / "relay.yaml").write_text(YAML)
    np.savez(tmp_path / "samples.npz", input=np.ones((3, 4, 2), np.uint8), labels=[0, 0, 1])
    return tmp_path / "relay.yaml", tmp_path / "samples.npz"


def deployed(files: tuple[Path, Path], folder: Path, **more: Any) -> dict[str, Any]:
    with verbs.Output(folder) as output:
        network = verbs.load_checked(files[0])
        return verbs.deploy_and_report(network, files[0], "loihi1", files[1], output, compared=3, **more)


def test_ctrl_c_while_comparing_keeps_the_run(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(toolchain, "simulate", interrupted)
    report = deployed(files, tmp_path / "out")
    assert [finding["code"] for finding in report["findings"]] == ["NE6007"]
    assert verbs.interrupted(report)
    saved = from_json((tmp_path / "out" / "report.json").read_bytes())
    assert saved["fidelity"] is None and saved["run"] is not None and saved["run"]["samples"] == 3
    assert saved["accuracy"] is not None and saved["accuracy"]["chip"] == pytest.approx(2 / 3)


def test_an_interrupted_run_is_not_compared(files: tuple[Path, Path], tmp_path: Path) -> None:
    np.savez(files[1], input=np.ones((900, 4, 2), np.uint8))

    def start(label: str) -> Any:
        def progress(done: int, total: int) -> None:
            raise KeyboardInterrupt

        return progress

    report = deployed(files, tmp_path / "out", progress=start)
    assert report["fidelity"] is None and 0 < report["run"]["samples"] < 900
    assert verbs.interrupted(report)
    assert names_in(tmp_path / "out") == ["program.nemu", "report.html", "report.json", "spikes.npz"]
    with np.load(tmp_path / "out" / "spikes.npz") as arrays:
        assert arrays["predictions"].shape == (report["run"]["samples"],)


def test_a_comparison_ends_with_the_chip_that_was_interrupted(files: tuple[Path, Path], tmp_path: Path) -> None:
    np.savez(files[1], input=np.ones((900, 4, 2), np.uint8))

    def start(label: str) -> Any:
        def progress(done: int, total: int) -> None:
            raise KeyboardInterrupt

        return progress

    comparison = verbs.compare_chips(
        files[0],
        ["loihi1", "loihi1-wide"],
        files[1],
        tmp_path / "out",
        dialect="auto",
        dt_s=None,
        most_samples=None,
        compared=0,
        seed=0,
        progress=start,
        note=None,
    )
    assert [report["chip"]["name"] for report in comparison.reports] == ["loihi1"]
    assert names_in(tmp_path / "out") == ["compare.json", "loihi1"]


def test_the_first_compilation_is_announced(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("neuroemu.emulator.compiled.needs_compilation", lambda: True)
    deployed(files, tmp_path / "a", note=said.append)
    monkeypatch.setattr("neuroemu.emulator.compiled.needs_compilation", lambda: False)
    deployed(files, tmp_path / "b", note=said.append)
    assert len(said) == 1 and said[0].startswith("compiling the emulator for this machine")


def test_a_verdict_is_data_and_text(files: tuple[Path, Path]) -> None:
    from rich.console import Console

    network = verbs.load_checked(files[0])
    verdict = verbs.check(network, files[0], "loihi1")
    assert verdict.ok and verdict.fits and verdict.cores == 128
    assert json.loads(verdict.to_json())["cores_used"] == 1
    console = Console(file=io.StringIO(), width=200)
    verdict.print(console)
    assert "fits loihi1: 1 of 128 cores" in console.file.getvalue()  # type: ignore[attr-defined]
    assert verbs.check(network, files[0], None).fits is None


def test_an_invalid_network_is_refused_with_all_its_problems(files: tuple[Path, Path]) -> None:
    files[0].write_text(YAML.replace("shape: [2], neuron", "shape: [3], neuron").replace("[out]", "[ou]"))
    with pytest.raises(BadInput) as caught:
        verbs.load_checked(files[0])
    assert len(caught.value.findings) >= 2


def test_a_report_is_read_from_its_folder_or_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    report = deployed(files, tmp_path / "out")
    assert verbs.read_report(tmp_path / "out") == verbs.read_report(tmp_path / "out" / "report.json") == report
    with pytest.raises(BadInput, match="NE6011"):
        verbs.read_report(tmp_path)


def test_threads_beyond_the_processors_are_told_and_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuroemu.verbs._processors", lambda: 3)
    said: list[str] = []
    assert [verbs.threads_for(wanted, said.append) for wanted in (1, 3, 4, 64)] == [1, 3, 3, 3]
    assert said == [
        "--threads 4: 3 are used, one for each processor there is; the results are the same",
        "--threads 64: 3 are used, one for each processor there is; the results are the same",
    ]
