"""YAML text to a tree of plain values in which every key and value knows its file, line and column.

Untrusted text is safe here: size, depth and number of nodes are bounded before anything is built, anchors, aliases and
tags are refused, and no YAML constructor runs. All structural problems of a file are collected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from neuroemu.errors import BadInput, Finding

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
MAX_NODES = 50_000

KeyPath = tuple[str | int, ...]
Scalar = str | int | float | bool

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,30})")
_NUMBER = re.compile(r"[-+]?[0-9]{1,30}(?:\.[0-9]{0,30})?(?:[eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Place:
    """A position in a file, lines and columns counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Tree:
    """A value with its position; ``content`` is a scalar, a tuple of trees or a mapping of keys to entries."""

    place: Place
    content: Scalar | tuple[Tree, ...] | dict[str, Entry] | None


@dataclass(frozen=True)
class Entry:
    """One ``key: value`` of a mapping, with the position of the key."""

    key_place: Place
    value: Tree


def read_tree(path: Path, shown_as: str) -> Tree:
    """Read and parse one file; ``shown_as`` is the file's name in messages.

    Raises:
        BadInput: NE2001 unreadable, NE2002 not YAML, NE2003 too large or deep, NE2004 anchors, aliases or tags,
            NE2005 duplicate key, NE2006 a key or document of the wrong kind.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as failure:
        raise BadInput(Finding("NE2001", f"cannot read: {failure.strerror or failure}", shown_as)) from None
    return parse_tree(data, shown_as)


def parse_tree(data: bytes, shown_as: str) -> Tree:
    """Parse one YAML document from bytes; errors as :func:`read_tree`."""
    if len(data) > MAX_BYTES:
        raise BadInput(Finding("NE2003", f"larger than {MAX_BYTES} bytes", shown_as))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as failure:
        raise BadInput(Finding("NE2002", f"not UTF-8 text at byte {failure.start}", shown_as)) from None
    node = _compose(text, shown_as)
    if not isinstance(node, yaml.MappingNode):
        raise BadInput(
            Finding(
                "NE2006", "a chip file is a mapping of keys to values", f"{shown_as}:1:1", ("start with 'name: ...'",)
            )
        )
    findings: list[Finding] = []
    tree = _build(node, shown_as, findings)
    if findings:
        raise BadInput(findings)
    return tree


class _BoundedLoader(yaml.SafeLoader):
    """Composes nodes only, refusing depth, size, anchors and aliases while it reads."""

    depth = 0
    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _RefusedError("NE2004", "anchors and aliases are not allowed", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _RefusedError("NE2004", f"the tag {event.tag!r} is not allowed", event.start_mark)
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH:
            raise _RefusedError("NE2003", f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        if self.nodes > MAX_NODES:
            raise _RefusedError("NE2003", f"more than {MAX_NODES} values", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _RefusedError(Exception):
    def __init__(self, code: str, message: str, mark: yaml.Mark):
        super().__init__(message)
        self.code, self.message, self.mark = code, message, mark


def _compose(text: str, shown_as: str) -> yaml.Node | None:
    try:
        loader = _BoundedLoader(text)
        return loader.get_single_node()
    except _RefusedError as refusal:
        raise BadInput(Finding(refusal.code, refusal.message, str(_place(refusal.mark, shown_as)))) from None
    except (
        yaml.YAMLError,
        ValueError,
        OverflowError,
    ) as failure:  # PyYAML lets bad escapes such as "\\UFFFFFFFF" through
        raise BadInput(_syntax_finding(failure, shown_as)) from None


def _syntax_finding(failure: Exception, shown_as: str) -> Finding:
    mark = getattr(failure, "problem_mark", None)
    problem = getattr(failure, "problem", None) or getattr(failure, "reason", None) or "unreadable"
    return Finding("NE2002", f"not valid YAML: {problem}", str(_place(mark, shown_as)) if mark else shown_as)


def _place(mark: yaml.Mark, shown_as: str) -> Place:
    return Place(shown_as, mark.line + 1, mark.column + 1)


def _build(node: yaml.Node, shown_as: str, findings: list[Finding]) -> Tree:
    place = _place(node.start_mark, shown_as)
    if isinstance(node, yaml.MappingNode):
        return Tree(place, _build_entries(node, shown_as, findings))
    if isinstance(node, yaml.SequenceNode):
        return Tree(place, tuple(_build(item, shown_as, findings) for item in node.value))
    assert isinstance(node, yaml.ScalarNode)
    return Tree(place, _scalar(node))


def _build_entries(node: yaml.MappingNode, shown_as: str, findings: list[Finding]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for key_node, value_node in node.value:
        place = _place(key_node.start_mark, shown_as)
        value = _build(value_node, shown_as, findings)
        if not isinstance(key_node, yaml.ScalarNode):
            findings.append(Finding("NE2006", "a key must be a word", str(place)))
        elif key_node.value in entries:
            first = entries[key_node.value].key_place
            findings.append(
                Finding("NE2005", f"the key {key_node.value!r} appears twice (first in line {first.line})", str(place))
            )
        else:
            entries[key_node.value] = Entry(place, value)
    return entries


def _scalar(node: yaml.ScalarNode) -> Scalar | None:
    """The plain value of a scalar: only true/false, decimal numbers and null are anything but text."""
    text: str = node.value
    if node.style is not None:
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text


def merge(base: Tree, over: Tree) -> Tree:
    """``over`` laid upon ``base``: mappings merge key by key, all else replaces.

    A mapping that states a ``value`` replaces what it overlays as a whole, so that a changed number never keeps the
    source of the old one.
    """
    if not isinstance(base.content, dict) or not isinstance(over.content, dict) or "value" in over.content:
        return over
    merged = dict(base.content)
    for key, entry in over.content.items():
        inherited = merged.get(key)
        merged[key] = entry if inherited is None else Entry(entry.key_place, merge(inherited.value, entry.value))
    return Tree(over.place, merged)


def without(tree: Tree, keys: tuple[str, ...]) -> Tree:
    """A mapping tree with some top-level keys removed."""
    assert isinstance(tree.content, dict)
    return Tree(tree.place, {key: entry for key, entry in tree.content.items() if key not in keys})


def plain(tree: Tree) -> Any:
    """The tree as dicts, lists and scalars."""
    if isinstance(tree.content, dict):
        return {key: plain(entry.value) for key, entry in tree.content.items()}
    if isinstance(tree.content, tuple):
        return [plain(item) for item in tree.content]
    return tree.content


def place_of(tree: Tree, path: KeyPath) -> Place:
    """Position of the value at ``path``, or of the nearest enclosing value that exists."""
    return _walk(tree, path)[-1].place


def place_of_key(tree: Tree, path: KeyPath) -> Place:
    """Position of the last key of ``path``; of the value when the last part is a list index."""
    parent = _walk(tree, path[:-1])
    found = parent[-1].content
    if len(parent) == len(path) and isinstance(found, dict) and path[-1] in found:
        return found[str(path[-1])].key_place
    return place_of(tree, path)


def _walk(tree: Tree, path: KeyPath) -> list[Tree]:
    visited = [tree]
    for part in path:
        content = visited[-1].content
        if isinstance(content, dict) and part in content:
            visited.append(content[str(part)].value)
        elif isinstance(content, tuple) and isinstance(part, int) and 0 <= part < len(content):
            visited.append(content[part])
        else:
            break
    return visited


def mappings(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Every mapping inside plain data, outermost first, with its path."""
    if isinstance(data, dict):
        yield path, data
        for key, value in data.items():
            yield from mappings(value, (*path, key))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from mappings(value, (*path, index))
