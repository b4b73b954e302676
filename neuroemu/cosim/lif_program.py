"""A program of open LIF cores for the Verilog core: the build that holds it, what it writes there, and what the core lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.core import RtlCores, Word
from neuroemu.cosim.lif import Build
from neuroemu.cosim.lif_reference import LifReference
from neuroemu.cosim.program import Memory, RtlProgram
from neuroemu.errors import DoesNotFit, Finding
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.crossbar import as_crossbar, weights_of
from neuroemu.families.lifcore.image import DENSE_KIND, FAMILY, CoreImage, ProgramImage
from neuroemu.families.lifcore.registers import REGIONS, REGISTERS
from neuroemu.image.bitfields import pack_words
from neuroemu.spec import ChipSpec

Int64 = NDArray[np.int64]

MOST_WEIGHTS = 1 << 22
"""Words of the largest weight memory that is built for a simulation."""
_MOST_NUMBERED = (1 << 16) - 1
"""Largest number of neurons, axons and routes in the registers and route words of the bus."""
_FEWEST_START_BITS = 8
_LAYOUT = {item.name: item.layout for item in (*REGISTERS, *REGIONS)}
_LEAKS = {dynamics.LEAK_SCALE: "factor", dynamics.LEAK_SHIFT: "shift", dynamics.LEAK_CONSTANT: "constant"}
_CROSSBAR_CHIP = "deploy to a chip whose core is the Verilog one (lifcore-rtl)"


def build_of(image: ProgramImage, stages: int = 1) -> Build:
    """The build that is the chip's core; for a chip that is no crossbar, the smallest one that holds the program."""
    chip: Any = ChipSpec.from_dict(image.chip)
    limits, arithmetic, cores = chip.limits, chip.arithmetic, image.cores
    neurons, axons, routes = (int(part.value) for part in (limits.neurons, limits.axons, limits.routes))
    if arithmetic.synapse_kinds.value != ("dense",):
        neurons = max((core.size for core in cores), default=1)
        axons = max((core.axon_list.shape[0] for core in cores), default=1)
        routes = max((core.route_core.shape[0] for core in cores), default=1)
    numbers = max((core.core for core in cores), default=0) + 1
    latest = max((int(core.neurons["bias_start"].max(initial=0)) for core in cores), default=0)
    leaks = arithmetic.leak_modes.value
    return Build(
        neurons=max(neurons, 1),
        axons=max(axons, 1),
        weight_bits=int(arithmetic.weight_bits.value),
        v_bits=int(arithmetic.potential_bits.value),
        acc_bits=int(arithmetic.accumulator_bits.value),
        shift_bits=max(int(arithmetic.input_shift_max.value).bit_length(), 1),
        ref_bits=max(int(arithmetic.refractory_max.value).bit_length(), 1),
        start_bits=max(latest.bit_length(), _FEWEST_START_BITS),
        routes=max(routes, 1),
        core_bits=max((max(numbers, int(chip.structure.cores.value)) - 1).bit_length(), 1),
        target_bits=max((max(axons, 1) - 1).bit_length(), 1),
        factor=int("factor" in leaks),
        shift=int("shift" in leaks),
        constant=int("constant" in leaks),
        current=int(bool(arithmetic.current_decay.value)),
        wrap=int(arithmetic.overflow.value == "wrap"),
        stages=stages,
    )


# ---------------------------------------------------------------------------- what the Verilog core lacks


def lacking(image: ProgramImage, build: Build) -> tuple[Finding, ...]:
    """NE7210 to NE7216: everything that the program needs and the build does not have."""
    findings: list[Finding] = []
    if build.neurons * build.axons > MOST_WEIGHTS:
        message = (
            f"a crossbar of {build.axons:,} axons and {build.neurons:,} neurons has {build.neurons * build.axons:,} weights, more "
            f"than the {MOST_WEIGHTS:,} that are simulated"
        )
        findings.append(Finding("NE7216", message, "", (_CROSSBAR_CHIP,)))
    for name, count in (("neurons", build.neurons), ("axons", build.axons), ("routes", build.routes)):
        if count > _MOST_NUMBERED:
            message = f"a core of {count:,} {name} is larger than the bus can address, {_MOST_NUMBERED:,}"
            findings.append(Finding("NE7216", message, "", (_CROSSBAR_CHIP,)))
    for core in image.cores:
        findings += _lists(core)
        findings += _neurons(core)
        findings += _registers(core, build)
        findings += _sizes(core, build)
    return tuple(findings)


def _lists(core: CoreImage) -> Iterator[Finding]:
    where = f"core {core.core}"
    if listed := int(np.count_nonzero(core.list_kind != DENSE_KIND)):
        message = f"has {listed} sparse or shared synapse lists; the Verilog core is a crossbar"
        yield Finding("NE7210", message, where, (_CROSSBAR_CHIP,))
    if (longest := int(core.delay.max(initial=1))) > 1:
        message = f"has delays of up to {longest} ticks; in the Verilog core a spike arrives in the next tick"
        yield Finding("NE7211", message, where, (_CROSSBAR_CHIP,))


def _neurons(core: CoreImage) -> Iterator[Finding]:
    where = f"core {core.core}"
    if started := int(np.count_nonzero(core.neurons["initial"])):
        message = f"has {started} neurons with an initial potential; the Verilog core starts at 0"
        yield Finding("NE7212", message, where, (_CROSSBAR_CHIP,))
    if (profiles := _profiles(core).shape[0]) > 1:
        message = f"uses {profiles} sets of neuron registers; the Verilog core has one for all its neurons"
        yield Finding("NE7213", message, where, (_CROSSBAR_CHIP,))


def _registers(core: CoreImage, build: Build) -> Iterator[Finding]:
    where, profile = f"core {core.core}", {name: column[_profiles(core)] for name, column in core.profiles.items()}
    for name, own, built in (
        ("weights", core.weight_bits, build.weight_bits),
        ("potentials", core.potential_bits, build.v_bits),
        ("accumulators", core.accumulator_bits, build.acc_bits),
    ):
        if own != built:
            yield Finding(
                "NE7214", f"has {name} of {own} bits, the build of {built}", where, ("deploy the network again",)
            )
    for name, column, bits, signed in (
        ("threshold", core.neurons["threshold"], build.v_bits + 1, True),
        ("bias", core.neurons["bias"], build.v_bits, True),
        ("reset value", profile["reset_value"], build.v_bits, True),
        ("leak", profile["leak_amount"], build.leak_bits, False),
        ("refractory period", profile["period"], build.ref_bits, False),
        ("input shift", profile["input_shift"], build.shift_bits, False),
        ("bias start", core.neurons["bias_start"], build.start_bits, False),
    ):
        lowest, highest = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        wrong = column[(column < lowest) | (column > highest)]
        if wrong.size:
            message = (
                f"has a {name} of {int(wrong[0])}, beyond {lowest}..{highest} of the build ({wrong.size} such values)"
            )
            yield Finding("NE7214", message, where, ("use smaller numbers", "use a chip file with wider registers"))
    built_leaks = [name for name in _LEAKS.values() if getattr(build, name)]
    for mode in np.unique(profile["leak_mode"]).tolist():
        if _LEAKS[mode] not in built_leaks:
            message = f"leaks by {_LEAKS[mode]}; the build has {', '.join(built_leaks) or 'no leak'}"
            yield Finding("NE7215", message, where, ("name the mode in leak_modes of the chip file",))
    if not build.current and np.any(profile["current_keep"] > 0):
        yield Finding(
            "NE7215", "has synaptic currents; the build has none", where, ("set current_decay in the chip file",)
        )
    if not build.wrap and core.overflow == dynamics.WRAP:
        yield Finding("NE7215", "wraps; the build saturates", where, ("set overflow: wrap in the chip file",))


def _sizes(core: CoreImage, build: Build) -> Iterator[Finding]:
    numbers = (1 << build.core_bits) - 1
    for name, count, most in (
        ("neurons", core.size, build.neurons),
        ("axons", core.axon_list.shape[0], build.axons),
        ("routes", core.route_core.shape[0], build.routes),
        ("as the highest number of a target core", int(core.route_core.max(initial=0)), numbers),
        ("as its own number", core.core, numbers),
        ("as the highest target axon", int(core.route_axon.max(initial=0)), (1 << build.target_bits) - 1),
    ):
        if count > most:
            yield Finding("NE7216", f"has {count:,} {name}, the build {most:,}", f"core {core.core}", (_CROSSBAR_CHIP,))


def _profiles(core: CoreImage) -> Int64:
    """Profiles that neurons use, one of each kind."""
    used = np.unique(core.neurons["profile"])
    table = np.stack([column[used] for column in core.profiles.values()], axis=1)
    _, first = np.unique(table, axis=0, return_index=True)
    return np.asarray(used[np.sort(first)], np.int64)


# ---------------------------------------------------------------------------- what is written


def memories(core: CoreImage, build: Build) -> tuple[Memory, ...]:
    """All words of a core; routes and route lists in the order of its neurons."""
    (profile,) = _profiles(core).tolist()
    register = {name: [int(column[profile])] for name, column in core.profiles.items()}
    neuron = np.arange(core.size)
    matrix = weights_of(core)
    axon, routes = np.arange(matrix.shape[0]), np.diff(core.route_start)
    columns: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("weight", (axon[:, None] * build.neurons + neuron).reshape(-1), {"weight": matrix.reshape(-1)}),
        ("threshold", neuron, {"threshold": core.neurons["threshold"]}),
        ("bias", neuron, {"bias": core.neurons["bias"]}),
        ("bias_start", neuron, {"tick": core.neurons["bias_start"]}),
        ("route_list", neuron, {"first": np.where(routes, core.route_start[:-1], 0), "count": routes}),
        ("route", np.arange(core.route_core.shape[0]), {"axon": core.route_axon, "core": core.route_core}),
    )
    registers: tuple[tuple[str, dict[str, Any]], ...] = (
        ("size", {"neurons": [core.size]}),
        ("leak", {"amount": register["leak_amount"], "mode": register["leak_mode"]}),
        (
            "mode",
            {
                "compare": register["compare"],
                "reset": register["reset"],
                "overflow": [core.overflow],
                "input_shift": register["input_shift"],
                "period": register["period"],
            },
        ),
        ("reset_value", {"value": register["reset_value"]}),
        ("current_keep", {"share": register["current_keep"]}),
    )
    return (
        *(Memory(name, build.register(name), _words(name, fields)) for name, fields in registers),
        *(
            Memory(name, build.address(name, offset), _words(name, fields))
            for name, offset, fields in columns
            if offset.size
        ),
    )


def _words(name: str, columns: dict[str, Any]) -> Word:
    return pack_words(_LAYOUT[name], columns).astype(np.uint32)


def prepared(image: ProgramImage, stages: int) -> RtlProgram:
    """The program as crossbars, for the build of its chip.

    Raises:
        DoesNotFit: NE7210 to NE7216, everything that the Verilog core lacks.
    """
    build = build_of(image, stages)
    if findings := lacking(image, build):
        raise DoesNotFit(findings)
    return rtl_program(replace(image, cores=tuple(as_crossbar(core) for core in image.cores)), build)


def rtl_program(image: ProgramImage, build: Build) -> RtlProgram:
    """A program of crossbars that lacks nothing."""
    clear = build.register("control"), np.ones(1, np.uint32)
    return RtlProgram(
        chip=str(image.chip["name"]),
        family=FAMILY,
        build=build,
        sizes=tuple(core.size for core in image.cores),
        numbers=tuple(core.core for core in image.cores),
        columns=0,
        memories=tuple(memories(core, build) for core in image.cores),
        restarts=(clear,) * len(image.cores),
        states=_states,
        reference=lambda period: LifReference(image, build, period),
    )


def _states(cores: RtlCores, position: int) -> dict[str, NDArray[np.int32]]:
    """The states in a core's memories; a build without current stores none."""
    build = cores.build
    assert isinstance(build, Build)
    neuron = np.arange(cores.sizes[position])
    regions = {"v": "potential", "refractory": "refractory", **({"u": "current"} if build.current else {})}
    return {
        name: cores.read(position, build.address(region, neuron)).view(np.int32) for name, region in regions.items()
    }
