"""What a NIR file does not say: the step, the update rule and the reset of the framework that wrote it.

NIR's equations are continuous-time and a file carries neither ``dt`` nor a reset rule, so a :class:`Dialect` supplies
them. Presets come from the export modules of snnTorch 1.0.0, SpikingJelly 2.0.0, Norse 1.1.0, Sinabs 3.1.3 and Rockpool
3.1.0 and from the NIR repository's Lava script; recorded cases prove all but ``rockpool`` and ``lava`` spike-exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.network.graph import nearest_name
from neuroemu.network.model import Compare, Reset

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Dialect:
    """How to read the numbers of a NIR file.

    Attributes:
        name: preset name, or what the user called it.
        dt_s: seconds per step (1.0 = the file counts in steps); None = must be guessed or given.
        decay: ``euler`` 1 - dt/tau, ``exp`` exp(-dt/tau).
        gain: input gain ``matched`` r * (1 - decay) or ``euler`` r * dt/tau (the same under ``decay="euler"``).
        compare: fires when v ``gt`` or ``ge`` threshold.
        reset: ``zero`` (to the file's v_reset), ``subtract``, ``subtract_snntorch``, ``none``.
        reset_delay: the reset is applied at the start of the next step (snnTorch's default).
        multispike: floor(v / threshold) spikes per step.
        min_v: lower bound of the membrane after the reset; None = none.
        tau_times_dt: the writer multiplied tau by dt (Norse 1.1.0, issue 411): divide.
        if_without_dt: IF adds r * I per step, without dt (Norse).
        dt_from_r: recover dt from r = tau * exp(-dt/tau) / dt (Rockpool).
        snap: undo the float32 rounding of tau and r (Euler only).
        fixed_point: the source computed in fixed point; the float reading is an approximation of it (Lava's script).
    """

    name: str
    dt_s: float | None = None
    decay: Literal["euler", "exp"] = "euler"
    gain: Literal["matched", "euler"] = "matched"
    compare: Compare = "gt"
    reset: Reset = "zero"
    reset_delay: bool = False
    multispike: bool = False
    min_v: float | None = None
    tau_times_dt: bool = False
    if_without_dt: bool = False
    dt_from_r: bool = False
    snap: bool = False
    fixed_point: bool = False


_SNNTORCH = Dialect("snntorch", 1e-4, snap=True)
PRESETS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("nir"),
        replace(_SNNTORCH, reset="subtract", reset_delay=True),
        replace(_SNNTORCH, name="snntorch-soft", reset="subtract_snntorch"),
        replace(_SNNTORCH, name="snntorch-hard"),
        Dialect("norse", 1e-3, if_without_dt=True),
        Dialect("norse-1.1", 1e-3, if_without_dt=True, tau_times_dt=True),
        Dialect("sinabs", 1.0, "exp", compare="ge", reset="subtract", multispike=True),
        Dialect("spikingjelly", 1e-4, compare="ge"),
        Dialect("rockpool", None, "exp", "euler", reset="subtract", dt_from_r=True),
        Dialect("lava", 1e-4, fixed_point=True),
    )
}
"""Named dialects; ``auto`` is not one of them, it chooses one (:func:`guess_dialect`)."""

DT_ASSUMED_S = 1e-4
"""The step assumed under ``auto`` when neither the file nor the preset tells: what most exporters write."""

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "decay": ("euler", "exp"),
    "gain": ("matched", "euler"),
    "compare": ("gt", "ge"),
    "reset": ("zero", "subtract", "subtract_snntorch", "none"),
}


def named_dialect(name: str) -> Dialect:
    """The preset ``name``.

    Raises:
        BadInput: NE1031 with the known names and the nearest one.
    """
    if name in PRESETS:
        return PRESETS[name]
    nearest = nearest_name(name, (*PRESETS, "auto"))
    fixes = (f"did you mean {nearest!r}?",) if nearest else ()
    raise BadInput(
        Finding("NE1031", f"there is no dialect {name!r}; there are auto, {', '.join(PRESETS)}", "--dialect", fixes)
    )


def override(dialect: Dialect, overrides: Mapping[str, Any]) -> Dialect:
    """``dialect`` with single keys replaced.

    Raises:
        BadInput: NE1035 for every unknown key and every value outside its choices.
    """
    known = {field.name for field in fields(Dialect)} - {"name"}
    findings = []
    for key, value in overrides.items():
        if key not in known:
            nearest = nearest_name(key, known)
            fixes = (f"did you mean {nearest!r}?",) if nearest else ()
            message = f"a dialect has no key {key!r}; it has {', '.join(sorted(known))}"
            findings.append(Finding("NE1035", message, "dialect", fixes))
        elif not _allowed(key, value):
            allowed = ", ".join(_CHOICES[key]) if key in _CHOICES else _expected(key)
            findings.append(Finding("NE1035", f"{key} cannot be {value!r}; it is {allowed}", "dialect"))
    if findings:
        raise BadInput(findings)
    return replace(dialect, **dict(overrides))


def _allowed(key: str, value: object) -> bool:
    if key in _CHOICES:
        return value in _CHOICES[key]
    if key in ("dt_s", "min_v"):
        if value is None:
            return True
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
        return is_number and (key == "min_v" or float(value) > 0)  # type: ignore[arg-type]
    return isinstance(value, bool)


def _expected(key: str) -> str:
    return {"dt_s": "a positive number of seconds", "min_v": "a number or None"}.get(key, "true or false")


def case_dialect(case: Mapping[str, Any]) -> Dialect:
    """The dialect of a recorded case (``case.json``).

    Keys of its ``dialect`` entry: dt, decay, compare, reset, reset_delay, multispike, min_v, snap; the exporter quirks
    ``tau_fix_rule`` and ``if_rule`` hold prose, their presence counts. An absent key is false.
    """
    given = dict(case.get("dialect", {}))
    keys = ("decay", "compare", "reset", "reset_delay", "multispike", "min_v", "snap")
    known: dict[str, Any] = {key: given[key] for key in keys if key in given}
    known["dt_s"] = given.get("dt")
    known["tau_times_dt"] = "tau_fix_rule" in given
    known["if_without_dt"] = "if_rule" in given
    return override(Dialect(f"recorded {case.get('framework', 'case')}"), known)


@dataclass(frozen=True)
class NeuronEvidence:
    """What one neuron node shows: its name and type and the values that betray a writer (flattened float64)."""

    name: str
    type: str
    r: FloatArray
    taus: tuple[FloatArray, ...]
    w_in: FloatArray | None
    has_v_reset: bool
    double_precision: bool


@dataclass(frozen=True)
class FileEvidence:
    """What the whole file shows: the nir version, node names, neurons, and whether the weights are float32 (PyTorch's)."""

    version: str
    names: tuple[str, ...]
    neurons: tuple[NeuronEvidence, ...]
    single_precision_weights: bool

    @property
    def leaky(self) -> tuple[NeuronEvidence, ...]:
        return tuple(neuron for neuron in self.neurons if neuron.taus)

    @property
    def integrators(self) -> tuple[NeuronEvidence, ...]:
        return tuple(neuron for neuron in self.neurons if not neuron.taus)

    @property
    def taus(self) -> FloatArray:
        """Every time constant of the file."""
        return np.concatenate([tau for neuron in self.neurons for tau in neuron.taus] or [np.zeros(0)])


@dataclass(frozen=True)
class Guess:
    """A dialect, why it was chosen, and whether the file could have told its reset rule."""

    dialect: Dialect
    reasons: tuple[str, ...]
    reset_untold: bool = False


def guess_dialect(file: FileEvidence) -> Guess:
    """Who wrote this file, judged by what exporters leave behind.

    The order of the tests matters: names first (Rockpool), then the unit of tau (Sinabs counts steps, Norse 1.1 writes
    tau too small by dt), then the gain r * dt / tau = 1 (snnTorch), then what is left.
    """
    for judge in (_rockpool, _norse_tau_times_dt, _sinabs, _spikingjelly, _unit_gain, _norse):
        guess = judge(file)
        if guess is not None:
            return guess
    if not file.neurons:
        return Guess(
            replace(PRESETS["nir"], dt_s=DT_ASSUMED_S), ("no neuron has a time constant: the step is arbitrary",)
        )
    reason = f"no exporter recognised: NIR's equations as written, with a step of {DT_ASSUMED_S:g} s assumed"
    return Guess(replace(PRESETS["nir"], dt_s=DT_ASSUMED_S), (reason,), reset_untold=True)


def _all_one(neurons: Sequence[NeuronEvidence]) -> bool:
    return bool(neurons) and all(bool((neuron.r == 1.0).all()) for neuron in neurons)


def _rockpool(file: FileEvidence) -> Guess | None:
    by_name = [name for name in file.names if re.search(r"_(LIF|LIFNeuron|Linear|ExpSyn)\w*(Torch|Jax)$", name)]
    dt_s = _round_step(rockpool_step(file.leaky))
    if not by_name and dt_s is None:
        return None
    reasons = [f"module names like {by_name[0]!r}"] if by_name else []
    if dt_s is not None:
        reasons.append(f"r = tau * exp(-dt/tau) / dt holds for the round step {dt_s:g} s")
    return Guess(replace(PRESETS["rockpool"], dt_s=dt_s), tuple(reasons))


def unit_step(file: FileEvidence) -> float | None:
    """The step the values alone suggest: all input gains 1 for one round step, or time constants counted in steps."""
    taus = file.taus
    if _all_one(file.neurons) and taus.size and taus.min() > 0.5:
        return 1.0
    return _unit_gain_step(file.leaky)


def rockpool_step(leaky: Sequence[NeuronEvidence]) -> float | None:
    """The step that solves r = tau * exp(-dt/tau) / dt, when all neurons agree on one (relative 1e-4)."""
    ratios: list[FloatArray] = []
    for neuron in leaky:
        tau = neuron.taus[-1]
        if tau.shape != neuron.r.shape or not ((neuron.r > 0) & np.isfinite(neuron.r) & np.isfinite(tau)).all():
            return None
        ratios.append(tau * _solve_x_exp_x(1.0 / neuron.r))
    steps = np.concatenate(ratios) if ratios else np.zeros(0)
    if steps.size == 0 or not np.allclose(steps, steps[0], rtol=1e-4, atol=0):
        return None
    return float(np.median(steps))


def _solve_x_exp_x(y: FloatArray) -> FloatArray:
    """x > 0 with x * exp(x) = y (Lambert's W), by Newton's method from log(1 + y), which converges for every y > 0."""
    x = np.log1p(y)
    for _ in range(50):
        x = x - (x - y * np.exp(-x)) / (x + 1.0)
    return x


def _round_step(dt_s: float | None) -> float | None:
    """``dt_s`` when it is within 1e-4 of a step people choose (1, 2 or 5 times a power of ten)."""
    if dt_s is None or not dt_s > 0:
        return None
    exponent = np.floor(np.log10(dt_s) + 1e-9)
    for digit in (1.0, 2.0, 5.0, 10.0):
        candidate = float(f"{digit:g}e{int(exponent)}")
        if abs(dt_s - candidate) <= 1e-4 * candidate:
            return candidate
    return None


def _norse_tau_times_dt(file: FileEvidence) -> Guess | None:
    taus = file.taus
    if not taus.size or not _all_one(file.leaky) or _unit_gain_step(file.leaky) is not None:
        return None
    single = file.single_precision_weights and not any(neuron.double_precision for neuron in file.leaky)
    shortest_step_s = 1e-3 if single and not file.version.startswith("0.") else 1e-4
    if taus.max() >= shortest_step_s:
        return None
    why = f"r = 1 and every tau is at most {taus.max():.3g} s, shorter than Norse's step: Norse 1.1 writes tau * dt"
    return Guess(PRESETS["norse-1.1"], (why,))


def _sinabs(file: FileEvidence) -> Guess | None:
    if not _all_one(file.neurons):
        return None
    taus = file.taus
    if taus.size:
        if taus.min() <= 0.5:
            return None
        return Guess(
            PRESETS["sinabs"], (f"r = 1 and tau from {taus.min():g} to {taus.max():g}: time counted in steps",)
        )
    if any(neuron.has_v_reset for neuron in file.neurons):
        return None
    why = f"IF with r = 1 and no v_reset (nir {file.version or 'unknown'}; Sinabs pins nir <= 1.0.4)"
    return Guess(PRESETS["sinabs"], (why,))


def _spikingjelly(file: FileEvidence) -> Guess | None:
    """IF with r = 1/dt; else LIF under torch.fx names, or in double precision with a reset value beside float32 weights."""
    for step_s in (1e-4, 1e-3, 1e-2):
        integrators = file.integrators
        if integrators and all(np.allclose(neuron.r * step_s, 1.0, rtol=1e-6, atol=0) for neuron in integrators):
            return Guess(replace(PRESETS["spikingjelly"], dt_s=step_s), (f"IF with r = 1/dt for dt = {step_s:g} s",))
    if not file.leaky or any(neuron.type != "LIF" for neuron in file.leaky):
        return None
    numbered = [name for name in file.names if re.fullmatch(r"_\d+", name)]
    reasons = [f"torch.fx node names like {numbered[0]!r}"] if numbered else []
    if file.single_precision_weights and all(neuron.double_precision and neuron.has_v_reset for neuron in file.leaky):
        reasons.append("LIF in double precision with v_reset beside float32 weights")
    unit = _unit_gain_step(file.leaky)
    if not reasons or (unit is None and not _all_one(file.leaky)):
        return None
    reasons.append("r = 1" if unit is None else f"r * dt / tau = 1 for dt = {unit:g} s")
    return Guess(replace(PRESETS["spikingjelly"], dt_s=unit or PRESETS["spikingjelly"].dt_s), tuple(reasons))


def _unit_gain_step(leaky: Sequence[NeuronEvidence]) -> float | None:
    """The round step for which every input gain r * dt / tau (and w_in * dt / tau_syn) is 1."""
    if not leaky:
        return None
    for step_s in (1e-4, 1e-3, 1.0):
        if all(_gain_is_one(gain, tau, step_s) for neuron in leaky for gain, tau in _gains(neuron)):
            return step_s
    return None


def _gains(neuron: NeuronEvidence) -> Iterator[tuple[FloatArray, FloatArray]]:
    yield neuron.r, neuron.taus[-1]
    if neuron.w_in is not None and len(neuron.taus) == 2:
        yield neuron.w_in, neuron.taus[0]


def _gain_is_one(gain: FloatArray, tau: FloatArray, step_s: float) -> bool:
    with np.errstate(invalid="ignore", over="ignore"):
        product = gain * step_s / tau
    return bool((np.isclose(product, 1.0, rtol=1e-5, atol=0) | (np.isinf(gain) & np.isinf(tau))).all())


def _unit_gain(file: FileEvidence) -> Guess | None:
    dt_s = _unit_gain_step(file.leaky)
    if dt_s is None:
        return None
    reason = f"r * dt / tau = 1 for dt = {dt_s:g} s in every leaky neuron"
    if dt_s == 1e-4:
        return Guess(PRESETS["snntorch-hard"], (f"{reason}, as snnTorch writes",), reset_untold=True)
    return Guess(replace(PRESETS["nir"], dt_s=dt_s), (reason,), reset_untold=True)


def _norse(file: FileEvidence) -> Guess | None:
    if not _all_one(file.neurons) or any(neuron.double_precision for neuron in file.neurons):
        return None
    reasons = ["r = 1 in single precision" + (" and tau in seconds" if file.leaky else ", IF with v_reset")]
    paper_era = bool(file.leaky) and file.version.startswith("0.")
    if paper_era:
        reasons.append(f"written by nir {file.version}: files of that time use dt = 1e-4 s")
    return Guess(replace(PRESETS["norse"], dt_s=1e-4) if paper_era else PRESETS["norse"], tuple(reasons))
