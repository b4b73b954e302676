"""The page as text: complete, self-contained, and inert whatever the names say."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from neuroemu.report.glossary import GLOSSARY
from neuroemu.report.html import render
from neuroemu.report.html.page import SECTIONS

VOID = {"meta", "br"}
NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}</style></script><!--"


class Outline(HTMLParser):
    """Every tag with its attributes, and whether tags nest."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def outline(page: str) -> Outline:
    """The parsed page; every tag is closed in order."""
    parsed = Outline()
    parsed.feed(page)
    parsed.close()
    assert parsed.open == []
    return parsed


def everything_renamed(node: Any) -> Any:
    """The report with every free text replaced by a nasty one."""
    keep = {"schema", "severity", "group", "origin"}
    if isinstance(node, dict):
        return {key: part if key in keep else everything_renamed(part) for key, part in node.items()}
    if isinstance(node, list):
        return [everything_renamed(part) for part in node]
    return NASTY if isinstance(node, str) else node


@pytest.fixture(params=["digits", "conv", "refused", "unknown"])
def report(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each of the sample reports."""
    sample: dict[str, Any] = request.getfixturevalue(request.param)
    return sample


def test_every_tag_is_closed_in_order(report: dict[str, Any]) -> None:
    assert outline(render(report)).tags


def test_the_same_report_gives_the_same_page(digits: dict[str, Any]) -> None:
    assert render(digits) == render(digits)


def test_nothing_is_fetched_from_anywhere(report: dict[str, Any]) -> None:
    page = render(report)
    for tag, attributes in outline(page).tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "image", "use", "form"}
        assert not {"src", "srcset", "xlink:href", "action", "background"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style is not None
    assert "@import" not in style[1]
    assert set(re.findall(r"url\(([^)]*)\)", style[1])) <= {"#hatch"}


def test_the_policy_admits_our_own_script_only(report: dict[str, Any]) -> None:
    page = render(report)
    policy = next(
        attributes["content"] or ""
        for tag, attributes in outline(page).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_hostile_texts_stay_texts(conv: dict[str, Any]) -> None:
    hostile = everything_renamed(conv)
    page = render(hostile)
    clean = [tag for tag, _ in outline(render(conv)).tags]
    parsed = outline(page)
    assert "img" not in [tag for tag, _ in parsed.tags]
    assert [tag for tag, _ in parsed.tags].count("script") == clean.count("script")
    assert "alert(1)</script>" not in page.replace("&lt;script&gt;alert(1)&lt;/script&gt;", "")
    assert NASTY in "".join(parsed.text)
    assert "{{ 7 * 7 }}" in page


def test_ids_are_unique_and_links_lead_somewhere(report: dict[str, Any]) -> None:
    tags = outline(render(report)).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = {link[1:] for _, attributes in tags if (link := attributes.get("href") or "").startswith("#")}
    assert inside <= set(ids)


def test_a_full_report_has_every_section(digits: dict[str, Any]) -> None:
    page = render(digits)
    assert all(f'<section id="{key}"' in page for key in SECTIONS)
    assert "Not computed" not in page


def test_sections_without_contents_are_named_instead_of_shown_empty(refused: dict[str, Any]) -> None:
    page = render(refused)
    assert 'id="energy"' not in page and 'href="#energy"' not in page
    assert "Not computed: fidelity, quantisation, core map, utilisation, activity, time, energy, constants." in page


def test_unknown_is_a_word_and_never_a_zero(unknown: dict[str, Any]) -> None:
    text = " ".join(outline(render(unknown)).text)
    assert text.count("unknown") > 60
    assert not re.search(r"(?<![\d.,])0[\s\u202f][munpfµ]?[Js]\b", text)
    assert "None" not in text and "nan" not in text.split()


def test_tables_have_headings_for_rows_and_columns(digits: dict[str, Any]) -> None:
    tags = outline(render(digits)).tags
    headings = [attributes for tag, attributes in tags if tag == "th"]
    assert headings and all(attributes.get("scope") in ("row", "col") for attributes in headings)


def test_charts_have_names_for_those_who_do_not_see_them(digits: dict[str, Any]) -> None:
    for tag, attributes in outline(render(digits)).tags:
        if attributes.get("role") == "img":
            assert attributes.get("aria-label"), tag


def test_both_colour_schemes_define_the_same_colours() -> None:
    from importlib.resources import files

    style = files("neuroemu.report.html").joinpath("templates/page.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\n {0,2}\}", style, re.S)[:2]
    names = [set(re.findall(r"(--[\w-]+):", block)) for block in (light, dark)]
    assert names[0] == names[1]
    used = set(re.findall(r"var\((--[\w-]+)\)", style)) - {"--tone", "--tone-soft", "--natural", "--cursor"}
    assert used <= names[0]


def test_the_terms_a_page_links_to_are_explained(digits: dict[str, Any]) -> None:
    linked = set(re.findall(r'href="#term-([\w-]+)"', render(digits)))
    assert linked <= {term.key for term in GLOSSARY}
    assert len({term.key for term in GLOSSARY}) == len(GLOSSARY)


def test_a_page_of_sixty_cores_stays_small(conv: dict[str, Any]) -> None:
    assert len(render(conv)) < 700_000


def test_a_large_chip_stays_drawable(conv: dict[str, Any]) -> None:
    core = conv["mapping"]["cores"][0]
    conv["mapping"]["mesh"] = {"columns": 64, "rows": 64, "cores_per_tile": 1}
    conv["mapping"]["cores"] = [
        {**core, "core": number, "tile": number, "x": number % 64, "y": number // 64} for number in range(4096)
    ]
    conv["run"]["raster"] = None
    assert len(render(conv)) < 3_500_000
