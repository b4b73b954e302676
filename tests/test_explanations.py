"""Every error code has an explanation, every explanation a code that uses it, and the documentation page is current."""

from __future__ import annotations

import re
import runpy
from collections import defaultdict
from pathlib import Path

import pytest

from neuroemu.errors import BadInput
from neuroemu.explain import CODE_PATTERN, ROOM_OF_FIRST_DIGIT, all_explanations, explain, parse_explanations

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "neuroemu"
DIGITS_OF_FILE = {
    "formats": "1",
    "network": "1",
    "spec": "2",
    "bench": "7",
    "cosim": "7",
    "lifcore": "345",
    "loihi": "34",
    "mapping": "4",
    "image": "5",
    "run": "67",
    "truenorth": "3567",
    "verify": "7",
    "report": "8",
    "internal": "9",
}
"""Which rooms' codes a file may explain; a chip family lowers and maps."""


def places_of_codes() -> dict[str, list[str]]:
    """Where each code appears as a string literal in the package: code -> ``file:line`` list."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for code in re.findall(rf"[\"']({CODE_PATTERN.pattern})[\"']", line):
                places[code].append(f"{path.relative_to(REPOSITORY)}:{number}")
    return places


def test_every_code_in_the_package_is_explained() -> None:
    unexplained = {code: where for code, where in places_of_codes().items() if code not in all_explanations()}
    assert unexplained == {}


def test_every_explanation_belongs_to_a_code_in_the_package() -> None:
    orphans = sorted(set(all_explanations()) - set(places_of_codes()))
    assert orphans == []


def test_explanations_are_sentences_a_user_can_act_on() -> None:
    terse = [entry.code for entry in all_explanations().values() if len(entry.text) < 40 or len(entry.fix) < 15]
    endless = [entry.code for entry in all_explanations().values() if len(entry.text.splitlines()) > 12]
    long_titles = [entry.code for entry in all_explanations().values() if len(entry.title) > 80]
    assert (terse, endless, long_titles) == ([], [], [])


def test_explanations_stand_in_the_file_of_their_room() -> None:
    misplaced = []
    for path in sorted((PACKAGE / "explanations").glob("*.yaml")):
        digits = DIGITS_OF_FILE.get(path.stem)
        assert digits is not None, f"{path.name}: which room is this?"
        misplaced += [
            f"{path.name}: {entry.code}"
            for entry in parse_explanations(path.read_text(encoding="utf-8"), path.name)
            if entry.code[2] not in digits
        ]
    assert misplaced == []


def test_a_code_is_found_in_any_spelling() -> None:
    assert explain("NE9002") == explain("ne9002") == explain(" 9002 ")
    assert explain("NE9002").room == ROOM_OF_FIRST_DIGIT["9"]


def test_an_explanation_prints_its_code_text_and_fix() -> None:
    entry = explain("NE9002")
    printed = str(entry)
    assert printed.startswith("NE9002  ")
    assert entry.text in printed and printed.endswith(entry.fix)
    assert entry.to_dict()["code"] == "NE9002"


def test_an_unknown_code_names_the_nearest_one() -> None:
    with pytest.raises(BadInput) as caught:
        explain("NE9092")
    (finding,) = caught.value.findings
    assert finding.code == "NE9002"
    assert "NE9002" in finding.fixes[0]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "[a, list]",
        "XX12: {title: t, text: t, fix: f}",
        "NE0001: {title: t, text: t, fix: f}",
        "NE1000: {title: t, text: t}",
        "NE1000: {title: t, text: t, fix: f, note: n}",
        "NE1000: {title: t, text: '', fix: f}",
        "NE1000: {title: 7, text: t, fix: f}",
    ],
)
def test_a_malformed_explanation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"bad\.yaml"):
        parse_explanations(text, "bad.yaml")


def test_an_empty_explanations_file_has_no_entries() -> None:
    assert parse_explanations("", "empty.yaml") == ()


def test_the_error_code_page_is_current() -> None:
    tool = runpy.run_path(str(REPOSITORY / "tools" / "make_error_page.py"))
    written = (REPOSITORY / "docs" / "errors.md").read_text(encoding="utf-8")
    assert written == tool["page"](), "run python tools/make_error_page.py"
