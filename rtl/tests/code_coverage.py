"""Line and toggle coverage out of Verilator's ``coverage.dat`` files, over all builds together.

A file is a header and one ``C '<key>' <count>`` per line; a key holds ``\\x01name\\x02value`` pairs. A point is known by its
module, line, text and kind, so the same point of two builds is one; it is covered when any build covers it. A bit has toggled
when it went up and down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

_POINT = re.compile(r"C '(.*)' (\d+)$")
EXCLUSIONS = Path(__file__).with_name("coverage_exclusions.yaml")


@dataclass(frozen=True, order=True)
class Point:
    """A line (``text`` says which branch) or a bit (``text`` is its name)."""

    module: str
    kind: str
    line: int
    text: str


@dataclass(frozen=True)
class Exclusion:
    """Points that need not be covered: ``pattern`` matches the whole text; the reason is for readers."""

    module: str
    kind: str
    pattern: str
    reason: str

    def matches(self, point: Point) -> bool:
        same = (self.module, self.kind) == (point.module, point.kind)
        return same and re.fullmatch(self.pattern, point.text) is not None


def points(paths: Iterable[Path]) -> dict[Point, int]:
    """Every point with the times it was covered, summed over files; a bit counts its rarer direction."""
    counts: Counter[tuple[Point, str]] = Counter()
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := _POINT.match(line):
                keys = dict(pair.split("\x02", 1) for pair in found[1].split("\x01") if pair)
                counts[_point(keys)] += int(found[2])
    covered: dict[Point, int] = {}
    for (point, _), count in counts.items():
        covered[point] = min(covered.get(point, count), count)
    return covered


def _point(keys: dict[str, str]) -> tuple[Point, str]:
    """A point and the direction of a bit; a bit is known by its name alone, wherever a build declares it."""
    module = Path(keys["f"]).stem
    if keys["t"] == "toggle":
        name, direction = keys["o"].rsplit(":", 1)
        return Point(module, "toggle", 0, name), direction
    return Point(module, keys["t"], int(keys["l"]), f"{keys['n']} {keys['o']}"), ""


def exclusions(modules: Container[str] | None = None) -> list[Exclusion]:
    """What the file of exclusions says, of all or some modules."""
    rules = [Exclusion(**item) for item in yaml.safe_load(EXCLUSIONS.read_text(encoding="utf-8"))]
    return [rule for rule in rules if modules is None or rule.module in modules]


def uncovered(covered: dict[Point, int], kind: str, excluded: Iterable[Exclusion] = ()) -> tuple[list[Point], int]:
    """Points of a kind that nothing covered and nothing excludes, and how many count at all."""
    rules = list(excluded)
    counting = [point for point in covered if point.kind == kind and not any(rule.matches(point) for rule in rules)]
    return sorted(point for point in counting if not covered[point]), len(counting)
