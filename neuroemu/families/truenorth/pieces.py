"""Tiles with their copies, relays and targets: what goes onto cores as a whole, and when every spike must arrive where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding, errors_in
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.lowered import REGISTERS, LoweredNetwork, LoweredPopulation, Tile
from neuroemu.families.truenorth.splitters import (
    RELAY_REGISTERS,
    Endpoints,
    FanOut,
    endpoints,
    fan_outs,
    relay_tile,
)
from neuroemu.network.graph import tick_offsets
from neuroemu.network.model import Network

Int64 = NDArray[np.int64]

BEFORE_INPUTS = -1
"""A spike from outside is integrated in its own tick, so inputs are a hop before the first layer."""


@dataclass(frozen=True)
class Sender:
    """Name of who sends, as a mapping wants it."""

    source: str


@dataclass(frozen=True)
class Block:
    """Axons of a piece by their sender."""

    projection: Sender
    route_source: Int64


@dataclass(frozen=True)
class PiecePopulation:
    """Population or relays that a piece is part of."""

    name: str
    shape: tuple[int, ...]
    size: int
    tick_offset: int
    spiking: bool


@dataclass
class Piece:
    """Neurons that stay together on a core.

    Attributes:
        neurons: int64 (slots,), number in its population of what sits in each slot; copies repeat it.
        member: int64 (slots,), neuron of the tile in each slot.
        registers: name -> int64 (slots,); ``initial`` int64 (slots,).
        target, target_axon, target_delay: int64 (slots,), piece and axon that a spike goes to, -1 without target.
    """

    population: PiecePopulation
    tile: Tile
    neurons: Int64
    member: Int64
    registers: dict[str, Int64]
    initial: Int64
    target: Int64
    target_axon: Int64
    target_delay: Int64
    blocks: list[Block] = field(default_factory=list)

    @property
    def slots(self) -> int:
        return int(self.neurons.shape[0])

    @property
    def axons(self) -> int:
        return int(self.tile.column.shape[0])


@dataclass(frozen=True)
class HostRoutes:
    """Routes of host sources sorted by source; int64."""

    source: Int64
    piece: Int64
    axon: Int64
    delay: Int64


@dataclass(frozen=True)
class Wired:
    """A network as pieces that know their targets.

    Attributes:
        populations: of the network, with their tick offsets; relays and neurons of partial sums are not among them.
        early: populations whose leak acts before their own offset in a way that no potential at tick 0 makes up for.
        late: populations whose spikes arrive later than in the network, because relays copy them and nothing can wait.
        place: population -> (piece, slot) of every neuron's first copy, int64 each.
    """

    pieces: tuple[Piece, ...]
    host: HostRoutes
    populations: tuple[PiecePopulation, ...]
    place: Mapping[str, tuple[Int64, Int64]]
    offsets: Mapping[str, int]
    findings: tuple[Finding, ...]
    relays: int
    copies: int
    early: frozenset[str]
    late: frozenset[str]


def wire(network: Network, lowered: LoweredNetwork, neurons: int, most_delay: int) -> Wired:
    """Copies, relays, tick offsets and delays of a lowered network.

    Args:
        neurons: of a core; most_delay: ticks that one hop may take.

    Raises:
        DoesNotFit: NE3607 for a way that takes longer than its hops can.
    """
    reached = endpoints(lowered.populations)
    ways = fan_outs(lowered.populations, reached, neurons)
    offsets = _offsets(network, lowered, ways)
    builder = _Wiring(lowered, reached, ways, offsets, neurons, most_delay)
    builder.build()
    if errors := errors_in(builder.findings):
        raise DoesNotFit(errors)
    return Wired(
        pieces=tuple(builder.pieces),
        host=builder.host(),
        populations=tuple(
            _named(population, offsets) for population in lowered.populations if population.owner == population.name
        ),
        place=builder.place,
        offsets=offsets,
        findings=tuple(builder.findings),
        relays=builder.relays,
        copies=builder.copies,
        early=frozenset(builder.early),
        late=frozenset(builder.late),
    )


def _named(population: LoweredPopulation, offsets: Mapping[str, int]) -> PiecePopulation:
    return PiecePopulation(
        population.name, population.shape, population.size, offsets[population.name], population.spiking
    )


def _offsets(network: Network, lowered: LoweredNetwork, ways: Mapping[str, FanOut]) -> dict[str, int]:
    """Ticks by which every population lags, neurons of partial sums included."""
    parts = {
        population.owner: population.name for population in lowered.populations if population.owner != population.name
    }
    ticks = {}
    for item in network.projections:
        hop = 1 + (ways[item.source].levels if item.source in ways else 0)
        if item.target in parts:
            hop += 1 + ways[parts[item.target]].levels
        ticks[item.name] = hop
    offsets = tick_offsets(network, BEFORE_INPUTS, ticks)
    for owner, name in parts.items():
        offsets[name] = offsets[owner] - 1 - ways[name].levels
    return offsets


class _Wiring:
    """Collects pieces; targets are filled in as soon as both ends exist."""

    def __init__(
        self,
        lowered: LoweredNetwork,
        reached: Mapping[str, Endpoints],
        ways: Mapping[str, FanOut],
        offsets: Mapping[str, int],
        neurons: int,
        most_delay: int,
    ):
        self.lowered, self.reached, self.ways, self.offsets = lowered, reached, ways, offsets
        self.neurons, self.most_delay = neurons, most_delay
        self.pieces: list[Piece] = []
        self.place: dict[str, tuple[Int64, Int64]] = {}
        self.findings: list[Finding] = []
        self.early: set[str] = set()
        self.late: set[str] = set()
        self.relays = self.copies = 0
        self._relays_of: dict[str, int] = {}
        self._senders: list[dict[str, list[Int64]]] = []
        self._owner_of_tile = [population for population in lowered.populations for _ in population.tiles]
        self._offset_of_tile = np.array([offsets[item.name] for item in self._owner_of_tile], np.int64)

    def build(self) -> None:
        """All pieces, tiles first so that a tile's number is its piece's."""
        for population in self.lowered.populations:
            self._add_tiles(population)
        for population in self.lowered.populations:
            if population.name in self.reached:
                self._connect(population)
                self._say_relays(population.name)
        for piece, senders in zip(self.pieces, self._senders, strict=True):
            if (size := self._relays_of.get(piece.population.name)) is not None:
                piece.population = PiecePopulation(piece.population.name, (size,), size, 0, True)
            piece.blocks = [Block(Sender(name), np.concatenate(rows)) for name, rows in senders.items()]

    def _add_tiles(self, population: LoweredPopulation) -> None:
        way = self.ways[population.name]
        place = np.zeros(population.size, np.int64), np.zeros(population.size, np.int64)
        registers, initial = population.registers, self._initial(population)
        for tile in population.tiles:
            copies = np.maximum(way.per_neuron[tile.neurons], 1)
            if way.levels:
                copies = np.ones_like(copies)
            member = np.repeat(np.arange(tile.neurons.shape[0], dtype=np.int64), copies)
            neurons = tile.neurons[member]
            place[0][tile.neurons] = len(self.pieces)
            place[1][tile.neurons] = np.cumsum(copies) - copies
            self.copies += neurons.shape[0] - tile.neurons.shape[0]
            self._append(
                _named(population, self.offsets),
                tile,
                neurons,
                member,
                {name: registers[name][neurons] for name in REGISTERS},
                initial[neurons],
            )
        self.place[population.name] = place

    def _append(
        self,
        population: PiecePopulation,
        tile: Tile,
        neurons: Int64,
        member: Int64,
        registers: dict[str, Int64],
        initial: Int64,
    ) -> None:
        target, axon, delay = (np.full(neurons.shape[0], -1, np.int64) for _ in range(3))
        self.pieces.append(Piece(population, tile, neurons, member, registers, initial, target, axon, delay))
        self._senders.append({})

    def _initial(self, population: LoweredPopulation) -> Int64:
        """Potentials at tick 0 such that nothing is added or sent before the population's own offset."""
        registers, offset = population.registers, self.offsets[population.name]
        leak = registers["leak"]
        memoryless = (registers["alpha"] == 0) & (registers["beta"] == 0) & (registers["kappa"] == 0)
        early = np.where(registers["reversal"] == 1, 0, leak * offset)
        lowest, highest = -registers["beta"], np.maximum(registers["alpha"] - 1, 0)
        steady = population.initial - early
        wrong = ~memoryless & (early != 0) & ((steady < lowest) | (steady > highest))
        settled = np.where(early != 0, np.clip(steady, lowest, highest), population.initial)
        always = memoryless & (leak >= 0)
        if wrong.any() or (always.any() and offset > 1):
            self.early.add(population.name)
        return np.where(memoryless, np.where(always & (offset > 0), dynamics.LOWEST, 0), settled).astype(np.int64)

    # ------------------------------------------------------------------ targets

    def _connect(self, population: LoweredPopulation) -> None:
        ends, way = self.reached[population.name], self.ways[population.name]
        ticks = self._offset_of_tile[ends.tile] - self.offsets[population.name] + ends.wait
        depth = 1 + np.where(way.per_neuron[ends.neuron] > 1, way.levels, 0)
        ticks = self._in_time(population.name, ends, ticks, depth)
        piece, slot = self.place[population.name]
        start = np.cumsum(way.per_neuron) - way.per_neuron
        direct = way.per_neuron[ends.neuron] == 1
        if not way.levels:
            copy = np.arange(ends.neuron.shape[0]) - start[ends.neuron]
            self._aim(piece[ends.neuron], slot[ends.neuron] + copy, ends.tile, ends.axon, ticks)
            return
        own = ends.neuron[direct]
        self._aim(piece[own], slot[own], ends.tile[direct], ends.axon[direct], ticks[direct])
        signals = [
            (int(piece[neuron]), int(slot[neuron]), np.arange(start[neuron], start[neuron] + way.per_neuron[neuron]))
            for neuron in np.flatnonzero(way.per_neuron > 1).tolist()
        ]
        elapsed = 0
        while signals:
            elapsed += 1
            signals = self._split(population.name, signals, ends, ticks - elapsed)

    def _say_relays(self, name: str) -> None:
        relays, levels = self._relays_of.get(f"{name}:splitter", 0), self.ways[name].levels
        if relays:
            tick = "tick" if levels == 1 else "ticks"
            most = int(self.ways[name].per_neuron.max())
            message = (
                f"its neurons reach up to {most} axons each; {relays:,} relay neurons copy their spikes, which arrive {levels} "
                f"{tick} later; all other ways to the same targets wait as long"
            )
            fixes = ("make its targets smaller or fewer, so that copies of the neurons fit beside them",)
            self.findings.append(Finding("NE3610", message, f"population {name}", fixes, "note"))

    def _split(
        self, name: str, signals: Sequence[tuple[int, int, Int64]], ends: Endpoints, ticks: Int64
    ) -> list[tuple[int, int, Int64]]:
        """Relays for every (piece, slot, places in ``ends``); returns what must be split once more."""
        rest: list[tuple[int, int, Int64]] = []
        first = 0
        widths = [min(-(-len(places) // self.neurons), self.neurons) for _, _, places in signals]
        counts = [len(places) if width == 1 else width for (_, _, places), width in zip(signals, widths, strict=True)]
        while first < len(signals):
            last, held = first, 0
            while last < len(signals) and held + counts[last] <= self.neurons:
                held += counts[last]
                last += 1
            number = self._add_relays(f"{name}:splitter", counts[first:last])
            relay = 0
            for axon, (piece, slot, places) in enumerate(signals[first:last]):
                self._aim(*(np.array([value]) for value in (piece, slot, number, axon, 1)))
                count = counts[first + axon]
                slots = np.arange(relay, relay + count)
                if widths[first + axon] == 1:
                    self._aim(np.full(count, number), slots, ends.tile[places], ends.axon[places], ticks[places])
                else:
                    parts = np.array_split(places, count)
                    rest += [(number, int(chosen), part) for chosen, part in zip(slots, parts, strict=True)]
                relay += count
            first = last
        return rest

    def _add_relays(self, name: str, counts: list[int]) -> int:
        tile = relay_tile(counts)
        size = tile.neurons.shape[0]
        earlier = self._relays_of.get(name, 0)
        self._relays_of[name] = earlier + size
        self.relays += size
        self._append(
            PiecePopulation(name, (earlier + size,), earlier + size, 0, True),
            tile,
            earlier + np.arange(size, dtype=np.int64),
            np.arange(size, dtype=np.int64),
            {register: np.full(size, value, np.int64) for register, value in RELAY_REGISTERS.items()},
            np.zeros(size, np.int64),
        )
        return len(self.pieces) - 1

    def _aim(self, piece: Int64, slot: Int64, target: Int64, axon: Int64, delay: Int64) -> None:
        """Give slots their targets; int64 arrays of one length."""
        for number in np.unique(piece).tolist():
            own = piece == number
            chosen = self.pieces[number]
            chosen.target[slot[own]] = target[own]
            chosen.target_axon[slot[own]] = axon[own]
            chosen.target_delay[slot[own]] = delay[own]
            for reached in np.unique(target[own]).tolist():
                rows = chosen.neurons[slot[own]][target[own] == reached]
                self._senders[reached].setdefault(chosen.population.name, []).append(rows)

    def _in_time(self, name: str, ends: Endpoints, ticks: Int64, depth: Any) -> Int64:
        """Ticks from spike to effect, at least the hops that it takes; what is late or too long is said per target."""
        late, long = ticks < depth, ticks - depth + 1 > self.most_delay
        if late.any():
            self.late.add(name)
        for wrong, code in ((late, "NE3605"), (long, "NE3607")):
            owners: dict[str, int] = {}
            for place in np.flatnonzero(wrong).tolist():
                owner = self._owner_of_tile[int(ends.tile[place])].owner
                by = int((depth - ticks)[place] if code == "NE3605" else (ticks - depth + 1)[place] - self.most_delay)
                owners[owner] = max(owners.get(owner, 0), by)
            self.findings += [_out_of_time(code, name, owner, by, self.most_delay) for owner, by in owners.items()]
        return np.maximum(ticks, depth)

    def host(self) -> HostRoutes:
        """Routes of all ports, sorted by source."""
        rows = [np.zeros((0, 4), np.int64)]
        for port in self.lowered.ports:
            if (ends := self.reached.get(port.name)) is None:
                continue
            ticks = self._in_time(
                port.name, ends, self._offset_of_tile[ends.tile] - BEFORE_INPUTS + ends.wait, np.ones(1, np.int64)
            )
            rows.append(np.stack([ends.neuron + port.first_source, ends.tile, ends.axon, ticks - 1], axis=1))
        table = np.concatenate(rows)
        return HostRoutes(*(np.ascontiguousarray(column) for column in table.T))


def _out_of_time(code: str, source: str, target: str, by: int, most: int) -> Finding:
    where = f"projection {source} to {target}"
    if code == "NE3605":
        message = f"spikes arrive {by} {'tick' if by == 1 else 'ticks'} later than in the float network"
        fixes = (
            "train with the chip's delays",
            "make the layer smaller, so that its neurons reach all targets without relays",
        )
        return Finding(code, message, where, fixes, "warning")
    message = f"needs a delay of {most + by} ticks in its last hop, {by} more than the {most} of a neuron"
    return Finding(code, message, where, ("shorten the delay", "put a population of relays in between"))
