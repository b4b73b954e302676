"""Write docs/errors.md from the explanations shipped with the package (``--check`` only compares).

python tools/make_error_page.py [--check]
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from neuroemu.explain import Explanation, all_explanations

PAGE = Path(__file__).resolve().parents[1] / "docs" / "errors.md"

HEAD = """\
<!-- Written by tools/make_error_page.py; edit neuroemu/explanations/*.yaml instead. -->

# Error codes

Every message carries a code. `neuroemu explain CODE` prints the same text as this page. All problems of an input are
reported at once; each names its place, says by how much a limit is missed, and suggests what to change.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | the network does not fit the chip, or a replay differs |
| 2 | a file, option or array is unusable |
| 3 | a defect of neuroemu |
"""


def page() -> str:
    """The whole page, codes in order, one section per room."""
    sections = [HEAD]
    for room, entries in groupby(all_explanations().values(), key=lambda entry: entry.room):
        sections.append(f"\n## {room[0].upper()}{room[1:]}\n")
        sections.extend(section(entry) for entry in entries)
    return "".join(sections)


def section(entry: Explanation) -> str:
    """One code with its meaning and its remedy."""
    return f"\n### {entry.code}: {entry.title}\n\n{entry.text}\n\n**What to do**\n\n{entry.fix}\n"


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` return 1 when it is out of date."""
    if "--check" not in arguments:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        print(f"{PAGE.name} is out of date: run python tools/make_error_page.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
