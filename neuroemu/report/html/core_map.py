"""Geometry of the core map: tiles on the mesh, cores in tiles, heat levels per metric, links between routers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuroemu.report.figures import count, percent, quantity, ratio, words

if TYPE_CHECKING:
    from neuroemu.report.shape import Core, Link, Mapping

LEVELS = 9
"""Steps of the heat scale."""
PREFERRED = ("spikes", "synaptic_events", "synapse_memory_bits", "compartments")
"""Metrics offered first, where the chip has them."""
CELL, GAP, PADDING, GUTTER, MARGIN = 34.0, 3.0, 5.0, 20.0, 26.0
SMALL_CELL = 13.0
"""Cell size on large meshes, without numbers."""
LARGE_MESH = 24
"""From this many columns of cores on, cells are small, and a mesh is cut down to the part in use."""
AROUND = 1
"""Free tiles shown around the part in use."""


@dataclass(frozen=True)
class Metric:
    """One quantity that can colour the map; ``levels`` per core: 0..8, ``z`` for zero, ``u`` for unknown."""

    key: str
    label: str
    levels: tuple[str, ...]
    largest: str
    limit: str | None


@dataclass(frozen=True)
class Cell:
    """A core's square; ``levels`` has one entry per metric, joined by spaces."""

    x: float
    y: float
    label: str
    title: str
    levels: str
    level: str


@dataclass(frozen=True)
class Box:
    """A tile's outline."""

    x: float
    y: float


@dataclass(frozen=True)
class Wire:
    """Traffic of a link as a line; ``width`` grows with packets."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float
    title: str


@dataclass(frozen=True)
class AxisLabel:
    """A column or row number at the edge of the mesh."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class CoreMap:
    """Everything the template draws; ``frame`` names the part of the mesh that is shown, empty when it is all of it."""

    width: float
    height: float
    cell: float
    tile_width: float
    tile_height: float
    show_numbers: bool
    tiles: tuple[Box, ...]
    empty_cells: tuple[Box, ...]
    cells: tuple[Cell, ...]
    wires: tuple[Wire, ...]
    axis: tuple[AxisLabel, ...]
    metrics: tuple[Metric, ...]
    chosen: int
    frame: str


@dataclass(frozen=True)
class _Grid:
    """``columns`` x ``rows`` tiles from the tile (left, bottom) of the mesh on."""

    left: int
    bottom: int
    columns: int
    rows: int
    tile_columns: int
    tile_rows: int
    cell: float

    @property
    def tile_width(self) -> float:
        return self.tile_columns * (self.cell + GAP) - GAP + 2 * PADDING

    @property
    def tile_height(self) -> float:
        return self.tile_rows * (self.cell + GAP) - GAP + 2 * PADDING

    @property
    def across(self) -> range:
        """Columns of the mesh that are shown."""
        return range(self.left, self.left + self.columns)

    @property
    def along(self) -> range:
        """Rows of the mesh that are shown."""
        return range(self.bottom, self.bottom + self.rows)

    def tile_at(self, x: int, y: int) -> tuple[float, float]:
        across, along = x - self.left, y - self.bottom
        return MARGIN + across * (self.tile_width + GUTTER), MARGIN + along * (self.tile_height + GUTTER)

    def cell_at(self, x: int, y: int, slot: int) -> tuple[float, float]:
        left, top = self.tile_at(x, y)
        row, column = divmod(slot, self.tile_columns)
        return left + PADDING + column * (self.cell + GAP), top + PADDING + row * (self.cell + GAP)


def core_map(mapping: Mapping) -> CoreMap | None:
    """Lay out the cores in use on the chip's mesh; None when no core is in use.

    A chip without a mesh, or cores without a place, are laid out in the order of their numbers.
    """
    cores = mapping["cores"]
    if not cores:
        return None
    grid, slots = _layout(mapping)
    metrics = _metrics(mapping)
    chosen = next((index for index, metric in enumerate(metrics) if metric.key == "synaptic_events"), 0)
    free = _free_slots(mapping, grid, slots)
    right, end = grid.tile_at(grid.across.stop, grid.along.stop)
    return CoreMap(
        width=right - GUTTER + 8,
        height=end - GUTTER + 8,
        cell=grid.cell,
        tile_width=grid.tile_width,
        tile_height=grid.tile_height,
        show_numbers=grid.cell == CELL,
        tiles=tuple(Box(*grid.tile_at(x, y)) for y in grid.along for x in grid.across),
        empty_cells=tuple(Box(*grid.cell_at(*slot)) for slot in free),
        cells=tuple(
            _cell(mapping, core, grid.cell_at(*slot), [metric.levels[index] for metric in metrics], chosen)
            for index, (core, slot) in enumerate(zip(cores, slots, strict=True))
        ),
        wires=_wires(mapping["links"], grid) if mapping["mesh"] else (),
        axis=_axis(grid) if mapping["mesh"] else (),
        metrics=metrics,
        chosen=chosen,
        frame=_frame(mapping, grid),
    )


def _frame(mapping: Mapping, grid: _Grid) -> str:
    mesh = mapping["mesh"]
    if mesh is None or (grid.columns, grid.rows) == (mesh["columns"], mesh["rows"]) or not _placed(mapping):
        return ""
    return (
        f"Shown are columns {grid.left} to {grid.across.stop - 1} and rows {grid.bottom} to {grid.along.stop - 1} of the "
        f"{mesh['columns']} x {mesh['rows']} {'cores' if mesh['cores_per_tile'] == 1 else 'tiles'} of the mesh; all others are free"
    )


def _placed(mapping: Mapping) -> bool:
    return all(core["x"] is not None and core["y"] is not None for core in mapping["cores"])


def _layout(mapping: Mapping) -> tuple[_Grid, list[tuple[int, int, int]]]:
    """The grid and, per core in use, (tile column, tile row, slot in the tile)."""
    mesh, cores = mapping["mesh"], mapping["cores"]
    if mesh is None or not _placed(mapping):
        columns = min(len(cores), 16)
        rows = math.ceil(len(cores) / columns)
        slots = [(index % columns, index // columns, 0) for index in range(len(cores))]
        return _Grid(0, 0, columns, rows, 1, 1, CELL), slots
    per_tile = max(mesh["cores_per_tile"], 1)
    tile_columns = math.ceil(math.sqrt(per_tile))
    slots = [(core["x"] or 0, core["y"] or 0, core["core"] % per_tile) for core in cores]
    left, bottom, columns, rows = 0, 0, mesh["columns"], mesh["rows"]
    if tile_columns * max(columns, rows) > LARGE_MESH:
        ends = [end for link in mapping["links"] for end in (link["from"], link["to"])]
        left, columns = _part_in_use([place[0] for place in (*slots, *ends)], columns)
        bottom, rows = _part_in_use([place[1] for place in (*slots, *ends)], rows)
    cell = SMALL_CELL if tile_columns * columns > LARGE_MESH else CELL
    return _Grid(left, bottom, columns, rows, tile_columns, math.ceil(per_tile / tile_columns), cell), slots


def _part_in_use(places: list[int], length: int) -> tuple[int, int]:
    """First place and number of places between the first and the last in use, with some free ones around."""
    first, last = max(min(places) - AROUND, 0), min(max(places) + AROUND, length - 1)
    return first, last - first + 1


def _free_slots(mapping: Mapping, grid: _Grid, used: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    mesh = mapping["mesh"]
    if mesh is None or grid.tile_columns * grid.tile_rows < mesh["cores_per_tile"]:
        return []
    taken = set(used)
    every = ((x, y, slot) for y in grid.along for x in grid.across for slot in range(mesh["cores_per_tile"]))
    return [slot for slot in every if slot not in taken]


def _metrics(mapping: Mapping) -> tuple[Metric, ...]:
    cores = mapping["cores"]
    keys = {key: None for core in cores for key in (*(core["activity"] or {}), *core["use"])}
    ordered = [key for key in PREFERRED if key in keys] + [key for key in keys if key not in PREFERRED]
    return tuple(_metric(mapping, key) for key in ordered)


def _metric(mapping: Mapping, key: str) -> Metric:
    values = [_value(core, key) for core in mapping["cores"]]
    largest = max((value for value in values if value is not None), default=None)
    limit = mapping["limits"].get(key)
    return Metric(
        key=key,
        label=words(key),
        levels=tuple(_level(value, largest) for value in values),
        largest=amount(key, largest),
        limit=None if limit is None else f"{amount(key, limit)} per core, fullest {percent(ratio(largest, limit), 0)}",
    )


def amount(key: str, value: float | None) -> str:
    """Value of a resource or counter for people: bits as bytes, everything else counted."""
    return quantity(value, "bit") if key.endswith("_bits") else count(value)


def _value(core: Core, key: str) -> float | None:
    activity = core["activity"] or {}
    return activity[key] if key in activity else core["use"].get(key)


def _level(value: float | None, largest: float | None) -> str:
    if value is None or largest is None:
        return "u"
    if value <= 0 or largest <= 0:
        return "z"
    return str(min(int(LEVELS * value / largest), LEVELS - 1))


def _cell(mapping: Mapping, core: Core, at: tuple[float, float], levels: list[str], chosen: int) -> Cell:
    return Cell(
        x=at[0],
        y=at[1],
        label=str(core["core"]),
        title=_core_title(mapping, core),
        levels=" ".join(levels),
        level=levels[chosen] if levels else "u",
    )


def _core_title(mapping: Mapping, core: Core) -> str:
    place = "" if core["x"] is None or core["y"] is None else f" at tile ({core['x']}, {core['y']})"
    lines = [f"core {core['core']}{place}"]
    lines += [f"{part['name']}: {count(part['neurons'])} neurons" for part in core["populations"]]
    lines += [f"{words(key)}: {count(value)}" for key, value in (core["activity"] or {}).items()]
    for key, value in core["use"].items():
        share = ratio(value, mapping["limits"].get(key))
        lines.append(f"{words(key)}: {amount(key, value)}" + ("" if share is None else f" ({percent(share)})"))
    return "\n".join(lines)


def _wires(links: list[Link], grid: _Grid) -> tuple[Wire, ...]:
    busiest = max((link["packets"] for link in links), default=0)
    return tuple(_wire(link, grid, busiest) for link in links if link["packets"] > 0)


def _wire(link: Link, grid: _Grid, busiest: int) -> Wire:
    """A line between the facing edges of two tiles, shifted to the right of its direction."""
    (x1, y1), (x2, y2) = (_centre(grid, *link[end]) for end in ("from", "to"))
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    along_x, along_y = (x2 - x1) / length, (y2 - y1) / length
    reach = min(
        grid.tile_width / 2 / abs(along_x) if along_x else math.inf,
        grid.tile_height / 2 / abs(along_y) if along_y else math.inf,
    )
    shift_x, shift_y = -along_y * 4.5, along_x * 4.5
    share = link["packets"] / busiest
    title = (
        f"link ({link['from'][0]}, {link['from'][1]}) to ({link['to'][0]}, {link['to'][1]}): "
        f"{count(link['packets'])} packets, {percent(share, 0)} of the busiest link"
    )
    return Wire(
        x1=x1 + along_x * reach + shift_x,
        y1=y1 + along_y * reach + shift_y,
        x2=x2 - along_x * reach + shift_x,
        y2=y2 - along_y * reach + shift_y,
        width=1.2 + 5.8 * share,
        title=title,
    )


def _centre(grid: _Grid, x: int, y: int) -> tuple[float, float]:
    left, top = grid.tile_at(x, y)
    return left + grid.tile_width / 2, top + grid.tile_height / 2


def _axis(grid: _Grid) -> tuple[AxisLabel, ...]:
    step = max(1, math.ceil(max(grid.columns, grid.rows) / 16))
    columns = [
        AxisLabel(_centre(grid, x, grid.bottom)[0], MARGIN - 9, f"x {x}" if x == grid.left else str(x))
        for x in grid.across[::step]
    ]
    rows = [
        AxisLabel(MARGIN - 12, _centre(grid, grid.left, y)[1] + 4, f"y {y}" if y == grid.bottom else str(y))
        for y in grid.along[::step]
    ]
    return (*columns, *rows)
