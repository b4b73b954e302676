"""Programs reach the Verilog core as words of its registers and memories; what it lacks is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.cosim.agreement import cosimulate
from neuroemu.cosim.lif import Build
from neuroemu.cosim.lif_program import build_of, lacking, memories, prepared
from neuroemu.errors import BadInput, DoesNotFit
from neuroemu.families.lifcore.crossbar import weights_of
from neuroemu.families.lifcore.image import CoreImage, ProgramImage, unpack
from neuroemu.formats import load
from neuroemu.toolchain import deploy
from tests.small import relay, restless, soft_reset

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def digits() -> ProgramImage:
    network = load(EXAMPLES / "digits_mlp.nir", "snntorch-hard", None)
    return unpack(deploy(network, "lifcore-rtl").compiled.program)


def changed(image: ProgramImage, **fields: Any) -> ProgramImage:
    """The program with other contents in its first core."""
    return replace(image, cores=(replace(image.cores[0], **fields), *image.cores[1:]))


def column(image: ProgramImage, table: str, name: str, value: int) -> ProgramImage:
    """The program with one register of all neurons of its first core overwritten."""
    columns = getattr(image.cores[0], table)
    return changed(image, **{table: columns | {name: np.full_like(columns[name], value)}})


def codes(image: ProgramImage, build: Build | None = None) -> list[str]:
    return sorted({finding.code for finding in lacking(image, build or build_of(image))})


def test_the_build_is_the_core_that_the_chip_file_describes(digits: ProgramImage) -> None:
    assert build_of(digits) == Build()
    assert build_of(digits, stages=3) == Build(stages=3)
    assert codes(digits) == []


@pytest.mark.parametrize(("stages", "tick"), [(1, 4), (3, 6)])
def test_a_longer_pipeline_only_lengthens_the_tick(stages: int, tick: int) -> None:
    assert Build(stages=stages).cycles._asdict() == {
        "spike_in": 1,
        "synapse": 1,
        "neuron": 1,
        "route": 1,
        "tick": tick,
        "hop": 0,
    }


def test_a_chip_that_is_no_crossbar_gets_the_smallest_one_that_holds_the_program() -> None:
    build = build_of(unpack(deploy(relay(), "lifcore").compiled.program))
    assert (build.neurons, build.axons, build.routes) == (4, 4, 2)
    assert (build.factor, build.shift, build.constant, build.current) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("table", "name", "value", "code"),
    [
        ("neurons", "initial", 7, "NE7212"),
        ("neurons", "threshold", 65536, "NE7214"),
        ("neurons", "bias", -32769, "NE7214"),
        ("neurons", "bias_start", 256, "NE7214"),
        ("profiles", "reset_value", 32768, "NE7214"),
        ("profiles", "leak_amount", 32, "NE7214"),
        ("profiles", "period", 16, "NE7214"),
        ("profiles", "input_shift", 8, "NE7214"),
        ("profiles", "leak_mode", 0, "NE7215"),
        ("profiles", "current_keep", 1, "NE7215"),
    ],
)
def test_what_a_register_cannot_hold_is_refused(
    digits: ProgramImage, table: str, name: str, value: int, code: str
) -> None:
    assert codes(column(digits, table, name, value), Build()) == [code]


def test_a_threshold_may_have_a_bit_more_than_a_potential(digits: ProgramImage) -> None:
    assert codes(column(digits, "neurons", "threshold", 65535)) == []


def test_other_widths_rules_and_sizes_are_refused_all_at_once(digits: ProgramImage) -> None:
    core = digits.cores[0]
    odd = changed(digits, overflow=1, weight_bits=9, delay=np.full_like(core.delay, 2), list_kind=core.list_kind + 1)
    small = replace(Build(), neurons=16, routes=8, axons=64)
    assert codes(odd, small) == ["NE7210", "NE7211", "NE7214", "NE7215", "NE7216"]
    with pytest.raises(DoesNotFit) as refusal:
        prepared(odd, 1)
    assert {finding.code for finding in refusal.value.findings} == {"NE7210", "NE7211", "NE7214", "NE7215"}


def test_a_build_too_large_to_simulate_is_refused(digits: ProgramImage) -> None:
    assert codes(digits, replace(Build(), neurons=4096, axons=4096)) == ["NE7216"]
    assert codes(digits, replace(Build(), routes=65535)) == []
    assert codes(digits, replace(Build(), routes=65536)) == ["NE7216"]


def test_listed_synapses_and_several_profiles_are_refused() -> None:
    assert codes(unpack(deploy(restless(), "lifcore").compiled.program)) == ["NE7210", "NE7211", "NE7213"]


def test_programs_of_other_families_are_refused() -> None:
    program = deploy(relay(), "loihi1").compiled.program
    with pytest.raises(BadInput, match="NE7217"):
        cosimulate(program, np.ones((1, 3, 2), np.uint8))


def word_of(core: CoreImage, name: str, entry: int = 0) -> int:
    (memory,) = (memory for memory in memories(core, Build()) if memory.name == name)
    return int(memory.word[entry])


def test_words_are_those_of_the_register_map(digits: ProgramImage) -> None:
    core = digits.cores[0]
    assert word_of(core, "size") == 32
    assert word_of(core, "leak") == 1 << 24 | 2
    assert word_of(core, "mode") == 3 << 4
    assert word_of(core, "threshold") == 2366
    assert word_of(core, "route_list", 5) == 1 << 16 | 5
    assert word_of(core, "route", 5) == 2 << 16 | 5


def test_a_weight_lies_at_its_axon_and_neuron(digits: ProgramImage) -> None:
    core = digits.cores[0]
    (memory,) = (memory for memory in memories(core, Build()) if memory.name == "weight")
    entry = 3 * core.size + 7
    assert memory.address[entry] == 1 << 16 | 3 * 256 + 7
    assert memory.word[entry] == int(weights_of(core)[3, 7]) & 0xFFFFFFFF


def test_a_neuron_without_routes_points_nowhere(digits: ProgramImage) -> None:
    assert word_of(digits.cores[1], "route_list", 9) == 0


def test_soft_reset_is_a_mode_of_the_core() -> None:
    (core,) = unpack(deploy(soft_reset(), "lifcore-rtl").compiled.program).cores
    assert word_of(core, "mode") >> 1 & 3 == 1
