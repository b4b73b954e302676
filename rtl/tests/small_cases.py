"""Small programs on a small core with a short list of events, as plain data that Hypothesis shrinks and a file keeps."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from neuroemu.cosim.compare import Difference, first_difference
from neuroemu.cosim.core import RtlCores, Stalls
from neuroemu.cosim.lif import Build
from neuroemu.cosim.lif_program import rtl_program
from neuroemu.emulator.protocol import Stimulus
from neuroemu.families.lifcore.image import DENSE_KIND, CoreImage, ProgramImage
from neuroemu.image.symbols import PopulationSymbol, Symbols, numbered_ports
from neuroemu.spec import load_chip

NEURONS, AXONS, TICKS = 3, 2, 8
CHIP = load_chip("lifcore-rtl").to_dict()
REGRESSIONS = Path(__file__).with_name("regressions")


def build_of(stages: int) -> Build:
    """Every feature, as narrow as it goes."""
    return Build(neurons=NEURONS, axons=AXONS, weight_bits=5, v_bits=7, acc_bits=7, shift_bits=2, ref_bits=2, start_bits=2,
                 routes=6, core_bits=1, target_bits=1, factor=1, constant=1, current=1, wrap=1, stages=stages)  # fmt: skip


@dataclass(frozen=True)
class SmallCase:
    """A program of one core and its input.

    Attributes:
        stages: of the build.
        profile: registers of the core; overflow is one of them here.
        threshold, bias, bias_start: one each per neuron.
        weight: rows of axons.
        routes: axons that each neuron sends to.
        events: [tick, axon] in order.
        stalls: shares of events and packets that are held back, and their seed.
    """

    stages: int
    profile: dict[str, int]
    threshold: list[int]
    bias: list[int]
    bias_start: list[int]
    weight: list[list[int]]
    routes: list[list[int]]
    events: list[list[int]]
    stalls: list[float]

    def text(self) -> str:
        """As a regression file holds it."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def image(self) -> ProgramImage:
        registers = dict(self.profile)
        overflow = registers.pop("overflow")
        build = build_of(self.stages)
        core = CoreImage(
            core=0,
            potential_bits=build.v_bits,
            overflow=overflow,
            weight_bits=build.weight_bits,
            accumulator_bits=build.acc_bits,
            profiles={name: np.array([value], np.int64) for name, value in registers.items()},
            neurons={
                "threshold": np.array(self.threshold, np.int64),
                "bias": np.array(self.bias, np.int64),
                "bias_start": np.array(self.bias_start, np.int64),
                "initial": np.zeros(NEURONS, np.int64),
                "profile": np.zeros(NEURONS, np.int64),
            },
            route_start=np.cumsum([0, *map(len, self.routes)]).astype(np.int64),
            route_core=np.zeros(sum(map(len, self.routes)), np.int64),
            route_axon=np.array([axon for routes in self.routes for axon in routes], np.int64),
            axon_list=np.arange(AXONS, dtype=np.int64),
            axon_base=np.zeros(AXONS, np.int64),
            list_start=np.arange(AXONS + 1, dtype=np.int64) * NEURONS,
            list_kind=np.full(AXONS, DENSE_KIND, np.int64),
            index=np.tile(np.arange(NEURONS, dtype=np.int32), AXONS),
            weight=np.array(self.weight, np.int16).reshape(-1),
            delay=np.ones(AXONS * NEURONS, np.uint8),
        )
        place = np.zeros(NEURONS, np.int32), np.arange(NEURONS, dtype=np.int32)
        population = PopulationSymbol("neurons", (NEURONS,), 0, True, *place)
        axons = np.arange(AXONS, dtype=np.int64)
        return ProgramImage(
            chip=CHIP,
            symbols=Symbols(numbered_ports({"in": (AXONS,)}), (population,), ("neurons",), "small"),
            cores=(core,),
            host_start=np.arange(AXONS + 1, dtype=np.int64),
            host_core=axons * 0,
            host_axon=axons,
        )


def small_case(text: str) -> SmallCase:
    """The case of a regression file."""
    return SmallCase(**json.loads(text))


def difference(case: SmallCase, cores: RtlCores) -> Difference | None:
    """The case on cores that others have used before."""
    image = case.image()
    program = rtl_program(image, build_of(case.stages))
    reference = program.reference(TICKS)
    events = sorted(case.events, key=lambda event: event[0])
    tick, axon = np.array(events, np.int64).reshape(-1, 2).T
    stimulus = Stimulus(tick, axon.astype(np.int32))
    assert program.load(cores) == ()
    expected, _ = reference.advance(stimulus, 0, TICKS)
    share, wait, seed = case.stalls
    stalls = Stalls(share, wait, int(seed))
    record = cores.run(reference.events(stimulus, 0, TICKS), 0, TICKS, stalls, reference.most_packets * TICKS)
    return first_difference(expected, record, [0, NEURONS])


def _each(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, min_size=NEURONS, max_size=NEURONS)


@st.composite
def small_cases(draw: st.DrawFn) -> SmallCase:
    """Any registers that the build has; small numbers first."""
    build = build_of(1)
    potential = st.integers(-(1 << build.v_bits - 1), (1 << build.v_bits - 1) - 1)
    threshold = st.integers(-(1 << build.v_bits), (1 << build.v_bits) - 1)
    weight = st.integers(-(1 << build.weight_bits - 1), (1 << build.weight_bits - 1) - 1)
    mode = draw(st.integers(0, 2))
    most = {0: 4096, 1: 31, 2: (1 << build.v_bits - 1) - 1}[mode]
    profile = {
        "input_shift": draw(st.integers(0, 3)),
        "current_keep": draw(st.one_of(st.just(0), st.integers(0, 4096))),
        "leak_mode": mode,
        "leak_amount": draw(st.integers(0, most)),
        "compare": draw(st.integers(0, 1)),
        "reset": draw(st.integers(0, 2)),
        "reset_value": draw(potential),
        "period": draw(st.integers(0, 3)),
        "overflow": draw(st.integers(0, 1)),
    }
    return SmallCase(
        stages=draw(st.sampled_from([1, 3])),
        profile=profile,
        threshold=draw(_each(threshold)),
        bias=draw(_each(potential)),
        bias_start=draw(_each(st.integers(0, 3))),
        weight=draw(st.lists(_each(weight), min_size=AXONS, max_size=AXONS)),
        routes=draw(_each(st.lists(st.integers(0, AXONS - 1), max_size=2))),
        events=draw(st.lists(st.tuples(st.integers(0, TICKS - 1), st.integers(0, AXONS - 1)).map(list), max_size=12)),
        stalls=[draw(st.sampled_from([0.0, 0.5])), draw(st.sampled_from([0.0, 0.5])), draw(st.integers(0, 3))],
    )
