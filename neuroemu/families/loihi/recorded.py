"""Recorded cases of other people's Loihi software, replayed through the real loader and emulator.

Formats: ``neurons_*`` (single neurons), ``nets_*`` (recurrent nets), ``weight_tables`` (what a spike adds, per format); see
``tests/golden/loihi/README.md``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.image import (
    CompartmentProfile,
    CoreImage,
    HostRoutes,
    ProgramImage,
    SynapseFormat,
    SynapseSection,
)
from neuroemu.families.loihi.load import load_program, weights_on_chip
from neuroemu.families.loihi.packing import pack, unpack
from neuroemu.image.symbols import Port, Symbols

MIXED = 1
MOST_TEXT_BYTES = 64 << 20
"""A larger text, also one that unpacks to more, is no recorded case."""


@dataclass(frozen=True)
class Replay:
    """Outcome of one recorded case: ``differences`` counts values that differ, ``detail`` names the first."""

    case: str
    compared: int
    differences: int
    detail: str


@dataclass(frozen=True)
class SynapseGroup:
    """Listed synapses of one format; ``source`` counts inputs first, then neurons."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    weight: NDArray[np.int64]
    weight_bits: int
    weight_exponent: int
    sign_mode: int
    delay: int = 0


def one_core_program(
    inputs: int,
    neurons: int,
    profile: CompartmentProfile,
    threshold: int,
    groups: list[SynapseGroup],
    bias: tuple[int, int] = (0, 0),
    bounds: tuple[int, int] = (23, 7),
) -> ProgramImage:
    """A program of equal neurons on core 0; ``bias`` is (mantissa, exponent), ``bounds`` the vmin and vmax exponents."""
    sections: list[SynapseSection] = []
    axon_section: list[int] = []
    axon_list: list[int] = []
    axons_of_source: list[list[int]] = [[] for _ in range(inputs + neurons)]
    for group in groups:
        order = np.lexsort((group.target, group.source))
        sources, starts = np.unique(group.source[order], return_index=True)
        dropped = 8 - group.weight_bits + (1 if group.sign_mode == MIXED else 0)
        mantissas = [dynamics.stored_mantissa(int(weight), dropped) for weight in group.weight[order]]
        delay_bits = int(group.delay).bit_length()
        for number, source in enumerate(sources):
            axons_of_source[int(source)].append(len(axon_list))
            axon_section.append(len(sections))
            axon_list.append(number)
        sections.append(
            SynapseSection(
                kind="sparse",
                format=SynapseFormat(
                    "sparse", group.sign_mode, group.weight_bits, group.weight_exponent, delay_bits, 10
                ),
                list_start=np.append(starts, order.shape[0]).astype(np.int64),
                index=group.target[order].astype(np.uint16),
                weight=np.array(mantissas, np.int16),
                delay=np.full(order.shape[0] if delay_bits else 0, group.delay, np.uint8),
            )
        )
    counts = np.array([len(axons) for axons in axons_of_source], np.int64)
    flat = np.array([axon for axons in axons_of_source for axon in axons], np.uint16)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    split = int(start[inputs])
    core = CoreImage(
        core=0,
        profiles=(profile,),
        thresholds=np.array([threshold], np.uint32),
        vmin_exponent=bounds[0],
        vmax_exponent=bounds[1],
        noise_exponent=0,
        noise_mantissa_offset=0,
        noise_target="current",
        profile_of_compartment=np.zeros(neurons, np.uint8),
        threshold_of_compartment=np.zeros(neurons, np.uint8),
        bias_mantissa=np.full(neurons, bias[0], np.int16),
        bias_exponent=np.full(neurons, bias[1], np.uint8),
        bias_start_tick=np.zeros(neurons, np.uint16),
        sections=tuple(sections),
        axon_section=np.array(axon_section, np.uint8),
        axon_list=np.array(axon_list, np.uint32),
        axon_atoms=np.ones(len(axon_list), np.uint16),
        axon_base=np.zeros(len(axon_list), np.uint16),
        output_start=start[inputs:] - split,
        output_core=np.zeros(flat.shape[0] - split, np.uint16),
        output_axon=flat[split:],
        output_atom=np.zeros(flat.shape[0] - split, np.uint16),
    )
    host = HostRoutes(
        start[: inputs + 1],
        np.zeros(split, np.uint16),
        flat[:split],
        np.zeros(split, np.uint16),
    )
    symbols = Symbols((Port("in", (inputs,), 0, inputs),), (), (), "recorded")
    return ProgramImage(chip={}, symbols=symbols, cores=(core,), host=host)


def read_text(path: Path) -> str:
    """The text of a ``.json`` or ``.json.gz`` file; OSError, EOFError, zlib.error or ValueError when it is unreadable."""
    if path.suffix != ".gz":
        return path.read_text(encoding="utf-8")
    with gzip.open(path) as file:
        unpacked = file.read(MOST_TEXT_BYTES + 1)
    if len(unpacked) > MOST_TEXT_BYTES:
        raise ValueError(f"unpacks to more than {MOST_TEXT_BYTES} bytes")
    return unpacked.decode("utf-8")


def replay_neurons(path: Path) -> Iterator[Replay]:
    """Every case of a ``neurons_*.json``/``.npz`` pair."""
    description = json.loads(path.read_text())
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        for number, case in enumerate(description["cases"]):
            ticks = int(description["T"])
            lines = np.unpackbits(arrays[f"in_{number}"], axis=1)[:, :ticks]
            groups = [
                SynapseGroup(
                    source=np.array([line]),
                    target=np.array([0]),
                    weight=np.array([weight]),
                    weight_bits=case["nwb"],
                    weight_exponent=case["w_exp"],
                    sign_mode=case["mode"],
                )
                for line, weight in enumerate(case["w"])
            ]
            program = one_core_program(
                len(groups),
                1,
                CompartmentProfile(case["d_u"] - 1, case["d_v"], case["refr"]),
                case["vth_mant"],
                groups,
                (case["bias_mant"], case["bias_exp"]),
                (case["vmin_exp"], case["vmax_exp"]),
            )
            u, v, spikes, _ = run_recorded(program, lines)
            expected = {name: arrays[f"exp_{name}_{number}"].reshape(1, -1) for name in ("u", "v", "s")}
            actual: dict[str, NDArray[Any]] = {"u": u, "v": v, "s": spikes}
            yield _compared(f"{case['cls']} {number}", actual, expected)


def replay_nets(path: Path) -> Iterator[Replay]:
    """Every net of a ``nets_*.json``/``.npz`` pair: currents, membranes, spikes and synaptic events."""
    description = json.loads(path.read_text())
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        for number, net in enumerate(description["nets"]):
            ticks, inputs, neurons = int(description["T"]), int(net["n_in"]), int(net["n"])
            groups = [
                SynapseGroup(
                    source=arrays[f"g{number}_{index}_pre"].astype(np.int64) + (inputs if group["src"] == "rec" else 0),
                    target=arrays[f"g{number}_{index}_post"].astype(np.int64),
                    weight=arrays[f"g{number}_{index}_w"].astype(np.int64),
                    weight_bits=group["nwb"],
                    weight_exponent=group["w_exp"],
                    sign_mode=group["mode"],
                    delay=group["delay"],
                )
                for index, group in enumerate(net["groups"])
            ]
            program = one_core_program(
                inputs, neurons, CompartmentProfile(net["d_u"] - 1, net["d_v"], net["refr"]), net["vth_mant"], groups
            )
            lines = np.unpackbits(arrays[f"in_{number}"], axis=1)[:, :ticks]
            u, v, spikes, events = run_recorded(program, lines)
            expected: dict[str, NDArray[Any]] = {
                "u": arrays[f"exp_u_{number}"],
                "v": arrays[f"exp_v_{number}"],
                "s": np.unpackbits(arrays[f"exp_s_{number}"], axis=1)[:, :ticks],
                "synaptic events": np.array([[net["synaptic_events"]]]),
            }
            actual: dict[str, NDArray[Any]] = {"u": u, "v": v, "s": spikes, "synaptic events": np.array([[events]])}
            yield _compared(f"net {number}", actual, expected)


def replay_weight_table(path: Path) -> Iterator[Replay]:
    """The chip-faithful weight table: every sign mode, weight width, exponent and mantissa."""
    with np.load(path, allow_pickle=False) as arrays:
        table, widths = arrays["brian"], arrays["nwb"]
    known = table != np.iinfo(np.int32).min
    actual = np.full_like(table, np.iinfo(np.int32).min)
    mantissas = np.arange(table.shape[3], dtype=np.int16) - 256
    for mode in range(table.shape[0]):
        for width, weight_bits in enumerate(widths):
            for exponent in range(table.shape[2]):
                synapse_format = SynapseFormat("sparse", mode + 1, int(weight_bits), exponent - 8, 0, 10)
                actual[mode, width, exponent] = weights_on_chip(mantissas, synapse_format)
    differing = known & (actual != table)
    detail = "" if not differing.any() else f"first at [mode, width, exponent, mantissa] {np.argwhere(differing)[0]}"
    yield Replay("weight table", int(known.sum()), int(differing.sum()), detail)


def run_recorded(
    program: ProgramImage, lines: NDArray[np.uint8]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8], int]:
    """Pack, unpack, load and run; returns u, v, spikes (neurons, ticks) and the number of synaptic events."""
    loaded, links, memory = load_program(unpack(pack(program)))
    engine = loaded.engine()
    source, tick = np.nonzero(lines)
    order = np.lexsort((source, tick))
    stimulus = Stimulus(tick[order].astype(np.int64), source[order].astype(np.int32))
    ticks = lines.shape[1]
    neurons = engine.neurons
    recording = run_ticks(engine, stimulus, ticks, probe=np.arange(neurons))
    spikes = np.zeros((neurons, ticks), np.uint8)
    spikes[recording.spike_source - loaded.inputs, recording.spike_tick] = 1
    fired = np.bincount(
        np.concatenate([stimulus.source, recording.spike_source]).astype(np.int64), minlength=links.sources
    )
    lengths = np.diff(memory.list_start)[links.synapse_list]
    events = int((fired.repeat(np.diff(links.link_start)) * lengths).sum())
    return recording.probes["u"].T, recording.probes["v"].T, spikes, events


def _compared(case: str, actual: dict[str, NDArray[Any]], expected: dict[str, NDArray[Any]]) -> Replay:
    compared = differences = 0
    detail = ""
    for name, wanted in expected.items():
        if actual[name].shape != wanted.shape:
            return Replay(case, 0, 1, f"{name} has shape {actual[name].shape}, recorded {wanted.shape}")
        differing = actual[name] != wanted
        compared += differing.size
        differences += int(differing.sum())
        if differing.any() and not detail:
            row, tick = (int(index) for index in np.argwhere(differing)[0])
            detail = f"{name} of neuron {row} in tick {tick}: {actual[name][row, tick]}, recorded {wanted[row, tick]}"
    return Replay(case, compared, differences, detail)
