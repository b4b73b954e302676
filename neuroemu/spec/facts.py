"""Facts of a chip: a value with its unit, its source, what kind of statement it is and how sure we are.

In YAML a fact is ``{value: 23.6 pJ, source: D18 Table 2 p.96, kind: published, confidence: T}``. A bare value is short
for an assumption of the file itself: ``compartments: 2048`` means ``{value: 2048, kind: assumed}``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from neuroemu.errors import BadInput
from neuroemu.units import format_exact, format_si, parse_quantity

Kind = Literal["measured", "published", "fitted", "assumed"]
Confidence = Literal["V", "T", "S", "R"]
"""V verified by running third-party code, T transcription of the paper, S seen in open code or data, R recalled."""

T = TypeVar("T")
N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Problem:
    """A rule of the chip's description that is broken: at which key, how, and what to do."""

    path: tuple[str | int, ...]
    code: str
    message: str
    fixes: tuple[str, ...] = ()


def broken_rules(problems: list[Problem]) -> PydanticCustomError:
    """The problems of one section as the error that pydantic carries to the loader."""
    return PydanticCustomError("chip_rules", "rules broken", {"problems": tuple(problems)})


def _refusal(code: str, message: str, *fixes: str) -> PydanticCustomError:
    return broken_rules([Problem((), code, message, fixes)])


class Section(BaseModel):
    """A strict, frozen group of keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


S = TypeVar("S", bound=Section)


def _tuple_of_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Listed = Annotated[tuple[T, ...], BeforeValidator(_tuple_of_list)]
"""A YAML sequence, held as a tuple."""


class Fact(Section, Generic[T]):
    """A stated value without a physical unit: a count, a switch, a choice, a code table."""

    si_unit: ClassVar[str] = "1"

    value: T
    source: str = ""
    kind: Kind
    confidence: Confidence | None = None
    low: T | None = None
    high: T | None = None
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _bare_value_is_an_assumption(cls, data: Any) -> Any:
        return _as_fact(data)

    @model_validator(mode="after")
    def _stated_properly(self) -> Self:
        problems = [*_provenance_problems(self.kind, self.source, self.confidence), *self._range_problems()]
        if problems:
            raise broken_rules(problems)
        return self

    def _range_problems(self) -> list[Problem]:
        return _range_problems(self.low, self.value, self.high, self.spell)

    def spell(self, value: Any) -> str:
        """``value`` as this fact writes it, exactly."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, tuple):
            return ", ".join(str(item) for item in value)
        return str(value)

    @property
    def unit(self) -> str:
        """The SI unit of ``value``, ``low`` and ``high``; "1" for counts, switches and choices."""
        return self.si_unit

    @property
    def text(self) -> str:
        """The value as written, with its unit."""
        return self.spell(self.value)

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, serialize: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value is not None and value != ""}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [full["properties"]["value"], full]}


def _as_fact(data: Any) -> Any:
    """A bare value as the assumption it is short for."""
    return data if isinstance(data, dict | Fact) or data is None else {"value": data, "kind": "assumed"}


def _provenance_problems(kind: Kind, source: str, confidence: Confidence | None) -> list[Problem]:
    if kind == "assumed":
        return []
    problems = []
    if not source.strip():
        problems.append(
            Problem(
                (), "NE2028", f"a {kind} value needs a source", ("add 'source: ID place'", "or say 'kind: assumed'")
            )
        )
    if confidence is None:
        problems.append(
            Problem((), "NE2028", f"a {kind} value needs a confidence mark", ("add 'confidence: V', T, S or R",))
        )
    return problems


def _range_problems(low: Any, value: Any, high: Any, spell: Callable[[Any], str]) -> list[Problem]:
    problems = []
    if low is not None and low > value:
        problems.append(Problem(("low",), "NE2026", f"low {spell(low)} is above the value {spell(value)}"))
    if high is not None and high < value:
        problems.append(Problem(("high",), "NE2026", f"high {spell(high)} is below the value {spell(value)}"))
    return problems


class Count(Fact[int]):
    """A whole number."""


class Flag(Fact[bool]):
    """Something the chip has or has not."""


class CodeTable(Fact[Listed[int]]):
    """What each code of a register field stands for, code 0 first."""


class Quantity(Fact[N], Generic[N]):
    """A number with a physical unit; ``value``, ``low`` and ``high`` are SI numbers in ``unit``."""

    example: ClassVar[str] = "1"

    @field_validator("value", "low", "high", mode="before")
    @classmethod
    def _read_number(cls, written: Any) -> Any:
        return None if written is None else read_measure(written, cls.si_unit, cls.example)

    @field_serializer("value", "low", "high")
    def _write_number(self, value: float | None) -> str | None:
        return None if value is None else self.spell(value)

    def spell(self, value: Any) -> str:
        return format_exact(value, self.unit)

    def people(self, digits: int = 3) -> str:
        """The value rounded for reading."""
        return format_si(self.value, self.unit, digits)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        number = {"type": ["string", "number"] if cls.si_unit == "1" else "string", "examples": [cls.example]}
        for key in ("value", "low", "high"):
            full["properties"][key] = {"title": key.capitalize(), **number}
        return {"anyOf": [full["properties"]["value"], full]}


def read_measure(written: Any, unit: str, example: str) -> int | float:
    """The SI number of ``written`` ("23.6 pJ"), which must be in ``unit``; bare numbers only where ``unit`` is "1"."""
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        raise _refusal("NE2022", f"expected a quantity such as '{example}'")
    if not isinstance(written, str):
        if unit != "1":
            raise _refusal("NE2024", f"{written} has no unit", f"write it with its unit, as in '{example}'")
        if isinstance(written, float) and not math.isfinite(written):
            raise _refusal("NE2025", f"{written} is not a finite number")
        return written
    try:
        measure = parse_quantity(written)
    except BadInput as refused:
        raise broken_rules([Problem((), f.code, f.message, f.fixes) for f in refused.findings]) from None
    if measure.unit != unit:
        found = f"{measure.dimension} ({measure.unit})" if measure.unit != "1" else "no unit"
        raise _refusal("NE2024", f"{written!r} has {found}, expected {unit}", f"write it as in '{example}'")
    return measure.value


class Energy(Quantity[float]):
    """Joules."""

    si_unit = "J"
    example = "23.6 pJ"


class Time(Quantity[float]):
    """Seconds."""

    si_unit = "s"
    example = "3.5 ns"


class Power(Quantity[float]):
    """Watts."""

    si_unit = "W"
    example = "104.4 mW"


class Voltage(Quantity[float]):
    """Volts."""

    si_unit = "V"
    example = "0.80 V"


class SpikeRate(Quantity[float]):
    """Spikes per second."""

    si_unit = "spike/s"
    example = "3.44 Gspike/s"


class Memory(Quantity[int]):
    """A size of storage; ``value`` counts bits."""

    si_unit = "bit"
    example = "128 KiB"

    @property
    def bits(self) -> int:
        return self.value


class Ratio(Quantity[float]):
    """A share or relative error; "11.7 %" is 0.117."""

    example = "11.7 %"

    def spell(self, value: Any) -> str:
        return format_exact(value, "%")


class Measurement(Fact[float]):
    """A measured quantity of any dimension; ``unit`` is the SI unit of what is written."""

    _written_unit: str = PrivateAttr(default="1")

    @model_validator(mode="wrap")
    @classmethod
    def _read_with_unit(cls, data: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        data = _as_fact(data)
        if not isinstance(data, dict):
            return build(data)
        measures = {key: _measure(key, data[key]) for key in ("value", "low", "high") if data.get(key) is not None}
        units = sorted({measure.unit for measure in measures.values()})
        if len(units) > 1:
            raise _refusal("NE2024", f"value, low and high have different units: {', '.join(units)}")
        fact = build({**data, **{key: float(measure.value) for key, measure in measures.items()}})
        fact._written_unit = measures["value"].unit
        return fact

    @property
    def unit(self) -> str:
        return self._written_unit

    @field_serializer("value", "low", "high")
    def _write_number(self, value: float | None) -> str | None:
        return None if value is None else self.spell(value)

    def spell(self, value: Any) -> str:
        return format_exact(value, self.unit)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        for key in ("value", "low", "high"):
            full["properties"][key] = {"title": key.capitalize(), "type": ["string", "number"], "examples": ["1.33 mJ"]}
        return full


def _measure(key: str, written: Any) -> Any:
    text = str(written) if isinstance(written, int | float) and not isinstance(written, bool) else written
    if not isinstance(text, str):
        raise broken_rules([Problem((key,), "NE2022", "expected a quantity such as '1.33 mJ'")])
    try:
        return parse_quantity(text)
    except BadInput as refused:
        raise broken_rules([Problem((key,), f.code, f.message, f.fixes) for f in refused.findings]) from None


def not_positive(section: Section) -> list[Problem]:
    """A problem for each count or memory size of the section that is below 1."""
    return [
        Problem((name,), "NE2025", f"{name} must be at least 1, not {fact.text}")
        for name, fact in ((name, getattr(section, name)) for name in type(section).model_fields)
        if isinstance(fact, Count | Memory) and fact.value < 1
    ]


def passed(section: S, problems: list[Problem]) -> S:
    """``section`` where there are no problems; else they are raised together."""
    if problems:
        raise broken_rules(problems)
    return section
