"""The documentation says what is true today: its commands, its verbs, its names and its links inside the repository."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
TEXTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "rtl" / "README.md"])


def code_lines(text: str) -> list[str]:
    """Lines of fenced code, with continued lines joined."""
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def test_the_command_line_page_is_current() -> None:
    tool = runpy.run_path(str(REPOSITORY / "tools" / "make_cli_page.py"))
    written = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == tool["page"](), "run python tools/make_cli_page.py"


def test_every_verb_in_the_documentation_exists() -> None:
    from typer.main import get_command

    from neuroemu.cli import app

    verbs = set(getattr(get_command(app), "commands", {}))
    unknown = {
        f"{path.name}: {verb}"
        for path in TEXTS
        for line in [*code_lines(path.read_text(encoding="utf-8")), *re.findall(r"`([^`\n]+)`", path.read_text())]
        for verb in re.findall(r"(?:^|bin/)neuroemu ([a-z]+)", line.strip())
        if verb not in verbs
    }
    assert unknown == set()


def test_every_example_file_in_the_documentation_exists() -> None:
    missing = {
        f"{path.name}: {name}"
        for path in TEXTS
        for name in re.findall(r"examples/[\w./-]+\.\w+", path.read_text(encoding="utf-8"))
        if not (REPOSITORY / name).exists()
    }
    assert missing == set()


@pytest.mark.parametrize("path", [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_links_of_the_front_page_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if "://" not in link and not (REPOSITORY / link).exists()] == []


def test_the_readme_names_both_commands() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    deploy, tests = (
        re.search(rf"<!-- {mark} -->\n```sh\n(.+)\n```", readme) for mark in ("deploy command", "test command")
    )
    assert deploy is not None and "--chip loihi1" in deploy[1]
    assert tests is not None and tests[1].rsplit(" && ")[-1].startswith(".venv/bin/python -m pytest")


def test_the_version_is_the_same_everywhere() -> None:
    import tomllib

    import neuroemu

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == neuroemu.__version__
    assert f"version: {neuroemu.__version__}\n" in (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
