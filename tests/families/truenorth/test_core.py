"""The compiled tick against neuron-by-neuron Python, whatever path a core takes, on any number of threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import NEVER, run_ticks
from neuroemu.errors import BadInput
from neuroemu.families.truenorth import core, dice, dynamics, sweep
from neuroemu.families.truenorth.core import CrossbarChunk, TrueNorthEngine
from neuroemu.families.truenorth.image import SIZE, ProgramImage, build_cores
from neuroemu.families.truenorth.load import load_program
from neuroemu.families.truenorth.memory import Rules
from tests.families.truenorth.reference import (
    COLUMNS,
    PAPER,
    image_of,
    random_cores,
    random_inputs,
    run,
    settling_cores,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "chips" / "truenorth.md"

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # uint64 wraps on purpose


class Heard:
    """A meter that keeps the chunks."""

    def __init__(self) -> None:
        self.chunks: list[CrossbarChunk] = []

    def observe(self, chunk: Any) -> None:
        self.chunks.append(chunk)

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, arrays: Any) -> None:
        assert not arrays

    def joined(self, name: str) -> Any:
        return np.concatenate([getattr(chunk, name) for chunk in self.chunks])

    def added(self, name: str) -> Any:
        return np.sum([getattr(chunk, name) for chunk in self.chunks], axis=0)


def engine_of(image: ProgramImage, rules: Rules = PAPER, threads: int = 1) -> TrueNorthEngine:
    return TrueNorthEngine(load_program(image, rules, COLUMNS, 4), threads)


def stimulus(inputs: list[tuple[int, int]]) -> Stimulus:
    table = np.array(sorted(inputs), np.int64).reshape(-1, 2)
    return Stimulus(table[:, 0].copy(), table[:, 1].astype(np.int32))


def told_by(
    image: ProgramImage, rules: Rules, inputs: list[tuple[int, int]], ticks: int, threads: int = 1
) -> tuple[Any, Any, Heard]:
    """Spikes as (tick, core, neuron), potentials (ticks, cores, 256), and what a meter hears."""
    engine, heard = engine_of(image, rules, threads), Heard()
    recording = run_ticks(engine, stimulus(inputs), ticks, probe=np.arange(engine.neurons), meter=heard)
    neuron = recording.spike_source - engine.program.inputs
    spikes = list(zip(recording.spike_tick.tolist(), *(n.tolist() for n in np.divmod(neuron, SIZE)), strict=True))
    return spikes, recording.probes["v"].reshape(ticks, -1, SIZE), heard


def assert_as_reference(image: ProgramImage, rules: Rules, inputs: list[tuple[int, int]], ticks: int) -> int:
    wanted = run(image, rules, inputs, ticks)
    spikes, v, heard = told_by(image, rules, inputs, ticks)
    assert spikes == wanted.spikes
    assert np.array_equal(v, wanted.v)
    assert np.array_equal(heard.joined("synaptic_events"), wanted.events)
    assert np.array_equal(heard.added("merged"), wanted.merged)
    left = np.sum([chunk.range_events["left_range"] for chunk in heard.chunks], axis=0)
    assert np.array_equal(left, wanted.left_range)
    return len(spikes)


@pytest.mark.compiled
@pytest.mark.parametrize("stochastic", [0.0, 0.3])
@pytest.mark.parametrize(("density", "rate"), [(0.02, 0.01), (0.5, 0.05), (0.9, 0.9)])
def test_busy_and_quiet_cores_do_what_the_equations_say(
    density: float, rate: float, stochastic: float, rng: np.random.Generator
) -> None:
    image = image_of(random_cores(rng, 3, density, stochastic))
    assert assert_as_reference(image, PAPER, random_inputs(rng, 3 * SIZE, 12, rate), 12) > 50


def test_cores_that_walk_set_bits_do_what_the_equations_say(rng: np.random.Generator) -> None:
    image = image_of(random_cores(rng, 3, 0.01, quiet=True))
    inputs = random_inputs(rng, 3 * SIZE, 30, 0.004)
    wanted = run(image, PAPER, inputs, 30)
    spikes, v, heard = told_by(image, PAPER, inputs, 30)
    assert (spikes, np.array_equal(v, wanted.v)) == (wanted.spikes, True)
    assert len(spikes) > 30
    walked = heard.joined("active")[1:]
    assert np.any((walked > 0) & (walked <= sweep.MOST_WALKED))


@pytest.mark.compiled
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("compat", [dynamics.PAPER, dynamics.RANC])
def test_a_neuron_rests_only_where_no_random_number_could_wake_it(compat: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = image_of(settling_cores(rng, 1, (0.0, 0.5, 1.0)[seed % 3]))
    rules = Rules(seed & 1, dynamics.SATURATE, compat, 1, 256)
    assert assert_as_reference(image, rules, random_inputs(rng, SIZE, 120, 0.002), 120) > 50
    heard = told_by(image, rules, [], 120)[2]
    assert int(heard.joined("active")[-1, 0]) < SIZE


@pytest.mark.compiled
def test_a_random_threshold_below_is_drawn_anew_when_the_neuron_comes_back_to_where_it_was() -> None:
    columns = {"potential": 127, "leak": -200, "alpha": 130, "beta": 50, "mask_bits": 5, "reset": -127}
    image = image_of(build_cores([0], np.zeros((1, SIZE, SIZE), bool), columns))
    assert_as_reference(image, PAPER, [], 200)
    _, v, _ = told_by(image, PAPER, [], 200)
    assert len(np.unique(v)) > 1


@pytest.mark.compiled
@pytest.mark.parametrize(
    "rules",
    [
        Rules(0, dynamics.SATURATE, dynamics.PAPER, 1, 256),
        Rules(1, dynamics.SATURATE, dynamics.RANC, 0, 256),
        Rules(0, dynamics.IBM_CLAMP, dynamics.PAPER, 1, 255),
    ],
)
def test_what_the_public_texts_leave_open_is_a_choice(rules: Rules, rng: np.random.Generator) -> None:
    image = image_of(random_cores(rng, 2, 0.4, 0.3))
    inputs = random_inputs(rng, 2 * SIZE, 10, 0.1)
    assert assert_as_reference(image, rules, inputs, 10) > 50
    assert told_by(image, rules, inputs, 10)[1].tolist() != told_by(image, PAPER, inputs, 10)[1].tolist()


@pytest.mark.compiled
@pytest.mark.parametrize("overflow", [dynamics.SATURATE, dynamics.IBM_CLAMP])
def test_potentials_at_the_end_of_their_range_are_held_and_counted(overflow: int) -> None:
    synapses = np.ones((1, SIZE, SIZE), bool)
    weight = np.where(np.arange(SIZE) % 2, 255, -255)[None, :, None] * np.ones((1, 1, 4), int)
    columns = {"weight": weight, "alpha": (1 << 18) - 1, "beta": (1 << 18) - 1, "gamma": 2, "mask_bits": 18}
    image = image_of(build_cores([0], synapses, columns))
    rules = Rules(1, overflow, dynamics.PAPER, 1, 256)
    inputs = [(tick, axon) for tick in range(12) for axon in range(SIZE)]
    assert_as_reference(image, rules, inputs, 12)
    _, v, heard = told_by(image, rules, inputs, 12)
    most = dynamics.IBM_CEILING if overflow else dynamics.HIGHEST
    assert int(v.max()) == most
    assert int(heard.chunks[0].range_events["left_range"][0]) > SIZE


@pytest.mark.compiled
def test_leaving_the_range_stops_a_run_that_asked_for_it() -> None:
    columns = {"weight": np.full((1, SIZE, 4), 255), "gamma": 2}
    image = image_of(build_cores([0], np.ones((1, SIZE, SIZE), bool), columns))
    engine = engine_of(image, Rules(1, dynamics.ERROR, dynamics.PAPER, 1, 256))
    with pytest.raises(BadInput, match="NE5604"):
        run_ticks(engine, stimulus([(tick, axon) for tick in range(12) for axon in range(SIZE)]), 12)


def test_the_generator_is_the_one_on_the_page() -> None:
    word = (1 << 64) - 1

    def mixed(z: int) -> int:
        z = (z + 0x9E3779B97F4A7C15) & word
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & word
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & word
        return z ^ (z >> 31)

    page = PAGE.read_text()
    for line in (
        "z = z + 0x9E3779B97F4A7C15",
        "z = (z xor (z >> 30)) * 0xBF58476D1CE4E5B9",
        "z = (z xor (z >> 27)) * 0x94D049BB133111EB",
        "mix(z) = z xor (z >> 31)",
        "key(core, tick)      = mix(mix(seed) xor tick)",
        "word(neuron, draw)   = mix(key xor (neuron * 2**32 + draw)) >> 32",
    ):
        assert f"    {line}" in page
    for seed, tick, neuron, draw in ((1, 0, 0, 0), (0xFFFFFFFF, 7, 255, 3), ((5 << 32) | 9, 100_000, 17, 1)):
        key = mixed(mixed(seed) ^ tick)
        assert int(dice.tick_key(np.uint64(seed), tick)) == key
        assert int(dice.random_word(np.uint64(key), neuron, draw)) == mixed(key ^ ((neuron << 32) | draw)) >> 32


def test_a_core_that_cannot_change_is_not_visited_until_a_spike_arrives(rng: np.random.Generator) -> None:
    image = image_of(random_cores(rng, 2, 0.05, quiet=True))
    _, _, heard = told_by(image, PAPER, [(5, 3)], 8)
    active = heard.joined("active")
    assert active[0].tolist() == [SIZE, SIZE]
    assert active[1:5].sum() == 0
    row = int(np.unpackbits(image.cores.crossbar[0, 3]).sum())
    assert active[5].tolist() == [row, 0]


def test_a_neuron_below_its_thresholds_draws_in_vain_and_is_left_alone() -> None:
    columns = {"alpha": 10, "beta": 5, "mask_bits": 4, "potential": np.where(np.arange(SIZE) < 2, 12, 3)[None]}
    image = image_of(build_cores([0], np.zeros((1, SIZE, SIZE), bool), columns))
    _, _, heard = told_by(image, PAPER, [], 3)
    assert heard.joined("active")[1, 0] <= 2
    assert_as_reference(image, PAPER, [], 40)


def test_spikes_to_the_same_axon_and_tick_are_one_and_counted() -> None:
    columns = {"alpha": 1, "weight": 1, "axon": 7, "delay": 4, "gamma": 1, "potential": np.arange(SIZE)[None] < 5}
    image = image_of(build_cores([0], np.zeros((1, SIZE, SIZE), bool), columns, np.ones((1, SIZE), bool)))
    _, _, heard = told_by(image, PAPER, [(4, 7), (4, 7)], 6)
    assert heard.added("merged").tolist() == [4 + 2]
    assert heard.joined("axon_events")[4, 0] == 1


@pytest.mark.parametrize("delay", [1, 2, 15])
def test_a_spike_arrives_its_delay_later(delay: int) -> None:
    synapses = np.zeros((1, SIZE, SIZE), bool)
    synapses[0, 9, 1] = True
    columns = {"alpha": [[1, 1] + [99] * 254], "weight": 1, "axon": 9, "delay": delay, "potential": [[1] + [0] * 255]}
    image = image_of(build_cores([0], synapses, columns, np.eye(1, SIZE, dtype=bool)))
    spikes, _, _ = told_by(image, PAPER, [], 20)
    assert spikes == [(0, 0, 0), (delay, 0, 1)]


def test_host_spikes_may_be_delayed_and_reach_several_axons(rng: np.random.Generator) -> None:
    cores = random_cores(rng, 2, 0.3)
    image = image_of(cores, host=[(0, 5, 0), (1, 200, 3), (1, 0, 15)])
    assert_as_reference(image, PAPER, [(0, 0), (0, 1), (1, 2), (4, 0)], 20)


@pytest.mark.compiled
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_nothing(threads: int, rng: np.random.Generator) -> None:
    image = image_of(random_cores(rng, 9, 0.2, 0.3))
    inputs = random_inputs(rng, 9 * SIZE, 40, 0.02)
    alone, together = told_by(image, PAPER, inputs, 40), told_by(image, PAPER, inputs, 40, threads)
    assert engine_of(image, threads=threads).threads == min(threads, 5)
    assert together[0] == alone[0] and np.array_equal(together[1], alone[1])
    for name in ("synaptic_events", "axon_events", "active"):
        assert np.array_equal(together[2].joined(name), alone[2].joined(name))
    assert np.array_equal(together[2].added("merged"), alone[2].added("merged"))


@pytest.mark.compiled
@pytest.mark.parametrize("cut", [0, 1, 7, 19, 23])
def test_another_chip_goes_on_from_a_snapshot_with_the_same_random_numbers(cut: int, rng: np.random.Generator) -> None:
    image = image_of(random_cores(rng, 4, 0.2, 0.5))
    rain = rng.random((24, 4 * SIZE)) < 0.02

    def advanced(engine: TrueNorthEngine, first: int, last: int) -> list[tuple[int, int]]:
        start = np.concatenate([[0], np.cumsum(rain[first:last].sum(axis=1))]).astype(np.int64)
        source = np.nonzero(rain[first:last])[1].astype(np.int32)
        chunk = engine.advance(first, last, 20, start, source, np.zeros(0, np.int64))
        return list(zip(chunk.spike_tick.tolist(), chunk.spike_source.tolist(), strict=True))

    first, second = engine_of(image), engine_of(image, threads=2)
    before = advanced(first, 0, cut)
    second.restore(first.snapshot())
    after = advanced(first, cut, 24)
    assert advanced(second, cut, 24) == after and len(before) + len(after) > 100
    assert all(np.array_equal(array, second.snapshot()[name]) for name, array in first.snapshot().items())


def test_a_sample_starts_clean(rng: np.random.Generator) -> None:
    image = image_of(random_cores(rng, 2, 0.2))
    inputs = random_inputs(rng, 2 * SIZE, 9, 0.05)
    engine = engine_of(image)
    recording = run_ticks(
        engine, stimulus(inputs + [(tick + 9, source) for tick, source in inputs]), 18, reset_period=9
    )
    half = recording.spike_tick < 9
    assert np.array_equal(recording.spike_tick[half], recording.spike_tick[~half] - 9)
    assert np.array_equal(recording.spike_source[half], recording.spike_source[~half])


@pytest.mark.compiled
def test_a_full_spike_buffer_ends_a_chunk_early_and_loses_nothing(rng: np.random.Generator, monkeypatch: Any) -> None:
    image = image_of(random_cores(rng, 3, 0.3))
    inputs = random_inputs(rng, 3 * SIZE, 30, 0.2)
    whole, _, _ = told_by(image, PAPER, inputs, 30)
    monkeypatch.setattr(core, "_SPIKE_BUFFER", 0)
    engine = engine_of(image)
    chunk = engine.advance(0, 30, NEVER, *_sorted_inputs(inputs, 30), np.zeros(0, np.int64))
    assert chunk.last_tick < 30
    assert told_by(image, PAPER, inputs, 30)[0] == whole


def _sorted_inputs(inputs: list[tuple[int, int]], ticks: int) -> tuple[Any, Any]:
    given = stimulus(inputs)
    return np.searchsorted(given.tick, np.arange(ticks + 1)).astype(np.int64), given.source


# ---- random numbers --------------------------------------------------------------------------------------------------


def stochastic_core(weight: int, seed: int = 7, run_seed: int = 0) -> ProgramImage:
    columns = {"weight": weight, "stochastic": 1, "alpha": (1 << 18) - 1, "beta": (1 << 18) - 1}
    return image_of(build_cores([0], np.ones((1, SIZE, SIZE), bool), columns, seed=[seed]), seed=run_seed)


def hits(image: ProgramImage, rules: Rules = PAPER, ticks: int = 16) -> Any:
    """Potentials after all axons were active for some ticks: how often each neuron's synapses fired."""
    return told_by(image, rules, [(tick, axon) for tick in range(ticks) for axon in range(SIZE)], ticks)[1][-1, 0]


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("weight", "rho", "probability"),
    [
        (64, (1, 256), 0.25),
        (-64, (1, 256), -0.25),
        (64, (0, 256), 65 / 256),
        (64, (1, 255), 64 / 255),
        (0, (1, 256), 0),
    ],
)
def test_a_stochastic_synapse_fires_with_its_probability(weight: int, rho: tuple[int, int], probability: float) -> None:
    rules = PAPER._replace(rho_lowest=rho[0], rho_span=rho[1])
    draws = 16 * SIZE * SIZE
    assert draws > 1_000_000
    assert float(hits(stochastic_core(weight), rules).sum()) / draws == pytest.approx(probability, abs=0.002)


@pytest.mark.compiled
def test_eta_is_uniform_over_its_mask() -> None:
    key = np.uint64(dice.tick_key(np.uint64(5), 3))
    drawn = [dynamics.eta(dice.random_word(key, neuron, draw), 4) for neuron in range(256) for draw in range(20)]
    counts = np.bincount(drawn, minlength=16)
    assert counts.shape == (16,)
    assert float(((counts - 320) ** 2 / 320).sum()) < 37.7  # chi-squared, 15 degrees of freedom, 0.1 %


@pytest.mark.compiled
def test_neighbouring_draws_neurons_and_ticks_are_independent() -> None:
    words = np.array(
        [
            [dice.random_word(np.uint64(dice.tick_key(np.uint64(1), tick)), neuron, draw) for draw in range(40)]
            for tick in range(10)
            for neuron in range(10)
        ],
        np.float64,
    )
    centred = words / 2**32 - 0.5
    for lag in (1, 10):
        assert abs(float((centred[lag:] * centred[:-lag]).mean()) * 12) < 0.06
    assert abs(float((centred[:, 1:] * centred[:, :-1]).mean()) * 12) < 0.06


@pytest.mark.compiled
def test_numbers_follow_from_the_seeds_of_core_and_run() -> None:
    first = hits(stochastic_core(100), ticks=2)
    assert np.array_equal(hits(stochastic_core(100), ticks=2), first)
    assert not np.array_equal(hits(stochastic_core(100, seed=8), ticks=2), first)
    assert not np.array_equal(hits(stochastic_core(100, run_seed=1), ticks=2), first)


@pytest.mark.compiled
def test_stochastic_leaks_and_thresholds_keep_their_probability_over_many_ticks() -> None:
    columns = {"leak": 64, "stochastic_leak": 1, "alpha": (1 << 18) - 1}
    _, v, _ = told_by(image_of(build_cores([0], np.zeros((1, 1, SIZE), bool), columns)), PAPER, [], 2000)
    assert float(v[-1].mean()) / 2000 == pytest.approx(0.25, abs=0.003)
    columns = {"alpha": 0, "potential": 3, "mask_bits": 4, "gamma": 2}
    spikes, _, _ = told_by(image_of(build_cores([0], np.zeros((1, 1, SIZE), bool), columns)), PAPER, [], 500)
    assert len(spikes) / (500 * SIZE) == pytest.approx(4 / 16, abs=0.005)
