"""YAML text to plain values plus the line and column of every one, without running any YAML constructor.

Size, depth and number of values are bounded before anything is built; anchors, aliases, tags and repeated keys are
refused. Only plain decimal numbers (``1e-4`` too), ``inf``, ``true``/``false`` and ``null`` are anything but text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from neuroemu.errors import BadInput, Finding

MOST_BYTES = 2**22
MOST_VALUES = 200_000
DEEPEST = 24

Path_ = tuple[str | int, ...]
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_INFINITE = {"inf": float("inf"), ".inf": float("inf"), "+inf": float("inf"), "-inf": float("-inf")}


@dataclass(frozen=True)
class PlacedData:
    """Plain dicts, lists and scalars with the position of every value and key; positions count from 1."""

    data: Any
    file: str
    value_at: dict[Path_, tuple[int, int]]
    key_at: dict[Path_, tuple[int, int]]

    def place(self, path: Path_, *, key: bool = False) -> str:
        """``file:line:column`` of a value (or key); parts of ``path`` that do not exist in the file are skipped."""
        found = self.known(path)
        line, column = (self.key_at if key else self.value_at).get(found) or self.value_at.get(found, (1, 1))
        return f"{self.file}:{line}:{column}"

    def known(self, path: Path_) -> Path_:
        """``path`` without the parts that do not exist in the file."""
        found: Path_ = ()
        for part in path:
            if (*found, part) in self.value_at:
                found = (*found, part)
        return found


def read_placed(file: Path) -> PlacedData:
    """Read one YAML document.

    Raises:
        BadInput: NE1001 unreadable, NE1060 not YAML, NE1061 too large or nested too deeply, anchors, aliases or tags,
            NE1062 repeated or unusable keys (all of them at once).
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as failure:
        raise BadInput(Finding("NE1001", f"cannot be read: {failure.strerror or failure}", str(file))) from None
    if len(content) > MOST_BYTES:
        fixes = ("keep weights in an .npz file beside it",)
        raise BadInput(Finding("NE1061", f"is larger than {MOST_BYTES} bytes", str(file), fixes))
    return parse_placed(content, str(file))


def parse_placed(content: bytes, file: str) -> PlacedData:
    """As :func:`read_placed`, from bytes."""
    try:
        node = _BoundedLoader(content.decode("utf-8")).get_single_node()
    except UnicodeDecodeError as failure:
        raise BadInput(Finding("NE1060", f"is not UTF-8 text (byte {failure.start})", file)) from None
    except _Refused as refusal:
        place = f"{file}:{refusal.mark.line + 1}:{refusal.mark.column + 1}"
        raise BadInput(Finding("NE1061", refusal.message, place, refusal.fixes)) from None
    except yaml.YAMLError as failure:
        mark = getattr(failure, "problem_mark", None)
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark is not None else file
        said = getattr(failure, "problem", None) or getattr(failure, "reason", None) or "unreadable"
        raise BadInput(Finding("NE1060", f"not valid YAML: {said}", place)) from None
    built = PlacedData(None, file, {}, {})
    findings: list[Finding] = []
    data = _build(node, (), built, findings) if node is not None else None
    if findings:
        raise BadInput(findings)
    return PlacedData(data, file, built.value_at, built.key_at)


class _Refused(Exception):
    """A construct this reader does not accept, with its position."""

    def __init__(self, message: str, mark: yaml.Mark, *fixes: str):
        super().__init__(message)
        self.message, self.mark, self.fixes = message, mark, fixes


class _BoundedLoader(yaml.SafeLoader):
    """Composes nodes only; counts and measures them on the way."""

    def __init__(self, text: str):
        super().__init__(text)
        self.depth = 0
        self.count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _Refused("anchors and aliases are not accepted", mark, "write the value out")
        if getattr(event, "tag", None) is not None:
            raise _Refused(f"the tag {event.tag!r} is not accepted", mark, "remove the tag")
        self.depth += 1
        self.count += 1
        if self.depth > DEEPEST:
            raise _Refused(f"nested deeper than {DEEPEST} levels", mark)
        if self.count > MOST_VALUES:
            raise _Refused(f"more than {MOST_VALUES} values", mark, "keep weights in an .npz file beside it")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _build(node: yaml.Node, path: Path_, built: PlacedData, findings: list[Finding]) -> Any:
    mark = node.start_mark
    built.value_at[path] = (mark.line + 1, mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, number), built, findings) for number, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    entries: dict[str, Any] = {}
    for key_node, value_node in node.value:
        at = key_node.start_mark
        place = f"{built.file}:{at.line + 1}:{at.column + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            findings.append(Finding("NE1062", "a key must be a word", place))
            continue
        key = str(key_node.value)
        if key in entries:
            findings.append(Finding("NE1062", f"the key {key!r} appears twice", place, ("remove one",)))
            continue
        built.key_at[(*path, key)] = (at.line + 1, at.column + 1)
        entries[key] = _build(value_node, (*path, key), built, findings)
    return entries


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None) is not None:
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if text.lower() in _INFINITE:
        return _INFINITE[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
