"""A core is 256 rows of 410 bits; every limit holds at the limit and is refused by name one above it."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.errors import BadInput, DoesNotFit
from neuroemu.families.truenorth.boot import boot
from neuroemu.families.truenorth.image import (
    CORE_WORDS,
    DESTINATION,
    FIELD_LIMITS,
    LAYOUTS,
    PARAMETERS,
    ROW_BITS,
    SIZE,
    STATE,
    Cores,
    ProgramImage,
    build_cores,
    limits_of,
    pack,
    unpack,
)
from neuroemu.image.bitfields import field_table
from neuroemu.image.container import Program
from neuroemu.image.records import same_value
from neuroemu.image.symbols import Symbols
from neuroemu.spec import load_chip
from tests.families.truenorth.reference import image_of, random_cores

pytestmark = pytest.mark.compiled

PAGE = Path(__file__).resolve().parents[3] / "docs" / "chips" / "truenorth.md"
CHIP: Any = load_chip("truenorth")


def one_core(columns: dict[str, Any], **more: Any) -> Cores:
    """A core whose first neuron has a target, built within the chip's limits."""
    target = {"axon": 0, "delay": 1}
    synapses = more.pop("synapses", np.zeros((1, SIZE, SIZE), bool))
    return build_cores([5], synapses, target | columns, np.eye(1, SIZE, dtype=bool), limits=limits_of(CHIP), **more)


def packed(cores: Cores) -> Program:
    return pack(image_of(cores, chip=CHIP))


def refused(columns: dict[str, Any], **more: Any) -> str:
    with pytest.raises(DoesNotFit) as caught:
        packed(one_core(columns, **more))
    (finding,) = caught.value.findings
    assert finding.code == "NE5603"
    return str(finding)


def test_the_documented_rows_are_those_in_use() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [layout.name for layout in LAYOUTS if field_table(layout) not in page] == []


def test_a_row_has_410_bits_and_a_core_104960() -> None:
    assert SIZE + STATE.width + PARAMETERS.width == 256 + 124
    assert DESTINATION.width == 26 + 4
    assert SIZE + STATE.width + PARAMETERS.width + DESTINATION.width == ROW_BITS == 410
    assert packed(one_core({})).section("cores/rows").size * 8 == CORE_WORDS * 64 == 104_960


def test_a_row_is_packed_bit_for_bit() -> None:
    synapses = np.zeros((1, SIZE, SIZE), bool)
    synapses[0, [0, 63, 64, 255], 3] = True
    values = {
        "potential": -2,
        "leak": -7,
        "alpha": 300,
        "beta": 4,
        "mask_bits": 9,
        "gamma": 2,
        "kappa": 1,
        "reset": -12,
    }
    columns = {name: np.where(np.arange(SIZE) == 3, value, 0)[None] for name, value in values.items()}
    columns |= {name: np.where(np.arange(SIZE) == 3, 1, 0)[None] for name in ("stochastic_leak", "reversal")}
    columns["weight"] = np.zeros((1, SIZE, 4), int)
    columns["weight"][0, 3] = [1, -255, 0, 128]
    columns["stochastic"] = np.zeros((1, SIZE, 4), int)
    columns["stochastic"][0, 3] = [0, 1, 0, 1]
    columns |= {"dx": -1, "dy": 255, "axon": 200, "delay": 15}
    connected = np.arange(SIZE)[None] == 3
    cores = build_cores([0], synapses, columns, connected)
    memory = int.from_bytes(packed(cores).section("cores/rows").tobytes(), "little")
    row = memory >> (3 * ROW_BITS) & ((1 << ROW_BITS) - 1)
    parts = [(1 | 1 << 63 | 1 << 64 | 1 << 255, 256), ((1 << 20) - 2, 20)]
    parts += [(1, 8), (0, 1), (255, 8), (1, 1), (0, 8), (0, 1), (128, 8), (0, 1), (0b1010, 4)]
    parts += [(7, 8), (1, 1), (1, 1), (1, 1), (300, 18), (4, 18), (9, 5), (2, 2), (1, 1), (12, 8), (1, 1)]
    parts += [(511, 9), (255, 9), (200, 8), (15, 4)]
    wanted = position = 0
    for value, width in parts:
        wanted |= value << position
        position += width
    assert position == ROW_BITS
    assert row == wanted


@settings(max_examples=15)
@given(st.integers(0, 1 << 32), st.integers(1, 3), st.floats(0, 1), st.integers(0, (1 << 32) - 1))
def test_unpacking_inverts_packing(seed: int, count: int, density: float, run_seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = image_of(random_cores(rng, count, density, 0.5), seed=run_seed, chip=CHIP)
    assert same_value(unpack(pack(image)), image)


def test_no_cores_are_a_program_too() -> None:
    empty = build_cores(np.zeros(0, int), np.zeros((0, 4, 4), bool), {})
    image = ProgramImage(CHIP.to_dict(), Symbols((), (), (), ""), empty, *np.zeros((4, 1), np.int64)[:, :1])
    image = replace(image, **{name: np.zeros(0, np.int64) for name in ("host_core", "host_axon", "host_delay")})
    again = unpack(pack(image))
    assert all(np.array_equal(getattr(again.cores, item.name), getattr(empty, item.name)) for item in fields(empty))


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_the_257th_axon_and_the_257th_neuron_are_refused() -> None:
    synapses = np.zeros((1, SIZE + 1, SIZE + 1), bool)
    with pytest.raises(DoesNotFit) as caught:
        build_cores([0], synapses, {})
    messages = [finding.message for finding in caught.value.findings]
    assert messages == [
        f"a core has 257 {what}; a TrueNorth core has 256 (1 too many)" for what in ("axons", "neurons")
    ]
    assert build_cores([0], synapses[:, :SIZE, :SIZE], {}).count == 1


@pytest.mark.parametrize(
    ("name", "low", "high", "called"),
    [
        ("weight", -255, 255, "weight"),
        ("leak", -255, 255, "leak"),
        ("alpha", 0, 262143, "positive threshold"),
        ("beta", 0, 262143, "negative threshold"),
        ("mask_bits", 0, 18, "threshold mask"),
        ("gamma", 0, 2, "reset mode"),
        ("axon_type", 0, 3, "axon type"),
        ("potential", -524288, 524287, "potential"),
        ("reset", -255, 255, "reset value"),
        ("dx", -256, 255, "distance of the target in x"),
        ("dy", -256, 255, "distance of the target in y"),
        ("axon", 0, 255, "target axon"),
        ("delay", 1, 15, "delay"),
    ],
)
def test_values_at_the_limit_are_held_and_one_beyond_is_refused_by_name(
    name: str, low: int, high: int, called: str
) -> None:
    for value in (low, high):
        if name == "reset":
            value = value - 1 if value == low else value  # -256 is no 2**VR - 1, -255 is
            value = max(value, low)
        cores = one_core({name: value})
        again = unpack(packed(cores)).cores
        kept = getattr(again, name)
        assert int(kept.reshape(-1)[0]) == value
    for value, by in ((low - 1, 1), (high + 1, 1)):
        message = refused({name: value})
        assert f"{called} {value} is outside {low}..{high} by {by}" in message and "core 5" in message


def test_limits_of_a_chip_variant_are_obeyed() -> None:
    data = CHIP.to_dict()
    data["limits"]["delay_ticks_max"]["value"] = 7
    small: Any = type(CHIP).model_validate(data)
    assert limits_of(small)["delay"] == (1, 7) and limits_of(CHIP) == FIELD_LIMITS


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(DoesNotFit) as caught:
        one_core({"weight": 256, "delay": 16, "axon_type": 4})
    assert len(caught.value.findings) == 3


@pytest.mark.parametrize("value", [1023, -((1 << 18) - 1), (1 << 9) - 1])
def test_larger_reset_values_are_held_as_ibms_files_write_them(value: int) -> None:
    again = unpack(packed(one_core({"reset": [[value, 0, -1] + [255] * 253]}))).cores
    assert again.reset[0, :4].tolist() == [value, 0, -1, 255]


def test_a_core_cannot_mix_both_forms_of_reset_values() -> None:
    assert "reset value 1023" in refused({"reset": [[1023, 10] + [0] * 254]})


# ---- damaged programs ------------------------------------------------------------------------------------------------


def program(**changes: Any) -> Program:
    rng = np.random.default_rng(4)
    whole = packed(random_cores(rng, 2, 0.2))
    manifest = whole.manifest | changes.pop("manifest", {})
    return Program(manifest, whole.sections | changes)


def code_of(damaged: Program) -> str:
    with pytest.raises(BadInput) as caught:
        boot(damaged)
    return caught.value.findings[0].code


def test_a_program_boots() -> None:
    assert boot(program()).engine.cores == 2


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        ({"family": "lifcore"}, "NE5601"),
        ({"layout_version": 2}, "NE5601"),
        ({"cores": [0, 1, 2]}, "NE5602"),
        ({"cores": [0, 0]}, "NE5602"),
        ({"cores": [0, 7]}, "NE5602"),
        ({"cores": "all"}, "NE5004"),
        ({"seed": 1 << 32}, "NE5602"),
        ({"seed": "x"}, "NE5004"),
    ],
)
def test_manifests_that_contradict_the_memories_are_refused(manifest: dict[str, Any], code: str) -> None:
    assert code_of(program(manifest=manifest)) == code


@pytest.mark.parametrize("name", ["cores/rows", "cores/axon_types", "cores/registers", "host/outputs", "host/routes"])
def test_memories_of_another_size_are_refused(name: str) -> None:
    section = program().section(name)
    assert code_of(program(**{name: section[:-8]})) == "NE5602"
    assert code_of(program(**{name: section[:-3]})) == "NE5602"


def test_foreign_sections_are_refused() -> None:
    assert code_of(program(**{"cores/extra": b"12345678"})) == "NE5601"


def test_fields_out_of_range_and_half_destinations_are_refused() -> None:
    rows = program().section("cores/rows").copy()
    ones = np.full_like(rows, 255)
    assert code_of(program(**{"cores/rows": ones})) == "NE5100"
    half = np.zeros_like(rows)
    half[(SIZE + STATE.width + PARAMETERS.width) // 8 + 1] = 255
    assert code_of(program(**{"cores/rows": half})) == "NE5602"


def test_any_damaged_row_boots_or_is_refused_with_a_code() -> None:
    rng = np.random.default_rng(1)
    rows = program().section("cores/rows")
    for _ in range(20):
        damaged = rows.copy()
        damaged[rng.integers(0, rows.size, 5)] = rng.integers(0, 256, 5)
        try:
            boot(program(**{"cores/rows": damaged}))
        except BadInput as refusal:
            assert {finding.code for finding in refusal.findings} <= {"NE5100", "NE5602", "NE5605"}


def test_a_target_without_a_core_and_one_off_the_mesh_are_refused() -> None:
    for dx in (1, -6):
        assert code_of(packed(one_core({"dx": dx}))) == "NE5605"
