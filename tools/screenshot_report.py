"""Takes a picture of a report page with headless Chromium: ``python tools/screenshot_report.py out/report.html -o FILE.png``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.chromium import NoChromium, Page, chromium  # noqa: E402

LONGEST = 16_000
"""Tallest picture in CSS pixels; browsers refuse much larger ones."""
MARGIN = 10
"""Pixels around a section."""


def main(arguments: list[str] | None = None) -> int:
    """Write the picture; 0 when the page drew without a complaint, 1 when it had problems, 2 for unusable arguments."""
    options = _parser().parse_args(arguments)
    if not options.page.is_file():
        print(f"{options.page}: no such file", file=sys.stderr)
        return 2
    try:
        with chromium() as browser:
            page = browser.new_page()
            page.resize(options.width, 900, options.scale)
            page.prefer(options.scheme)
            page.open(options.page)
            x, y, width, height = _part(page, options.section, options.height)
            options.output.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(options.output, x, y, width, height)
            problems = page.problems
    except NoChromium as missing:
        print(missing, file=sys.stderr)
        return 2
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{options.output}: {width:.0f} x {height:.0f}")
    return 1 if problems else 0


def _part(page: Page, section: str, height: float) -> tuple[float, float, float, float]:
    """Left, top, width and height of the picture: the whole page, its first pixels, or one section with a margin."""
    if section:
        left, top, width, tall = page.evaluate(
            f"(() => {{ const box = document.getElementById({section!r}).getBoundingClientRect();"
            " return [box.left + scrollX, box.top + scrollY, box.width, box.height]; })()"
        )
        return left - MARGIN, top - MARGIN, width + 2 * MARGIN, tall + 2 * MARGIN
    whole = page.call("Page.getLayoutMetrics")["cssContentSize"]
    return 0, 0, whole["width"], min(whole["height"], height or LONGEST)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, help="report.html")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs/assets/report.png", help="PNG to write")
    parser.add_argument("--width", type=int, default=1280, help="width of the window in CSS pixels")
    parser.add_argument("--height", type=float, default=0, help="height of the picture; 0 takes the whole page")
    parser.add_argument("--section", default="", help="only this section, such as map, energy or activity")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light", help="colour scheme")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels per CSS pixel")
    return parser


if __name__ == "__main__":
    sys.exit(main())
