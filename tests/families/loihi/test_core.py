"""A program in motion: synapse sections, delays, resets, noise and counters, against a plain matrix simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.emulator import runner, sharded
from neuroemu.emulator.delivery import SPARE_SPIKES
from neuroemu.emulator.runner import NEVER
from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.image import EXCITATORY, MIXED, CompartmentProfile, ProgramImage
from tests.families.loihi.programs import (
    PERFECT,
    Core,
    booted,
    dense,
    listed,
    program,
    run,
    stimulus,
    synapses_of,
)

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # uint64 wraps on purpose

RETAINS = CompartmentProfile(1000, 300)
TICKS = 14


# ------------------------------------------------------------------------------------------------ a plain simulation


def plain_spikes(image: ProgramImage, spikes: list[tuple[int, int]], ticks: int) -> list[tuple[int, int]]:
    """(tick, neuron) of every spike, with one dense matrix per delay and the rules one after the other."""
    synapses, inputs = synapses_of(image), image.host.sources
    cores = [core for core in image.cores for _ in range(core.compartments)]
    neurons = len(cores)
    matrix = np.zeros((64, neurons, inputs + neurons), np.int64)
    for source, target, delay, weight in synapses:
        matrix[delay, target, source] += weight
    sent = np.zeros((ticks + 1, inputs + neurons), np.int64)  # row t: spikes that act in tick t when the delay is 0
    for tick, source in spikes:
        sent[tick, source] += 1
    u, v, counter = ([0] * neurons for _ in range(3))
    fired = []
    for tick in range(ticks):
        arriving = sum(matrix[delay] @ sent[tick - delay] for delay in range(min(64, tick + 1)))
        for neuron, core in enumerate(cores):
            profile = core.profiles[0]
            drive = dynamics.bias(int(core.bias_mantissa[0]), int(core.bias_exponent[0]))
            drive = drive if tick >= int(core.bias_start_tick[0]) else 0
            u[neuron] = dynamics.current(u[neuron], int(arriving[neuron]), 4095 - profile.current_decay)
            low, high = dynamics.lowest_membrane(core.vmin_exponent), dynamics.highest_membrane(core.vmax_exponent)
            membrane = dynamics.membrane(v[neuron], u[neuron], drive, 4096 - profile.membrane_decay, low, high)
            membrane = dynamics.held_at_reset(membrane, counter[neuron])
            spiked = dynamics.fires(membrane, int(core.thresholds[0]) << 6)
            counter[neuron] = dynamics.refractory_after(spiked, counter[neuron], profile.refractory)
            v[neuron] = dynamics.after_spike(spiked, membrane)
            if spiked:
                fired.append((tick, neuron))
                sent[tick + 1, inputs + neuron] += 1
    return fired


def random_program(rng: np.random.Generator, inputs: int = 3) -> ProgramImage:
    """One to three cores with dense, sparse and shared-kernel sections, delays, bias and any wiring."""
    cores = []
    for _ in range(rng.integers(1, 4)):
        size = int(rng.integers(3, 7))
        profile = CompartmentProfile(*(int(value) for value in (*rng.integers(0, 4096, 2), rng.integers(1, 4))))
        bias = (int(rng.integers(-40, 200)), int(rng.integers(0, 4)))
        core = Core(size, profile, int(rng.integers(10, 200)), bias, int(rng.integers(0, 4)), bounds=(20, 6))
        wide, narrow = int(rng.integers(1, size + 1)), int(rng.integers(1, size + 1))
        rows = (2 * rng.integers(-127, 128, (2, wide))).tolist()
        core.sections.append(dense(rows, int(rng.choice([0, 0, 5])), int(rng.integers(-2, 3))))
        core.sections.append(listed([random_list(rng, size, int(rng.integers(0, size + 1)), 62) for _ in range(3)]))
        same = int(rng.choice([0, 3]))
        kernel = [[(index, weight, same) for index, weight, _ in random_list(rng, narrow, narrow, 0)] for _ in range(4)]
        core.sections.append(listed(kernel, int(rng.integers(0, 3)), kind="shared_kernel"))
        core.axons = [
            *((0, row, 1, int(rng.integers(0, size - wide + 1))) for row in range(2)),
            *((1, row, 1, 0) for row in range(3)),
            *((2, first, 2, int(rng.integers(0, size - narrow + 1))) for first in (0, 2, 2)),
        ]
        cores.append(core)

    def destination() -> tuple[int, int, int]:
        axon = int(rng.integers(0, 8))
        return int(rng.integers(0, len(cores))), axon, int(rng.integers(0, 2)) if axon >= 5 else 0

    for core in cores:
        core.outputs = [(int(rng.integers(0, core.compartments)), *destination()) for _ in range(rng.integers(0, 9))]
    host = [(int(rng.integers(0, inputs)), *destination()) for _ in range(8)]
    return program(*cores, host=host, inputs=inputs)


def random_list(rng: np.random.Generator, reach: int, length: int, longest: int) -> list[tuple[int, int, int]]:
    places = np.sort(rng.choice(reach, length, replace=False))
    weights, delays = 2 * rng.integers(-127, 128, length), rng.choice([0, 1, 4, longest], length) if longest else None
    return [(int(place), int(weights[k]), 0 if delays is None else int(delays[k])) for k, place in enumerate(places)]


def random_spikes(rng: np.random.Generator, ticks: int, inputs: int = 3) -> list[tuple[int, int]]:
    return [(int(tick), int(source)) for tick, source in rng.integers(0, (ticks, inputs), (25, 2))]


@given(st.integers(0, 1 << 32))
@settings(max_examples=40)
def test_dense_sparse_and_shared_sections_do_what_their_matrices_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, spikes = random_program(rng), random_spikes(rng, TICKS)
    assert run(booted(image), TICKS, spikes)[0] == plain_spikes(image, spikes, TICKS)


# ------------------------------------------------------------------------------------------------ sections


def one_synapse(section_of: str, delay: int) -> Core:
    """A neuron that fires when its one synapse is used."""
    core = Core(1, threshold=50)
    if section_of == "dense":
        core.sections = [dense([[100]], delay)]
    else:
        core.sections = [listed([[(0, 100, delay)]], kind=section_of)]
    core.axons = [(0, 0, 1, 0)]
    return core


@pytest.mark.parametrize("section_of", ["dense", "sparse", "shared_kernel"])
@pytest.mark.parametrize("delay", [0, 1, 7, 62])
def test_an_input_acts_in_its_own_tick_plus_the_delay(section_of: str, delay: int) -> None:
    image = program(one_synapse(section_of, delay), host=[(0, 0, 0, 0)], inputs=1)
    assert run(booted(image), 80, [(3, 0)])[0] == [(3 + delay, 0)]


@pytest.mark.parametrize("section_of", ["dense", "sparse", "shared_kernel"])
@pytest.mark.parametrize("delay", [0, 62])
def test_a_spike_acts_one_tick_later_plus_the_delay(section_of: str, delay: int) -> None:
    first, second = one_synapse("dense", 0), one_synapse(section_of, delay)
    first.outputs = [(0, 1, 0, 0)]
    image = program(first, second, host=[(0, 0, 0, 0)], inputs=1)
    assert run(booted(image), 80, [(5, 0)])[0] == [(5, 0), (6 + delay, 1)]


def test_the_atom_selects_one_of_an_axons_lists() -> None:
    core = Core(2, threshold=50)
    core.sections = [listed([[(0, 100, 0)], [(1, 100, 0)]], kind="shared_kernel")]
    core.axons = [(0, 0, 2, 0)]
    image = program(core, host=[(0, 0, 0, 0), (1, 0, 0, 1)], inputs=2)
    assert run(booted(image), 3, [(0, 1), (1, 0)])[0] == [(0, 1), (1, 0)]


def test_an_axon_without_synapses_and_a_source_without_axons_do_nothing() -> None:
    core = Core(1, threshold=50, sections=[listed([[]])], axons=[(0, 0, 1, 0)])
    image = program(core, host=[(0, 0, 0, 0)], inputs=2)
    assert run(booted(image), 3, [(0, 0), (1, 1)])[0] == []


def test_several_spikes_of_one_source_in_one_tick_add_up() -> None:
    core = replace(one_synapse("dense", 0), threshold=250)
    image = program(core, host=[(0, 0, 0, 0)], inputs=1)
    assert run(booted(image), 4, [(1, 0)] * 2)[0] == []
    assert run(booted(image), 4, [(1, 0)] * 3)[0] == [(1, 0)]


# ------------------------------------------------------------------------------------------------ bias


def test_bias_acts_from_its_layers_first_tick_of_every_sample() -> None:
    image = program(Core(1, threshold=1, bias=(65, 0), bias_start_tick=3))
    assert run(booted(image), 12, period=6)[0] == [(tick, 0) for tick in (3, 4, 5, 9, 10, 11)]


# ------------------------------------------------------------------------------------------------ samples and chunks


@given(st.integers(0, 1 << 32))
@settings(max_examples=15)
def test_every_sample_starts_clean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, spikes = random_program(rng), random_spikes(rng, TICKS)
    noise_before = random_spikes(rng, TICKS)
    shifted = [(tick + TICKS, source) for tick, source in spikes]
    both, recording = run(booted(image), 2 * TICKS, [*noise_before, *shifted], period=TICKS)
    alone, reference = run(booted(image), TICKS, spikes)
    assert [(tick - TICKS, neuron) for tick, neuron in both if tick >= TICKS] == alone
    assert np.array_equal(recording.probes["v"][TICKS:], reference.probes["v"])
    assert np.array_equal(recording.probes["u"][TICKS:], reference.probes["u"])


def test_a_spike_under_way_at_the_end_of_a_sample_is_dropped() -> None:
    image = program(one_synapse("sparse", 10), host=[(0, 0, 0, 0)], inputs=1)
    assert run(booted(image), 40, [(3, 0)], period=8)[0] == []
    assert run(booted(image), 40, [(3, 0)], period=20)[0] == [(13, 0)]


@pytest.mark.parametrize("cells", [1, 3, 1 << 22])
@pytest.mark.parametrize("buffer", ["one tick", "large"])
def test_the_size_of_chunks_never_changes_results(
    cells: int, buffer: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, spikes = random_program(rng), random_spikes(rng, 3 * TICKS)
    whole, reference = run(booted(image), 3 * TICKS, spikes, period=TICKS)
    monkeypatch.setattr(runner, "_CHUNK_CELLS", cells)
    engine = booted(image)
    if buffer == "one tick":
        engine._spike_source = np.empty((1, engine.neurons + SPARE_SPIKES), np.int32)
    again, recording = run(engine, 3 * TICKS, spikes, period=TICKS)
    assert whole
    assert again == whole
    assert np.array_equal(recording.probes["v"], reference.probes["v"])


@pytest.mark.compiled
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_the_number_of_threads_never_changes_results(
    threads: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharded, "_BORDER", 1)
    for _ in range(6):
        image, spikes = random_program(rng), random_spikes(rng, 3 * TICKS)
        whole, reference = run(booted(image), 3 * TICKS, spikes, period=TICKS)
        engine = booted(image, threads)
        again, recording = run(engine, 3 * TICKS, spikes, period=TICKS)
        assert engine.threads > 1
        assert again == whole
        assert all(np.array_equal(recording.probes[name], reference.probes[name]) for name in ("u", "v"))


def test_a_full_spike_buffer_ends_a_chunk_early_and_says_where() -> None:
    engine = booted(program(Core(4, threshold=1, bias=(65, 0))))
    engine._spike_source = np.empty((1, 11 + SPARE_SPIKES), np.int32)
    chunk = engine.advance(0, 10, NEVER, np.zeros(11, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
    assert chunk.last_tick == 2
    assert chunk.spike_tick.tolist() == [0] * 4 + [1] * 4
    assert chunk.active.shape == (2, 1)
    assert chunk.input_start.shape == (3,)


# ------------------------------------------------------------------------------------------------ noise


def noisy(target: str, exponent: int = 7, offset: int = 0, size: int = 1, start: int = 0) -> Core:
    profile = CompartmentProfile(4095, 4095, 1, noise_enable=True)
    return Core(size, profile, 131071, bias_start_tick=start, noise=(exponent, offset, target))


def noise_of(core: Core, ticks: int, seed: int = 1, period: int = NEVER) -> np.ndarray:
    _, recording = run(booted(replace(program(core), seed=seed)), ticks, period=period)
    return recording.probes["u" if core.noise[2] == "current" else "v"]


@pytest.mark.parametrize("target", ["current", "membrane"])
def test_noise_is_uniform_between_plus_and_minus_127(target: str) -> None:
    draws = noise_of(noisy(target, size=50), 80)
    assert draws.min() == -127 and draws.max() == 127
    assert abs(draws.mean()) < 6
    assert abs(draws.std() - 73.6) < 4
    assert abs(np.corrcoef(draws[:-1].ravel(), draws[1:].ravel())[0, 1]) < 0.08
    assert abs(np.corrcoef(draws[:, :-1].ravel(), draws[:, 1:].ravel())[0, 1]) < 0.08


def test_noise_repeats_with_its_seed_and_differs_with_another() -> None:
    first, again, other = (noise_of(noisy("current", size=8), 20, seed) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_noise_has_the_mean_and_scale_of_its_registers() -> None:
    draws = noise_of(noisy("membrane", exponent=9, offset=2, size=30), 40)
    assert np.all(draws % 4 == 0)
    assert draws.min() >= 4 * (128 - 127) and draws.max() <= 4 * (128 + 127)


def test_without_noise_enable_there_is_none() -> None:
    core = replace(noisy("current"), profile=PERFECT)
    assert not noise_of(core, 10).any()


@pytest.mark.parametrize("target", ["current", "membrane"])
def test_noise_rests_until_its_layer_starts_in_every_sample(target: str) -> None:
    draws = noise_of(noisy(target, size=40, start=3), 12, period=6)
    resting = [0, 1, 2, 6, 7, 8]
    assert not draws[resting].any()
    assert all(draws[tick].any() for tick in range(12) if tick not in resting)


# ------------------------------------------------------------------------------------------------ nothing is lost silently


def test_accumulator_wraps_are_counted_on_the_core_where_they_happen() -> None:
    quiet, loud = Core(1), Core(1, bounds=(23, 7), threshold=131071)
    loud.sections = [dense([[254]], exponent=7, sign_mode=EXCITATORY)]
    loud.axons = [(0, 0, 1, 0)]
    engine = booted(program(quiet, loud, host=[(0, 1, 0, 0)], inputs=1))
    spikes = stimulus([(0, 0), (1, 0), (1, 0)])
    bounds = np.array([0, 1, 3], np.int64)
    chunk = engine.advance(0, 2, NEVER, bounds, spikes.source, np.array([1]))
    assert chunk.range_events["wraps"].tolist() == [0, 1]
    assert chunk.range_events["saturations"].tolist() == [0, 0]
    assert chunk.probes["u"].ravel().tolist() == [254 << 13, (2 * 254 << 13) - (1 << 22)]


def test_membrane_saturations_are_counted() -> None:
    core = Core(1, threshold=131071, bias=(4095, 7), bounds=(23, 5))
    engine = booted(program(core))
    chunk = engine.advance(0, 3, NEVER, np.zeros(4, np.int64), np.zeros(0, np.int32), np.array([0]))
    assert chunk.probes["v"].ravel().tolist() == [4095 << 7, (1 << 19) - 1, (1 << 19) - 1]
    assert chunk.range_events["saturations"].tolist() == [2]


def test_only_neurons_with_state_input_or_drive_count_as_active() -> None:
    core = Core(3, RETAINS, threshold=131071, sections=[listed([[(1, 100, 0)]])], axons=[(0, 0, 1, 0)])
    engine = booted(program(core, host=[(0, 0, 0, 0)], inputs=1))
    chunk = engine.advance(0, 4, NEVER, np.array([0, 0, 1, 1, 1]), np.array([0], np.int32), np.zeros(0, np.int64))
    assert chunk.active.ravel().tolist() == [0, 1, 1, 1]


def test_the_sign_mode_decides_which_bit_a_mantissa_loses() -> None:
    weights = {}
    for sign_mode, mantissa in ((MIXED, 254), (EXCITATORY, 255)):
        core = Core(1, threshold=131071, sections=[dense([[mantissa]], sign_mode=sign_mode)], axons=[(0, 0, 1, 0)])
        image = program(core, host=[(0, 0, 0, 0)], inputs=1)
        weights[sign_mode] = int(run(booted(image), 1, [(0, 0)])[1].probes["u"][0, 0])
    assert weights == {MIXED: 254 << 6, EXCITATORY: 255 << 6}
