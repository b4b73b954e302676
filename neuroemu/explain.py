"""The long form of every error code: what it means, why it is refused, what to do.

The entries live in ``neuroemu/explanations/*.yaml``, one file per room, next to the code that raises them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any

import yaml

from neuroemu.errors import BadInput, Finding

CODE_PATTERN = re.compile(r"NE\d{4}")

ROOM_OF_FIRST_DIGIT = {
    "1": "formats and network",
    "2": "chip specification",
    "3": "lowering",
    "4": "mapping",
    "5": "program image",
    "6": "emulator and run",
    "7": "verification",
    "8": "report",
    "9": "internal",
}

_FIELDS = ("title", "text", "fix")


@dataclass(frozen=True)
class Explanation:
    """One error code in the long form; ``text`` and ``fix`` are plain paragraphs."""

    code: str
    title: str
    text: str
    fix: str

    @property
    def room(self) -> str:
        """The part of the toolchain that reports this code."""
        return ROOM_OF_FIRST_DIGIT[self.code[2]]

    def __str__(self) -> str:
        return f"{self.code}  {self.title}  ({self.room})\n\n{self.text}\n\nWhat to do\n{self.fix}"

    def to_dict(self) -> dict[str, str]:
        """Plain data for ``--json``."""
        return {"code": self.code, "room": self.room, "title": self.title, "text": self.text, "fix": self.fix}


def explain(code: str) -> Explanation:
    """Look up one code; ``NE1012``, ``ne1203`` and ``1203`` mean the same.

    Raises:
        BadInput: ``NE9002`` when there is no such code; the fixes name the nearest ones.
    """
    known = all_explanations()
    wanted = normalised(code)
    if wanted in known:
        return known[wanted]
    near = nearest_codes(wanted, known)
    raise BadInput(
        Finding(
            code="NE9002",
            message=f"there is no error code {code!r}",
            fixes=tuple(f"neuroemu explain {other}  ({known[other].title})" for other in near),
        )
    )


@cache
def all_explanations() -> Mapping[str, Explanation]:
    """Every entry shipped with the package, sorted by code.

    Raises:
        ValueError: an entry is malformed or a code is explained twice (a defect of the package, found by its tests).
    """
    found: dict[str, Explanation] = {}
    folder = resources.files("neuroemu") / "explanations"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".yaml"):
            continue
        for entry in parse_explanations(file.read_text(encoding="utf-8"), file.name):
            if entry.code in found:
                raise ValueError(f"{file.name}: {entry.code} is explained twice")
            found[entry.code] = entry
    return dict(sorted(found.items()))


def parse_explanations(text: str, name: str) -> tuple[Explanation, ...]:
    """Read one explanations file.

    Raises:
        ValueError: not a mapping from codes to exactly ``title``, ``text`` and ``fix``, each a non-empty string.
    """
    content = yaml.safe_load(text)
    if content is None:
        return ()
    if not isinstance(content, dict):
        raise ValueError(f"{name}: expected a mapping from codes to entries")
    return tuple(_entry(code, body, name) for code, body in content.items())


def normalised(code: str) -> str:
    """``code`` as it is written in the entries: upper case, with its ``NE``."""
    upper = code.strip().upper()
    return f"NE{upper}" if upper.isdigit() else upper


def nearest_codes(code: str, known: Mapping[str, Explanation], count: int = 3) -> tuple[str, ...]:
    """Up to ``count`` known codes that look most like ``code``, best first, ties by code."""
    return tuple(get_close_matches(code, sorted(known), n=count, cutoff=0.5))


def _entry(code: Any, body: Any, name: str) -> Explanation:
    if not isinstance(code, str) or not CODE_PATTERN.fullmatch(code) or code[2] not in ROOM_OF_FIRST_DIGIT:
        raise ValueError(f"{name}: {code!r} is not an error code")
    if not isinstance(body, dict) or sorted(body) != sorted(_FIELDS):
        raise ValueError(f"{name}: {code} needs exactly the keys {', '.join(_FIELDS)}")
    for key in _FIELDS:
        if not isinstance(body[key], str) or not body[key].strip():
            raise ValueError(f"{name}: {code}: {key} must be a non-empty string")
    return Explanation(code=code, title=body["title"].strip(), text=body["text"].strip(), fix=body["fix"].strip())
