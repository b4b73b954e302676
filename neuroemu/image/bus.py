"""What software finds behind the configuration bus of a Verilog core, as data: registers and memories of 32-bit words.

An address is ``{region, offset}`` with four bits of region; region 0 are the registers. The Verilog header and the tables of the
documentation are written from the same map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroemu.image.bitfields import BitField, Layout, combine

WORD = 32
REGION_BITS = 4
_ACCESS = {"read": "read only", "write": "write only", "both": ""}


@dataclass(frozen=True)
class Register:
    """One register: ``access`` is ``read``, ``write`` or ``both``; ``reset`` says what a reset leaves in it."""

    number: int
    layout: Layout
    access: str
    reset: str = "0"

    @property
    def name(self) -> str:
        return self.layout.name


@dataclass(frozen=True)
class Region:
    """A memory behind the bus; ``offset`` says how an entry is addressed, ``layout`` what a word holds at full width."""

    number: int
    layout: Layout
    offset: str

    @property
    def name(self) -> str:
        return self.layout.name


@dataclass(frozen=True)
class BusMap:
    """The bus of one core.

    Attributes:
        core: name of the Verilog module.
        prefix: of all its macros.
        identity: what its first register reads.
        register_bits: width of a register's offset.
    """

    core: str
    prefix: str
    identity: int
    register_bits: int
    registers: tuple[Register, ...]
    regions: tuple[Region, ...]

    def constants(self, fields: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
        """Words of the identity and of registers that are built in, by their fields; what a field has no room for is cut."""
        layouts = {item.name: item.layout for item in self.registers}
        words = {
            name: int(combine(layouts[name], {field: np.array([value]) for field, value in values.items()})[0])
            for name, values in fields.items()
        }
        return {"identity": self.identity, **words}


def word(name: str, *fields: BitField) -> Layout:
    """A 32-bit word; unused high bits read as zero."""
    unused = WORD - sum(item.width for item in fields)
    return Layout(name, fields + ((BitField("", f"pad:{unused}", "zero"),) if unused else ()))


def header(bus: BusMap, more: tuple[str, ...] = ()) -> str:
    """The Verilog header: numbers of regions and registers, and the lowest bit of every field that is not at bit 0.

    Args:
        more: lines before the end.
    """
    prefix = bus.prefix
    lines = [
        f"// The configuration bus of {bus.core}. Written by tools/make_rtl_header.py; do not edit.",
        f"`ifndef {prefix}_REGISTERS_VH",
        f"`define {prefix}_REGISTERS_VH",
        f"`define {prefix}_IDENTITY 32'h{bus.identity:08x}",
        "// Regions: the highest four bits of an address.",
        *(f"`define {prefix}_REGION_{item.name.upper()} {REGION_BITS}'d{item.number}" for item in bus.regions),
        "// Registers: offsets in region 0.",
        *(
            f"`define {prefix}_REGISTER_{item.name.upper()} {bus.register_bits}'d{item.number}"
            for item in bus.registers
        ),
        "// Lowest bits of fields; a field that is not listed starts at bit 0.",
        *(
            f"`define {prefix}_{layout.name.upper()}_{field.name.upper()}_LOW {low}"
            for layout in (*(item.layout for item in bus.registers), *(item.layout for item in bus.regions))
            for low, field in layout.values()
            if low
        ),
        *more,
        "`endif",
    ]
    return "\n".join(lines) + "\n"


def tables(bus: BusMap) -> str:
    """Regions, registers and the fields of all words as Markdown."""
    parts = [
        "| region | memory | offset | fields of a word |",
        "| --- | --- | --- | --- |",
        *(
            f"| {item.number} | {item.name.replace('_', ' ')} | {item.offset} | {_fields(item.layout)} |"
            for item in bus.regions
        ),
        "",
        "| register | name | access | after `rst` | fields |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {item.number} | `{item.name}` | {_ACCESS[item.access]} | {item.reset} | {_fields(item.layout)} |"
            for item in bus.registers
        ),
    ]
    return "\n".join(parts) + "\n"


def _fields(layout: Layout) -> str:
    """``bits name: meaning`` of every field, in one cell."""
    texts = []
    for low, item in layout.values():
        bits = f"{low}" if item.width == 1 else f"{low}–{low + item.width - 1}"
        texts.append(f"{bits} `{item.name}`: {item.meaning}")
    return "<br>".join(texts) or "below"
