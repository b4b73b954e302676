"""Write docs/cli.md from the command line itself.

python tools/make_cli_page.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from neuroemu.cli import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"

HEAD = """\
<!-- Written by tools/make_cli_page.py; edit neuroemu/cli.py instead. -->

# Command line

One verb per stage. Results go to standard output, progress to standard error.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | the network does not fit the chip, or a replay differs |
| 2 | a file, option or array is unusable |
| 3 | a defect of neuroemu |
| 130 | interrupted by Ctrl-C; what was complete by then is reported and written |
"""


def page() -> str:
    """The whole page, one section per verb, in the order of ``neuroemu --help``."""
    return HEAD + "".join(section(name, verb) for name, verb in verbs("neuroemu", get_command(app)))


def verbs(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every leaf command below ``command`` with the words that call it."""
    for name, below in getattr(command, "commands", {}).items():
        if below.hidden:
            continue
        words = f"{path} {name}"
        if getattr(below, "commands", None):
            yield from verbs(words, below)
        else:
            yield words, below


def section(words: str, verb: Any) -> str:
    """Usage, purpose and parameters of one verb."""
    arguments = [parameter for parameter in verb.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in verb.params if parameter.param_type_name == "option" and not parameter.hidden]
    usage = " ".join([words, *map(name_of_argument, arguments), *(["[OPTIONS]"] if options else [])])
    lines = [f"\n## {words}\n", f"```sh\n{usage}\n```\n", *([inspect.cleandoc(verb.help) + "\n"] if verb.help else [])]
    rows = [row(name_of_argument(argument), argument) for argument in arguments]
    rows += [row(", ".join([*option.opts, *option.secondary_opts]), option) for option in options]
    if rows:
        lines.append("| parameter | meaning | default |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(lines)


def row(name: str, parameter: Any) -> str:
    """One line of a verb's table."""
    meaning = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    return f"| `{name}` | {meaning} | {default_of(parameter)} |"


def default_of(parameter: Any) -> str:
    """The default in words; empty where there is none."""
    if parameter.required:
        return "required"
    if isinstance(parameter.default, bool):
        return "on" if parameter.default else ""
    if isinstance(parameter.default, (str, int, float, Path)) and str(parameter.default):
        return f"`{getattr(parameter.default, 'value', parameter.default)}`"
    return ""


def name_of_argument(argument: Any) -> str:
    """An argument as usage lines write it."""
    name = (argument.metavar or argument.name or "").strip("[]").removesuffix("...").upper()
    name = f"{name}..." if argument.nargs == -1 else name
    return name if argument.required else f"[{name}]"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
