"""Networks on open LIF cores: the chip is its rounded twin, soft resets are native, cutting changes nothing, images survive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.errors import BadInput, DoesNotFit
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.boot import boot
from neuroemu.families.lifcore.image import pack, unpack
from neuroemu.families.lifcore.lower import leak_registers
from neuroemu.formats import load
from neuroemu.formats.samples import load_samples
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network, Neuron
from neuroemu.toolchain import Deployment, deploy

pytestmark = pytest.mark.compiled

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture
def small_cores(tmp_path: Path) -> Path:
    """The same chip with cores of 50 neurons."""
    file = tmp_path / "small.yaml"
    file.write_text("extends: lifcore\nname: small\ntitle: small cores\nlimits:\n  neurons: 50\n")
    return file


def example(name: str, samples: str) -> tuple[Network, Any]:
    network = load(EXAMPLES / f"{name}.nir", "snntorch-hard", None)
    return network, load_samples(EXAMPLES / f"{samples}.npz", network)


def soft_network(leak: bool) -> Network:
    """Two layers that subtract their threshold on a spike; every number a multiple of 1/64."""
    rng = np.random.default_rng(7)
    decay = 0.75 if leak else 1.0

    def neuron(threshold: float) -> Neuron:
        one = np.ones(1)
        return Neuron(decay * one, one, 0 * one, threshold * one, 0 * one, reset="subtract", compare="ge")

    builder = NetworkBuilder("soft", dt_s=1e-3).input("in", (20,))
    builder.population("hidden", (30,), neuron(1.5)).population("out", (8,), neuron(2.0))
    builder.dense("in", "hidden", rng.integers(-32, 64, (30, 20)) / 64)
    builder.dense("hidden", "out", rng.integers(-32, 64, (8, 30)) / 64)
    return builder.output("out").build()


def spikes_of(network: Network, chip: Any, inputs: Any) -> tuple[list[Any], Deployment]:
    deployment = deploy(network, chip)
    run = deployment.run(inputs)
    return [run.spikes(population.name) for population in run.populations], deployment


@pytest.mark.parametrize(
    ("name", "samples", "least"), [("digits_mlp", "digits_test", 0.9), ("digits_conv", "digits_conv", 0.9)]
)
def test_the_chip_computes_its_rounded_twin_in_every_bin(name: str, samples: str, least: float) -> None:
    network, given = example(name, samples)
    run = deploy(network, "lifcore").run(given.inputs)
    document = run.report(given.labels).document
    assert document["accuracy"]["chip"] >= least
    assert [layer["differing_bins_quantised_chip"] for layer in document["fidelity"]] == [0, 0]


@pytest.mark.parametrize("leak", [False, True])
def test_a_soft_reset_is_computed_as_the_float_network_does(leak: bool) -> None:
    network = soft_network(leak)
    inputs = (np.random.default_rng(3).random((6, 40, 20)) < 0.3).astype(np.uint8)
    run = deploy(network, "lifcore").run(inputs)
    document = run.report().document
    assert deploy(network, "lifcore").compiled.findings == ()
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0, 0]
    assert all(layer["spikes_chip"] > 0 for layer in document["fidelity"])


@pytest.mark.parametrize(
    ("name", "samples"), [("digits_conv", "digits_conv"), ("digits_recurrent", "digits_recurrent")]
)
def test_cutting_a_network_over_more_cores_changes_no_spike(name: str, samples: str, small_cores: Path) -> None:
    network, given = example(name, samples)
    inputs = {port: array[:10] for port, array in given.inputs.items()}
    whole, one = spikes_of(network, "lifcore", inputs)
    cut, many = spikes_of(network, small_cores, inputs)
    assert many.compiled.mapping["cores_used"] >= one.compiled.mapping["cores_used"]
    assert all(np.array_equal(first, second) for first, second in zip(whole, cut, strict=True))


def test_a_convolution_shares_its_kernel_in_memory() -> None:
    network, _ = example("digits_conv", "digits_conv")
    image = unpack(deploy(network, "lifcore").compiled.program)
    shared = [int((core.list_kind == 2).sum()) for core in image.cores]
    axons = [core.axon_list.shape[0] for core in image.cores]
    assert 0 < sum(shared) < sum(axons)


def test_a_program_survives_packing_and_every_single_bit_counts() -> None:
    network, _ = example("digits_conv", "digits_conv")
    program = deploy(network, "lifcore").compiled.program
    again = pack(unpack(program))
    assert again.manifest == program.manifest
    assert all(np.array_equal(again.sections[name], data) for name, data in program.sections.items())


def test_a_route_to_a_core_that_does_not_exist_is_refused() -> None:
    network, _ = example("digits_mlp", "digits_test")
    image = unpack(deploy(network, "lifcore").compiled.program)
    astray = pack(replace(image, host_core=image.host_core + 1))
    with pytest.raises(BadInput) as caught:
        unpack(astray)
    assert [finding.code for finding in caught.value.findings] == ["NE5511"]


@pytest.mark.parametrize("number", [-1, 7, 99])
def test_a_population_on_a_core_that_does_not_exist_is_refused(number: int) -> None:
    image = unpack(deploy(example("digits_mlp", "digits_test")[0], "lifcore").compiled.program)
    first, *others = image.symbols.populations
    moved = replace(first, core=np.full_like(first.core, number))
    astray = pack(replace(image, symbols=replace(image.symbols, populations=(moved, *others))))
    with pytest.raises(BadInput) as caught:
        unpack(astray)
    assert "that no core holds" in caught.value.findings[0].message


def test_a_core_number_beyond_what_routes_reach_is_refused_before_anything_is_allocated() -> None:
    program = deploy(example("digits_mlp", "digits_test")[0], "lifcore").compiled.program
    with pytest.raises(BadInput) as caught:
        unpack(replace(program, manifest={**program.manifest, "cores": [1 << 60]}))
    assert "cannot be addressed" in caught.value.findings[0].message


def test_a_program_of_another_family_is_refused() -> None:
    network, _ = example("digits_mlp", "digits_test")
    program = deploy(network, "lifcore").compiled.program
    with pytest.raises(BadInput) as caught:
        unpack(replace(program, manifest={**program.manifest, "layout_version": 99}))
    assert [finding.code for finding in caught.value.findings] == ["NE5510"]


def test_a_neuron_with_too_many_sources_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "few.yaml"
    file.write_text("extends: lifcore\nname: few\ntitle: few axons\nlimits:\n  axons: 63\n")
    with pytest.raises(DoesNotFit) as caught:
        deploy(example("digits_mlp", "digits_test")[0], file)
    assert [finding.code for finding in caught.value.findings] == ["NE4501"]
    assert "1 more than the 63" in caught.value.findings[0].message


def test_a_mesh_with_too_few_cores_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(
        "extends: lifcore\nname: tiny\ntitle: two tiny cores\nlimits:\n  neurons: 20\n"
        "structure: {mesh_columns: 2, mesh_rows: 1, cores: 2}\n"
    )
    with pytest.raises(DoesNotFit) as caught:
        deploy(example("digits_mlp", "digits_test")[0], file)
    assert [finding.code for finding in caught.value.findings] == ["NE4106"]


def changed(**values: Any) -> Callable[[Neuron], Neuron]:
    return lambda neuron: replace(neuron, **values)


@pytest.mark.parametrize(
    ("change", "code", "refused"),
    [
        (changed(min_v=-1.0), "NE3501", False),
        (changed(membrane_decay=np.full(30, -0.5)), "NE3502", False),
        (changed(reset="subtract_snntorch"), "NE3503", False),
        (changed(multispike=True), "NE3504", False),
        (changed(refractory_ticks=300), "NE3506", True),
    ],
)
def test_what_the_core_cannot_compute_is_said(change: Callable[[Neuron], Neuron], code: str, refused: bool) -> None:
    network = soft_network(leak=True)
    hidden = network.populations["hidden"]
    assert hidden.neuron is not None
    populations = {**network.populations, "hidden": replace(hidden, neuron=change(hidden.neuron))}
    odd = replace(network, populations=populations)
    if refused:
        with pytest.raises(DoesNotFit) as caught:
            deploy(odd, "lifcore")
        found = caught.value.findings
    else:
        found = deploy(odd, "lifcore").compiled.findings
    assert [finding.code for finding in found] == [code]


def test_cycles_follow_the_contract() -> None:
    network = soft_network(leak=False)
    inputs = np.zeros((1, 3, 20), np.uint8)
    inputs[0, 0, :5] = 1
    run = deploy(network, "lifcore").run(inputs)
    counters = run.costs.counters
    quiet = 38 + 4
    sent = counters["spikes"] and counters["packets"] - 5
    events = counters["synaptic_events"]
    assert counters["ticks"] == 5
    assert counters["core_cycles"] == 5 * quiet + counters["packets"] + events + sent
    assert run.costs.sets[0].time.value == pytest.approx(counters["core_cycles"] / 100e6, rel=1e-12)


def test_damaged_memories_boot_or_are_refused_with_a_code() -> None:
    program = deploy(example("digits_mlp", "digits_test")[0], "lifcore").compiled.program
    rng = np.random.default_rng(1)
    names = [name for name in sorted(program.sections) if program.sections[name].size]
    refused = set()
    for _ in range(200):
        name = names[rng.integers(len(names))]
        damaged = program.sections[name].copy()
        damaged[rng.integers(damaged.size, size=2)] = rng.integers(0, 256, 2)
        try:
            boot(replace(program, sections={**program.sections, name: damaged}))
        except BadInput as error:
            refused |= {finding.code for finding in error.findings}
    assert refused == {"NE5100", "NE5101", "NE5511"}


# ---------------------------------------------------------------------------------------- a core that has less


def refusals(network: Network, chip: Any) -> dict[str, str]:
    """Code -> message of everything that is refused."""
    with pytest.raises(DoesNotFit) as caught:
        deploy(network, chip)
    return {finding.code: finding.message for finding in caught.value.findings}


def lesser(tmp_path: Path, **arithmetic: str) -> Path:
    """The open LIF core with less arithmetic."""
    file = tmp_path / "lesser.yaml"
    lines = "".join(f"  {name}: {value}\n" for name, value in arithmetic.items())
    file.write_text(f"extends: lifcore\nname: lesser\ntitle: less\narithmetic:\n{lines}")
    return file


def test_a_trained_network_runs_on_small_crossbars_and_says_what_rounding_the_leak_does() -> None:
    network, given = example("digits_mlp", "digits_test")
    deployment = deploy(network, "lifcore-rtl")
    cores = unpack(deployment.compiled.program).cores
    assert [(core.weight_bits, core.potential_bits) for core in cores] == [(8, 16), (8, 16)]
    assert all(set(core.list_kind.tolist()) == {0} and set(core.delay.tolist()) == {1} for core in cores)
    document = deployment.run(given.inputs).report(given.labels).document
    assert document["accuracy"]["chip"] >= 0.9
    assert [finding.code for finding in deployment.compiled.findings] == ["NE3508", "NE3508"]
    assert "keeps 0.8 of its membrane per step; the core leaks by shifts only and keeps 0.75" in str(
        deployment.compiled.findings[0]
    )


def test_a_convolution_too_wide_for_a_crossbar_is_refused_by_how_much() -> None:
    found = refusals(example("digits_conv", "digits_conv")[0], "lifcore-rtl")
    assert found == {"NE4501": "a single neuron needs 384 axons, 128 more than the 256 of a core"}


def test_what_a_lesser_core_lacks_is_refused_by_name(tmp_path: Path) -> None:
    network = soft_network(leak=True)
    hidden = network.populations["hidden"]
    assert hidden.neuron is not None
    every = np.ones(30)
    cuba = replace(hidden.neuron, current_decay=every / 2, current_gain=every, leak_input=every / 4)
    odd = replace(network, populations={**network.populations, "hidden": replace(hidden, neuron=cuba)})
    chip = lesser(
        tmp_path,
        leak_modes="[constant]",
        reset_modes="[value]",
        neuron_registers="[initial]",
        current_decay="false",
    )
    found = refusals(odd, chip)
    assert sorted(found) == ["NE3509", "NE3510", "NE3511", "NE3512"]
    assert "the core has a constant leak only" in found["NE3509"]
    assert "needs the reset mode subtract; the core has value" in found["NE3510"]
    assert "a synaptic current that decays (CUBA) in 30 neurons" in found["NE3511"]
    assert "a bias in 30 neurons" in found["NE3512"]


def test_a_core_with_one_threshold_refuses_two(tmp_path: Path) -> None:
    network = soft_network(leak=False)
    hidden = network.populations["hidden"]
    assert hidden.neuron is not None
    two = replace(hidden.neuron.spread(30), threshold=np.repeat([1.5, 2.0], 15))
    odd = replace(network, populations={**network.populations, "hidden": replace(hidden, neuron=two)})
    found = refusals(odd, lesser(tmp_path, neuron_registers="[bias]"))
    assert found == {"NE3512": "has 2 different thresholds; the core has one for all its neurons"}


def test_layers_with_different_thresholds_share_no_core_that_has_one(tmp_path: Path) -> None:
    mapping = deploy(soft_network(leak=False), lesser(tmp_path, neuron_registers="[bias]")).compiled.mapping
    assert mapping["cores_used"] == 2
    assert deploy(soft_network(leak=False), "lifcore").compiled.mapping["cores_used"] == 1


def test_a_delay_beyond_the_next_tick_is_refused_where_there_is_none() -> None:
    builder = NetworkBuilder("skip", dt_s=1e-3).input("in", (4,))
    one = np.ones(1)
    neuron = Neuron(one, one, 0 * one, one, 0 * one)
    builder.population("a", (4,), neuron).population("b", (4,), neuron)
    builder.dense("in", "a", np.eye(4)).dense("a", "b", np.eye(4)).dense("in", "b", np.eye(4))
    found = refusals(builder.output("b").build(), "lifcore-rtl")
    assert found == {"NE3507": "needs a delay of 2 ticks, 1 more than the 1 of the core"}


def test_an_analog_population_may_not_feed_another() -> None:
    network = soft_network(leak=True)
    hidden = network.populations["hidden"]
    assert hidden.neuron is not None
    analog = replace(hidden, neuron=replace(hidden.neuron, threshold=None, reset="none"))
    found = refusals(replace(network, populations={**network.populations, "hidden": analog}), "lifcore")
    assert "feeds out with 30 analog values" in found["NE3515"]


@pytest.mark.parametrize(
    ("decay", "mode", "kept"),
    [(1.0, 1, 1.0), (0.0, 1, 0.0), (0.5, 1, 0.5), (0.8, 1, 0.75), (0.9, 1, 0.875), (0.99, 1, 1 - 2**-7)],
)
def test_a_decay_takes_the_nearest_shift(decay: float, mode: int, kept: float) -> None:
    found, amount, share = leak_registers(np.array([decay]), ("shift", "constant"))
    assert (found, share.tolist()) == (mode, [kept])
    assert dynamics.leak(1 << 30, mode, int(amount[0])) == int(kept * (1 << 30))
