"""A core's memories come back from their bits, cost what the chip's would, and refuse everything beyond a limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import bitstring
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.errors import BadInput, Finding
from neuroemu.families.loihi.image import (
    COMPARTMENT,
    EXCITATORY,
    INHIBITORY,
    LAYOUTS_OF_THE_IMAGE,
    MIXED,
    CompartmentProfile,
    CoreImage,
    CoreLimits,
    HostRoutes,
    ProgramImage,
    SynapseFormat,
    SynapseSection,
    check_core,
    check_program,
    compartment_fields,
    list_bits,
    list_bits_table,
)
from neuroemu.families.loihi.packing import core_memories, pack, pack_section, unpack, unpack_section
from neuroemu.image.bitfields import pack_word, with_field_tables
from neuroemu.image.container import Program, read_program, write_program
from neuroemu.image.symbols import PopulationSymbol, Port, Symbols

LOIHI1 = CoreLimits(
    compartments=1024,
    input_axons=4096,
    output_axons=4096,
    synapse_memory_bits=16384 * 64,
    compartment_profiles=32,
    threshold_profiles=8,
    synapse_formats=15,
)
DENSE8 = SynapseFormat("dense", MIXED, 8)
SPARSE8 = SynapseFormat("sparse", MIXED, 8, index_bits=10)

FORMATS = st.builds(
    lambda index_bits, mode, bits, exponent, delay: SynapseFormat(
        "sparse" if index_bits else "dense", mode, bits, exponent, delay, index_bits
    ),
    st.sampled_from([0, 6, 7, 8, 9, 10, 11, 12]),
    st.integers(1, 3),
    st.integers(1, 8),
    st.integers(-8, 7),
    st.integers(0, 6),
)


def storable_weights(form: SynapseFormat, rng: np.random.Generator, count: int) -> Any:
    lowest, highest = form.weight_range
    step = 1 << form.dropped_bits
    return rng.integers(lowest // step, highest // step + 1, count) * step


def make_section(
    form: SynapseFormat, length: list[int], rng: np.random.Generator, reach: int = 64, kind: str = ""
) -> SynapseSection:
    """A section with random contents; indices of a sparse layout stay below ``reach``."""
    count = sum(length)
    return SynapseSection(
        kind=kind or form.layout,  # type: ignore[arg-type]
        format=form,
        list_start=np.cumsum([0, *length]),
        index=rng.integers(0, min(reach, 1 << form.index_bits), count) if form.index_bits else [],  # type: ignore[arg-type]
        weight=storable_weights(form, rng, count),
        delay=rng.integers(0, form.highest_delay + 1, count) if form.delay_bits else [],  # type: ignore[arg-type]
    )


def make_core(compartments: int = 4, **changes: Any) -> CoreImage:
    """A core without synapses and axons, except for what ``changes`` says."""
    zeros = [0] * compartments
    outputs = len(changes.get("output_core", []))
    axons = len(changes.get("axon_list", []))
    values: dict[str, Any] = {
        "core": 0,
        "profiles": (CompartmentProfile(4095, 128),),
        "thresholds": [100],
        "vmin_exponent": 23,
        "vmax_exponent": 7,
        "noise_exponent": 0,
        "noise_mantissa_offset": 0,
        "noise_target": "current",
        "profile_of_compartment": zeros,
        "threshold_of_compartment": zeros,
        "bias_mantissa": zeros,
        "bias_exponent": zeros,
        "bias_start_tick": zeros,
        "sections": (),
        "axon_section": [0] * axons,
        "axon_list": [],
        "axon_atoms": [1] * axons,
        "axon_base": [0] * axons,
        "output_start": [0] * compartments + [outputs],
        "output_core": [],
        "output_axon": [0] * outputs,
        "output_atom": [0] * outputs,
    }
    return CoreImage(**{**values, **changes})


def make_program(*cores: CoreImage, **changes: Any) -> ProgramImage:
    values: dict[str, Any] = {
        "chip": {"name": "loihi1"},
        "symbols": Symbols((), (), (), "nir"),
        "cores": cores,
        "host": HostRoutes([0], [], [], []),  # type: ignore[arg-type]
        "seed": 0,
    }
    return ProgramImage(**{**values, **changes})


def connected_core(form: SynapseFormat = DENSE8, length: tuple[int, ...] = (4, 0, 3), **changes: Any) -> CoreImage:
    """Four compartments, one axon per list, no outputs."""
    section = make_section(form, list(length), np.random.default_rng(1), reach=4)
    return make_core(**{"sections": (section,), "axon_list": range(len(length)), **changes})


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


class Size(NamedTuple):
    """How large the parts of a drawn core are."""

    number: int
    compartments: int
    profiles: int
    thresholds: int
    axons: int
    outputs: int


@st.composite
def cores(draw: st.DrawFn, size: Size, links: list[tuple[int, int, int]]) -> CoreImage:
    """A core whose axons have up to three atoms; its outputs go to any of ``links``."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = size.compartments
    lengths = st.lists(st.integers(0, n), min_size=3, max_size=6)
    sections = []
    for form in draw(st.lists(FORMATS, min_size=1, max_size=4)):
        kind = draw(st.sampled_from([form.layout, "shared_kernel"]))
        sections.append(make_section(form, draw(lengths), rng, reach=n, kind=kind))
    counts = rng.multinomial(size.outputs if links else 0, np.full(n, 1 / n)) if n else np.zeros(0, np.int64)
    target = np.array([links[index] for index in rng.integers(0, max(len(links), 1), counts.sum())]).reshape(-1, 3)
    return CoreImage(
        core=size.number,
        profiles=tuple(
            CompartmentProfile(*map(int, row), refractory=draw(st.integers(1, 63)), noise_enable=draw(st.booleans()))
            for row in rng.integers(0, 4096, (size.profiles, 2))
        ),
        thresholds=rng.integers(0, 1 << 17, size.thresholds),
        vmin_exponent=draw(st.integers(0, 23)),
        vmax_exponent=draw(st.integers(0, 7)),
        noise_exponent=draw(st.integers(0, 23)),
        noise_mantissa_offset=draw(st.integers(-128, 127)),
        noise_target=draw(st.sampled_from(["current", "membrane"])),
        profile_of_compartment=rng.integers(0, size.profiles, n),
        threshold_of_compartment=rng.integers(0, size.thresholds, n),
        bias_mantissa=rng.integers(-4095, 4096, n),
        bias_exponent=rng.integers(0, 8, n),
        bias_start_tick=rng.integers(0, 1 << 16, n),
        sections=tuple(sections),
        axon_section=rng.integers(0, len(sections), size.axons),
        axon_list=np.zeros(size.axons, np.int64),
        axon_atoms=np.full(size.axons, 3),
        axon_base=np.zeros(size.axons, np.int64),
        output_start=np.cumsum([0, *counts]),
        output_core=target[:, 0],
        output_axon=target[:, 1],
        output_atom=target[:, 2],
    )


@st.composite
def programs(draw: st.DrawFn) -> ProgramImage:
    numbers = draw(st.lists(st.integers(0, 65535), unique=True, max_size=3))
    sizes = [
        Size(
            number,
            draw(st.sampled_from([0, 1, 5, 70, 200])),
            draw(st.integers(1, 5)),
            draw(st.integers(1, 5)),
            draw(st.integers(0, 4)),
            draw(st.integers(0, 6)),
        )
        for number in numbers
    ]
    links = [(size.number, axon, atom) for size in sizes for axon in range(size.axons) for atom in range(3)]
    drawn = tuple(draw(cores(size, links)) for size in sizes)
    routes = draw(st.lists(st.lists(st.sampled_from(links), max_size=2), max_size=3)) if links else []
    flat = np.array([link for group in routes for link in group], np.int64).reshape(-1, 3)
    populations = tuple(
        PopulationSymbol(
            f"p{size.number}",
            (size.compartments,),
            1,
            True,
            np.full(size.compartments, size.number),
            np.arange(size.compartments),
        )
        for size in sizes
    )
    symbols = Symbols((Port("in", (len(routes),), 0, len(routes)),), populations, ("in",), draw(st.text()))
    host = HostRoutes(np.cumsum([0, *map(len, routes)]), flat[:, 0], flat[:, 1], flat[:, 2])  # type: ignore[arg-type]
    return ProgramImage({"name": "loihi1"}, symbols, drawn, host, draw(st.integers(0, 2**64 - 1)))


# --- round trips -----------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(image=programs())
def test_unpack_is_the_inverse_of_pack(image: ProgramImage) -> None:
    assert unpack(pack(image)) == image


def test_a_program_survives_the_file(tmp_path: Path) -> None:
    image = make_program(connected_core(), seed=2**64 - 1)
    write_program(tmp_path / "program.nemu", pack(image))
    assert unpack(read_program(tmp_path / "program.nemu")) == image


@given(
    form=FORMATS, lengths=st.lists(st.sampled_from([0, 1, 63, 64, 65, 128, 200]), max_size=5), seed=st.integers(0, 99)
)
def test_a_section_comes_back_from_its_bits(form: SynapseFormat, lengths: list[int], seed: int) -> None:
    section = make_section(form, lengths, np.random.default_rng(seed))
    memory = pack_section(section, 9)
    assert unpack_section(section.kind, form, 9, section.list_length, memory) == section
    assert memory.size * 64 == section.memory_bits


# --- bits ------------------------------------------------------------------------------------------------------------


def block_by_bitstring(section: SynapseSection, first: int, last: int, format_id: int) -> list[int]:
    """The words of one block, built field by field; bitstring writes from the highest bit down."""
    form = section.format
    tokens = [f"uint:4={format_id}", f"uint:6={last - first - 1}"]
    for synapse in range(first, last):
        weight = int(section.weight[synapse]) // (1 << form.dropped_bits)
        kind = "int" if form.sign_mode == MIXED else "uint"
        stored = 8 if form.weight_bits == 7 else form.weight_bits
        tokens.append(f"{kind}:{stored}={weight if form.sign_mode == MIXED else abs(weight)}")
        tokens += [f"uint:{form.delay_bits}={section.delay[synapse]}"] if form.delay_bits else []
        tokens += [f"uint:{form.index_bits}={section.index[synapse]}"] if form.index_bits else []
    bits = bitstring.pack(",".join(reversed(tokens)))
    return [bits.uint >> 64 * word & (1 << 64) - 1 for word in range(-(-len(bits) // 64))]


@settings(max_examples=40)
@given(form=FORMATS, lengths=st.lists(st.integers(0, 130), max_size=3), seed=st.integers(0, 99))
def test_bulk_synapse_memory_equals_bitstring_word_by_word(form: SynapseFormat, lengths: list[int], seed: int) -> None:
    section = make_section(form, lengths, np.random.default_rng(seed))
    expected: list[int] = []
    for start, end in zip(section.list_start[:-1].tolist(), section.list_start[1:].tolist(), strict=True):
        for first in range(start, end, 64):
            expected += block_by_bitstring(section, first, min(first + 64, end), 3)
    assert pack_section(section, 3).tolist() == expected


def test_bulk_compartment_memory_equals_bitstring_word_by_word() -> None:
    core = make_core(3, bias_mantissa=[-4095, 0, 4095], bias_exponent=[7, 0, 1], bias_start_tick=[0, 65535, 2])
    columns = {name: np.asarray(column).tolist() for name, column in compartment_fields(core).items()}
    rows = [{name: column[compartment] for name, column in columns.items()} for compartment in range(3)]
    assert core_memories(core)["compartments"].tolist() == [pack_word(COMPARTMENT, row) for row in rows]


@pytest.mark.parametrize("mode", [MIXED, EXCITATORY, INHIBITORY])
@pytest.mark.parametrize("bits", range(1, 9))
def test_every_storable_mantissa_is_stored_and_no_other(mode: int, bits: int) -> None:
    form = SynapseFormat("dense", mode, bits)
    kept = 9 - bits if mode == MIXED else 8 - bits
    lowest, highest = {MIXED: (-256, 254), EXCITATORY: (0, 255), INHIBITORY: (-255, 0)}[mode]
    storable = [weight for weight in range(lowest, highest + 1) if weight % (1 << kept) == 0]
    assert len(storable) == 1 << bits
    section = SynapseSection("dense", form, [0, len(storable)], [], storable, [])  # type: ignore[arg-type]
    memory = pack_section(section, 1)
    assert unpack_section("dense", form, 1, section.list_length, memory).weight.tolist() == storable
    core = make_core(300, sections=(section,))
    assert check_core(core, LOIHI1) == ()
    for weight in sorted(set(range(-300, 301)) - set(storable)):
        bad = replace(section, list_start=[0, 1], weight=[weight])
        assert codes(check_core(replace(core, sections=(bad,)), LOIHI1)) == ["NE5102"], weight


def test_seven_bit_weights_occupy_eight_bits() -> None:
    assert SynapseFormat("dense", MIXED, 7).synapse_bits == 8
    assert [SynapseFormat("dense", MIXED, bits).synapse_bits for bits in (1, 2, 3, 4, 5, 6, 8)] == [1, 2, 3, 4, 5, 6, 8]


# --- memory cost -----------------------------------------------------------------------------------------------------


@given(form=FORMATS, count=st.integers(0, 5000), tag_bits=st.integers(0, 3))
def test_a_list_costs_what_the_published_formula_says(form: SynapseFormat, count: int, tag_bits: int) -> None:
    weight_bits = 8 if form.weight_bits == 7 else form.weight_bits
    per_synapse = weight_bits + form.delay_bits + tag_bits + form.index_bits
    blocks = [min(64, count - first) for first in range(0, count, 64)]
    expected = sum(-(-(synapses * per_synapse + 4 + 6) // 64) * 64 for synapses in blocks)
    assert int(list_bits(count, form, tag_bits=tag_bits)) == expected


def test_the_cost_table_lists_every_length() -> None:
    table = list_bits_table(200, SPARSE8)
    assert table.tolist() == [int(list_bits(count, SPARSE8)) for count in range(201)]


def test_cost_is_counted_for_arrays_of_any_shape() -> None:
    assert list_bits([[0, 1], [6, 7]], DENSE8).tolist() == [[0, 64], [64, 128]]


def test_a_dense_block_of_1024_by_1024_bytes_needs_nine_cores() -> None:
    bits = 1024 * int(list_bits(1024, DENSE8))
    assert -(-bits // (131072 * 8)) == 9


# --- limits ----------------------------------------------------------------------------------------------------------


def sparse_core_of_words(words: int) -> CoreImage:
    """A core whose synapse memory has exactly ``words`` words: lists of 6 dense 8-bit synapses, one word each."""
    section = SynapseSection("dense", DENSE8, np.arange(words + 1) * 6, [], np.zeros(words * 6, np.int16), [])  # type: ignore[arg-type]
    return make_core(6, sections=(section,))


def core_with_profiles(count: int) -> CoreImage:
    return make_core(profiles=tuple(CompartmentProfile(decay, 0) for decay in range(count)))


def core_with_formats(count: int) -> CoreImage:
    forms = [SynapseFormat("dense", MIXED, 8, exponent, delay) for exponent in range(-8, 8) for delay in (0, 1)]
    rng = np.random.default_rng(0)
    return make_core(sections=tuple(make_section(form, [2], rng) for form in forms[:count]))


def core_with_input_axons(count: int) -> CoreImage:
    return connected_core(axon_list=np.zeros(count, np.int64))


def core_with_output_axons(count: int) -> CoreImage:
    return make_core(output_core=np.zeros(count, np.int64))


@pytest.mark.parametrize(
    ("core_with", "legal", "code", "named"),
    [
        (make_core, 1024, "NE5200", "compartments"),
        (core_with_input_axons, 4096, "NE5201", "input axons"),
        (core_with_output_axons, 4096, "NE5202", "output axons"),
        (sparse_core_of_words, 16384, "NE5203", "bits of synapse memory"),
        (core_with_profiles, 32, "NE5204", "compartment profiles"),
        (lambda count: make_core(thresholds=range(count)), 8, "NE5205", "threshold profiles"),
        (core_with_formats, 15, "NE5206", "synapse formats"),
    ],
)
def test_the_legal_limit_fits_and_one_more_is_refused_by_name(
    core_with: Any, legal: int, code: str, named: str
) -> None:
    assert check_core(core_with(legal), LOIHI1) == ()
    (finding,) = check_core(core_with(legal + 1), LOIHI1)
    assert finding.code == code
    assert f"{named} on one core" in finding.message
    assert finding.where == "core 0"
    assert finding.fixes


def test_the_excess_is_stated() -> None:
    (finding,) = check_core(make_core(1025), LOIHI1)
    assert finding.message == "1025 compartments on one core, 1 more than its 1024"


def test_one_bit_too_many_of_synapse_memory_is_refused() -> None:
    core = sparse_core_of_words(2)
    assert check_core(core, replace(LOIHI1, synapse_memory_bits=128)) == ()
    (finding,) = check_core(core, replace(LOIHI1, synapse_memory_bits=127))
    assert finding.message == "128 bits of synapse memory on one core, 1 more than its 127"


def test_a_larger_chip_variant_holds_more() -> None:
    assert check_core(make_core(2048), replace(LOIHI1, compartments=2048)) == ()


def test_all_broken_limits_are_reported_together() -> None:
    core = make_core(1025, thresholds=range(9), profiles=core_with_profiles(33).profiles)
    assert codes(check_core(core, LOIHI1)) == ["NE5200", "NE5204", "NE5205"]


def test_more_formats_than_can_be_numbered_are_never_packed() -> None:
    with pytest.raises(BadInput, match="NE5206 16 synapse formats on one core, 1 more than its 15"):
        pack(make_program(core_with_formats(16)))


# --- registers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"profiles": (CompartmentProfile(4096, 0),)}, "profile[0].current_decay", 4096),
        ({"profiles": (CompartmentProfile(0, 4096),)}, "profile[0].membrane_decay", 4096),
        ({"profiles": (CompartmentProfile(0, 0, refractory=0),)}, "profile[0].refractory", 0),
        ({"profiles": (CompartmentProfile(0, 0, refractory=64),)}, "profile[0].refractory", 64),
        ({"thresholds": [1 << 17]}, "threshold[0].mantissa", 1 << 17),
        ({"bias_mantissa": [0, -4096, 0, 0]}, "compartment[1].bias_mantissa", -4096),
        ({"bias_mantissa": [0, 0, 0, 4096]}, "compartment[3].bias_mantissa", 4096),
        ({"bias_exponent": [8, 0, 0, 0]}, "compartment[0].bias_exponent", 8),
        ({"vmin_exponent": 24}, "core_registers[0].vmin_exponent", 24),
        ({"vmax_exponent": 8}, "core_registers[0].vmax_exponent", 8),
        ({"noise_exponent": 24}, "core_registers[0].noise_exponent", 24),
        ({"noise_mantissa_offset": -129}, "core_registers[0].noise_mantissa_offset", -129),
        ({"sections": connected_core().sections * 257}, "core_registers[0].sections", 257),
    ],
)
def test_a_register_out_of_range_is_refused_by_name(changes: dict[str, Any], field: str, value: int) -> None:
    (finding,) = check_core(make_core(**changes), LOIHI1)
    assert finding.code == "NE5100"
    assert finding.message.startswith(f"{field} is {value}, outside")


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (SynapseFormat("dense", 0, 8), "sign_mode"),
        (SynapseFormat("dense", 4, 8), "sign_mode"),
        (SynapseFormat("dense", MIXED, 0), "weight_bits"),
        (SynapseFormat("dense", MIXED, 9), "weight_bits"),
        (SynapseFormat("dense", MIXED, 8, -9), "weight_exponent"),
        (SynapseFormat("dense", MIXED, 8, 8), "weight_exponent"),
        (SynapseFormat("dense", MIXED, 8, 0, 7), "delay_bits"),
    ],
)
def test_a_format_out_of_range_is_refused_by_name(form: SynapseFormat, field: str) -> None:
    section = SynapseSection("dense", form, [0], [], [], [])  # type: ignore[arg-type]
    core = make_core(sections=(section,))
    findings = check_core(core, replace(LOIHI1, synapse_memory_bits=1 << 30))
    assert codes(findings) == ["NE5100"]
    assert f".{field} is" in findings[0].message


@pytest.mark.parametrize(("delay", "fits"), [(62, True), (63, False)])
def test_delays_end_at_62(delay: int, fits: bool) -> None:
    form = SynapseFormat("dense", MIXED, 8, 0, 6)
    section = SynapseSection("dense", form, [0, 1], [], [0], [delay])  # type: ignore[arg-type]
    assert (check_core(make_core(sections=(section,)), LOIHI1) == ()) is fits


def test_an_index_must_fit_its_bits() -> None:
    form = SynapseFormat("sparse", MIXED, 8, index_bits=6)
    section = SynapseSection("sparse", form, [0, 1], [64], [0], [])  # type: ignore[arg-type]
    (finding,) = check_core(make_core(sections=(section,)), LOIHI1)
    assert finding.message == "synapse[0].index is 64, outside 0..63"


# --- arrays and addresses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"bias_mantissa": [0, 0, 0]},
        {"output_start": [0, 0, 0, 0]},
        {"output_start": [1, 1, 1, 1, 1]},
        {"output_start": [0, 1, 0, 0, 0]},
        {"output_start": []},
        {"output_core": [0], "output_axon": []},
        {"axon_list": [0], "axon_base": []},
        {"noise_target": "axon"},
        {"sections": (replace(connected_core().sections[0], list_start=[0, 4, 3, 7]),)},
        {"sections": (replace(connected_core().sections[0], weight=[0]),)},
        {"sections": (replace(connected_core().sections[0], index=[0]),)},
        {"sections": (replace(connected_core().sections[0], delay=[0]),)},
        {"sections": (replace(connected_core().sections[0], kind="sparse"),)},
        {"sections": (replace(connected_core().sections[0], kind="ring"),)},
        {"sections": (replace(connected_core().sections[0], format=replace(DENSE8, index_bits=6)),)},
        {"sections": (replace(connected_core(SPARSE8).sections[0], format=replace(SPARSE8, index_bits=5)),)},
        {"sections": (replace(connected_core(SPARSE8).sections[0], index=[0]),)},
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(changes: dict[str, Any]) -> None:
    assert set(codes(check_program(make_program(make_core(**changes))))) == {"NE5103"}


@pytest.mark.parametrize(
    ("core", "message"),
    [
        (make_core(profile_of_compartment=[0, 0, 1, 0]), "compartment[2] uses profile 1; the core has 1"),
        (make_core(threshold_of_compartment=[0, 1, 0, 0]), "compartment[1] uses threshold 1; the core has 1"),
        (make_core(axon_list=[0]), "input_axon[0] uses section 0; the core has 0"),
        (connected_core(axon_list=[0, 3]), "input_axon[1] selects lists 3..3; section[0] has 3"),
        (connected_core(axon_list=[1], axon_atoms=[3]), "input_axon[0] selects lists 1..3; section[0] has 3"),
        (connected_core(axon_base=[1, 1, 1]), "input_axon[0] reaches compartment 4; the core has 4"),
        (connected_core(axon_list=[2, 0], axon_base=[2, 0]), "input_axon[0] reaches compartment 4; the core has 4"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(core: CoreImage, message: str) -> None:
    (finding,) = check_program(make_program(core))
    assert (finding.code, finding.message) == ("NE5104", message)


def test_an_axon_without_atoms_selects_nothing() -> None:
    findings = check_program(make_program(connected_core(axon_atoms=[1, 1, 0])))
    assert codes(findings) == ["NE5100", "NE5104"]


def test_an_empty_list_reaches_no_compartment() -> None:
    core = connected_core(axon_list=[1], axon_base=[60000])
    assert check_program(make_program(core)) == ()


def test_sparse_indices_count_from_the_axons_base() -> None:
    form = replace(SPARSE8, index_bits=6)
    section = SynapseSection("sparse", form, [0, 2], [0, 2], [0, 0], [])  # type: ignore[arg-type]
    core = make_core(sections=(section,), axon_list=[0])
    assert check_program(make_program(replace(core, axon_base=[1]))) == ()
    assert codes(check_program(make_program(replace(core, axon_base=[2])))) == ["NE5104"]


@pytest.mark.parametrize("link", [(1, 0, 0), (0, 3, 0), (0, 0, 1)], ids=["core", "axon", "atom"])
def test_a_spike_cannot_be_sent_to_what_does_not_exist(link: tuple[int, int, int]) -> None:
    core, axon, atom = ([value] for value in link)
    host = HostRoutes([0, 1], core, axon, atom)  # type: ignore[arg-type]
    (from_host,) = check_program(make_program(connected_core(), host=host))
    sender = connected_core(output_core=core, output_axon=axon, output_atom=atom)
    (from_core,) = check_program(make_program(sender))
    expected = f"output 0 goes to core {core[0]}, axon {axon[0]}, atom {atom[0]}, which does not exist"
    assert (from_host.code, from_core.code) == ("NE5104", "NE5104")
    assert expected in from_host.message and expected in from_core.message
    assert (from_host.where, from_core.where) == ("host", "core 0")


def test_core_numbers_are_unique() -> None:
    assert codes(check_program(make_program(make_core(), make_core()))) == ["NE5103"]
    assert codes(check_program(make_program(make_core(core=65536)))) == ["NE5103"]


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_the_seed_has_64_bits(seed: int) -> None:
    assert codes(check_program(make_program(seed=seed))) == ["NE5100"]


def test_host_routes_must_belong_together() -> None:
    host = HostRoutes([0, 2], [0], [0], [0])  # type: ignore[arg-type]
    assert codes(check_program(make_program(connected_core(), host=host))) == ["NE5103"]


def test_symbols_are_checked_against_cores_and_sources() -> None:
    symbols = Symbols((Port("in", (1,), 0, 1),), (PopulationSymbol("p", (1,), 0, True, [0], [4]),), (), "")  # type: ignore[arg-type]
    assert codes(check_program(make_program(make_core(), symbols=symbols))) == ["NE5011", "NE5011"]


def test_nothing_that_fails_a_check_is_packed() -> None:
    with pytest.raises(BadInput, match="NE5104"):
        pack(make_program(connected_core(axon_base=[1, 1, 1])))


# --- untrusted programs ----------------------------------------------------------------------------------------------


def forged(program: Program, name: str, word: int, value: int) -> Program:
    """``program`` with one 64-bit word of a section replaced."""
    words = program.sections[name].view("<u8").copy()
    words[word] = value
    return Program(program.manifest, {**program.sections, name: words.view(np.uint8)})


FORGEABLE = pack(
    make_program(
        connected_core(DENSE8, output_core=[0, 0], output_axon=[0, 2]),
        connected_core(SynapseFormat("sparse", INHIBITORY, 5, -2, 3, 6), (5, 2), core=9),
        host=HostRoutes([0, 1, 2], [0, 9], [1, 1], [0, 0]),  # type: ignore[arg-type]
        symbols=Symbols((), (PopulationSymbol("p", (2,), 1, True, [0, 9], [3, 0]),), ("p",), "nir"),  # type: ignore[arg-type]
    )
)


FLIPPED = sorted(name for name in FORGEABLE.sections if not name.startswith("core/0/"))


@pytest.mark.parametrize("name", [*FLIPPED, "core/0/synapses", "core/0/output_axons"])
def test_a_flipped_bit_in_a_memory_is_refused_or_means_another_program(name: str) -> None:
    size = FORGEABLE.sections[name].size
    for bit in range(8 * size):
        data = FORGEABLE.sections[name].copy()
        data[bit // 8] ^= 1 << bit % 8
        program = Program(FORGEABLE.manifest, {**FORGEABLE.sections, name: data})
        try:
            image = unpack(program)
        except BadInput as refused:
            assert refused.findings
        else:
            assert pack(image) == program


@settings(max_examples=60)
@given(name=st.sampled_from(sorted(FORGEABLE.sections)), data=st.data())
def test_a_foreign_memory_is_refused_or_means_another_program(name: str, data: st.DataObject) -> None:
    content = data.draw(st.binary(max_size=64))
    program = Program(FORGEABLE.manifest, {**FORGEABLE.sections, name: content})
    try:
        image = unpack(program)
    except BadInput as refused:
        assert refused.findings
    else:
        assert pack(image) == program


@pytest.mark.parametrize(
    ("name", "word", "value", "code"),
    [
        ("core/9/lists", 0, 1 | 5 << 24, "NE5106"),
        ("core/9/lists", 0, ((1 << 24) - 1) << 24, "NE5106"),
        ("core/9/lists", 1, 1 << 63, "NE5101"),
        ("core/9/synapses", 0, 0, "NE5105"),
        ("core/9/registers", 0, 0, "NE5106"),
        ("core/9/compartments", 0, 1, "NE5104"),
        ("host/routes", 0, 7, "NE5104"),
        ("host/sources", 0, 1 << 31, "NE5103"),
    ],
)
def test_a_contradiction_in_a_memory_is_named(name: str, word: int, value: int, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        unpack(forged(FORGEABLE, name, word, value))
    assert code in codes(caught.value.findings)


def test_formats_that_no_section_uses_are_refused() -> None:
    words = FORGEABLE.sections["core/0/registers"].view("<u8").copy()
    words[0] += 1 << 16
    doubled = np.insert(words, 4, words[3])
    program = Program(FORGEABLE.manifest, {**FORGEABLE.sections, "core/0/registers": doubled.view(np.uint8)})
    with pytest.raises(BadInput, match="NE5105 the synapse formats are not numbered"):
        unpack(program)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"family": "truenorth"}, "NE5010"),
        ({"layout_version": 2}, "NE5010"),
        ({"family": None}, "NE5004"),
        ({"cores": [0]}, "NE5010"),
        ({"cores": [0, 9, 10]}, "NE5010"),
        ({"cores": [0, 9, 9]}, "NE5103"),
        ({"cores": "all"}, "NE5004"),
        ({"chip": []}, "NE5004"),
        ({"seed": -1}, "NE5100"),
        ({"seed": 0.5}, "NE5004"),
        ({"symbols": {}}, "NE5004"),
    ],
)
def test_a_manifest_of_another_program_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        unpack(Program({**FORGEABLE.manifest, **changes}, FORGEABLE.sections))
    assert codes(caught.value.findings) == [code]


@pytest.mark.parametrize("name", sorted(FORGEABLE.sections))
def test_a_missing_section_is_refused_by_name(name: str) -> None:
    sections = {other: data for other, data in FORGEABLE.sections.items() if other != name}
    with pytest.raises(BadInput, match=f"NE5010 the program has no section '{name}'"):
        unpack(Program(FORGEABLE.manifest, sections))


@pytest.mark.parametrize("length", [0, 7, 8])
def test_a_shortened_memory_is_refused(length: int) -> None:
    sections = {**FORGEABLE.sections, "core/0/registers": FORGEABLE.sections["core/0/registers"][:length]}
    with pytest.raises(BadInput, match="NE5106"):
        unpack(Program(FORGEABLE.manifest, sections))


# --- documentation ---------------------------------------------------------------------------------------------------


def test_the_image_page_shows_the_current_fields(repository: Path) -> None:
    page = (repository / "docs" / "image.md").read_text(encoding="utf-8")
    assert page == with_field_tables(page, LAYOUTS_OF_THE_IMAGE)
