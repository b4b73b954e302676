"""Write the Verilog headers of rtl/src and the bus tables of the documentation (``--check`` only compares).

    python tools/make_rtl_header.py [--check]

lif_registers.vh and docs/chips/lifcore.md come from neuroemu/families/lifcore/registers.py, tn_registers.vh and docs/rtl.md from
neuroemu/families/truenorth/registers.py. Text of a page outside the two marker comments is kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

from neuroemu.families.lifcore.registers import BUS as LIF
from neuroemu.families.truenorth.registers import BUS as CROSSBAR
from neuroemu.families.truenorth.registers import row_macros
from neuroemu.image.bus import BusMap, tables
from neuroemu.image.bus import header as bus_header

ROOT = Path(__file__).resolve().parents[1]
HEADER = ROOT / "rtl" / "src" / "lif_registers.vh"
PAGE = ROOT / "docs" / "chips" / "lifcore.md"
CROSSBAR_HEADER = ROOT / "rtl" / "src" / "tn_registers.vh"
CROSSBAR_PAGE = ROOT / "docs" / "rtl.md"
BEGIN = "<!-- bus: written by tools/make_rtl_header.py; edit families/{}/registers.py instead -->\n"
END = "<!-- end of bus -->\n"


def header() -> str:
    """The header of lif_core."""
    return bus_header(LIF)


def crossbar_header() -> str:
    """The header of crossbar_core, with the places of a row's fields."""
    return bus_header(CROSSBAR, row_macros())


def page(old: str, family: str, bus: BusMap) -> str:
    """``old`` with its bus tables replaced.

    Raises:
        ValueError: the marker comments are not there.
    """
    begin = BEGIN.format(family)
    before, rest = old.split(begin)
    _, after = rest.split(END)
    return f"{before}{begin}\n{tables(bus)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` say what differs; 1 when something does."""
    wanted = {
        HEADER: header(),
        PAGE: page(PAGE.read_text(encoding="utf-8"), "lifcore", LIF),
        CROSSBAR_HEADER: crossbar_header(),
        CROSSBAR_PAGE: page(CROSSBAR_PAGE.read_text(encoding="utf-8"), "truenorth", CROSSBAR),
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if "--check" in arguments:
            print(f"{path.name} is not what registers.py says: run python tools/make_rtl_header.py", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
