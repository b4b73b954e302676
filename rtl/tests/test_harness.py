"""Libraries are built once, and a core that breaks its protocol ends a batch with the place where it did."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from neuroemu.cosim.core import Events, RtlCores, Stalls, library_of
from neuroemu.cosim.lif import Build
from neuroemu.cosim.tools import sources
from neuroemu.errors import BadInput
from rtl.tests.planted import with_bug

SMALL = Build(neurons=4, axons=2, routes=8)
STALLED = Stalls(0.3, 0.7, 1)


def busy(cores: RtlCores, packet_room: int = 100) -> object:
    """Four neurons that spike in every tick with two packets each; events too, for five ticks. What broke, or None."""
    neuron = np.arange(4)
    cores.write(0, cores.build.address("threshold", neuron), np.full(4, -5))
    cores.write(0, cores.build.address("bias", neuron), np.zeros(4))
    cores.write(0, cores.build.address("bias_start", neuron), np.zeros(4))
    cores.write(0, cores.build.address("weight", np.arange(8)), np.ones(8))
    cores.write(0, cores.build.address("route_list", neuron), 2 << 16 | 2 * neuron)
    cores.write(0, cores.build.address("route", np.arange(8)), 1 << 16 | np.arange(8))
    record = cores.run(Events(np.arange(6), np.zeros(5, np.int32)), 0, 5, STALLED, packet_room)
    assert record.ticks == 5 or record.fault is not None
    return None if record.fault is None else (record.ticks, record.fault.tick, record.fault.what)


def test_a_library_is_built_once(tmp_path: Path) -> None:
    shutil.copytree(sources(), tmp_path / "rtl")
    said: list[str] = []
    first = library_of(SMALL, folder=tmp_path / "rtl", note=said.append)
    assert library_of(SMALL, folder=tmp_path / "rtl", note=said.append) == first
    assert library_of(SMALL) == first
    assert len(said) <= 1


def test_another_source_parameter_or_tracing_is_another_library(tmp_path: Path) -> None:
    shutil.copytree(sources(), tmp_path / "rtl")
    with (tmp_path / "rtl" / "lif_core.v").open("a") as file:
        file.write("// one line more\n")
    names = [library_of(SMALL), library_of(SMALL, folder=tmp_path / "rtl"), library_of(SMALL, trace=True)]
    assert len(set(names)) == 3


def test_a_build_reads_the_verilog_files_of_its_folder_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those of the current folder, nor files of other names, in folders below or elsewhere: its hash lacks them."""
    rtl, here = tmp_path / "rtl", tmp_path / "here"
    shutil.copytree(sources(), rtl)
    shutil.copytree(sources(), here)
    monkeypatch.chdir(here)
    (rtl / "sram_sp.v").rename(rtl / "sram_sp.sv")
    with pytest.raises(BadInput, match=r"rtl: NE7206 holds no sram_sp\.v, which lif_core needs"):
        library_of(SMALL, folder=Path("../rtl"))
    (rtl / "below").mkdir()
    shutil.copy(here / "sram_sp.v", rtl / "below")
    for included, told in (
        ("below/sram_sp.v", r"NE7206 holds no below/sram_sp\.v"),
        (str(here / "sram_sp.v"), r"NE7204 reads /\S+/here/sram_sp\.v"),
    ):
        (rtl / "sram_sp.v").write_text(f'`include "{included}"\n', encoding="utf-8")
        with pytest.raises(BadInput, match=told):
            library_of(SMALL, folder=rtl)


def test_hidden_files_and_folders_are_no_sources(tmp_path: Path) -> None:
    """An editor's lock is a link to nowhere while a source is edited."""
    shutil.copytree(sources(), tmp_path / "rtl")
    (tmp_path / "rtl" / ".#lif_core.v").symlink_to("somebody@somewhere.1")
    (tmp_path / "rtl" / "old.v").mkdir()
    assert library_of(SMALL, folder=tmp_path / "rtl") == library_of(SMALL)


def test_a_port_of_another_name_is_told(tmp_path: Path) -> None:
    shutil.copytree(sources(), tmp_path / "rtl")
    text = (tmp_path / "rtl" / "lif_core.v").read_text(encoding="utf-8")
    (tmp_path / "rtl" / "lif_core.v").write_text(text.replace("upd_spiked", "upd_fired"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"lif_core\.v: NE7204 lacks the ports upd_spiked, which"):
        library_of(SMALL, folder=tmp_path / "rtl")


def test_verilog_that_prints_and_stops_ends_its_simulation_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with RtlCores(SMALL, [4], [0], folder=with_bug("a tick is printed and the third one stops", tmp_path)) as cores:
        assert busy(cores) == (2, 2, "is ended by its own $finish, $stop or $fatal")
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("tick 0\ntick 1\ntick 2\n")
    assert "Verilog $stop" in said.err


def test_verilog_that_does_not_build_is_quoted(tmp_path: Path) -> None:
    shutil.copytree(sources(), tmp_path / "rtl")
    (tmp_path / "rtl" / "sram_sp.v").write_text("module sram_sp; nonsense endmodule\n")
    with pytest.raises(BadInput, match=r"rtl: NE7204 Verilator refuses the sources: ended with [^$]*sram_sp\.v:1:26"):
        library_of(SMALL, folder=tmp_path / "rtl")


def test_a_core_that_keeps_its_protocol_has_no_fault() -> None:
    with RtlCores(SMALL, [4], [0]) as cores:
        assert busy(cores) is None


@pytest.mark.parametrize(
    ("bug", "what"),
    [
        ("a packet does not wait", "changes a packet that waits"),
        ("a packet leaves while events come in", "sends a packet or updates a neuron outside a tick"),
        ("the marker never comes back", "does not answer"),
    ],
)
def test_a_broken_protocol_is_a_fault_with_its_tick(tmp_path: Path, bug: str, what: str) -> None:
    with RtlCores(SMALL, [4], [0], folder=with_bug(bug, tmp_path)) as cores:
        assert busy(cores) == (0, 0, what)


def test_sizes_and_numbers_that_the_build_lacks_are_refused_at_once() -> None:
    with pytest.raises(BadInput) as refused:
        RtlCores(SMALL, [5, 0, 4, 4], [0, 4, 1, 1])
    places = [(finding.code, finding.where) for finding in refused.value.findings]
    assert places == [("NE7218", place) for place in ("sizes[0]", "sizes[1]", "numbers[1]", "numbers[3]")]
    with pytest.raises(BadInput, match="NE7218 1 sizes and 2 core numbers"):
        RtlCores(SMALL, [4], [0, 1])


@pytest.mark.parametrize("axon", [-1, 2, 300])
def test_events_of_axons_that_the_build_lacks_are_refused(axon: int) -> None:
    with RtlCores(SMALL, [4], [0]) as cores:
        with pytest.raises(BadInput, match=rf"events.event\[1\]: NE7218 axon {axon}; the build has 0 to 1"):
            cores.run(Events(np.array([0, 2]), np.array([1, axon], np.int32)))
        assert cores.run(Events(np.array([0, 1]), np.array([1], np.int32)), packet_room=8).fault is None


def test_stalls_are_shares_and_their_seed_has_64_bits() -> None:
    with pytest.raises(BadInput) as refused:
        Stalls(-0.1, 1.5, 1 << 64)
    assert [finding.where for finding in refused.value.findings] == ["stalls.events", "stalls.packets", "stalls.seed"]
    assert Stalls(0, 1, (1 << 64) - 1).seed == (1 << 64) - 1


def test_what_nobody_wrote_is_noise_and_the_same_noise_in_every_run() -> None:
    def word(noise: int) -> list[int]:
        with RtlCores(SMALL, [4, 4], [0, 1], noise=noise) as cores:
            return [int(cores.read(core, SMALL.address("weight", [5]))[0]) for core in (0, 1)]

    words = [word(noise) for noise in range(4)]
    assert words == [word(noise) for noise in range(4)]
    assert len({word for pair in words for word in pair}) > 3


def test_a_clear_that_forgets_the_potentials_is_seen_without_a_tick_before(tmp_path: Path) -> None:
    with (
        RtlCores(SMALL, [4], [0]) as cores,
        RtlCores(SMALL, [4], [0], folder=with_bug("a clear keeps potentials", tmp_path)) as wrong,
    ):
        address = SMALL.address("potential", np.arange(4))
        assert not cores.read(0, address).any()
        assert wrong.read(0, address).any()


def test_more_packets_than_there_is_room_for_are_a_fault() -> None:
    with RtlCores(SMALL, [4], [0]) as cores:
        assert busy(cores, packet_room=20) == (2, 2, "sends more packets than its neurons have routes")


def test_a_batch_may_be_cut_anywhere() -> None:
    """State, counters and stalls go on where the last call ended; registers count what the pins show however they are read."""
    events = Events(np.arange(13), np.arange(12, dtype=np.int32) % 2)
    with RtlCores(SMALL, [4], [0]) as cores:
        busy(cores)
        whole = cores.run(events, 5, 6, STALLED, 200)
        busy(cores)
        parts = [
            cores.run(Events(np.arange(last - first + 1), events.event[first:last]), 5 + first, 6, STALLED, 200)
            for first, last in ((0, 1), (1, 8), (8, 12))
        ]
    for name in ("flags", "counted", "waited", "packet"):
        assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name)), name
    for name, states in whole.states.items():
        assert np.array_equal(np.concatenate([part.states[name] for part in parts]), states), name
    for part in (whole, *parts):
        assert part.read[-1].all()
        assert np.array_equal(part.counters["cycles"], part.since_read(part.counted))
        assert np.array_equal(part.counters["stalls"], part.since_read(part.waited))
    assert whole.waited.sum() > 0


def test_counters_are_read_behind_a_share_of_the_ticks() -> None:
    """A clear begins an interval as a reading does; a reading behind every tick covers that tick alone."""
    events = Events(np.arange(41), np.arange(40, dtype=np.int32) % 2)
    with RtlCores(SMALL, [4], [0]) as cores:
        busy(cores)
        some, every = (cores.run(events, 0, 16, STALLED, 400, reads) for reads in (0.25, 1.0))
    assert every.read.all()
    assert np.array_equal(every.since[:, 0], np.arange(40))
    assert np.array_equal(every.counters["cycles"], every.counted)
    assert 3 < np.count_nonzero(some.read) < 20
    for tick in np.flatnonzero(some.read):
        last = max([tick // 16 * 16, *(np.flatnonzero(some.read[:tick, 0]) + 1).tolist()])
        assert some.since[tick, 0] == last
        assert some.counters["cycles"][tick, 0] == some.counted[last : tick + 1].sum()
    assert np.array_equal(some.counted, every.counted)
