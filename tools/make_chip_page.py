"""Write the tables of docs/chips/NAME.md from the chip files (``--check`` only compares).

    python tools/make_chip_page.py [--check]

Text outside the two marker comments is written by hand and kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from neuroemu.spec import ChipSpec, Row, describe, load_chip

PAGES = Path(__file__).resolve().parents[1] / "docs" / "chips"
CHIPS_WITH_A_PAGE = ("loihi1",)
BEGIN = "<!-- tables: written by tools/make_chip_page.py; edit chips/*.yaml instead -->\n"
END = "<!-- end of tables -->\n"

HEAD = """\
| key | value | range | kind | confidence | source | note |
| --- | --- | --- | --- | --- | --- | --- |"""

TITLE_OF_SECTION = {
    "structure": "Structure",
    "limits": "Limits of one core",
    "arithmetic": "Arithmetic",
    "static": "Static power and reset",
    "systems": "Systems",
    "physical": "The die",
    "validation": "Measured workloads and accuracy",
}


def tables(chip: ChipSpec) -> str:
    """All facts of a chip as Markdown, one table per section, then the full references."""
    rows = describe(chip)
    facts = [row for row in rows if row.kind]
    parts = [section(TITLE_OF_SECTION[name], name, facts) for name in ("structure", "limits", "arithmetic")]
    for name, cost_set in chip.cost_sets.items():
        prefix = f"cost_sets.{name}"
        rules = ", ".join(f"{row.key} `{row.text}`" for row in below(f"{prefix}.rules", rows))
        introduction = f"{cost_set.title}. {cost_set.note}\n\nRules: {rules}.\n"
        parts.append(section(f"Cost set `{name}`", prefix, facts, introduction))
    parts += [section(TITLE_OF_SECTION[name], name, facts) for name in ("static", "systems", "validation", "physical")]
    return "\n".join([*parts, references(chip)])


def below(prefix: str, rows: Iterable[Row]) -> list[Row]:
    """The rows whose key path starts with ``prefix``."""
    return [row for row in rows if row.path.startswith(prefix + ".")]


def section(title: str, prefix: str, rows: Iterable[Row], introduction: str = "") -> str:
    """A heading and a table of the facts below ``prefix``, whose keys are shown without it."""
    lines = [f"## {title}", "", *([introduction] if introduction else []), HEAD]
    lines += [line(row, prefix) for row in below(prefix, rows)]
    return "\n".join([*lines, ""])


def line(row: Row, prefix: str) -> str:
    """One fact as a table line."""
    key = row.path.removeprefix(prefix + ".")
    cells = (f"`{key}`", row.text, row.range_text, row.kind, row.confidence, row.source, row.note)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def references(chip: ChipSpec) -> str:
    """The sources table."""
    lines = ["## Sources", "", "| id | reference |", "| --- | --- |"]
    lines += [f"| {identifier} | {reference} |" for identifier, reference in chip.sources.items()]
    return "\n".join(lines) + "\n"


def page(chip: ChipSpec, old: str) -> str:
    """``old`` with its tables replaced.

    Raises:
        ValueError: the marker comments are not there.
    """
    before, found_begin, rest = old.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found_begin or not found_end:
        raise ValueError(f"the page of {chip.name} lacks its marker comments")
    return f"{before}{BEGIN}\n{tables(chip)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` return 1 when one is out of date."""
    stale = []
    for name in CHIPS_WITH_A_PAGE:
        path = PAGES / f"{name}.md"
        old = path.read_text(encoding="utf-8")
        new = page(load_chip(name), old)
        if "--check" not in arguments:
            path.write_text(new, encoding="utf-8")
        elif new != old:
            stale.append(path.name)
    for name in stale:
        print(f"{name} is out of date: run python tools/make_chip_page.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
