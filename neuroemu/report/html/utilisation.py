"""Utilisation of the cores: one profile per resource, and one row per core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuroemu.report.figures import UNKNOWN, count, percent, ratio, words
from neuroemu.report.html.core_map import amount

if TYPE_CHECKING:
    from neuroemu.report.shape import Core, Mapping

MOST_ROWS = 256
"""Rows of the table per core; the fullest are kept, the rest is in report.json."""
MOST_BARS = 128
"""Bars of a profile; a longer one shows every n-th core."""
FEWEST_BARS = 3
"""Cores from which a profile is drawn."""
FULL = 0.9
"""Share of a limit from which a resource counts as nearly full."""


@dataclass(frozen=True)
class Bar:
    """One core of a profile, fullest first; all lengths in percent of the plot."""

    x: float
    width: float
    height: float
    title: str
    full: bool


@dataclass(frozen=True)
class Profile:
    """How one resource is used over all cores."""

    name: str
    limit: str
    fullest: str
    where: str
    mean: str
    bars: tuple[Bar, ...]
    relative: bool
    """Bars are relative to the fullest core, since no limit is known."""
    single_share: float | None = None
    """With a core or two there is no profile to draw: the fullest core's share of the limit."""


@dataclass(frozen=True)
class Use:
    """One resource on one core."""

    text: str
    share: float | None
    share_text: str
    full: bool


@dataclass(frozen=True)
class CoreRow:
    """One core of the table."""

    core: int
    tile: str
    populations: str
    uses: tuple[Use, ...]


@dataclass(frozen=True)
class Utilisation:
    """Profiles and table."""

    profiles: tuple[Profile, ...]
    resources: tuple[str, ...]
    rows: tuple[CoreRow, ...]
    left_out: int


def utilisation(mapping: Mapping) -> Utilisation | None:
    """Profiles of every resource that any core uses; None when no core is in use."""
    cores = mapping["cores"]
    used = {key: None for core in cores for key in core["use"]}
    keys = [key for key in mapping["limits"] if key in used] + [key for key in used if key not in mapping["limits"]]
    if not cores or not keys:
        return None
    rows = sorted(cores, key=lambda core: (-_peak(core, mapping), core["core"]))[:MOST_ROWS]
    return Utilisation(
        profiles=tuple(_profile(mapping, key) for key in keys),
        resources=tuple(words(key) for key in keys),
        rows=tuple(_row(core, keys, mapping) for core in sorted(rows, key=lambda core: core["core"])),
        left_out=len(cores) - len(rows),
    )


def _profile(mapping: Mapping, key: str) -> Profile:
    limit = mapping["limits"].get(key)
    known = [(value, core["core"]) for core in mapping["cores"] if (value := core["use"].get(key)) is not None]
    known.sort(key=lambda item: (-item[0], item[1]))
    scale = limit or (known[0][0] if known else None)
    relative = not limit
    if not known:
        return Profile(words(key), amount(key, limit), UNKNOWN, "", UNKNOWN, (), relative)
    largest, fullest_core = known[0]
    mean = sum(value for value, _ in known) / len(known)
    return Profile(
        name=words(key),
        limit=amount(key, limit),
        fullest=amount(key, largest) if relative else percent(ratio(largest, limit)),
        where=f"core {fullest_core}",
        mean=amount(key, round(mean)) if relative else percent(ratio(mean, limit)),
        bars=_bars(known, scale, key, relative),
        relative=relative,
        single_share=min(ratio(largest, scale) or 0.0, 1.0) if len(known) < FEWEST_BARS else None,
    )


def _bars(known: list[tuple[float, int]], scale: float | None, key: str, relative: bool) -> tuple[Bar, ...]:
    step = -(-len(known) // MOST_BARS)
    shown = known[::step]
    pitch = 100.0 / max(len(shown), 16)
    bars = []
    for position, (value, core) in enumerate(shown):
        share = ratio(value, scale) or 0.0
        title = f"core {core}: {amount(key, value)}" + ("" if relative else f", {percent(share)}")
        height = 100.0 * min(share, 1.0)
        bars.append(Bar(position * pitch, pitch * 0.82, height, title, not relative and share >= FULL))
    return tuple(bars)


def _row(core: Core, keys: list[str], mapping: Mapping) -> CoreRow:
    tile = UNKNOWN if core["tile"] is None else str(core["tile"])
    names = ", ".join(f"{part['name']} ({count(part['neurons'])})" for part in core["populations"])
    return CoreRow(core["core"], tile, names, tuple(_use(core, key, mapping) for key in keys))


def _use(core: Core, key: str, mapping: Mapping) -> Use:
    value = core["use"].get(key)
    share = ratio(value, mapping["limits"].get(key))
    text = "" if share is None else percent(share)
    return Use(
        amount(key, value), None if share is None else min(share, 1.0), text, share is not None and share >= FULL
    )


def _peak(core: Core, mapping: Mapping) -> float:
    shares = (ratio(value, mapping["limits"].get(key)) for key, value in core["use"].items())
    return max((share for share in shares if share is not None), default=0.0)
