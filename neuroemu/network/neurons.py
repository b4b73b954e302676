"""Discrete-time neurons from continuous-time parameters: time constants in seconds and a step give decays and gains.

The equations are those of NIR (Pedersen et al., Nature Communications 2024): ``tau dv/dt = (v_leak - v) + r I`` and,
for current-based models, ``tau_syn di/dt = -i + w_in I``. Every function accepts scalars or 1-D arrays and returns a
:class:`~neuroemu.network.model.Neuron` of size 1 or of the arrays' length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.network.model import Compare, Neuron, Reset

FloatArray = NDArray[np.float64]
Decay = Literal["euler", "exp"]
Gain = Literal["matched", "euler"]


class Firing(TypedDict, total=False):
    """What happens at the threshold; see :class:`~neuroemu.network.model.Neuron`."""

    compare: Compare
    reset: Reset
    reset_delay: bool
    multispike: bool
    min_v: float | None
    refractory_ticks: int


@dataclass(frozen=True)
class Discretisation:
    """How a time constant becomes a factor per step.

    ``decay``: ``euler`` 1 - dt/tau, ``exp`` exp(-dt/tau). ``gain`` of the input: ``matched`` r * (1 - decay), ``euler``
    r * dt/tau (the same under ``decay="euler"``). ``snap`` undoes float32 rounding of tau and r under Euler: the decay
    is rounded to float32 and a gain within 1e-6 of a whole number becomes it.
    """

    dt_s: float
    decay: Decay = "euler"
    gain: Gain = "matched"
    snap: bool = False

    def factors(self, tau_s: ArrayLike, resistance: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Decay and input gain per step; ``tau_s`` inf keeps all charge, then ``resistance`` inf means gain 1."""
        tau, r = np.broadcast_arrays(np.asarray(tau_s, float), np.asarray(resistance, float))
        step = self.dt_s / tau
        euler_gain = self._euler_gain(tau, r)
        if self.decay == "euler":
            return self._snapped_decay(1.0 - step), self.snapped_gain(euler_gain)
        decay = np.exp(-step)
        with np.errstate(invalid="ignore"):
            matched = np.where(np.isinf(tau), euler_gain, r * -np.expm1(-step))
        return decay, euler_gain if self.gain == "euler" else matched

    def _euler_gain(self, tau: FloatArray, r: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore", over="ignore"):
            return np.where(np.isinf(tau) & np.isinf(r), 1.0, r * self.dt_s / tau)

    def _snapped_decay(self, decay: FloatArray) -> FloatArray:
        return decay.astype(np.float32).astype(np.float64) if self.snap else decay

    def snapped_gain(self, gain: FloatArray) -> FloatArray:
        """``gain``, whole where it is within 1e-6 of a whole number (only with ``snap``, only under Euler)."""
        if not self.snap or self.decay != "euler":
            return gain
        whole = np.rint(gain)
        with np.errstate(invalid="ignore"):
            return np.where(np.abs(gain - whole) <= 1e-6 * np.abs(whole), whole, gain)


def lif(
    *,
    tau_mem_s: ArrayLike,
    dt_s: float,
    threshold: ArrayLike = 1.0,
    resistance: ArrayLike = 1.0,
    v_leak: ArrayLike = 0.0,
    v_reset: ArrayLike = 0.0,
    decay: Decay = "euler",
    gain: Gain = "matched",
    snap: bool = False,
    **firing: Unpack[Firing],
) -> Neuron:
    """Leaky integrate-and-fire: ``v <- b v + (1 - b) v_leak + g x``."""
    _refuse_bad_times("lif", dt_s, tau_mem_s=tau_mem_s)
    b, g = Discretisation(dt_s, decay, gain, snap).factors(tau_mem_s, resistance)
    return _neuron("lif", b, g, _leak(b, v_leak), threshold=threshold, reset_value=v_reset, firing=firing)


def integrate_and_fire(
    *,
    input_gain: ArrayLike = 1.0,
    threshold: ArrayLike = 1.0,
    v_reset: ArrayLike = 0.0,
    **firing: Unpack[Firing],
) -> Neuron:
    """No leak: ``v <- v + input_gain x``."""
    return _neuron("if", 1.0, input_gain, 0.0, threshold=threshold, reset_value=v_reset, firing=firing)


def cuba_lif(
    *,
    tau_syn_s: ArrayLike,
    tau_mem_s: ArrayLike,
    dt_s: float,
    threshold: ArrayLike = 1.0,
    resistance: ArrayLike = 1.0,
    w_in: ArrayLike = 1.0,
    v_leak: ArrayLike = 0.0,
    v_reset: ArrayLike = 0.0,
    decay: Decay = "euler",
    gain: Gain = "matched",
    snap: bool = False,
    **firing: Unpack[Firing],
) -> Neuron:
    """Current-based LIF: ``i <- bs i + gs x``, then ``v <- b v + (1 - b) v_leak + g i`` with the new ``i``."""
    _refuse_bad_times("cuba_lif", dt_s, tau_syn_s=tau_syn_s, tau_mem_s=tau_mem_s)
    rule = Discretisation(dt_s, decay, gain, snap)
    bs, gs = rule.factors(tau_syn_s, w_in)
    b, g = rule.factors(tau_mem_s, resistance)
    return _neuron("cubalif", b, g, _leak(b, v_leak), bs, gs, threshold, v_reset, firing)


def li(
    *,
    tau_mem_s: ArrayLike,
    dt_s: float,
    resistance: ArrayLike = 1.0,
    v_leak: ArrayLike = 0.0,
    decay: Decay = "euler",
    gain: Gain = "matched",
    snap: bool = False,
) -> Neuron:
    """Leaky integrator with analog output ``v``."""
    _refuse_bad_times("li", dt_s, tau_mem_s=tau_mem_s)
    b, g = Discretisation(dt_s, decay, gain, snap).factors(tau_mem_s, resistance)
    return _neuron("li", b, g, _leak(b, v_leak))


def cuba_li(
    *,
    tau_syn_s: ArrayLike,
    tau_mem_s: ArrayLike,
    dt_s: float,
    resistance: ArrayLike = 1.0,
    w_in: ArrayLike = 1.0,
    v_leak: ArrayLike = 0.0,
    decay: Decay = "euler",
    gain: Gain = "matched",
    snap: bool = False,
) -> Neuron:
    """Current-based leaky integrator with analog output ``v``."""
    _refuse_bad_times("cuba_li", dt_s, tau_syn_s=tau_syn_s, tau_mem_s=tau_mem_s)
    rule = Discretisation(dt_s, decay, gain, snap)
    bs, gs = rule.factors(tau_syn_s, w_in)
    b, g = rule.factors(tau_mem_s, resistance)
    return _neuron("cubali", b, g, _leak(b, v_leak), bs, gs)


def integrator(*, input_gain: ArrayLike = 1.0) -> Neuron:
    """Perfect integrator with analog output ``v``."""
    return _neuron("i", 1.0, input_gain, 0.0)


def threshold_gate(*, threshold: ArrayLike = 0.0, compare: Compare = "gt") -> Neuron:
    """Stateless: fires in every tick whose input exceeds the threshold."""
    return _neuron("threshold", 0.0, 1.0, 0.0, threshold=threshold, firing={"compare": compare, "reset": "none"})


def readout() -> Neuron:
    """Stateless analog output: the summed input of the tick."""
    return _neuron("readout", 0.0, 1.0, 0.0)


def time_constant_ticks(decay: FloatArray) -> float | None:
    """Time constant in ticks of the median decay factor; None where nothing decays or nothing is kept."""
    factor = float(np.median(decay)) if decay.size else 0.0
    return None if factor <= 0.0 or factor >= 1.0 else float(-1.0 / np.log(factor))


def _leak(decay: FloatArray, v_leak: ArrayLike) -> FloatArray:
    return (1.0 - decay) * np.asarray(v_leak, float)


def _neuron(
    kind: str,
    membrane_decay: ArrayLike,
    input_gain: ArrayLike,
    leak_input: ArrayLike,
    current_decay: ArrayLike | None = None,
    current_gain: ArrayLike | None = None,
    threshold: ArrayLike | None = None,
    reset_value: ArrayLike = 0.0,
    firing: Firing | None = None,
) -> Neuron:
    given = {
        "membrane_decay": membrane_decay,
        "input_gain": input_gain,
        "leak_input": leak_input,
        "reset_value": reset_value,
        "threshold": threshold,
        "current_decay": current_decay,
        "current_gain": current_gain,
    }
    arrays = {name: np.asarray(value, float) for name, value in given.items() if value is not None}
    try:
        shape = np.broadcast_shapes((1,), *(array.shape for array in arrays.values()))
    except ValueError:
        shape = (0, 0)
    if len(shape) != 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items() if array.ndim)
        raise BadInput(
            Finding(
                "NE1121",
                f"{kind} parameters must be scalars or 1-D arrays of one length: {shapes}",
                fixes=("give one value per neuron, or a scalar for all",),
            )
        )
    analog: Firing = {"reset": "none"}
    options = (firing or {}) if threshold is not None else analog
    spread: dict[str, Any] = {name: np.broadcast_to(array, shape) for name, array in arrays.items()}
    return Neuron(**{"threshold": None, **spread}, kind=kind, **options)


def _refuse_bad_times(kind: str, dt_s: float, **taus_s: ArrayLike) -> None:
    """``dt_s`` and every time constant must be positive; a time constant may be infinite (no leak)."""
    findings = []
    if not (np.isfinite(dt_s) and dt_s > 0):
        findings.append(Finding("NE1120", f"{kind}: dt_s is {dt_s}, a step must be positive", fixes=("give seconds",)))
    for name, tau_s in taus_s.items():
        values = np.asarray(tau_s, float)
        bad = ~(values > 0)
        if bad.any():
            worst = values[bad].ravel()[0]
            findings.append(
                Finding(
                    "NE1120",
                    f"{kind}: {name} is {worst:g} in {int(bad.sum())} of {values.size} values, it must be positive",
                    fixes=("give seconds; use inf for a neuron without leak",),
                )
            )
    if findings:
        raise BadInput(findings)
