"""Write rtl/src/lif_registers.vh and the bus tables of docs/chips/lifcore.md (``--check`` only compares).

    python tools/make_rtl_header.py [--check]

Both come from neuroemu/families/lifcore/registers.py. Text of the page outside the two marker comments is kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

from neuroemu.families.lifcore.registers import IDENTITY, REGION_BITS, REGIONS, REGISTER_BITS, REGISTERS, VERSION
from neuroemu.image.bitfields import Layout

ROOT = Path(__file__).resolve().parents[1]
HEADER = ROOT / "rtl" / "src" / "lif_registers.vh"
PAGE = ROOT / "docs" / "chips" / "lifcore.md"
BEGIN = "<!-- bus: written by tools/make_rtl_header.py; edit families/lifcore/registers.py instead -->\n"
END = "<!-- end of bus -->\n"

GUARD = "LIF_REGISTERS_VH"
ACCESS = {"read": "read only", "write": "write only", "both": ""}


def header() -> str:
    """The Verilog header: numbers of regions and registers, and the lowest bit of every field that is not at bit 0."""
    lines = [
        "// The configuration bus of lif_core. Written by tools/make_rtl_header.py; do not edit.",
        f"`ifndef {GUARD}",
        f"`define {GUARD}",
        f"`define LIF_IDENTITY 32'h{IDENTITY << 8 | VERSION:08x}",
        "// Regions: the highest four bits of an address.",
        *(f"`define LIF_REGION_{item.name.upper()} {REGION_BITS}'d{item.number}" for item in REGIONS),
        "// Registers: offsets in region 0.",
        *(f"`define LIF_REGISTER_{item.name.upper()} {REGISTER_BITS}'d{item.number}" for item in REGISTERS),
        "// Lowest bits of fields; a field that is not listed starts at bit 0.",
        *(line for item in (*REGISTERS, *REGIONS) for line in _lowest_bits(item.layout)),
        "`endif",
    ]
    return "\n".join(lines) + "\n"


def _lowest_bits(layout: Layout) -> list[str]:
    return [
        f"`define LIF_{layout.name}_{item.name}_LOW {low}".upper().replace("`DEFINE", "`define")
        for low, item in layout.values()
        if low
    ]


def tables() -> str:
    """Regions, registers and the fields of all words as Markdown."""
    parts = [
        "| region | memory | offset | fields of a word |",
        "| --- | --- | --- | --- |",
        *(f"| {item.number} | {_words(item.name)} | {item.offset} | {_fields(item.layout)} |" for item in REGIONS),
        "",
        "| register | name | access | after `rst` | fields |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {item.number} | `{item.name}` | {ACCESS[item.access]} | {item.reset} | {_fields(item.layout)} |"
            for item in REGISTERS
        ),
    ]
    return "\n".join(parts) + "\n"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _fields(layout: Layout) -> str:
    """``bits name: meaning`` of every field, in one cell."""
    texts = []
    for low, item in layout.values():
        bits = f"{low}" if item.width == 1 else f"{low}–{low + item.width - 1}"
        texts.append(f"{bits} `{item.name}`: {item.meaning}")
    return "<br>".join(texts) or "below"


def page(old: str) -> str:
    """``old`` with its bus tables replaced.

    Raises:
        ValueError: the marker comments are not there.
    """
    before, rest = old.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` say what differs; 1 when something does."""
    wanted = {HEADER: header(), PAGE: page(PAGE.read_text(encoding="utf-8"))}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if "--check" in arguments:
            print(f"{path.name} is not what registers.py says: run python tools/make_rtl_header.py", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
