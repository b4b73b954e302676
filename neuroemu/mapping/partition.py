"""Splits neurons into parts that each fit a core, with few parts first and few messages between them second.

A net is a hypergraph: one hyperedge per source (the neuron that spikes or an external input) over its target neurons.
A part needs an *axon* for every distinct source of its neurons, local sources included, and a synapse list per axon.
A spike of a source is one message for every part, other than the source's own, that holds a target:
``messages = sum(rate * (lambda - 1))`` with the source's own part among the lambda parts.

Every algorithm has the prototype ``partition(hypergraph, limits, seed=0) -> part_of_neuron`` (int32[n], parts
numbered from 0 without gaps by their lowest neuron id), uses integers only and gives the same parts on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.errors import BadInput, DoesNotFit, Finding

if TYPE_CHECKING:
    from neuroemu.mapping._pins import Caps, Pins
    from neuroemu.mapping._tally import Parts

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

UNLIMITED = 1 << 60
OUTSIDE = -1
"""``home`` of a source that is no neuron of this net: every part that needs its spikes is remote."""


@dataclass(frozen=True)
class Hypergraph:
    """Sources and their target neurons, as rows: ``target[row_start[s]:row_start[s + 1]]`` are the targets of source s.

    Attributes:
        row_start: int64[S+1].
        target: int32[M], neuron ids below ``neurons``; a target listed twice has two synapses from that source.
        rate: int64[S], spikes of each source in the profiling window (1 when unknown), not negative.
        neurons: number of neurons to place.
        home: int32[S], the neuron whose spikes the source carries, or ``OUTSIDE``; empty: all are outside.
        list_format: int32[S], row of ``Limits.list_cost`` that prices the source's synapse lists; empty: 0 for all.
    """

    row_start: Int64
    target: Int32
    rate: Int64
    neurons: int
    home: Int32 = field(default_factory=lambda: np.zeros(0, np.int32))
    list_format: Int32 = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        sources = len(self.rate)
        object.__setattr__(self, "row_start", np.ascontiguousarray(self.row_start, np.int64))
        object.__setattr__(self, "target", np.ascontiguousarray(self.target, np.int32))
        object.__setattr__(self, "rate", np.ascontiguousarray(self.rate, np.int64))
        home = self.home if len(self.home) else np.full(sources, OUTSIDE)
        object.__setattr__(self, "home", np.ascontiguousarray(home, np.int32))
        formats = self.list_format if len(self.list_format) else np.zeros(sources)
        object.__setattr__(self, "list_format", np.ascontiguousarray(formats, np.int32))
        if findings := tuple(_malformed(self)):
            raise BadInput(findings)

    @property
    def sources(self) -> int:
        return len(self.rate)

    @cached_property
    def pins(self) -> Pins:
        """The hypergraph in both directions with parallel synapses merged, as the compiled loops read it."""
        from neuroemu.mapping import _pins

        column_start, none = np.zeros(self.neurons + 1, np.int64), np.zeros(0, np.int32)
        _pins.merge_columns(self.row_start, self.target, column_start, none, none)
        source, multiplicity = np.empty((2, int(column_start[-1])), np.int32)
        if len(source):
            _pins.merge_columns(self.row_start, self.target, column_start, source, multiplicity)
        row_start = np.zeros(self.sources + 1, np.int64)
        target, row_multiplicity = np.empty((2, len(source)), np.int32)
        _pins.turn_columns(column_start, source, multiplicity, row_start, target, row_multiplicity)
        emitting = np.flatnonzero(self.home >= 0)
        own = emitting[np.argsort(self.home[emitting], kind="stable")]
        counts = np.bincount(self.home[emitting], minlength=self.neurons)
        return _pins.Pins(
            row_start,
            target,
            row_multiplicity,
            column_start,
            source,
            multiplicity,
            self.rate,
            self.home.astype(np.int64),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            own.astype(np.int64),
            self.list_format,
        )


def _malformed(hypergraph: Hypergraph) -> Iterator[Finding]:
    starts, target = hypergraph.row_start, hypergraph.target
    if (
        len(starts) != hypergraph.sources + 1
        or starts[0] != 0
        or starts[-1] != len(target)
        or np.any(np.diff(starts) < 0)
    ):
        yield Finding("NE4001", f"row_start must rise from 0 to {len(target)} in {hypergraph.sources + 1} entries")
    if len(target) and (target.min() < 0 or target.max() >= hypergraph.neurons):
        yield Finding(
            "NE4001", f"targets must lie in 0..{hypergraph.neurons - 1}, found {target.min()}..{target.max()}"
        )
    if len(hypergraph.home) != hypergraph.sources or np.any(hypergraph.home >= hypergraph.neurons):
        yield Finding("NE4001", f"home must name a neuron below {hypergraph.neurons} or -1 for each of the sources")
    if len(hypergraph.list_format) != hypergraph.sources or np.any(hypergraph.list_format < 0):
        yield Finding("NE4001", "list_format must give one row number, not negative, for each of the sources")
    if np.any(hypergraph.rate < 0):
        yield Finding("NE4001", f"rates are spike counts and may not be negative, found {hypergraph.rate.min()}")


@dataclass(frozen=True)
class Additive:
    """A resource that neurons use up on their core in their own right: ``use`` int64[n] against ``limit`` per part."""

    name: str
    use: Int64
    limit: int


@dataclass(frozen=True)
class Limits:
    """What one core holds. ``None`` means without limit.

    Attributes:
        neurons: neurons on a core.
        axons: distinct sources (local ones too) of the neurons on a core.
        memory: units that the synapse lists of a core may use together.
        list_cost: int64[k+1] or int64[formats, k+1]: units of a source's list of 0..k synapses on one core, rising
            from 0; a longer list does not fit.
        outputs: output entries on a core: a source emitted there needs one for each remote part with a target.
        own_output: entries it needs besides when its own part holds a target (0 or 1).
        extra: further additive resources.
        names: the chip's own terms for ``neurons``, ``axons``, ``memory``, ``outputs``, used in messages.
    """

    neurons: int | None = None
    axons: int | None = None
    memory: int | None = None
    list_cost: Int64 = field(default_factory=lambda: np.zeros((1, 1), np.int64))
    outputs: int | None = None
    own_output: int = 0
    extra: tuple[Additive, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def resources(self) -> tuple[str, ...]:
        """Names in the order of the columns of ``Use.used``."""
        keys = ("neurons", "axons", "memory", "outputs")
        return tuple(self.names.get(key, key) for key in keys) + tuple(extra.name for extra in self.extra)

    @property
    def limit(self) -> Int64:
        """int64[4 + extras], ``UNLIMITED`` where there is none."""
        values = [self.neurons, self.axons, self.memory, self.outputs, *(extra.limit for extra in self.extra)]
        return np.array([UNLIMITED if value is None else value for value in values], np.int64)

    @property
    def is_limited(self) -> tuple[bool, ...]:
        """Which of the resources have a limit."""
        return tuple(bool(limit < UNLIMITED) for limit in self.limit)

    def caps(self, hypergraph: Hypergraph) -> Caps:
        """The limits as the compiled loops read them, the list cost extended to the longest list of the net.

        Raises:
            BadInput: NE4002 when the list cost does not rise from 0, lacks a format, or an extra has a wrong length.
        """
        from neuroemu.mapping._pins import Caps

        table = np.atleast_2d(np.asarray(self.list_cost, np.int64))
        if findings := tuple(_malformed_limits(self, table, hypergraph)):
            raise BadInput(findings)
        longest = int(np.diff(hypergraph.row_start).max(initial=0))
        if self.memory is None and table.shape[1] == 1:
            cost = np.zeros((table.shape[0], longest + 1), np.int64)
        else:
            too_much = (UNLIMITED if self.memory is None else self.memory) + 1
            cost = np.full((table.shape[0], longest + 1), too_much, np.int64)
            cost[:, : table.shape[1]] = table[:, : longest + 1]
        use = np.zeros((hypergraph.neurons, len(self.extra)), np.int64)
        for column, extra in enumerate(self.extra):
            use[:, column] = extra.use
        return Caps(self.limit, cost, use, np.array([self.own_output], np.int64))


def _malformed_limits(limits: Limits, table: Int64, hypergraph: Hypergraph) -> Iterator[Finding]:
    if table.ndim != 2 or np.any(table[:, 0] != 0) or np.any(np.diff(table, axis=1) < 0):
        yield Finding("NE4002", "list_cost must start at 0 for an empty list and never fall")
    formats = int(hypergraph.list_format.max(initial=0)) + 1
    if table.shape[0] < formats:
        yield Finding("NE4002", f"list_cost has {table.shape[0]} rows, the sources use {formats} formats")
    for extra in limits.extra:
        if len(extra.use) != hypergraph.neurons or np.any(np.asarray(extra.use) < 0):
            yield Finding("NE4002", f"{extra.name}: use must have {hypergraph.neurons} entries, none negative")


def linear_list_cost(longest: int, per_synapse: int = 1, per_list: int = 0) -> Int64:
    """Cost table of lists that take ``per_list`` units plus ``per_synapse`` for each synapse; int64[longest + 1]."""
    cost = per_list + per_synapse * np.arange(longest + 1, dtype=np.int64)
    cost[0] = 0
    return cost


# ------------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Use:
    """Exact figures of a partition.

    Attributes:
        messages: sum of ``rate * (lambda - 1)``: spikes that leave their part, counted once per destination part.
        used: int64[K, 4 + extras]: neurons, axons, memory, outputs, extras of every part.
        resources: names of the columns.
    """

    messages: int
    used: Int64
    resources: tuple[str, ...]

    @property
    def parts(self) -> int:
        return len(self.used)

    @property
    def neurons(self) -> Int64:
        return self.used[:, 0]

    @property
    def axons(self) -> Int64:
        return self.used[:, 1]

    @property
    def memory(self) -> Int64:
        return self.used[:, 2]

    @property
    def outputs(self) -> Int64:
        return self.used[:, 3]


def deliveries(hypergraph: Hypergraph, parts: Int32) -> tuple[Int64, Int64, Int64]:
    """Every (source, part, synapses) with at least one synapse, by source then part; three int64 arrays."""
    from neuroemu.mapping import _pins
    from neuroemu.mapping.rows import grouped

    parts, count = np.asarray(parts, np.int32), _part_count(parts)
    arguments = (hypergraph.row_start, hypergraph.target, parts, count)
    found = np.empty((3, _pins.count_deliveries(*arguments, *np.empty((3, 0), np.int64))), np.int64)
    if found.shape[1]:
        _pins.count_deliveries(*arguments, *found)
    _, by_part = grouped(found[1], count)
    _, by_source = grouped(found[0][by_part], hypergraph.sources)
    source, part, synapses = found[:, by_part[by_source]]
    return source, part, synapses


def home_parts(hypergraph: Hypergraph, parts: Int32) -> Int32:
    """The part each source's spikes start from, -1 for sources outside; int32[S]."""
    if len(parts) == 0:
        return np.full(hypergraph.sources, OUTSIDE, np.int32)
    return np.where(hypergraph.home >= 0, np.asarray(parts, np.int32)[hypergraph.home], np.int32(OUTSIDE))


def measure(hypergraph: Hypergraph, limits: Limits, parts: Int32) -> Use:
    """Messages and the use of every limited resource, counted from scratch (no code shared with the algorithms)."""
    return _count_use(hypergraph, limits, parts, deliveries(hypergraph, parts))


def _count_use(hypergraph: Hypergraph, limits: Limits, parts: Int32, delivered: tuple[Int64, Int64, Int64]) -> Use:
    source, part, synapses = delivered
    home = home_parts(hypergraph, parts)
    count = _part_count(parts)
    caps = limits.caps(hypergraph)
    used = np.zeros((count, len(limits.resources)), np.int64)
    used[:, 0] = np.bincount(parts, minlength=count)
    used[:, 1] = np.bincount(part, minlength=count)
    np.add.at(used[:, 2], part, caps.cost[hypergraph.list_format[source], synapses])
    remote = home[source] != part
    emitted = home[source] >= 0
    used[:, 3] = np.bincount(home[source[remote & emitted]], minlength=count)
    used[:, 3] += limits.own_output * np.bincount(part[~remote], minlength=count)
    np.add.at(used[:, 4:], parts, caps.use)
    return Use(int(hypergraph.rate[source[remote]].sum()), used, limits.resources)


def part_traffic(hypergraph: Hypergraph, parts: Int32) -> sp.csr_array:
    """Messages between parts, int64 (K, K): row the sender, column the receiver; sources outside send none."""
    source, part, _ = deliveries(hypergraph, parts)
    home = home_parts(hypergraph, parts)[source]
    sent = (home >= 0) & (home != part)
    count = _part_count(parts)
    traffic = sp.coo_array((hypergraph.rate[source[sent]], (home[sent], part[sent])), shape=(count, count)).tocsr()
    traffic.eliminate_zeros()
    return traffic


def check_parts(hypergraph: Hypergraph, limits: Limits, parts: Int32) -> tuple[Finding, ...]:
    """Every broken limit of a partition, recounted from scratch: the resource, the part and by how much (NE4010)."""
    parts = np.asarray(parts)
    if parts.shape != (hypergraph.neurons,) or (len(parts) and parts.min() < 0):
        return (
            Finding(
                "NE4003", f"a partition needs one part number, not negative, for each of {hypergraph.neurons} neurons"
            ),
        )
    use = measure(hypergraph, limits, parts)
    limit = limits.limit
    findings = []
    for part, column in zip(*np.nonzero(use.used > limit), strict=True):
        name, need, most = use.resources[column], int(use.used[part, column]), int(limit[column])
        message = f"core {part} needs {need} {name}, the limit is {most} ({need - most} too many)"
        findings.append(
            Finding("NE4010", message, f"core {part}", (f"spread the neurons of core {part} over more cores",))
        )
    return tuple(findings)


def _part_count(parts: Int32) -> int:
    return int(np.max(parts, initial=-1)) + 1


@dataclass(frozen=True)
class LowerBound:
    """No legal partition has fewer parts than ``parts``; ``resource`` is the limit that says so."""

    parts: int
    resource: str


def lower_bound(hypergraph: Hypergraph, limits: Limits) -> LowerBound:
    """``max over limits of ceil(total / limit)``.

    The totals are what any partition needs at least: every used source has an axon somewhere, and a list of k synapses
    costs at least k times the cheapest synapse of its format. Loose for nets bound by axons.
    """
    caps = limits.caps(hypergraph)
    lengths = np.diff(hypergraph.row_start)
    totals = np.zeros(len(limits.resources), np.int64)
    totals[0] = hypergraph.neurons
    totals[1] = np.count_nonzero(lengths)
    totals[2] = _least_memory(caps.cost, hypergraph.list_format, lengths)
    totals[4:] = caps.use.sum(axis=0)
    needed = -(-totals // np.maximum(limits.limit, 1))
    binding = int(np.argmax(needed))
    return LowerBound(max(int(needed[binding]), int(hypergraph.neurons > 0)), limits.resources[binding])


def _least_memory(cost: Int64, list_format: Int32, lengths: Int64) -> int:
    """Memory of all lists at the best price per synapse that a format offers, rounded down per format."""
    least = 0
    for row in range(cost.shape[0]):
        synapses = int(lengths[list_format == row].sum())
        if synapses:
            best = min(((int(c), k) for k, c in enumerate(cost[row]) if k), key=lambda price: price[0] / price[1])
            least += synapses * best[0] // best[1]
    return least


def oversized_neurons(hypergraph: Hypergraph, limits: Limits) -> tuple[Finding, ...]:
    """Neurons that no core holds even alone (NE4011), one finding per resource with the worst neuron."""
    from neuroemu.mapping import _pins

    pins, caps, limit = hypergraph.pins, limits.caps(hypergraph), limits.limit
    alone = np.zeros((hypergraph.neurons, len(limits.resources)), np.int64)
    alone[:, 0] = 1
    alone[:, 1] = np.diff(pins.column_start)
    alone[:, 2] = _pins.lists_alone(pins, caps.cost)
    alone[:, 4:] = caps.use
    findings = []
    for column, name in enumerate(limits.resources):
        broken = np.flatnonzero(alone[:, column] > limit[column])
        if len(broken):
            worst = int(broken[np.argmax(alone[broken, column])])
            need, most = int(alone[worst, column]), int(limit[column])
            message = (
                f"{len(broken)} neurons fit no core: neuron {worst} alone needs {need} {name}, "
                f"the limit is {most} ({need - most} too many)"
            )
            fixes = ("reduce the fan-in or the weight precision of these neurons", "choose a chip with larger cores")
            findings.append(Finding("NE4011", message, f"neuron {worst}", fixes))
    return tuple(findings)


# ------------------------------------------------------------------------------------------------------ algorithms


class Partitioner(Protocol):
    """Prototype of every first-stage algorithm."""

    def __call__(self, hypergraph: Hypergraph, limits: Limits, seed: int = 0) -> Int32: ...


BUCKETS = 1024
SWAP_PARTNERS_TRIED = 16
DISSOLVE_FAILURES = 8
REFINE_EFFORT = 30
"""Times that refinement may read each pin, on average."""
GROWTH_READS = 100_000_000
"""Targets that growth may read before the default partitioner does without it: a few seconds."""
MOST_READS = 60_000_000
"""Pins that refinement reads at most: bounds it to seconds on nets of any size."""


def sequential(hypergraph: Hypergraph, limits: Limits, seed: int = 0) -> Int32:
    """Fill cores in id order; O(pins). Good only where neighbouring ids share sources. ``seed`` changes nothing.

    Raises:
        DoesNotFit: NE4011 when a neuron fits no core, NE4012 when its output entries fit no core.
    """
    from neuroemu.mapping import _growth

    _refuse_oversized(hypergraph, limits)
    order = np.arange(hypergraph.neurons, dtype=np.int64)
    parts = _growth.fill_sequentially(hypergraph.pins, limits.caps(hypergraph), order)
    return settle_outputs(hypergraph, limits, _numbered(parts))


def overlap_growth(hypergraph: Hypergraph, limits: Limits, seed: int = 0) -> Int32:
    """Grow each core by the free neuron with the largest share of its sources already on it; then dissolve spare parts.

    A bucket queue makes an update O(1), so the whole is linear in the target lists read, one for every (source, core)
    pair. A core closes when none of its neighbours fits; small cores dissolve into others afterwards. Neurons without
    sources need no axon and no memory: they are seated beside their targets. ``seed`` changes nothing.

    Raises:
        DoesNotFit: NE4011 when a neuron fits no core, NE4012 when its output entries fit no core.
    """
    grown = _grown(hypergraph, limits, UNLIMITED)
    assert grown is not None
    return grown


def _grown(hypergraph: Hypergraph, limits: Limits, reads: int) -> Int32 | None:
    """Parts by overlap growth; None when that would read more than ``reads`` targets."""
    from neuroemu.mapping import _growth

    _refuse_oversized(hypergraph, limits)
    if hypergraph.neurons == 0:
        return np.zeros(0, np.int32)
    while_growing = replace(limits, outputs=None)
    pins, caps = hypergraph.pins, while_growing.caps(hypergraph)
    grown = _growth.grow_by_overlap(pins, caps, pins.target.copy(), BUCKETS, reads)
    if not len(grown):
        return None
    if np.any(grown < 0):
        grown = _growth.seat_sourceless(pins, caps, grown)
    parts = dissolve_parts(hypergraph, while_growing, _numbered(grown))
    return settle_outputs(hypergraph, limits, parts)


def best_of_both(hypergraph: Hypergraph, limits: Limits, seed: int = 0) -> Int32:
    """Overlap growth or sequential filling, whichever needs fewer parts, then fewer messages (ids with locality favour the latter).

    Growth that would read more than ``GROWTH_READS`` targets is given up: so large a net without locality gains nothing from it.

    Raises:
        DoesNotFit: NE4011 when a neuron fits no core, NE4012 when its output entries fit no core.
    """
    filled, grown = sequential(hypergraph, limits, seed), _grown(hypergraph, limits, GROWTH_READS)
    return filled if grown is None else min((grown, filled), key=lambda parts: _rank(hypergraph, parts))


def dissolve_parts(hypergraph: Hypergraph, limits: Limits, parts: Int32) -> Int32:
    """Fewer parts: empties those with the fewest pins by seating their neurons legally in others; part numbers close up."""
    from neuroemu.mapping import _refinement

    fewest = lower_bound(hypergraph, limits).parts
    if _part_count(parts) <= fewest:
        return parts
    pins, caps = hypergraph.pins, limits.caps(hypergraph)
    tally, _ = _tally(hypergraph, limits, parts)
    pins_of_part = np.zeros(_part_count(parts), np.int64)
    np.add.at(pins_of_part, parts, np.diff(pins.column_start))
    order = np.argsort(pins_of_part, kind="stable")
    work = _reads(hypergraph, REFINE_EFFORT)
    _refinement.dissolve(pins, caps, tally, order, fewest, DISSOLVE_FAILURES, work)
    return _numbered(tally.part)


def refine(hypergraph: Hypergraph, limits: Limits, parts: Int32, seed: int = 0, effort: int = REFINE_EFFORT) -> Int32:
    """Fewer parts where some dissolve into others, then fewer messages by moves and swaps; every limit holds throughout.

    Gains are exact changes of ``sum(rate * (lambda - 1))`` from the synapse count of every (source, part). The result is
    never worse than ``parts``: fewer parts first, then fewer messages. ``effort`` is the number of times each pin may be
    read; ``seed`` changes nothing.

    Raises:
        DoesNotFit: NE4010 when ``parts`` breaks a limit.
    """
    from neuroemu.mapping import _refinement

    if findings := check_parts(hypergraph, limits, parts):
        raise DoesNotFit(findings)
    pins, caps = hypergraph.pins, limits.caps(hypergraph)
    parts = dissolve_parts(hypergraph, limits, _numbered(parts))
    if _part_count(parts) < 2:
        return parts
    tally, messages = _tally(hypergraph, limits, parts)
    _refinement.climb(pins, caps, tally, _reads(hypergraph, effort), SWAP_PARTNERS_TRIED, messages // 1000)
    return dissolve_parts(hypergraph, limits, _numbered(tally.part))


def settle_outputs(hypergraph: Hypergraph, limits: Limits, parts: Int32) -> Int32:
    """Split parts until their output entries fit; unchanged when they do or when outputs have no limit.

    Entries depend on where the targets went, so no growth can foresee them: a part beyond the limit is halved by entries.

    Raises:
        DoesNotFit: NE4012 when a neuron that has a part to itself still needs too many entries.
    """
    if limits.outputs is None:
        return parts
    while True:
        entries = _output_entries(hypergraph, limits, parts)
        per_part = np.bincount(parts, entries, minlength=_part_count(parts)).astype(np.int64)
        full = np.flatnonzero(per_part > limits.outputs)
        if len(full) == 0:
            return _numbered(parts)
        parts = parts.copy()
        for part in full:
            members = np.flatnonzero(parts == part)
            if len(members) == 1:
                raise DoesNotFit(_too_many_outputs(limits, int(members[0]), int(per_part[part])))
            half = np.searchsorted(np.cumsum(entries[members]), per_part[part] // 2, side="right")
            parts[members[max(1, min(int(half), len(members) - 1)) :]] = _part_count(parts)


def _output_entries(hypergraph: Hypergraph, limits: Limits, parts: Int32) -> Int64:
    """Output entries each neuron needs; int64[n]."""
    source, part, _ = deliveries(hypergraph, parts)
    emitter = hypergraph.home[source]
    emitted = emitter >= 0
    entries = np.where(parts[emitter[emitted]] == part[emitted], limits.own_output, 1)
    needed = np.zeros(hypergraph.neurons, np.int64)
    np.add.at(needed, emitter[emitted], entries)
    return needed


def _too_many_outputs(limits: Limits, neuron: int, need: int) -> Finding:
    name, most = limits.resources[3], limits.outputs or 0
    message = f"neuron {neuron} alone needs {need} {name}, the limit of a core is {most} ({need - most} too many)"
    return Finding(
        "NE4012", message, f"neuron {neuron}", ("reduce the fan-out of this neuron", "use cores that hold more neurons")
    )


def _refuse_oversized(hypergraph: Hypergraph, limits: Limits) -> None:
    if findings := oversized_neurons(hypergraph, limits):
        raise DoesNotFit(findings)


def _numbered(parts: NDArray[np.integer]) -> Int32:
    """Parts renumbered from 0 without gaps, by their lowest neuron id."""
    _, first, inverse = np.unique(parts, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first, kind="stable"), kind="stable")[inverse].astype(np.int32)


def _rank(hypergraph: Hypergraph, parts: Int32) -> tuple[int, int]:
    source, part, _ = deliveries(hypergraph, parts)
    remote = home_parts(hypergraph, parts)[source] != part
    return _part_count(parts), int(hypergraph.rate[source[remote]].sum())


def _reads(hypergraph: Hypergraph, effort: int) -> int:
    return min(effort * (len(hypergraph.pins.source) + hypergraph.neurons), MOST_READS)


def _tally(hypergraph: Hypergraph, limits: Limits, parts: Int32) -> tuple[Parts, int]:
    """The exact counts that moves update, and the messages."""
    from neuroemu.mapping._tally import Parts, Slots

    source, part, synapses = delivered = deliveries(hypergraph, parts)
    use = _count_use(hypergraph, limits, parts, delivered)
    pins, count = hypergraph.pins, use.parts
    reach = np.bincount(source, minlength=hypergraph.sources)
    room = np.minimum(count, np.diff(pins.row_start))
    slot_start = np.concatenate([[0], np.cumsum(room)]).astype(np.int64)
    rank = np.arange(len(source)) - np.repeat(np.cumsum(reach) - reach, reach)
    slot = slot_start[source] + np.where(room[source] == count, part, rank)
    slot_part = np.full(slot_start[-1], -1, np.int32)
    slot_synapses = np.zeros(slot_start[-1], np.int32)
    slot_part[slot], slot_synapses[slot] = part, synapses
    members = np.argsort(parts, kind="stable")
    ends = np.cumsum(use.neurons)
    starts = ends - use.neurons
    ring_next, ring_before = np.empty((2, hypergraph.neurons), np.int64)
    ring_next[members] = np.roll(members, -1)
    ring_before[members] = np.roll(members, 1)
    ring_next[members[ends - 1]] = members[starts]
    ring_before[members[starts]] = members[ends - 1]
    over = np.array([np.count_nonzero(use.used > limits.limit)], np.int64)
    tally = Parts(
        parts.astype(np.int64), Slots(slot_start, slot_part, slot_synapses, count), reach.astype(np.int64), use.used.copy(), over,
        ring_next, ring_before, members[starts],
    )  # fmt: skip
    return tally, use.messages


PARTITIONERS: Mapping[str, Partitioner] = {
    "best_of_both": best_of_both,
    "overlap_growth": overlap_growth,
    "sequential": sequential,
}
DEFAULT_PARTITIONER = "best_of_both"
