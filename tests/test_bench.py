"""Benchmark networks keep their bits and their spikes, and a file that would lead the engine astray is refused."""

from __future__ import annotations

import hashlib
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.bench.child import measure_apart
from neuroemu.bench.files import read_network, write_network
from neuroemu.bench.limit import _scatter_pairs as scatter_pairs
from neuroemu.bench.limit import _scatter_words as scatter_words
from neuroemu.bench.limit import _words as arranged_words
from neuroemu.bench.limit import limit_of
from neuroemu.bench.measure import Measured, Setting, measure
from neuroemu.bench.networks import (
    ARRAYS,
    NUMBERS,
    brunel_network,
    layered_network,
    microcircuit,
    network_named,
    random_network,
)
from neuroemu.bench.peers import PEERS, interpreters, run_peer
from neuroemu.bench.suite import Against, as_json, as_rows, bench
from neuroemu.bench.workloads import from_arrays, loihi_cuba
from neuroemu.cli import main
from neuroemu.errors import BadInput, DoesNotFit
from neuroemu.families.lifcore import dynamics

REPOSITORY = Path(__file__).resolve().parents[1]
ONCE = Setting(repeat=1)

# Recorded from another generator of the same networks and from a plain loop over their synapses.
DIGEST_OF_ARRAYS = {
    "rand_1k": "e6deffa4fc04107e",
    "mlp": "d449d2847ceb2cb6",
    "conv": "207c4f19fe4f2fb3",
    "microcircuit_0.02": "090ce2d47d3c2539",
    "pd_0.05": "dd9e00ffddeda5b7",
}
HASH_OF_SPIKES = {
    "rand_1k": ("0x9267118e3c0449aa", 4_409_100),
    "mlp": ("0xfb68dda266bcdc7", 20_837_538),
    "conv": ("0xb1111a14a02646c9", 19_780_809),
    "microcircuit_0.02": ("0xa22cd4a35e8185a2", 33_707),
}
RECORDED = HASH_OF_SPIKES | {
    "rand_10k": ("0x5685c20bc56ec36c", 40_291_000),
    "rand_100k": ("0x500d88cf5945cf12", 82_949_300),
    "brunel": ("0x44d75229b4009453", 48_757_381),
    "microcircuit_0.1": ("0x854409595cc2a613", 888_037),
    "microcircuit_1": ("0x15ebd198464e3115", 184_118_195),
}
"""Also those that take too long for a test; the saved measurements must show them."""


def measured(net: dict[str, Any], name: str = "net") -> Measured:
    return measure(from_arrays(net, name, "lifcore-bench"), ONCE)


def digest(net: dict[str, Any]) -> str:
    folded = hashlib.sha256(b"".join(net[key].tobytes() for key in ARRAYS))
    folded.update(json.dumps([int(net[key]) for key in NUMBERS]).encode())
    return folded.hexdigest()[:16]


def plain_run(net: dict[str, Any]) -> list[tuple[int, int]]:
    """(tick, source) of all neuron spikes, by the core's rules, one neuron after the other."""
    neurons, inputs, ticks = net["n"], net["n_in"], net["ticks"]
    arriving = np.zeros((ticks + 64, neurons), np.int64)
    state = [(0, int(v), 0) for v in net["v0"]]
    spikes = []
    registers = (0, 4096 - net["du"], 0, 4096 - net["dv"], 0, 0, net["v_reset"], net["R"], 0, 32)
    for tick in range(ticks):
        fired = net["in_id"][net["in_t"] == tick].tolist()
        for neuron in range(neurons):
            given = int(arriving[tick, neuron]), int(net["bias"][neuron]), int(net["theta"][neuron])
            *after, spiked, _ = dynamics.tick(*state[neuron], *given, *registers)
            state[neuron] = (after[0], after[1], after[2])
            if spiked:
                fired.append(inputs + neuron)
                spikes.append((tick, inputs + neuron))
        for source in fired:
            for synapse in range(net["indptr"][source], net["indptr"][source + 1]):
                arriving[tick + net["delays"][synapse], net["indices"][synapse]] += net["weights"][synapse]
    return spikes


@pytest.mark.parametrize("name", DIGEST_OF_ARRAYS)
def test_a_named_network_is_always_the_same(name: str) -> None:
    generate = network_named(name)
    assert generate is not None
    net = generate()
    assert {key: net[key].dtype for key in ARRAYS} == ARRAYS
    assert digest(net) == DIGEST_OF_ARRAYS[name]


def test_the_microcircuit_does_not_depend_on_the_size_of_its_chunks() -> None:
    assert digest(microcircuit(0.02, chunk=101)) == DIGEST_OF_ARRAYS["microcircuit_0.02"]


def test_the_full_microcircuit_is_a_name_and_an_impossible_scale_is_none() -> None:
    scales = ("1", "1.0", "0.25", ".5", "0", "0.0", "1.1", "2", "-1", "", "x")
    known = [scale for scale in scales if network_named(f"microcircuit_{scale}") is not None]
    assert known == ["1", "1.0", "0.25", ".5"]


@pytest.mark.parametrize("name", HASH_OF_SPIKES)
def test_a_named_network_sends_its_recorded_spikes(name: str) -> None:
    generate = network_named(name)
    assert generate is not None
    result = measured(generate(), name)
    assert (result.raster_hash, result.synaptic_events) == HASH_OF_SPIKES[name]


@pytest.mark.parametrize(
    "net",
    [
        random_network(100, 60, fan_out=20),
        layered_network(40, (300, 60, 40, 10)),
        brunel_network(100, 80),
        microcircuit(0.002, 60),
    ],
    ids=["random", "layered", "brunel", "microcircuit"],
)
def test_the_engine_sends_the_spikes_that_the_rules_give(net: dict[str, Any]) -> None:
    folded = 1469598103934665603
    spikes = plain_run(net)
    assert spikes
    for _, source in spikes:
        folded = (folded ^ source) * 1099511628211 % (1 << 64)
    result = measured(net)
    assert (result.raster_hash, result.spikes) == (f"0x{folded:x}", len(spikes))


def test_the_command_tells_its_figures_under_the_agreed_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "rand_1k", "--json", "--repeat", "2"])
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert told["raster_hash"] == "0x9267118e3c0449aa"
    assert (told["neurons"], told["synapses"], told["synaptic_events"]) == (1000, 110_000, 4_409_100)
    assert list(told)[:11] == [
        *("net", "neurons", "synapses", "ticks", "synaptic_events", "cpu_s", "wall_s", "events_per_cpu_s"),
        *("peak_rss_mb", "raster_hash", "threads"),
    ]
    assert told["energy_j"] == pytest.approx(4_409_100 * 8.43e-12)


def test_threads_and_the_timing_of_every_tick_change_no_figure_of_the_network() -> None:
    net = random_network(300, 50, fan_out=20)
    results = [
        measure(from_arrays(net, "net", "lifcore-bench"), Setting(1, threads, per_tick))
        for threads, per_tick in ((1, False), (2, False), (3, True))
    ]
    assert len({(result.raster_hash, result.synaptic_events, result.energy_j) for result in results}) == 1
    assert [(result.threads, result.per_tick) for result in results] == [(1, False), (2, False), (3, True)]


def test_cores_of_another_chip_change_no_spike() -> None:
    net = random_network(2500, 40, fan_out=20)
    one, many = (measure(from_arrays(net, "net", chip), ONCE) for chip in ("lifcore-bench", "lifcore"))
    assert (one.chip, many.chip) == ("lifcore-bench", "lifcore")
    assert (one.raster_hash, one.synaptic_events) == (many.raster_hash, many.synaptic_events)


def test_a_network_that_the_chip_cannot_hold_says_so_in_the_parent(tmp_path: Path) -> None:
    write_network(tmp_path / "big.npz", random_network(120_000, 2, fan_out=1))
    with pytest.raises(DoesNotFit):
        measure_apart(str(tmp_path / "big.npz"), Setting(1, chip="lifcore"), lambda text: None)


def test_the_loihi_benchmark_has_its_size_and_its_activity() -> None:
    result = measure(loihi_cuba(neurons=400, fan_out=40, ticks=200), Setting(1))
    assert (result.chip, result.neurons, result.synapses) == ("loihi1", 400, 440 * 40)
    assert result.raster_hash == measure(loihi_cuba(neurons=400, fan_out=40, ticks=200), Setting(1, 2)).raster_hash
    assert 0.02 < result.spikes / (400 * 200) < 0.06


def test_a_chip_of_another_family_is_refused_together_with_unknown_networks() -> None:
    with pytest.raises(BadInput) as caught:
        bench(["no_such"], Setting(chip="loihi1"), lambda result: None)
    assert [finding.code for finding in caught.value.findings] == ["NE7106", "NE7101"]


def test_a_network_from_a_file_runs_as_from_memory(tmp_path: Path) -> None:
    net = random_network(100, 50, fan_out=10)
    write_network(tmp_path / "own.npz", net)
    assert digest(read_network(str(tmp_path / "own.npz"))) == digest(net)
    (result,) = bench([str(tmp_path / "own.npz")], ONCE, lambda result: None)
    assert (result.net, result.raster_hash) == ("own", measured(net).raster_hash)


def test_a_process_that_gives_no_result_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -9 $$\n", encoding="utf-8")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    with pytest.raises(BadInput, match="NE7103 the process that ran rand_1k was ended by signal 9"):
        measure_apart("rand_1k", ONCE, lambda text: None)


def test_what_the_process_finds_is_raised_in_the_parent() -> None:
    with pytest.raises(BadInput) as caught:
        measure_apart("rand_1k", Setting(1, chip="no_such_chip"), lambda text: None)
    (finding,) = caught.value.findings
    assert "no_such_chip" in finding.message
    assert finding.fixes


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("indices", np.array([10**6]), "indices must be neurons"),
        ("delays", np.array([0]), "delays must lie"),
        ("indptr", np.array([1]), "indptr must rise"),
        ("indptr", np.array([0, 10**9], np.uint64), "indptr must rise"),
        ("in_t", np.array([9, 8], np.uint64), "in_t must rise"),
        ("ticks", np.int64(1 << 40), "must fit 31 bits"),
        ("in_id", np.array([99]), "in_t must rise"),
        ("du", np.int64(5000), "dv and du"),
        ("bias", np.array([1 << 40]), "must fit 32 bits"),
        ("theta", np.array([1.5]), "rows of integers"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(key: str, value: Any, told: str, tmp_path: Path) -> None:
    net = random_network(50, 20, fan_out=5)
    changed = value if np.ndim(value) == 0 else np.asarray(net[key]).astype(value.dtype)
    if np.ndim(value):
        changed[: value.size] = value
    np.savez(tmp_path / "bad.npz", **{**net, key: changed})
    with pytest.raises(BadInput) as caught:
        bench([str(tmp_path / "bad.npz"), "no_such"], ONCE, lambda result: None)
    assert [finding.code for finding in caught.value.findings] == ["NE7102", "NE7101"]
    assert told in caught.value.findings[0].message


def test_an_array_in_the_place_of_an_archive_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "bare.npy", np.zeros(3))
    (tmp_path / "bare.npy").rename(tmp_path / "bare.npz")
    with pytest.raises(BadInput, match="is no archive of plain number arrays"):
        bench([str(tmp_path / "bare.npz")], ONCE, lambda result: None)


# ---------------------------------------------------------------------------- the physical limit


def test_the_limit_counts_every_event_once_whatever_its_layout() -> None:
    for net in (random_network(100, 60, fan_out=20), layered_network(40, (300, 60, 40, 10)), microcircuit(0.002, 60)):
        result = measured(net)
        spikes = np.array(plain_run(net))
        limit = limit_of(net, spikes[:, 0].astype(np.int32), spikes[:, 1])
        assert limit.scatter_events + limit.run_events == result.synaptic_events
        assert limit.updates == net["n"] * net["ticks"]


def test_rows_of_neighbouring_targets_count_as_runs_and_the_rest_as_scattered() -> None:
    nobody = np.zeros(0, np.int32), np.zeros(0, np.int64)
    assert limit_of(layered_network(20, (40, 30, 20, 5)), *nobody).scatter_events == 0
    assert limit_of(random_network(100, 60, fan_out=20), *nobody).run_events == 0


@pytest.mark.parametrize("big", [0, 30_000])
def test_the_bare_loop_adds_the_weights_of_the_network(big: int) -> None:
    """Weights too large for the packed word take the second layout."""
    rng = np.random.default_rng(0)
    net = microcircuit(0.002, 60)
    net["weights"] = np.where(rng.random(net["weights"].size) < 0.1, big, net["weights"] // 8).astype(np.int16)
    net["n"], bits = net["n"] + (1 << 17 if big else 0), 18 if big else 8
    words = arranged_words(net, np.ones(net["indptr"].size - 1, np.bool_))
    assert words.target_bits == (0 if big else bits)
    neurons = int(net["n"])
    slots = int(net["delays"].max()) + 1
    added = np.zeros(slots * neurons, np.int32)
    sources = np.arange(net["indptr"].size - 1, dtype=np.uint64)
    loop = scatter_pairs if big else scatter_words
    loop(np.zeros(sources.size, np.int64), sources, words, added, slots, neurons)
    wanted = np.zeros((slots, neurons), np.int64)
    np.add.at(wanted, (net["delays"].astype(np.int64) - int(net["delays"].min()), net["indices"]), net["weights"])
    assert np.array_equal(added.reshape(slots, neurons), wanted)


# ---------------------------------------------------------------------------- peers


def stand_in(folder: Path, script: str) -> str:
    """An interpreter that has every peer and runs ``script`` instead of a runner."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 0\n{script}\n', encoding="utf-8")
    python.chmod(0o755)
    return str(python)


SIZES = {"synapses": 1000, "longest_delay": 1}
TOLD = {
    "version": "1",
    "spikes": 7,
    "synaptic_events": 700,
    "cpu_s": 0.5,
    "wall_s": 0.6,
    "build_s": 1,
    "peak_rss_mb": 9,
}


def test_a_peer_is_run_with_the_interpreter_that_is_named_for_it(tmp_path: Path) -> None:
    python = stand_in(tmp_path, f'echo "some banner"; echo "$0 $2" > {tmp_path}/seen; echo \'{json.dumps(TOLD)}\'')
    found = interpreters(["nest"], [f"nest={python}"])
    run = run_peer(PEERS["nest"], found["nest"], tmp_path / "net.npz", SIZES, 1, 60)
    assert (run.spikes, run.events_per_cpu_s, run.failed) == (7, 1400, "")
    assert (tmp_path / "seen").read_text().split() == [python, str(tmp_path / "net.npz")]


def test_a_variable_names_the_interpreter_of_a_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = stand_in(tmp_path, "exit 0")
    monkeypatch.setenv("NEUROEMU_PEER_BRIAN2", python)
    assert interpreters(["brian2"], []) == {"brian2": python}


def test_a_missing_peer_is_named_with_its_pins(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        interpreters(["brian2", "sanafe"], [f"brian2={tmp_path}/none", f"sanafe={tmp_path}/none"])
    assert [finding.code for finding in caught.value.findings] == ["NE7105", "NE7105"]
    assert "brian2==2.9.0 cython==3.3.1 numpy==2.2.6" in caught.value.findings[0].fixes[0]


@pytest.mark.parametrize(("names", "given"), [(["neuron"], []), ([], ["nest"]), ([], ["neuron=/bin/python"])])
def test_an_unknown_peer_is_refused(names: list[str], given: list[str]) -> None:
    with pytest.raises(BadInput, match="NE7104"):
        interpreters(names, given)


@pytest.mark.parametrize(
    ("script", "sizes", "told"),
    [
        ("echo boom >&2; exit 3", SIZES, "exit code 3: boom"),
        ("exit 0", SIZES, "exit code 0: no message"),
        ("sleep 9", SIZES, "stopped after 0 s"),
        ("exit 0", {"synapses": 1000, "longest_delay": 2}, "delays beyond 1 ticks"),
        ("exit 0", {"synapses": 1 << 50, "longest_delay": 1}, "needs about"),
    ],
)
def test_a_peer_that_cannot_run_a_network_says_why(
    script: str, sizes: dict[str, int], told: str, tmp_path: Path
) -> None:
    run = run_peer(PEERS["sanafe"], stand_in(tmp_path, script), tmp_path / "net.npz", sizes, 1, 0.4)
    assert told in run.failed
    assert run.events_per_cpu_s is None


def test_ratios_to_peers_stand_in_the_table_and_in_json(tmp_path: Path) -> None:
    python = stand_in(tmp_path, f"echo '{json.dumps(TOLD)}'")
    against = Against({"nest": python, "sanafe": str(tmp_path / "none")})
    np.savez(tmp_path / "own.npz", **random_network(50, 20, fan_out=5))
    (result,) = bench([str(tmp_path / "own.npz")], ONCE, lambda result: None, against=against)
    assert json.loads(as_json(result))["peers"]["nest"]["ratio"] == result.events_per_cpu_s / 1400
    assert result.peers["sanafe"].failed
    assert [line.split()[0] for line in as_rows(result).splitlines()] == ["own", "nest", "sanafe"]


def test_the_published_pins_are_those_of_the_runners() -> None:
    page = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    assert [peer.name for peer in PEERS.values() if peer.pins not in page] == []
    assert [peer.name for peer in PEERS.values() if not peer.runner.is_file()] == []


# ---------------------------------------------------------------------------- the page


def test_the_performance_page_shows_the_saved_measurements() -> None:
    tool = runpy.run_path(str(REPOSITORY / "tools" / "make_performance_page.py"))
    text = tool["PAGE"].read_text(encoding="utf-8")
    assert tool["page"](text, tool["saved"]()) == text


def test_the_saved_measurements_show_the_recorded_spikes_of_every_network() -> None:
    lines = (REPOSITORY / "docs" / "assets" / "performance.jsonl").read_text(encoding="utf-8").splitlines()
    saved = [json.loads(line) for line in lines[1:]]
    shown = {result["net"]: (result["raster_hash"], result["synaptic_events"]) for result in saved}
    assert {net: shown[net] for net in RECORDED if net != "microcircuit_0.02"} == {
        net: recorded for net, recorded in RECORDED.items() if net != "microcircuit_0.02"
    }
