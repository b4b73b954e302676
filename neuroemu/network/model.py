"""The logical spiking network: what the user wants, in discrete time, before any chip is chosen.

One tick is one step of the source framework. Arrays are float64; a population's neurons are numbered in C order of its
``shape`` (channel first for images: ``(channels, height, width)``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import Finding
from neuroemu.network.connectivity import Connectivity, Sparse

FloatArray = NDArray[np.float64]
Compare = Literal["gt", "ge"]
Reset = Literal["zero", "subtract", "subtract_snntorch", "none"]


@dataclass(frozen=True)
class Neuron:
    """A discrete-time point neuron; every array has shape ``(size,)`` of its population.

    Per tick, with ``x`` the summed input (synapses, biases)::

        i = current_decay * i + current_gain * x        (only when current_decay is given; else i = x)
        v = membrane_decay * v + leak_input + input_gain * i
        spike = v > threshold   (compare "gt")   or   v >= threshold   (compare "ge")
        reset per ``reset``; see docs and ``reference.py`` for reset_delay, multispike and min_v

    ``threshold`` None means an analog read-out: the output is ``v`` itself. All state is 0 before tick 0. After a spike
    ``v`` is held at ``reset_value`` and cannot fire for ``refractory_ticks`` ticks.
    """

    membrane_decay: FloatArray
    input_gain: FloatArray
    leak_input: FloatArray
    threshold: FloatArray | None
    reset_value: FloatArray
    current_decay: FloatArray | None = None
    current_gain: FloatArray | None = None
    compare: Compare = "gt"
    reset: Reset = "zero"
    reset_delay: bool = False
    multispike: bool = False
    min_v: float | None = None
    refractory_ticks: int = 0
    kind: str = "lif"
    """Name of the source model for reports: lif, if, cubalif, li, cubali, i, threshold, readout."""

    @property
    def size(self) -> int:
        return int(self.membrane_decay.shape[0])

    @property
    def spiking(self) -> bool:
        return self.threshold is not None

    def spread(self, size: int) -> Neuron:
        """The same neuron ``size`` times; a neuron that is neither of size 1 nor ``size`` raises ``ValueError``."""
        if self.size == size:
            return self
        if self.size != 1:
            raise ValueError(f"a neuron with {self.size} parameter values cannot fill {size} places")
        given = {name: getattr(self, name) for name in PARAMETERS}
        spread: dict[str, Any] = {k: np.broadcast_to(v, (size,)) for k, v in given.items() if v is not None}
        return replace(self, **spread)


PARAMETERS = (
    "membrane_decay",
    "input_gain",
    "leak_input",
    "threshold",
    "reset_value",
    "current_decay",
    "current_gain",
)
"""The per-neuron arrays of :class:`Neuron`."""


@dataclass(frozen=True)
class Population:
    """A named group of neurons of one model; ``neuron`` None marks an input whose spikes come from outside."""

    name: str
    shape: tuple[int, ...]
    neuron: Neuron | None = None

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_input(self) -> bool:
        return self.neuron is None


@dataclass(frozen=True)
class Projection:
    """Synapses from ``source`` to ``target``: linear stages applied in order, plus a bias added in every tick.

    ``delay_ticks`` 0 acts in the tick of the presynaptic spike (feed-forward), 1 reads the previous tick's spikes
    (feedback). ``bias`` has shape ``(target size,)`` and is present from tick 0 on.
    """

    name: str
    source: str
    target: str
    stages: tuple[Connectivity, ...]
    delay_ticks: int = 0
    bias: FloatArray | None = None

    @property
    def least_delay_ticks(self) -> int:
        """Ticks that every spike of the projection waits at least, those of listed synapses included."""
        delays = (stage.delay for stage in self.stages if isinstance(stage, Sparse))
        return self.delay_ticks + sum(int(delay.min()) for delay in delays if delay is not None and delay.size)


@dataclass(frozen=True)
class Network:
    """Populations and projections with named inputs and outputs.

    ``populations`` keeps a topological order over zero-delay projections. ``dt_s`` is the source framework's step in
    seconds of model time (never the chip's tick).
    """

    name: str
    populations: Mapping[str, Population]
    projections: tuple[Projection, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dt_s: float
    dialect: str = ""
    findings: tuple[Finding, ...] = field(default=())

    def incoming(self, population: str) -> tuple[Projection, ...]:
        """Projections that end in ``population``."""
        return tuple(projection for projection in self.projections if projection.target == population)

    def outgoing(self, population: str) -> tuple[Projection, ...]:
        """Projections that start in ``population``."""
        return tuple(projection for projection in self.projections if projection.source == population)

    def analog_sources(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Populations without threshold that feed others, and which."""
        fed = {name: tuple(item.target for item in self.outgoing(name)) for name in self.populations}
        neurons = {name: population.neuron for name, population in self.populations.items()}
        return tuple(
            (name, fed[name]) for name, neuron in neurons.items() if fed[name] and neuron and not neuron.spiking
        )

    @property
    def neuron_count(self) -> int:
        return sum(population.size for population in self.populations.values() if not population.is_input)
