"""The terminal report: the answer first, all of it, and safe to print."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from neuroemu.report import terminal


def printed(report: dict[str, Any], width: int = 110, encoding: str = "utf-8", color: bool = False) -> str:
    """What the report looks like on a terminal of this width and encoding."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=stream, width=width, force_terminal=color, color_system="standard" if color else None)
    terminal.render(report, console)
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_the_verdict_comes_before_any_table(digits: dict[str, Any]) -> None:
    text = printed(digits)
    order = [text.index(word) for word in ("digits_mlp on Intel Loihi 1", "Fits, 1 warning", "Layer", "Per inference")]
    assert order == sorted(order)


def test_it_tells_accuracy_time_energy_and_limit(digits: dict[str, Any]) -> None:
    text = printed(digits)
    for part in ("96.0 %", "float 97.0 %", "58.8 µs", "34 ticks", "4.55 µJ", "neuron processing", "1 of 128 cores"):
        assert part in text


def test_it_fits_about_one_screen(digits: dict[str, Any]) -> None:
    assert len(printed(digits).splitlines()) < 50


def test_both_cost_sets_stand_side_by_side_and_host_and_io_apart(digits: dict[str, Any]) -> None:
    text = printed(digits)
    assert re.search(r"Per inference +davies2018 +sanafe2025", text)
    assert re.search(r"host, not in it +3\.82 µJ +6\.11 µJ", text)
    assert re.search(r"I/O, not in it +unknown +unknown", text)


def test_dead_and_saturated_layers_are_flagged(conv: dict[str, Any]) -> None:
    text = printed(conv)
    assert re.search(r"fc4 .* dead", text)
    assert re.search(r"output .* saturated", text)


def test_errors_come_before_warnings_and_notes_with_their_fixes(refused: dict[str, Any]) -> None:
    text = printed(refused)
    order = [text.index(word) for word in ("error NE4203", "fix: deploy on 2 chips", "warning NE3107", "note NE1110")]
    assert order == sorted(order)


def test_many_findings_are_cut_with_a_word_about_the_rest(digits: dict[str, Any]) -> None:
    first = digits["findings"][0]
    digits["findings"] = [{**first, "message": f"{first['message']} ({number})"} for number in range(30)]
    text = printed(digits)
    assert text.count("NE3107") == terminal.MOST_FINDINGS
    assert "and 18 more" in text


def test_many_layers_are_cut_with_a_word_about_the_rest(digits: dict[str, Any]) -> None:
    population = digits["network"]["populations"][1]
    row = digits["quantisation"][0]
    digits["network"]["populations"] = [{**population, "name": f"layer{number}"} for number in range(40)]
    digits["quantisation"] = [{**row, "population": f"layer{number}"} for number in range(40)]
    assert "16 more layers" in printed(digits)


def test_unknown_is_never_shown_as_zero(unknown: dict[str, Any]) -> None:
    text = printed(unknown)
    assert "energy per inference" in text.lower()
    assert not re.search(r"\b0 [munpf]?[Js]\b", text.replace("µ", "u"))
    assert text.count("unknown") > 20


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(digits: dict[str, Any], width: int) -> None:
    digits["findings"] = []
    assert max(len(line) for line in printed(digits, width).splitlines()) <= width


def test_a_terminal_without_unicode_gets_plain_letters(conv: dict[str, Any]) -> None:
    text = printed(conv, encoding="ascii")
    assert "nmnist_cnn" in text
    assert "us (" in text and "uJ" in text
    assert text.isascii()


def test_names_can_neither_style_nor_steer_the_terminal(digits: dict[str, Any]) -> None:
    digits["network"]["name"] = "[bold red]evil[/] \x1b[2J\x1b]0;title\x07 \u202egnp"
    text = printed(digits)
    assert "[bold red]evil[/]" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


def test_colours_mark_the_verdict_on_a_colour_terminal(digits: dict[str, Any]) -> None:
    assert "\x1b[" in printed(digits, color=True)
