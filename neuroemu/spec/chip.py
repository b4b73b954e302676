"""What every chip description holds, whatever its family: identity, sources, cost sets, static power, validation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import ItemsView, Mapping
from typing import Any, Literal

from pydantic import Field

from neuroemu.spec.facts import Count, Energy, Fact, Listed, Measurement, Power, Ratio, Section, Time


class Costs(Section):
    """Named cost constants; the keys a set leaves out are absent, never zero."""

    def __getitem__(self, name: str) -> Fact[Any]:
        """The constant called ``name``; KeyError when this set does not state it."""
        stated = self.stated()
        if name not in stated:
            raise KeyError(f"this cost set states no {name!r}; it has {', '.join(stated)}")
        return stated[name]

    def items(self) -> ItemsView[str, Fact[Any]]:
        """Names and constants of what this set states, in the order of the schema."""
        return self.stated().items()

    def __contains__(self, name: object) -> bool:
        return name in self.stated()

    def stated(self) -> dict[str, Fact[Any]]:
        """The constants this set states, in the order of the schema."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: fact for name, fact in named.items() if isinstance(fact, Fact)}


class Static(Section):
    """Power that flows whether or not anything spikes, and what a reset costs.

    ``power`` holds named alternatives for one chip, not parts of a sum: published figures disagree, so a report shows
    the range and names both ends.
    """

    power: dict[str, Power]
    running_floor: Power | None = None
    """Power of a running chip with next to no neural work: an upper bound that contains host and I/O traffic."""
    embedded_processors: Power | None = None
    reset: Energy | None = None

    @property
    def power_range_w(self) -> tuple[float, float]:
        """Smallest and largest alternative in watts for one chip."""
        values = [power.value for power in self.power.values()]
        return min(values), max(values)


class System(Section):
    """A board or machine built from this chip."""

    chips: Count
    barrier: Time | None = None
    """Measured time of one barrier synchronisation over all its chips."""


class Workload(Section):
    """A measured workload that estimates are compared with."""

    title: str
    network: str
    measured: dict[str, Measurement] = Field(default={})
    note: str = ""


class Comparison(Section):
    """How far a cost set was off on a workload: ``low`` to ``high`` bound estimate / measurement - 1."""

    quantity: Literal["energy", "latency"]
    workload: str
    low: Ratio
    high: Ratio
    note: str = ""

    @property
    def label(self) -> str:
        """Name of the comparison in listings."""
        return f"{self.quantity}_on_{self.workload}"


class Validation(Section):
    """Measured workloads, and the accuracy of every cost set on them."""

    workloads: dict[str, Workload] = Field(default={})
    accuracy: dict[str, Listed[Comparison]] = Field(default={})

    def error_band(self, cost_set: str, quantity: Literal["energy", "latency"]) -> tuple[float, float] | None:
        """Hull of estimate / measurement - 1 over all comparisons of ``cost_set``; None when nothing was compared."""
        compared = [item for item in self.accuracy.get(cost_set, ()) if item.quantity == quantity]
        if not compared:
            return None
        return min(item.low.value for item in compared), max(item.high.value for item in compared)


class ChipSpec(Section):
    """A chip as its YAML file describes it: frozen, typed, every number with unit, source and kind.

    ``structure``, ``limits``, ``arithmetic`` and ``cost_sets`` are typed by the subclass of the chip's family
    (:class:`neuroemu.spec.loihi.LoihiChip`).
    """

    name: str
    title: str
    family: str
    description: str = ""
    sources: dict[str, str] = Field(default={})
    physical: dict[str, Measurement] = Field(default={})
    systems: dict[str, System] = Field(default={})
    structure: Any
    limits: Any
    arithmetic: Any
    cost_sets: Mapping[str, Any]
    static: Static
    validation: Validation = Validation()

    @classmethod
    def load(cls, name_or_path: str) -> ChipSpec:
        """The same as :func:`neuroemu.spec.load_chip`."""
        from neuroemu.spec.load import load_chip

        return load_chip(name_or_path)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "chip specification") -> ChipSpec:
        """Build a chip from :meth:`to_dict`, checked as strictly as a file; ``where`` names it in messages.

        Raises:
            BadInput: every problem found (codes as in a file).
        """
        from neuroemu.spec.check import chip_from_data

        return chip_from_data(dict(data), where)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data in the spelling of the YAML files, nothing inherited left out, nothing lost."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole description, independent of key order and YAML spelling."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def references(self, source: str) -> tuple[str, ...]:
        """Full references of a fact's ``source`` ("D18 Table 2 p.96; SF"), in order."""
        return tuple(self.sources[identifier] for identifier in source_ids(source))


def source_ids(source: str) -> tuple[str, ...]:
    """The ids in a source text: the first word of each part between semicolons."""
    return tuple(part.split()[0] for part in source.split(";") if part.strip())
