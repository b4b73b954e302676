"""Chip files by name or path: where they are looked for, what they extend, and the checked chip in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import neuroemu
from neuroemu.errors import BadInput, Finding
from neuroemu.spec.check import check, nearest
from neuroemu.spec.chip import ChipSpec
from neuroemu.spec.tree import Entry, KeyPath, Tree, merge, place_of, place_of_key, plain, read_tree, without

SEARCH_VARIABLE = "NEUROEMU_CHIPS"
MAX_EXTENDS = 8
_OWN_KEYS = ("name", "title")
"""Keys a chip never inherits, so that no variant passes for the chip it changes."""


@dataclass(frozen=True)
class ListedChip:
    """One line of the chip list; ``problem`` is the first error of a file that does not load."""

    name: str
    title: str
    family: str
    path: str
    problem: str = ""

    def to_dict(self) -> dict[str, str]:
        """Plain data for ``--json``."""
        return {
            "name": self.name,
            "title": self.title,
            "family": self.family,
            "path": self.path,
            "problem": self.problem,
        }


def load_chip(name_or_path: str | Path) -> ChipSpec:
    """Load and check a chip: a path to a .yaml file, or the name of a chip on the search path.

    Raises:
        BadInput: unknown name (with the nearest), unreadable file, or every problem of the description with
            file:line:column, key path and nearest known key.
    """
    chip, findings = _load(find_chip(name_or_path))
    if chip is None:
        raise BadInput(findings)
    return chip


def validate_file(name_or_path: str | Path) -> list[Finding]:
    """Every problem of a chip file; an empty list means that it loads."""
    try:
        return _load(find_chip(name_or_path))[1]
    except BadInput as refused:
        return list(refused.findings)


def list_chips() -> list[ListedChip]:
    """All chips on the search path, shipped ones first; a file that does not load is listed with its problem."""
    return [_listed(path) for path in _chip_files().values()]


def chip_search_path() -> tuple[Path, ...]:
    """Folders in which a name is looked for: the shipped chips, then those of ``$NEUROEMU_CHIPS``."""
    own = os.environ.get(SEARCH_VARIABLE, "")
    return (shipped_chips(), *(Path(folder).expanduser() for folder in own.split(os.pathsep) if folder))


def shipped_chips() -> Path:
    """The folder of the chips that come with the package: inside a wheel, or ``chips/`` of a source tree."""
    package = Path(neuroemu.__file__).parent
    packed = package / "_chips"
    return packed if packed.is_dir() else package.parent / "chips"


def find_chip(name_or_path: str | Path) -> Path:
    """The file of a chip.

    Raises:
        BadInput: NE2001 no such file, NE2010 no chip of that name.
    """
    text = str(name_or_path)
    if "\0" in text:
        raise BadInput(Finding("NE2001", "a file name cannot contain a zero byte"))
    if text.endswith((".yaml", ".yml")) or os.sep in text:
        path = Path(text).expanduser()
        if not path.is_file():
            raise BadInput(Finding("NE2001", "there is no such chip file", text, ("neuroemu chips list",)))
        return path
    return _find_by_name(text)


def _find_by_name(name: str) -> Path:
    files = _chip_files()
    if name in files:
        return files[name]
    fixes = tuple(f"did you mean {close!r}?" for close in nearest(name, files))
    known = ", ".join(files) or "none"
    raise BadInput(Finding("NE2010", f"there is no chip called {name!r}", fixes=(*fixes, f"known chips: {known}")))


def _chip_files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in chip_search_path():
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def _listed(path: Path) -> ListedChip:
    try:
        chip, findings = _load(path)
    except BadInput as refused:
        chip, findings = None, list(refused.findings)
    if chip is None:
        return ListedChip(path.stem, "", "", _shown(path), str(findings[0]).splitlines()[0])
    return ListedChip(chip.name, chip.title, chip.family, _shown(path))


def _load(path: Path) -> tuple[ChipSpec | None, list[Finding]]:
    tree = _resolved(path, ())
    data = plain(tree)

    def locate(key_path: KeyPath, of_key: bool) -> str:
        return str(place_of_key(tree, key_path) if of_key else place_of(tree, key_path))

    chip, findings = check(data, locate)
    name = data.get("name")
    if isinstance(name, str) and name != path.stem:
        message = f"name: the file {path.name} calls its chip {name!r}"
        fixes = (f"write 'name: {path.stem}'", f"or call the file {name}.yaml")
        findings.append(Finding("NE2011", message, locate(("name",), False), fixes))
    findings.sort(key=_reading_order)
    return (None if findings else chip), findings


def _reading_order(finding: Finding) -> tuple[str, int, int]:
    file, _, position = finding.where.partition(".yaml:")
    line, _, column = position.partition(":")
    return file, int(line) if line.isdigit() else 0, int(column) if column.isdigit() else 0


def _resolved(path: Path, extended_by: tuple[Path, ...]) -> Tree:
    """The tree of a file laid upon the trees it extends."""
    tree = read_tree(path, _shown(path))
    assert isinstance(tree.content, dict)
    entry = tree.content.get("extends")
    if entry is None:
        return tree
    base_path = _extended(entry, path)
    chain = (*extended_by, path.resolve())
    if base_path.resolve() in chain or len(chain) > MAX_EXTENDS:
        names = " -> ".join(link.stem for link in (*chain, base_path))
        raise BadInput(Finding("NE2007", f"extends goes in a circle or too far: {names}", str(entry.value.place)))
    return merge(without(_resolved(base_path, chain), _OWN_KEYS), without(tree, ("extends",)))


def _extended(entry: Entry, path: Path) -> Path:
    name = entry.value.content
    if not isinstance(name, str):
        raise BadInput(Finding("NE2007", "extends names one chip or one .yaml file", str(entry.value.place)))
    if name.endswith((".yaml", ".yml")):
        base = path.parent / name
        if base.is_file():
            return base
        raise BadInput(Finding("NE2007", f"extends: there is no file {name!r} beside this one", str(entry.value.place)))
    sibling = path.parent / f"{name}.yaml"
    try:
        return _find_by_name(name)
    except BadInput as refused:
        if "/" not in name and "\0" not in name and sibling.is_file():
            return sibling
        (finding,) = refused.findings
        message = f"extends: {finding.message}"
        raise BadInput(Finding("NE2007", message, str(entry.value.place), finding.fixes)) from None


def _shown(path: Path) -> str:
    """The path relative to the working directory where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
