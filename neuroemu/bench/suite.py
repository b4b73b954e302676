"""Runs several benchmarks in turn and shows their figures as rows of a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from neuroemu.bench.child import measure_apart
from neuroemu.bench.files import write_network
from neuroemu.bench.measure import Measured, Setting, Tell
from neuroemu.bench.peers import PEERS, PeerRun, run_peer
from neuroemu.bench.workloads import LOIHI_CUBA, arrays_of, unknown, unsuitable
from neuroemu.errors import BadInput

HEADING = (
    f"{'network':<18} {'neurons':>9} {'synapses':>12} {'ticks':>6} {'events':>14} {'CPU s':>9} {'wall s':>9} {'M/CPU s':>9} "
    f"{'memory':>9} {'limit':>6} {'spikes':>12} {'hash of spikes':>18}"
)


@dataclass(frozen=True)
class Against:
    """Peers to run after each network: name -> interpreter, and the seconds after which one is stopped."""

    interpreters: Mapping[str, str]
    seconds: float = 900.0


NOBODY = Against({})


def bench(
    names: Sequence[str],
    setting: Setting,
    on_result: Callable[[Measured], None],
    tell: Tell = lambda text: None,
    against: Against = NOBODY,
) -> tuple[Measured, ...]:
    """Run networks by name or .npz file, one after the other, each in a process of its own; then the peers, in turn.

    Raises:
        BadInput: NE7101 for names that are neither, NE7102 for files that hold no such network, NE7106 for a chip of another
            family; all at once. NE7103 when a process gave no result.
        DoesNotFit: the chip cannot hold the network.
    """
    if findings := [*unsuitable(setting.chip), *(finding for name in names for finding in unknown(name))]:
        raise BadInput(findings)
    results = []
    for name in names:
        own = measure_apart(name, setting, tell)
        results.append(replace(own, peers=_peers(name, own, against, tell)))
        on_result(results[-1])
    return tuple(results)


def _peers(name: str, own: Measured, against: Against, tell: Tell) -> dict[str, PeerRun]:
    """Each peer on the same arrays, with the ratio of our events per CPU second to its own; none on Loihi's own network."""
    if not against.interpreters or name == LOIHI_CUBA:
        return {}
    runs = {}
    net = arrays_of(name)
    sizes = {"synapses": own.synapses, "longest_delay": int(net["delays"].max(initial=1))}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "network.npz"
        write_network(file, net)
        del net
        for peer, python in against.interpreters.items():
            tell(f"{name}: {peer}")
            run = run_peer(PEERS[peer], python, file, sizes, own.threads, against.seconds)
            rate = run.events_per_cpu_s
            runs[peer] = replace(run, ratio=own.events_per_cpu_s / rate if rate else None)
    return runs


def as_json(result: Measured) -> str:
    """One JSON object on one line."""
    return json.dumps(asdict(result))


def as_rows(result: Measured) -> str:
    """A line under ``HEADING``, and one per peer."""
    row = (
        f"{result.net:<18} {result.neurons:>9,} {result.synapses:>12,} {result.ticks:>6,} {result.synaptic_events:>14,} "
        f"{result.cpu_s:>9.4f} {result.wall_s:>9.4f} {result.events_per_cpu_s / 1e6:>9.1f} {_megabytes(result.peak_rss_mb):>9} "
        f"{result.fraction_of_limit:>6.0%} {result.spikes:>12,} {result.raster_hash:>18}"
    )
    return "\n".join([row, *(_peer_row(run) for run in result.peers.values())])


def _peer_row(run: PeerRun) -> str:
    if run.failed or run.synaptic_events is None:
        return f"  {run.peer:<16} not run: {run.failed}"
    return (
        f"  {run.peer:<16} {'':>9} {'':>12} {'':>6} {run.synaptic_events:>14,} {run.cpu_s:>9.4f} {run.wall_s:>9.4f} "
        f"{(run.events_per_cpu_s or 0) / 1e6:>9.1f} {_megabytes(run.peak_rss_mb):>9} {'':>6} {run.spikes:>12,} "
        f"{run.ratio or 0:>16.1f} x"
    )


def _megabytes(memory: float | None) -> str:
    return "unknown" if memory is None else f"{memory:.0f} MB"
