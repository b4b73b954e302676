"""Benchmark networks give the spikes they have always given, and a file that would lead the engine astray is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.bench import bench, brunel_network, layered_network, measure, random_network
from neuroemu.cli import main
from neuroemu.errors import BadInput
from neuroemu.families.lifcore import dynamics


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


@pytest.mark.parametrize(
    "net",
    [
        random_network(100, 60, fan_out=20),
        layered_network(20, (40, 30, 20, 5)),
        brunel_network(100, 80),
    ],
    ids=["random", "layered", "brunel"],
)
def test_the_engine_sends_the_spikes_that_the_rules_give(net: dict[str, Any]) -> None:
    folded = 1469598103934665603
    spikes = plain_run(net)
    for _, source in spikes:
        folded = (folded ^ source) * 1099511628211 % (1 << 64)
    assert measure(net, "net", 1).raster_hash == f"0x{folded:x}"


def test_the_thousand_neuron_network_has_its_recorded_hash(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "rand_1k", "--json", "--repeat", "1"])
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert told["raster_hash"] == "0x9267118e3c0449aa"
    assert (told["neurons"], told["synapses"], told["synaptic_events"]) == (1000, 110_000, 4_409_100)
    assert set(told) == {
        *("net", "neurons", "synapses", "ticks", "synaptic_events", "cpu_s", "wall_s", "events_per_cpu_s"),
        *("peak_rss_mb", "raster_hash", "threads"),
    }


def test_a_network_from_a_file_runs_as_from_memory(tmp_path: Path) -> None:
    net = random_network(100, 50, fan_out=10)
    np.savez(tmp_path / "own.npz", **net)
    (result,) = bench([str(tmp_path / "own.npz")], 1, lambda result: None)
    assert (result.net, result.raster_hash) == ("own", measure(net, "own", 1).raster_hash)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("indices", np.array([10**6]), "indices must be neurons"),
        ("delays", np.array([0]), "delays must lie"),
        ("indptr", np.array([1]), "indptr must rise"),
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
        bench([str(tmp_path / "bad.npz"), "no_such"], 1, lambda result: None)
    assert [finding.code for finding in caught.value.findings] == ["NE7102", "NE7101"]
    assert told in caught.value.findings[0].message
