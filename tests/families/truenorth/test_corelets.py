"""Models that IBM's tools compiled enter behind the mapper: cores, ports, populations and spikes as the file has them."""

from __future__ import annotations

import gzip
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.errors import BadInput, DoesNotFit
from neuroemu.families.truenorth.corelets import (
    image_of_model,
    inputs_of_spikes,
    output_spikes,
)
from neuroemu.families.truenorth.image import SIZE, pack
from neuroemu.formats.ibm_cpe import DEFAULTS, CpeCore, CpeModel, CpeSpikes, parse_model
from neuroemu.formats.samples import read_npz
from neuroemu.image.container import Program
from neuroemu.machine import Machine
from neuroemu.spec import load_chip

pytestmark = pytest.mark.compiled

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "truenorth"
CHIP: Any = load_chip("truenorth")


def recorded(name: str) -> tuple[CpeModel, Any]:
    text = gzip.decompress((GOLDEN / f"{name}.model.json.gz").read_bytes()).decode()
    return parse_model(text, name), read_npz(GOLDEN / f"{name}.npz")


def program_of(model: CpeModel, chip: Any) -> Program:
    return pack(image_of_model(model, chip))


def small_model(types: dict[str, int] | None = None, **changes: Any) -> CpeModel:
    """One core, neuron 0 of type 1, target axon 3 of itself."""
    columns: dict[str, Any] = {"neuron": [0], "type": [1], "core": [0], "axon": [3], "delay": [1]} | changes
    arrays = {name: np.array(values) for name, values in columns.items()}
    axon_type = arrays.pop("axon_type", np.zeros(4, np.int64))
    synapses = np.full((axon_type.shape[0], SIZE // 8), 255, np.uint8)
    core = CpeCore(id=0, seed=1, axon_type=axon_type, synapses=synapses, **arrays)
    return CpeModel(SIZE, {1: DEFAULTS | (types or {})}, (core,), "small.json")


SMALL_IDS = (0,)
"""Of its cores."""


@pytest.mark.parametrize(
    "name", ["ibm_cpe_example1", "ibm_cpe_example2", "ibm_cpe_bootcamp11", "ibm_cpe_pattern_match"]
)
def test_a_model_and_a_spike_file_give_the_recorded_output_spikes(name: str) -> None:
    model, data = recorded(name)
    rows = data["inputs"].astype(np.int64)
    ticks = data["synaptic_events"].shape[0]
    spikes = CpeSpikes(rows[:, 0] - 1, rows[:, 1], rows[:, 3]) if rows[:, 0].min() else None
    spikes = spikes or CpeSpikes(rows[:, 0], rows[:, 1], rows[:, 3], delay=0)
    run = Machine(program_of(model, CHIP)).run(inputs_of_spikes(spikes, [core.id for core in model.cores], ticks))
    written = output_spikes(model, {symbol.name: run.events(symbol.name)[1:] for symbol in run.populations})
    wanted = [
        (int(tick), -32 - int(pin) // SIZE, int(pin) % SIZE)
        for tick, core, neuron in data["spikes"]
        if (pin := data["output"][core, neuron]) >= 0
    ]
    got = zip(written.tick.tolist(), written.core.tolist(), written.axon.tolist(), strict=True)
    assert list(got) == sorted(wanted, key=lambda row: (row[0], -row[1], row[2]))
    assert run.costs.counters["synaptic_events"] == int(data["synaptic_events"].sum())


def test_connectors_are_populations_in_the_order_of_their_pins() -> None:
    image = image_of_model(recorded("ibm_cpe_example2")[0], CHIP)
    names = [(symbol.name, symbol.size) for symbol in image.symbols.populations]
    assert names == [("connector0", 64), ("connector1", 64), ("internal", 128)]
    assert image.symbols.outputs == ("connector0", "connector1")
    assert image.symbols.inputs[0].shape == (1, SIZE)


def test_an_unused_neuron_can_never_spike() -> None:
    cores = image_of_model(small_model(), CHIP).cores
    assert (cores.alpha[0, 1:] == (1 << 18) - 1).all() and cores.alpha[0, 0] == 256


def test_the_reset_value_is_written_as_a_power_of_two_less_one() -> None:
    for vr, sign, value in ((0, 1, 0), (3, -1, -7), (10, 1, 1023)):
        assert image_of_model(small_model({"VR": vr, "sigma_VR": sign}), CHIP).cores.reset[0, 0] == value


@pytest.mark.parametrize(
    ("types", "changes", "told"),
    [
        ({"s1": 256}, {}, "weight 256 is outside -255..255 by 1"),
        ({"lambda": 256, "sigma_lambda": -1}, {}, "leak -256"),
        ({"alpha": 1 << 18}, {}, "positive threshold 262144"),
        ({"gamma": 3}, {}, "reset mode 3"),
        ({"TM": 19}, {}, "threshold mask 19"),
        ({"VR": 19}, {}, "reset value 524287"),
        ({}, {"delay": [0]}, "delay 0 is outside 1..15 by 1"),
        ({}, {"delay": [16]}, "delay 16 is outside 1..15 by 1"),
        ({}, {"core": [-32], "delay": [16]}, "delay 16 is outside 1..15 by 1"),
        ({}, {"core": [-33], "delay": [0]}, "delay 0 is outside 1..15 by 1"),
        ({}, {"axon": [256]}, "target axon 256"),
        ({}, {"axon_type": [0, 4, 0, 0]}, "axon type 4 is outside 0..3 by 1"),
        ({}, {"axon_type": [0] * 257}, "257 axons"),
    ],
)
def test_what_the_chip_cannot_hold_is_refused_by_name(types: dict[str, int], changes: Any, told: str) -> None:
    with pytest.raises(DoesNotFit) as caught:
        program_of(small_model(types, **changes), CHIP)
    assert any(finding.code == "NE5603" and told in str(finding) for finding in caught.value.findings)


def test_a_model_for_larger_cores_is_refused() -> None:
    model = small_model()
    wide = replace(model.cores[0], synapses=np.full((4, 33), 255, np.uint8))
    with pytest.raises(DoesNotFit, match="257 neurons"):
        program_of(replace(model, size=257, cores=(wide,)), CHIP)


def test_the_257th_core_of_a_small_chip_is_refused_and_fits_when_chips_are_tiled() -> None:
    data = CHIP.to_dict()
    data["structure"] |= {"mesh_columns": {"value": 2, "kind": "assumed"}, "mesh_rows": {"value": 1, "kind": "assumed"}}
    data["structure"]["cores"] = {"value": 2, "kind": "assumed"}
    small: Any = type(CHIP).model_validate(data)
    model = small_model()
    far = replace(model, cores=(model.cores[0], replace(model.cores[0], id=2, core=np.array([2]))))
    with pytest.raises(DoesNotFit, match="core 2 is not on the chip, which has 2 cores"):
        program_of(far, small)
    data["structure"]["chip_columns"]["value"], data["structure"]["cores"]["value"] = 2, 4
    assert program_of(far, type(CHIP).model_validate(data)).manifest["cores"] == [0, 2]


def test_a_target_beyond_the_reach_of_a_packet_is_refused() -> None:
    data = CHIP.to_dict()
    data["structure"]["chip_columns"]["value"], data["structure"]["cores"]["value"] = 5, 5 * 4096
    wide: Any = type(CHIP).model_validate(data)
    model = small_model()
    for core, fits in ((255, True), (256, False)):
        far = replace(model, cores=(replace(model.cores[0], core=np.array([core])), replace(model.cores[0], id=core)))
        if fits:
            assert program_of(far, wide).manifest["cores"] == [0, 255]
            continue
        with pytest.raises(DoesNotFit, match=r"distance of the target in x 256 is outside -256\.\.255"):
            program_of(far, wide)


def test_a_model_without_any_used_neuron_is_refused() -> None:
    with pytest.raises(BadInput, match="NE1072"):
        image_of_model(small_model(type=[0]), CHIP)


@pytest.mark.parametrize(
    ("spikes", "ticks", "told"),
    [
        ((0, 1, 0), None, "core 1, axon 0 in tick 0, which the model does not have"),
        ((0, 0, 256), None, "core 0, axon 256"),
        ((9, 0, 0), 10, "sent in tick 10, the run has 10"),
        ((0, 0, 0), (1 << 24) + 3, "3 more than the 16,777,216 of one run"),
        ((1 << 30, 0, 0), None, "more than the 16,777,216 of one run"),
    ],
)
def test_spikes_that_do_not_fit_the_model_are_refused(spikes: Any, ticks: int | None, told: str) -> None:
    given = CpeSpikes(*(np.array([value]) for value in spikes))
    with pytest.raises(BadInput, match="NE6030") as caught:
        inputs_of_spikes(given, SMALL_IDS, ticks)
    assert told in str(caught.value.findings[0])


def test_a_run_ends_when_all_delays_after_the_last_input_are_over() -> None:
    given = CpeSpikes(np.array([4]), np.array([0]), np.array([7]))
    found = inputs_of_spikes(given, SMALL_IDS)
    assert (found.ticks, found.tick.tolist(), found.source.tolist()) == (22, [5], [7])


def test_spikes_to_one_axon_and_tick_are_one_and_come_in_order() -> None:
    given = CpeSpikes(np.array([9, 4, 4, 4]), np.zeros(4, np.int64), np.array([1, 7, 3, 7]))
    found = inputs_of_spikes(given, SMALL_IDS)
    assert list(zip(found.tick.tolist(), found.source.tolist(), strict=True)) == [(5, 3), (5, 7), (10, 1)]


def test_a_crossbar_too_large_is_refused_before_anything_is_allocated() -> None:
    core = replace(small_model().cores[0], axon_type=np.zeros(4096, np.int64), synapses=np.zeros((4096, 512), np.uint8))
    model = replace(small_model(), size=4096, cores=tuple(replace(core, id=number) for number in range(4096)))
    tracemalloc.start()
    with pytest.raises(DoesNotFit) as caught:
        image_of_model(model, CHIP)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 20
    axons, neurons = caught.value.findings
    assert "4096 axons" in axons.message and axons.where == "small.json: core 0 (4,096 such cores)"
    assert "4096 neurons" in neurons.message


def test_a_late_spike_costs_no_memory_for_the_ticks_before_it() -> None:
    given = CpeSpikes(np.array([15_000_000]), np.array([0]), np.array([7]))
    tracemalloc.start()
    found = inputs_of_spikes(given, SMALL_IDS)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.ticks, most < 1 << 20) == (15_000_018, True)
