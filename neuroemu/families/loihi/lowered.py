"""A network in Loihi's integers before it has places: what lowering hands to the mapping, and what rounding did to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import Finding
from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.weights import WEIGHT_BITS
from neuroemu.image.symbols import Port
from neuroemu.network.connectivity import Folded
from neuroemu.network.model import Network

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class LoweredPopulation:
    """Registers of one population.

    Attributes:
        tick_offset: the chip computes step ``t`` of the source framework in tick ``t + tick_offset``.
        current_decay, membrane_decay: int64 (size,) register values.
        threshold: mantissa; ``threshold << 6`` stands for the float threshold.
        bias_mantissa: int64 (size,); the drive is ``bias_mantissa << bias_exponent``.
        scale: float64 (size,), chip units per float unit of the membrane.
    """

    name: str
    shape: tuple[int, ...]
    tick_offset: int
    spiking: bool
    current_decay: IntArray
    membrane_decay: IntArray
    threshold: int
    bias_mantissa: IntArray
    bias_exponent: int
    refractory: int
    scale: FloatArray

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bias(self) -> IntArray:
        """int64 (size,), the drive in chip units."""
        drive: IntArray = dynamics.bias(self.bias_mantissa, self.bias_exponent)
        return drive


@dataclass(frozen=True)
class LoweredProjection:
    """Synapses of one projection; ``structure`` holds integer mantissas.

    ``delay`` is the synaptic delay field; ``late_ticks`` by how much the spike still arrives too late (long feedback).
    """

    name: str
    source: str
    target: str
    structure: Folded
    sign_mode: int
    weight_exponent: int
    delay: int
    late_ticks: int = 0
    weight_bits: int = WEIGHT_BITS


@dataclass(frozen=True)
class LayerRounding:
    """What rounding did to one population; errors are relative to the layer's largest weight or to its threshold."""

    population: str
    scale: float
    weight_exponent: int
    weight_bits: int
    weight_error_max: float
    weight_error_rms: float
    clipped_weights: int
    threshold_float: float | None
    threshold_chip: int | None
    threshold_error: float
    tau_membrane_ticks: float | None
    tau_membrane_chip_ticks: float | None
    tau_current_ticks: float | None
    tau_current_chip_ticks: float | None
    bias_error_max: float
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class LoweredNetwork:
    """A network in chip integers, what rounding did to it, and its float twin with the rounded numbers in chip units."""

    ports: tuple[Port, ...]
    populations: tuple[LoweredPopulation, ...]
    projections: tuple[LoweredProjection, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rounding: tuple[LayerRounding, ...]
    quantised: Network
    findings: tuple[Finding, ...] = field(default=())

    @property
    def output_offset(self) -> int:
        """Ticks by which the last output lags behind the float network."""
        offset = {population.name: population.tick_offset for population in self.populations}
        return max((offset[name] for name in self.outputs), default=0)
