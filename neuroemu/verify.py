"""Finds recorded behaviour of other people's software below given paths and replays it through the real emulator."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neuroemu.errors import BadInput, Finding, NeuroemuError
from neuroemu.families.lifcore.recorded import differing_energies, differing_spikes
from neuroemu.families.loihi.recorded import (
    MOST_TEXT_BYTES,
    Replay,
    read_text,
    replay_nets,
    replay_neurons,
    replay_weight_table,
)
from neuroemu.families.loihi.recorded_costs import replay_estimates, replay_results
from neuroemu.families.truenorth import recorded as truenorth

Status = Literal["passed", "failed", "unsupported"]
Replayer = Callable[[Path], Iterator[Replay]]


@dataclass(frozen=True)
class Case:
    """One replayed case. ``detail`` says what differs first, or which feature is missing."""

    file: str
    name: str
    status: Status
    compared: int
    differences: int
    detail: str

    def __str__(self) -> str:
        figures = f" {self.compared:,} values" if self.compared else ""
        more = f", {self.differences:,} differ" if self.differences else ""
        place = " ".join(part for part in (self.file, self.name) if part)
        return f"{self.status:<11} {place}{figures}{more}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class Outcome:
    """All cases of a verification."""

    cases: tuple[Case, ...]

    def count(self, status: Status) -> int:
        """Cases with this status."""
        return sum(case.status == status for case in self.cases)

    @property
    def last_line(self) -> str:
        return f"{self.count('passed')} passed, {self.count('failed')} failed, {self.count('unsupported')} unsupported"

    def exit_code(self, strict: bool) -> int:
        """1 on any failure or when nothing was recognised; with ``strict`` also when anything is unsupported."""
        bad = self.count("failed") > 0 or not self.cases or (strict and self.count("unsupported") > 0)
        return 1 if bad else 0

    def to_json(self) -> str:
        """``neuroemu.verify/1``."""
        document = {
            "schema": "neuroemu.verify/1",
            "passed": self.count("passed"),
            "failed": self.count("failed"),
            "unsupported": self.count("unsupported"),
            "cases": [
                {
                    "file": case.file,
                    "name": case.name,
                    "status": case.status,
                    "compared": case.compared,
                    "differences": case.differences,
                    "detail": case.detail,
                }
                for case in self.cases
            ],
        }
        return json.dumps(document, indent=1) + "\n"


def verify_paths(paths: Sequence[Path], on_case: Callable[[str], None] | None = None) -> Outcome:
    """Replay every recorded case below ``paths`` (default: the cases shipped with the project).

    Args:
        on_case: called with a line per case as it ends.

    Raises:
        BadInput: NE7001 for a path that does not exist.
    """
    wanted = list(paths) or [shipped_cases()]
    missing = [path for path in wanted if not path.exists()]
    if missing:
        raise BadInput(Finding("NE7001", "no such file or folder", str(path)) for path in missing)
    cases: list[Case] = []
    for path in wanted:
        for case in _cases_below(path, wanted):
            cases.append(case)
            if on_case is not None:
                on_case(str(case))
    return Outcome(tuple(cases))


def shipped_cases() -> Path:
    """Folder of the recorded cases that come with the project."""
    installed = Path(__file__).resolve().parent / "_golden"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[1] / "tests" / "golden"


def _cases_below(path: Path, everywhere: Sequence[Path]) -> Iterator[Case]:
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        shown = str(file.relative_to(path)) if path.is_dir() else file.name
        try:
            recognised = _recognise(file, everywhere)
        except Exception as error:  # noqa: BLE001  # whatever a damaged file makes us stumble over, it is a failure
            yield Case(shown, "", "failed", 0, 1, f"cannot be read: {type(error).__name__}: {error}")
            continue
        if recognised is None:
            continue
        if isinstance(recognised, str):
            yield Case(shown, "", "unsupported", 0, 0, recognised)
            continue
        yield from _replayed(recognised, file, shown)


def _replayed(replay: Replayer, file: Path, shown: str) -> Iterator[Case]:
    """Replay a recognised file; a file that cannot be replayed is a failure, never a silence."""
    try:
        for result in replay(file):
            status: Status = "failed" if result.differences or not result.compared else "passed"
            yield Case(shown, result.case, status, result.compared, result.differences, result.detail)
    except NeuroemuError as error:
        yield Case(shown, "", "failed", 0, 1, "; ".join(str(finding) for finding in error.findings))
    except Exception as error:  # noqa: BLE001  # a recorded case is input: no flaw of it may stop the others
        yield Case(shown, "", "failed", 0, 1, f"malformed case: {type(error).__name__}: {error}")


# ---------------------------------------------------------------------------- recognising files by their content


def _recognise(file: Path, everywhere: Sequence[Path] = ()) -> Replayer | str | None:
    """How to replay a file, or which missing feature it needs, or None when it is no case."""
    if file.name.endswith((".json", ".json.gz")):
        return _recognise_json(file, everywhere)
    if file.suffix == ".npz":
        return _recognise_npz(file, everywhere)
    return None


def _recognise_json(file: Path, everywhere: Sequence[Path]) -> Replayer | str | None:
    if file.stat().st_size > MOST_TEXT_BYTES:
        return None
    text = read_text(file)
    if file.name.endswith((".model.json", ".model.json.gz")):
        return lambda path: _replays(truenorth.replay_model(path, text, _finder(path, everywhere)))
    data = json.loads(text)
    if isinstance(data, list) and data and isinstance(data[0], dict):
        if {"energy_J", "timing_model", "neurons_updated"} <= data[0].keys():
            return lambda path: replay_results(json.loads(read_text(path)), path.name.split(".")[0])
        if {"n_chips", "links"} <= data[0].keys() or {"machine_chips", "cores_placed"} <= data[0].keys():
            return "SpiNNaker machine and mapping results (no spinnaker family yet)"
        return None
    return _recognise_object(data) if isinstance(data, dict) else None


def _recognise_object(data: Mapping[str, Any]) -> Replayer | str | None:
    if {"framework", "dialect"} <= data.keys():
        return replay_nir
    if {"d_u", "d_v", "vth_mant", "w_exp"} <= _keys_of_first(data.get("cases")):
        return replay_neurons
    if {"d_u", "d_v", "vth_mant", "groups"} <= _keys_of_first(data.get("nets")):
        return replay_nets
    if "results" in data and "sanafe" in str(data.get("tool", "")):
        return replay_simulated_chip
    if {"seed", "cases"} <= data.keys():
        return "Loihi learning engine (traces and rules)"
    if {"populations", "projections"} <= data.keys():
        return "SpiNNaker mapping of PyNN networks (no spinnaker family yet)"
    if {"source", "cases"} <= data.keys():
        return lambda path: _replays(truenorth.replay_behaviours(json.loads(read_text(path))))
    if {"cases", "networks", "activation_table"} <= data.keys() or {"board_runs", "akd1500"} <= data.keys():
        return "Akida layers and boards (no akida family yet)"
    if {"scenarios", "invariants"} <= data.keys():
        return "Akida edge learning (no akida family yet)"
    if {"qif", "diffusor_1d"} <= data.keys():
        return "Neurogrid analytic cases (no neurogrid family yet)"
    return None


def _keys_of_first(entries: Any) -> set[str]:
    first = entries[0] if isinstance(entries, list) and entries else None
    return set(first) if isinstance(first, dict) else set()


def _recognise_npz(file: Path, everywhere: Sequence[Path]) -> Replayer | str | None:
    with zipfile.ZipFile(file) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    if {"brian", "nwb"} <= names:
        return replay_weight_table
    if {"crossbar", "axon_type", "core_xy"} <= names or {"inputs", "spikes", "meta"} <= names:
        return lambda path: _replays(truenorth.replay_network(path, _finder(path, everywhere)))
    if "table" in names and any(name.startswith("V0") for name in names):
        return lambda path: _replays(truenorth.replay_neurons(path))
    if {"time_step", "neuron", "thr"} <= names or {"uniform", "gaussian_s1615"} <= names:
        return "SpiNNaker neurons, synapses and random numbers (no spinnaker family yet)"
    return None


# ---------------------------------------------------------------------------- crossbar cores


def _replays(results: Iterator[tuple[str, int, int, str]]) -> Iterator[Replay]:
    for result in results:
        yield Replay(*result)


def _finder(path: Path, everywhere: Sequence[Path]) -> Callable[[str], Path | None]:
    """Looks a file up by its name, beside ``path`` first and then below everything that is to be verified."""

    def find(name: str) -> Path | None:
        if name != Path(name).name:
            return None
        for folder in (path.parent, *(place if place.is_dir() else place.parent for place in everywhere)):
            for found in sorted(folder.rglob(name)):
                if found.is_file():
                    return found
        return None

    return find


# ---------------------------------------------------------------------------- SANA-FE's simulated Loihi


def replay_simulated_chip(path: Path) -> Iterator[Replay]:
    """Counts, energies and times from the recorded spikes; then spikes and their energies on the chip ``sanafe-loihi``."""
    yield from replay_estimates(path)
    recorded = json.loads(read_text(path))
    if "spikes_by_tick" in recorded:
        yield Replay(f"{recorded['name']} spikes", *differing_spikes(recorded))
        yield Replay(f"{recorded['name']} energies of these spikes", *differing_energies(recorded))


# ---------------------------------------------------------------------------- NIR exports against their framework


def replay_nir(path: Path) -> Iterator[Replay]:
    """The float reference on an exported network against the framework's own spikes, under the case's dialect."""
    from neuroemu.formats.dialects import case_dialect
    from neuroemu.formats.nir import load_nir
    from neuroemu.network.coding import predictions
    from neuroemu.network.reference import simulate

    case = json.loads(path.read_text())
    network = load_nir(path.parent / "network.nir", case_dialect(case))
    with np.load(path.parent / "data.npz", allow_pickle=False) as arrays:
        recorded = {name: arrays[name] for name in arrays.files}
    result = simulate(network, recorded["input"])
    output = result.output_of(network.outputs[0])
    compared = {"output": (output, recorded["out_spikes"].reshape(output.shape))}
    if "pred" in recorded:
        compared["prediction"] = (predictions(output), recorded["pred"])
    for name in sorted(recorded):
        if name.startswith("hidden__"):
            population = _hidden_population(network.populations, name.removeprefix("hidden__"))
            spikes = result.output_of(population)
            compared[name] = (spikes, recorded[name].reshape(spikes.shape))
    yield _differences(path.parent.name, compared)


def _hidden_population(names: Iterable[str], wanted: str) -> str:
    known = list(names)
    for name in (wanted, f"{wanted}.lif"):
        if name in known:
            return name
    raise KeyError(f"no population {wanted}; there are {', '.join(known)}")


def _differences(case: str, compared: Mapping[str, tuple[Any, Any]]) -> Replay:
    total = differing = 0
    detail = ""
    for name, (actual, wanted) in compared.items():
        wrong = np.asarray(actual) != np.asarray(wanted)
        total += wrong.size
        differing += int(wrong.sum())
        if wrong.any() and not detail:
            where = tuple(int(index) for index in np.argwhere(wrong)[0])
            detail = f"{name} at {where}: {np.asarray(actual)[where]}, recorded {np.asarray(wanted)[where]}"
    return Replay(case, total, differing, detail)
