"""A run that was killed at any moment goes on from its last snapshot, and what is damaged or foreign is never used."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuroemu.emulator import runner
from neuroemu.emulator.protocol import Chunk, Stimulus
from neuroemu.emulator.runner import Recording, run_ticks
from neuroemu.emulator.snapshot import PER_TICK, check_arrays, restore_into
from neuroemu.emulator.snapshot_folder import RECORDED, Keeper, Snapshots
from neuroemu.errors import BadInput
from neuroemu.image.container import Program, read_program, write_program

TICKS, INPUTS, NEURONS = 60, 3, 4
RUN = {"program": "abc", "seed": 3, "probes": ["out"]}


class Killed(BaseException):
    """What SIGKILL would be: nothing catches it."""


class Sums:
    """A chip of four neurons that add up their inputs modulo 7 and fire at 0; a chunk ends after ``most`` ticks."""

    neurons, cores = NEURONS, 1

    def __init__(self, most: int = 1 << 20, before: Callable[[int], None] = lambda tick: None):
        self.most, self.before = most, before
        self.state = {"sums": np.arange(NEURONS, dtype=np.int64), "under_way": np.zeros((3, NEURONS), np.int32)}

    def advance(
        self, first: int, last: int, period: int, start: NDArray[np.int64], source: NDArray[np.int32], probe: Any
    ) -> Chunk:
        last = min(last, first + self.most)
        spikes: list[tuple[int, int]] = []
        probes = np.zeros((last - first, probe.size), np.int32)
        sums, under_way = self.state["sums"], self.state["under_way"]
        for tick in range(first, last):
            self.before(tick)
            sums += under_way[tick % 3] + 1
            under_way[tick % 3] = 0
            for number in source[start[tick - first] : start[tick - first + 1]]:
                under_way[(tick + 1 + number) % 3 - 1] += number + 1
            sums %= 7
            spikes += [(tick, INPUTS + int(neuron)) for neuron in np.flatnonzero(sums == 0)]
            probes[tick - first] = sums[probe]
        rows = np.array(spikes, np.int32).reshape(-1, 2)
        starts = start[: last - first + 1]
        active = np.ones((last - first, 1), np.int32)
        return Chunk(first, last, starts, source[: starts[-1]], rows[:, 0], rows[:, 1], active, {}, {"v": probes})

    def snapshot(self) -> dict[str, NDArray[Any]]:
        return {name: array.copy() for name, array in self.state.items()}

    def restore(self, arrays: Any) -> None:
        restore_into(self.state, arrays, "engine")


class Tally:
    """A meter of spikes in all and per tick."""

    def __init__(self) -> None:
        self.ticks, self.spikes, self.rows = 0, 0, np.zeros((0, 2))

    def observe(self, chunk: Chunk) -> None:
        counts = np.bincount(chunk.spike_tick - chunk.first_tick, minlength=chunk.last_tick - chunk.first_tick)
        self.ticks, self.spikes = chunk.last_tick, self.spikes + int(counts.sum())
        self.rows = np.concatenate([self.rows, np.stack([counts, counts / 3], axis=1)])

    def snapshot(self) -> dict[str, NDArray[Any]]:
        return {
            "ticks": np.array(self.ticks, np.int64),
            "spikes": np.array(self.spikes, np.int64),
            PER_TICK + "rows": self.rows.copy(),
        }

    def restore(self, arrays: Any) -> None:
        check_arrays(arrays, self.snapshot(), "meter")
        self.ticks, self.spikes, self.rows = int(arrays["ticks"]), int(arrays["spikes"]), arrays[PER_TICK + "rows"]


def rain() -> Stimulus:
    tick, source = np.nonzero(np.random.default_rng(5).random((TICKS, INPUTS)) < 0.4)
    return Stimulus(tick.astype(np.int64), source.astype(np.int32))


def played(
    folder: Path | None,
    every: int | None = None,
    *,
    resume: bool = True,
    run: dict[str, Any] = RUN,
    notes: list[str] | None = None,
    most: int = 1 << 20,
    before: Callable[[int], None] = lambda tick: None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Recording, Tally]:
    """The whole run with snapshots in ``folder``."""
    meter = Tally()
    note = [].append if notes is None else notes.append
    keeper = None
    if folder is not None:
        keeper = Keeper(Snapshots(folder, every, resume, note), run, TICKS, range(INPUTS, INPUTS + NEURONS))
    probe = np.array([1, 3])
    recording = run_ticks(Sums(most, before), rain(), TICKS, probe=probe, meter=meter, progress=progress, keeper=keeper)
    return recording, meter


def content(outcome: tuple[Recording, Tally]) -> list[bytes]:
    """Every bit of a run."""
    recording, meter = outcome
    assert list(recording.probes) == ["v"]
    counted = meter.snapshot()
    arrays = [recording.spike_tick, recording.spike_source, recording.probes["v"], *counted.values()]
    flags = np.array([recording.ticks, recording.interrupted])
    return [array.dtype.str.encode() + repr(array.shape).encode() + array.tobytes() for array in (flags, *arrays)]


def killed_at(tick: int) -> Callable[[int], None]:
    def kill(now: int) -> None:
        if now == tick:
            raise Killed

    return kill


def states(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("state-*"))


@pytest.fixture(scope="module")
def undisturbed() -> list[bytes]:
    return content(played(None))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Snapshots of a run that was killed at tick 47."""
    with pytest.raises(Killed):
        played(tmp_path / "snapshot", 10, before=killed_at(47))
    return tmp_path / "snapshot"


# ---- killed and resumed ----------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(kills=st.lists(st.integers(0, TICKS - 1), max_size=4), every=st.integers(1, 70), most=st.integers(1, 70))
def test_a_run_killed_anywhere_any_number_of_times_ends_with_the_same_bits(
    kills: list[int], every: int, most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("kills") / "snapshot"
    for tick in kills:
        with suppress(Killed):
            played(folder, every, before=killed_at(tick), most=most)
    assert content(played(folder, every, most=most)) == content(played(None))


@pytest.mark.parametrize("name", ["fsync", "replace", "unlink", "open", "close"])
@pytest.mark.parametrize("call", range(6))
def test_killed_while_a_snapshot_is_written(
    name: str, call: int, tmp_path: Path, undisturbed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, calls = getattr(os, name), [0]

    def fatal(*words: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] > call:
            raise Killed
        return genuine(*words, **options)

    monkeypatch.setattr(os, name, fatal)
    with suppress(Killed):
        played(tmp_path / "snapshot", 10)
    monkeypatch.undo()
    notes: list[str] = []
    assert content(played(tmp_path / "snapshot", 7, notes=notes)) == undisturbed
    assert len(notes) == 1 and ("resumed at tick" in notes[0] or "no snapshot" in notes[0])


def test_what_was_written_behind_the_last_snapshot_is_overwritten(folder: Path, undisturbed: list[bytes]) -> None:
    with open(folder / RECORDED, "ab") as file:
        file.write(b"half a block")
    assert content(played(folder, 3)) == undisturbed
    assert content(played(folder, None)) == undisturbed


def test_a_resumed_run_starts_at_its_last_snapshot(folder: Path) -> None:
    begun: list[int] = []
    notes: list[str] = []
    played(folder, None, before=begun.append, notes=notes)
    assert begun == list(range(40, TICKS))
    assert notes == ["resumed at tick 40"]


def test_without_a_snapshot_a_resumed_run_starts_at_the_beginning(tmp_path: Path, undisturbed: list[bytes]) -> None:
    notes: list[str] = []
    assert content(played(tmp_path / "nowhere", None, notes=notes)) == undisturbed
    assert notes == [f"no snapshot in {tmp_path / 'nowhere'}: the run starts at tick 0"]
    assert not (tmp_path / "nowhere").exists()


def test_without_resume_an_earlier_run_is_replaced_and_that_is_said(folder: Path, undisturbed: list[bytes]) -> None:
    notes: list[str] = []
    begun: list[int] = []
    assert content(played(folder, 25, resume=False, notes=notes, before=begun.append)) == undisturbed
    assert begun[0] == 0
    assert "this run replaces them" in notes[0] and "--resume" in notes[0]
    assert states(folder) == ["state-000000000000025.nemu", "state-000000000000050.nemu"]


# ---- what is in the folder -------------------------------------------------------------------------------------------


def test_the_last_two_snapshots_are_kept_and_no_half_written_file(folder: Path) -> None:
    (folder / ".state-000000000000050.nemu.1234.partial").write_bytes(b"cut off")
    with pytest.raises(Killed):
        played(folder, 10, before=killed_at(55))
    assert sorted(path.name for path in folder.iterdir()) == [RECORDED, *states(folder)]
    assert states(folder) == ["state-000000000000040.nemu", "state-000000000000050.nemu"]


def test_a_snapshot_costs_the_state_and_not_the_history(tmp_path: Path) -> None:
    sizes: list[tuple[int, int]] = []

    def measure(done: int, ticks: int) -> None:
        newest = max((tmp_path / "snapshot").glob("state-*"), default=None)
        if newest is not None:
            sizes.append((newest.stat().st_size, (tmp_path / "snapshot" / RECORDED).stat().st_size))

    played(tmp_path / "snapshot", 6, progress=measure)
    assert {state // 64 for state, _ in sizes[1:]} == {sizes[1][0] // 64}
    grown = np.diff([record for _, record in sizes])
    assert (grown[:-1] > 0).all() and grown.max() < 2 * grown[grown > 0].min()


def test_a_run_that_ends_on_a_due_tick_takes_no_snapshot_of_its_end(tmp_path: Path) -> None:
    played(tmp_path / "snapshot", 30)
    assert states(tmp_path / "snapshot") == ["state-000000000000030.nemu"]


def test_removing_leaves_files_of_others_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    Snapshots(folder).remove()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    Snapshots(folder).remove()
    assert not folder.exists()
    Snapshots(folder).remove()


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 4, 10])
def test_ctrl_c_between_chunks_leaves_a_snapshot_of_that_very_tick(
    stop: int, tmp_path: Path, undisturbed: list[bytes]
) -> None:
    def impatient(done: int, ticks: int) -> None:
        if done >= stop:
            raise KeyboardInterrupt

    notes: list[str] = []
    recording, _ = played(tmp_path / "s", 10, most=1, progress=impatient, notes=notes)
    assert (recording.ticks, recording.interrupted) == (stop, True)
    assert notes[-1].startswith(f"snapshot at tick {stop}") or stop == 10
    begun: list[int] = []
    assert content(played(tmp_path / "s", before=begun.append)) == undisturbed
    assert begun[0] == stop


def test_ctrl_c_within_a_chunk_leaves_the_snapshot_before_it(tmp_path: Path, undisturbed: list[bytes]) -> None:
    def interrupt(tick: int) -> None:
        if tick == 33:
            raise KeyboardInterrupt

    recording, _ = played(tmp_path / "s", 10, before=interrupt)
    assert (recording.ticks, recording.interrupted) == (30, True)
    assert content(played(tmp_path / "s")) == undisturbed


def test_ctrl_c_without_an_interval_keeps_the_snapshot_that_is_there(folder: Path) -> None:
    def impatient(done: int, ticks: int) -> None:
        raise KeyboardInterrupt

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    recording, _ = played(folder, None, most=3, progress=impatient)
    assert (recording.ticks, recording.interrupted) == (43, True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# ---- damaged ---------------------------------------------------------------------------------------------------------


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[40] ^= 4
    path.write_bytes(data)


def replaced(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 something else altogether" * 50)


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [cut_short, emptied, flipped, replaced, made_a_folder]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_snapshot_gives_way_to_the_one_before_with_a_note(
    damage: Callable[[Path], None], folder: Path, undisturbed: list[bytes]
) -> None:
    damage(folder / states(folder)[-1])
    notes: list[str] = []
    begun: list[int] = []
    assert content(played(folder, None, notes=notes, before=begun.append)) == undisturbed
    assert begun[0] == 30
    assert "NE6021" in notes[0] and "an older snapshot is used" in notes[0]


@pytest.mark.parametrize("damage", [cut_short, emptied, flipped, replaced])
def test_a_damaged_newest_snapshot_does_not_stay_the_newest(damage: Callable[[Path], None], folder: Path) -> None:
    damage(folder / states(folder)[-1])
    with pytest.raises(Killed):
        played(folder, 4, before=killed_at(37))
    assert states(folder) == ["state-000000000000032.nemu", "state-000000000000036.nemu"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_refused_with_every_snapshot(damage: Callable[[Path], None], folder: Path) -> None:
    damage(folder / RECORDED)
    with pytest.raises(BadInput) as caught:
        played(folder)
    assert [finding.code for finding in caught.value.findings] == ["NE6021"] * 2
    assert [Path(finding.where).name for finding in caught.value.findings] == states(folder)[::-1]


def test_no_single_byte_of_the_record_can_change_unnoticed(folder: Path) -> None:
    whole = (folder / RECORDED).read_bytes()
    for place in range(0, len(whole), 37):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        (folder / RECORDED).write_bytes(damaged)
        notes: list[str] = []
        try:
            played(folder, notes=notes)
        except BadInput as refusal:
            assert {finding.code for finding in refusal.findings} == {"NE6021"}
        else:
            assert "NE6021" in notes[0] and notes[-1] == "resumed at tick 30"


def forged(path: Path, change: Callable[[dict[str, Any]], None], record: bytes | None = None) -> None:
    """Write the snapshot anew with other contents and right checksums."""
    container = read_program(path)
    manifest = dict(container.manifest)
    change(manifest)
    if record is not None:
        path.with_name(RECORDED).write_bytes(record)
        manifest["recorded"] = {"size": len(record), "sha256": hashlib.sha256(record).hexdigest()}
    for other in path.parent.glob("state-*"):
        other.unlink()
    write_program(path, Program(manifest, container.sections))


def set_entry(*keys: Any) -> Callable[[dict[str, Any]], None]:
    *path, last, value = keys

    def change(manifest: dict[str, Any]) -> None:
        place: Any = manifest
        for key in path:
            place = place[key]
        place[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_entry("format", "neuroemu-snapshot/9"),
        set_entry("tick", -40),
        set_entry("tick", 50),
        set_entry("tick", "40"),
        set_entry("recorded", []),
        set_entry("recorded", "size", -1),
        set_entry("recorded", "size", 1 << 60),
        set_entry("recorded", "size", 25),
        set_entry("recorded", "size", 7),
        set_entry("recorded", "size", 0),
        set_entry("recorded", "sha256", 5),
        set_entry("arrays", "engine.sums", 5),
        set_entry("arrays", "engine.sums", ["<i8", [1 << 62, 1 << 62]]),
        set_entry("arrays", "engine.sums", ["<i8", [0, 1 << 62, 1 << 62, 1 << 62]]),
        set_entry("arrays", "engine.sums", ["<i8", [-4]]),
        set_entry("arrays", "engine.sums", ["<i4", [4]]),
        set_entry("arrays", "engine.sums", ["|O", [4]]),
        set_entry("arrays", "engine.sums", [["<i8"], [4]]),
        set_entry("arrays", "engine.none", ["<i8", [4]]),
        set_entry("columns", {}),
        set_entry("columns", []),
        set_entry("columns", 0, ["spikes.tick"]),
        set_entry("columns", 0, ["spikes.tick", "|O"]),
        set_entry("columns", 0, ["spikes.tick", "<i4", 1 << 40]),
        set_entry("columns", 0, ["spikes.tick", "<i4", (1 << 31) - 1]),
        set_entry("columns", 0, ["spikes.tick", "<f4"]),
        set_entry("columns", 0, ["spikes.when", "<i4"]),
    ],
)
def test_a_forged_snapshot_is_refused_before_anything_is_allocated(
    change: Callable[[dict[str, Any]], None], folder: Path
) -> None:
    forged(folder / states(folder)[-1], change)
    with pytest.raises(BadInput) as caught:
        played(folder)
    assert {finding.code for finding in caught.value.findings} == {"NE6021"}


def record_of(spikes: list[tuple[int, int]], first: int = 0, last: int = 40, declared: int | None = None) -> bytes:
    """A record of one block."""
    rows = np.array(spikes, "<i4").reshape(-1, 2)
    count = rows.shape[0] if declared is None else declared
    head = np.array([first, last, count], "<u8").tobytes()
    per_tick = np.zeros((40, 2), "<i4").tobytes() + np.zeros((40, 2), "<f8").tobytes()
    return head + rows[:, 0].tobytes() + rows[:, 1].tobytes() + per_tick


@pytest.mark.parametrize(
    "record",
    [
        record_of([(3, 2)]),
        record_of([(3, INPUTS + NEURONS)]),
        record_of([(40, 4)]),
        record_of([(-1, 4)]),
        record_of([(5, 4), (4, 4)]),
        record_of([], first=1),
        record_of([], last=39),
        record_of([], last=41),
        record_of([], first=40, last=0),
        record_of([], declared=1 << 40),
        record_of([], declared=(1 << 64) - 1),
    ],
)
def test_a_forged_record_is_refused(record: bytes, folder: Path) -> None:
    forged(folder / states(folder)[-1], lambda manifest: None, record)
    with pytest.raises(BadInput, match="NE6021"):
        played(folder)


def test_a_well_formed_record_of_a_forger_would_be_taken(folder: Path) -> None:
    forged(folder / states(folder)[-1], lambda manifest: None, record_of([(3, 4), (39, 6)]))
    recording, _ = played(folder)
    assert recording.spike_tick[:2].tolist() == [3, 39]


def test_state_that_does_not_fit_the_chip_is_refused(folder: Path) -> None:
    forged(folder / states(folder)[-1], set_entry("arrays", "engine.sums", ["<i8", [2, 2]]))
    with pytest.raises(BadInput, match="NE6020"):
        played(folder)


# ---- foreign ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_of_another_run_is_refused_by_every_difference(folder: Path) -> None:
    with pytest.raises(BadInput) as caught:
        played(folder, run={**RUN, "seed": 4, "probes": []})
    told = [(finding.code, finding.message) for finding in caught.value.findings]
    assert [code for code, _ in told] == ["NE6022", "NE6022"]
    assert told[0][1].endswith("probes is out there and none here")
    assert told[1][1].endswith("seed is 3 there and 4 here")


def test_a_snapshot_of_another_run_is_not_skipped_for_an_older_one(folder: Path) -> None:
    before = states(folder)
    with pytest.raises(BadInput, match="NE6022"):
        played(folder, 10, run={**RUN, "program": "def"})
    assert states(folder) == before


# ---- two runs in one folder ------------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from neuroemu.emulator.snapshot_folder import Snapshots
with Snapshots(Path(sys.argv[1])).held():
    print("inside", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_closed_while_another_process_is_in_it_and_open_when_that_was_killed(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshot")
    other = subprocess.Popen([sys.executable, "-c", HOLDER, snapshots.folder], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None and other.stdout.readline() == b"inside\n"
        (snapshots.folder / "state-000000000000007.nemu").write_bytes(b"the other's")
        with pytest.raises(BadInput, match=r"NE6025 another run keeps its snapshots"), snapshots.held():
            pass
        snapshots.remove()
        assert (snapshots.folder / "state-000000000000007.nemu").read_bytes() == b"the other's"
    finally:
        other.kill()
        other.communicate()
    assert (snapshots.folder / "lock").exists()
    with snapshots.held():
        pass
    assert [path.name for path in snapshots.folder.iterdir()] == ["state-000000000000007.nemu"]
    snapshots.remove()
    assert not snapshots.folder.exists()


def test_a_run_that_fails_leaves_its_folder_open(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "deep" / "snapshot")
    with pytest.raises(Killed), snapshots.held():
        raise Killed
    with snapshots.held():
        assert snapshots.folder.is_dir()
    assert not snapshots.folder.exists()


def test_a_folder_that_cannot_be_made_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="NE6010"), Snapshots(tmp_path / "file" / "snapshot").held():
        pass


# ---- disks -----------------------------------------------------------------------------------------------------------


def test_a_full_disk_ends_the_run_and_leaves_the_snapshots_before(
    folder: Path, undisturbed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"NE6010 the snapshot cannot be written: No space left on device"):
        played(folder, 10)
    monkeypatch.undo()
    assert content(played(folder)) == undisturbed


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "snapshot").write_text("mine")
    with pytest.raises(BadInput, match="NE6010"):
        played(tmp_path / "snapshot", 10)
    assert (tmp_path / "snapshot").read_text() == "mine"


def test_chunks_end_at_snapshots_however_long_they_could_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    advance = Sums.advance

    def watched(chip: Sums, first: int, last: int, *rest: Any) -> Chunk:
        asked.append(last)
        return advance(chip, first, last, *rest)

    monkeypatch.setattr(Sums, "advance", watched)
    monkeypatch.setattr(runner.time, "perf_counter", lambda: 0.0)
    played(tmp_path / "snapshot", 25)
    assert asked == [25, 50, 60]
