"""Other simulators on the same networks, each in a process of its own with the interpreter that has it; none is imported here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroemu.errors import BadInput, Finding

RUNNERS = Path(__file__).parent / "runners"


@dataclass(frozen=True)
class Peer:
    """One simulator.

    Attributes:
        pins: versions whose figures are published.
        most_delay: longest delay in ticks that the runner can give it.
        bytes_per_synapse: memory while building, measured; a network that would not fit is not tried.
    """

    name: str
    module: str
    pins: str
    bytes_per_synapse: int
    most_delay: int = 63

    @property
    def runner(self) -> Path:
        return RUNNERS / f"run_{self.name}.py"

    @property
    def variable(self) -> str:
        """Environment variable that names its interpreter."""
        return f"NEUROEMU_PEER_{self.name.upper()}"


PEERS = {
    peer.name: peer
    for peer in (
        Peer("brian2", "brian2", "brian2==2.9.0 cython==3.3.1 numpy==2.2.6", bytes_per_synapse=80),
        Peer("nest", "nest", "nest-simulator==3.10.0 numpy==2.4.6", bytes_per_synapse=120),
        Peer("sanafe", "sanafe", "sanafe==2.2.9 numpy==2.4.6 pyyaml==6.0.3", bytes_per_synapse=1100, most_delay=1),
    )
}


@dataclass(frozen=True)
class PeerRun:
    """What a peer did with a network; figures are None where it could not run it, and ``failed`` says why.

    ``cpu_s`` and ``wall_s`` are its run time without building or compiling; ``spikes`` shows how far its arithmetic parts.
    """

    peer: str
    version: str = ""
    spikes: int | None = None
    synaptic_events: int | None = None
    cpu_s: float | None = None
    wall_s: float | None = None
    events_per_cpu_s: float | None = None
    build_s: float | None = None
    peak_rss_mb: float | None = None
    ratio: float | None = None
    failed: str = ""


def interpreters(names: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Peer -> the Python that has it: as given (``brian2=/path/python``), else from its variable, else this one.

    Raises:
        BadInput: NE7104 for unknown peers and malformed entries, NE7105 for peers that are not installed there; all at once.
    """
    entries = [entry.partition("=") for entry in given]
    findings = [_unknown(name) for name in names if name not in PEERS]
    findings += [_unknown(name) for name, sign, path in entries if name not in PEERS or not (sign and path)]
    if findings:
        raise BadInput(findings)
    chosen = {name: path for name, _, path in entries}
    found = {name: chosen.get(name) or os.environ.get(PEERS[name].variable) or sys.executable for name in names}
    if missing := [_missing(PEERS[name], python) for name, python in found.items() if not _has(python, PEERS[name])]:
        raise BadInput(missing)
    return found


def run_peer(peer: Peer, python: str, file: Path, net: Mapping[str, int], threads: int, seconds: float) -> PeerRun:
    """Run the network of ``file`` once; a peer that cannot is told, not raised.

    Args:
        net: ``synapses`` and ``longest_delay`` of the network.
        seconds: after which the peer is stopped.
    """
    if net["longest_delay"] > peer.most_delay:
        return PeerRun(peer.name, failed=f"delays beyond {peer.most_delay} ticks")
    needed, available = net["synapses"] * peer.bytes_per_synapse, _available_bytes()
    if available is not None and needed > 0.8 * available:
        return PeerRun(peer.name, failed=f"needs about {needed / 2**30:.0f} GiB, {available / 2**30:.0f} GiB are free")
    command = [python, str(peer.runner), str(file), str(threads)]
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            try:
                out, errors = process.communicate(timeout=seconds)
            except BaseException:
                _stop(process)
                raise
    except subprocess.TimeoutExpired:
        return PeerRun(peer.name, failed=f"stopped after {seconds:.0f} s")
    except OSError as error:
        return PeerRun(peer.name, failed=str(error))
    return _understood(peer.name, out, errors, process.returncode)


def _stop(process: subprocess.Popen[str]) -> None:
    """End the runner and what it started (Brian2 runs a compiled program)."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _understood(name: str, out: str, errors: str, code: int) -> PeerRun:
    """What the runner's last line tells."""
    if code != 0 or not out.strip():
        last = errors.strip().splitlines()[-1:] or ["no message"]
        return PeerRun(name, failed=f"exit code {code}: {last[0][:200]}")
    told: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return PeerRun(name, **told, events_per_cpu_s=told["synaptic_events"] / max(told["cpu_s"], 1e-9))


def _unknown(name: str) -> Finding:
    fixes = (f"use {', '.join(PEERS)}", "write --peer-python NAME=/path/to/python")
    return Finding("NE7104", f"there is no peer {name!r} or no interpreter is given for it", fixes=fixes)


def _missing(peer: Peer, python: str) -> Finding:
    fixes = (
        f"python -m venv peer && peer/bin/pip install {peer.pins}",
        f"name its interpreter: --peer-python {peer.name}=peer/bin/python, or the variable {peer.variable}",
    )
    return Finding("NE7105", f"{peer.name} is not installed for {python}", fixes=fixes)


def _has(python: str, peer: Peer) -> bool:
    question = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({peer.module!r}) is None)"
    try:
        return subprocess.run([python, "-c", question], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _available_bytes() -> int | None:
    """Memory that can still be had; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
