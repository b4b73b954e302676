"""The page in headless Chromium: it draws everything, complains about nothing and asks the network for nothing."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neuroemu.report.html import render
from tests.report.test_html import NASTY, everything_renamed
from tools import screenshot_report
from tools.chromium import NAMES, Chromium, NoChromium, Page, find_chromium

pytestmark = pytest.mark.browser

CHARTS = {"network", "accuracy", "fidelity", "quantisation", "core-map", "utilisation", "raster", "rates", "tick-time"}
COUNT_MARKS = """
Object.fromEntries([...document.querySelectorAll("[data-chart]")].map(chart => [chart.dataset.chart,
  [...chart.querySelectorAll("[data-mark]")].filter(mark => {
    const box = mark.getBoundingClientRect();
    return box.width > 0 || box.height > 0;
  }).length]))
"""
Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Chromium, tmp_path: Path) -> Iterator[Open]:
    """Opens a report from a file, as a user would, in a window of a size and colour scheme."""
    pages: list[Page] = []

    def open_report(report: dict[str, Any], width: int = 1280, scheme: str = "light") -> Page:
        file = tmp_path / "report.html"
        file.write_text(render(report), "utf-8")
        page = browser.new_page()
        pages.append(page)
        page.resize(width, 900)
        page.prefer(scheme)
        page.open(file)
        return page

    yield open_report
    for page in pages:
        page.close()


def assert_quiet(page: Page) -> None:
    """No console message, no exception, no dialog, and no request but the file itself."""
    assert page.problems == []
    assert len(page.requests) == 1 and page.requests[0].startswith("file://")
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("name", ["digits", "conv"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light")])
def test_every_chart_has_marks_and_nothing_goes_wrong(
    request: pytest.FixtureRequest, opened: Open, name: str, width: int, scheme: str
) -> None:
    page = opened(request.getfixturevalue(name), width, scheme)
    marks = page.evaluate(COUNT_MARKS)
    assert set(marks) >= {*CHARTS, "energy-0", "energy-1", "time-0", "time-1"}
    assert {chart: number for chart, number in marks.items() if number == 0} == {}
    assert_quiet(page)


@pytest.mark.parametrize("name", ["refused", "unknown"])
def test_a_report_without_figures_opens_as_quietly(request: pytest.FixtureRequest, opened: Open, name: str) -> None:
    assert_quiet(opened(request.getfixturevalue(name)))


@pytest.mark.parametrize("width", [360, 400, 768, 1280])
def test_the_page_never_scrolls_sideways(conv: dict[str, Any], opened: Open, width: int) -> None:
    page = opened(conv, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_missing_mark_would_be_noticed(digits: dict[str, Any], opened: Open) -> None:
    digits["run"]["raster"]["populations"] = [{**lane, "events": []} for lane in digits["run"]["raster"]["populations"]]
    assert opened(digits).evaluate(COUNT_MARKS)["raster"] == 0


def test_hostile_names_run_no_script(conv: dict[str, Any], opened: Open) -> None:
    page = opened(everything_renamed(conv))
    assert page.evaluate("document.title").count("<script>") == 2
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert NASTY in page.evaluate("document.querySelector('h1').textContent")
    assert_quiet(page)


def test_a_script_smuggled_into_the_file_is_blocked(digits: dict[str, Any], browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "tampered.html"
    smuggled = "<script>window.stolen = 1</script><img src=x onerror='window.stolen = 2'></body>"
    file.write_text(render(digits).replace("</body>", smuggled), "utf-8")
    page = browser.new_page()
    page.open(file)
    assert page.evaluate("window.stolen === undefined")
    assert any("Content Security Policy" in problem for problem in page.problems)


def test_choosing_a_metric_recolours_the_core_map(conv: dict[str, Any], opened: Open) -> None:
    page = opened(conv)
    colours = "[...document.querySelectorAll('.core')].map(core => core.getAttribute('class')).join()"
    before = page.evaluate(colours)
    page.evaluate("document.querySelector('button[data-metric=\"3\"]').click()")
    assert page.evaluate(colours) != before
    assert page.evaluate("document.querySelectorAll('button[data-metric][aria-pressed=true]').length") == 1
    assert "limit" in page.evaluate("document.querySelector('[data-limit]').textContent")
    page.evaluate("document.querySelector('button[data-links]').click()")
    assert page.evaluate("getComputedStyle(document.querySelector('.wires')).display") == "none"
    assert_quiet(page)


def _point_at(page: Page, selector: str) -> None:
    page.evaluate(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center', behavior: 'instant'}})")
    x, y = page.evaluate(
        f"(() => {{ const box = document.querySelector({selector!r}).getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


def test_pointing_at_a_core_tells_its_figures(conv: dict[str, Any], opened: Open) -> None:
    page = opened(conv)
    _point_at(page, ".core rect")
    tip = page.evaluate("document.getElementById('tip').textContent")
    assert tip.startswith("core 0 at tile (0, 0)\nconv1: 514 neurons\nspikes: ")
    assert page.evaluate("document.getElementById('tip').hidden") is False
    assert page.evaluate("document.querySelector('.core').getAttribute('aria-label')") == tip


def test_pointing_at_a_plot_reads_the_tick(conv: dict[str, Any], opened: Open) -> None:
    page = opened(conv)
    _point_at(page, "[data-chart=raster] .plot-box")
    assert page.evaluate("document.querySelector('[data-chart=raster] .readout').textContent").startswith(
        "tick 62: input "
    )
    _point_at(page, "[data-chart=tick-time] .plot-box")
    told = page.evaluate("document.querySelector('[data-chart=tick-time] .readout').textContent")
    assert told.startswith("tick 62: time ") and "busiest core" in told
    assert_quiet(page)


def test_the_two_schemes_differ_and_text_keeps_its_contrast(digits: dict[str, Any], opened: Open) -> None:
    contrast = """
    [...document.querySelectorAll("p, td, th, dd, dt, li, h1, h2, h3, summary, a, button, small, .badge")].map(element => {
      const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
      const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      let ground = element, colour = [];
      do { colour = parse(getComputedStyle(ground).backgroundColor); ground = ground.parentElement; }
      while (ground && colour.length === 4 && colour[3] === 0);
      const [one, two] = [light(parse(getComputedStyle(element).color)), light(colour)].sort((a, b) => b - a);
      return [(one + 0.05) / (two + 0.05), element.outerHTML.slice(0, 80)];
    }).sort((a, b) => a[0] - b[0])[0]
    """
    grounds = []
    for scheme in ("light", "dark"):
        page = opened(digits, 1280, scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        worst, where = page.evaluate(contrast)
        assert worst >= 4.5, where
    assert grounds[0] != grounds[1]


def test_on_paper_everything_is_open_and_light(conv: dict[str, Any], opened: Open) -> None:
    page = opened(conv, 1280, "dark")
    page.prefer("dark", "print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('details')].every(one => one.open)")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_the_page_is_readable_without_its_script(digits: dict[str, Any], browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "plain.html"
    file.write_text(render(digits), "utf-8")
    page = browser.new_page()
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Page.enable")
    page.call("Page.navigate", url=file.as_uri())
    browser.wait_for("Page.loadEventFired", page.session)
    page.call("Emulation.setScriptExecutionDisabled", value=False)
    assert page.evaluate(COUNT_MARKS)["core-map"] > 0
    assert page.evaluate("document.querySelector('.controls').hidden") is True


@pytest.mark.usefixtures("browser")
def test_the_screenshot_tool_writes_a_picture_of_the_size_asked_for(digits: dict[str, Any], tmp_path: Path) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "new" / "report.png"
    page.write_text(render(digits), "utf-8")
    assert screenshot_report.main([str(page), "-o", str(picture), "--width", "640", "--height", "500"]) == 0
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (640, 500)
    assert screenshot_report.main([str(page), "-o", str(picture), "--section", "map", "--scheme", "dark"]) == 0


def test_the_screenshot_tool_refuses_a_page_that_is_not_there(tmp_path: Path) -> None:
    assert screenshot_report.main([str(tmp_path / "none.html")]) == 2


def test_a_machine_without_chromium_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NEUROEMU_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoChromium, match="apt-get install -y chromium"):
        find_chromium()
    browser = tmp_path / NAMES[-1]
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    assert find_chromium() == str(browser)
    monkeypatch.setenv("NEUROEMU_CHROMIUM", str(tmp_path / "gone"))
    with pytest.raises(NoChromium, match="gone"):
        find_chromium()
