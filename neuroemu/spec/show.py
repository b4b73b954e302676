"""A chip as plain rows, one per fact: what ``neuroemu chips show`` prints and the chip pages are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel

from neuroemu.spec.chip import ChipSpec
from neuroemu.spec.facts import Fact


@dataclass(frozen=True)
class Row:
    """One fact, or one plain setting (then without unit, kind and source).

    ``text`` is the value as written, exactly; ``value``, ``low`` and ``high`` are SI numbers in ``unit``, or the
    switch, choice or list itself.
    """

    section: str
    key: str
    text: str
    value: Any
    unit: str = ""
    low: Any = None
    high: Any = None
    range_text: str = ""
    kind: str = ""
    confidence: str = ""
    source: str = ""
    note: str = ""

    @property
    def path(self) -> str:
        """The key path in the chip file."""
        return f"{self.section}.{self.key}" if self.section else self.key

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {"path": self.path, **asdict(self)}


def describe(chip: ChipSpec) -> tuple[Row, ...]:
    """Every fact and setting of a chip in the order of the schema."""
    return tuple(_rows(chip, ()))


def _rows(value: Any, path: tuple[str, ...]) -> Iterator[Row]:
    if isinstance(value, Fact):
        yield _fact_row(value, path)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _rows(getattr(value, name), (*path, name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _rows(inner, (*path, name))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from _rows(inner, (*path, getattr(inner, "label", str(index))))
    elif value not in (None, ""):
        yield Row(".".join(path[:-1]), path[-1], str(value), value)


def _fact_row(fact: Fact[Any], path: tuple[str, ...]) -> Row:
    return Row(
        section=".".join(path[:-1]),
        key=path[-1],
        text=fact.text,
        value=list(fact.value) if isinstance(fact.value, tuple) else fact.value,
        unit=fact.unit,
        low=fact.low,
        high=fact.high,
        range_text=_range_text(fact),
        kind=fact.kind,
        confidence=fact.confidence or "",
        source=fact.source,
        note=fact.note,
    )


def _range_text(fact: Fact[Any]) -> str:
    if fact.low is None and fact.high is None:
        return ""
    if fact.high is None:
        return f"at least {fact.spell(fact.low)}"
    if fact.low is None:
        return f"at most {fact.spell(fact.high)}"
    return f"{fact.spell(fact.low)} to {fact.spell(fact.high)}"
