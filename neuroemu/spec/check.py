"""Plain data to a checked chip: every problem becomes a finding with its place, key path and nearest known name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from neuroemu.errors import BadInput, Finding
from neuroemu.spec.chip import ChipSpec, source_ids
from neuroemu.spec.facts import Problem
from neuroemu.spec.lifcore import LifcoreChip
from neuroemu.spec.loihi import LoihiChip
from neuroemu.spec.tree import MAX_DEPTH, KeyPath, mappings
from neuroemu.spec.truenorth import TrueNorthChip

FAMILIES: dict[str, type[ChipSpec]] = {"lifcore": LifcoreChip, "loihi": LoihiChip, "truenorth": TrueNorthChip}

Locate = Callable[[KeyPath, bool], str]
"""Where a key path stands: ``locate(path, of_key)`` gives ``file:line:column``."""

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "dict_type": "a group of keys",
    "model_type": "a group of keys",
    "model_attributes_type": "a group of keys",
    "tuple_type": "a list",
}


def chip_from_data(data: dict[str, Any], where: str) -> ChipSpec:
    """Check plain data that has no positions.

    Raises:
        BadInput: every problem found.
    """
    chip, findings = check(data, lambda path, of_key: f"{where}:/{'/'.join(map(str, path))}")
    if chip is None:
        raise BadInput(findings)
    return chip


def check(data: dict[str, Any], locate: Locate) -> tuple[ChipSpec | None, list[Finding]]:
    """The chip in ``data``, or None and every problem found."""
    too_deep = _depth_problem(data)
    if too_deep is not None:
        return None, [_finding(too_deep, data, locate)]
    problems = _reference_problems(data)
    family = data.get("family")
    model = FAMILIES.get(family) if isinstance(family, str) else None
    chip: ChipSpec | None = None
    if model is None:
        problems.append(_family_problem(data))
    else:
        try:
            chip = model.model_validate(data)
        except ValidationError as failure:
            problems += [problem for error in failure.errors() for problem in _translated(error, model)]
    findings = [_finding(problem, data, locate) for problem in problems]
    return (None if findings else chip), findings


def nearest(word: str, known: Iterable[str], count: int = 1) -> tuple[str, ...]:
    """The known words that look most like ``word``, best first."""
    by_fold = {name.casefold(): name for name in known}
    return tuple(by_fold[close] for close in get_close_matches(word.casefold(), list(by_fold), n=count, cutoff=0.55))


def _did_you_mean(word: str, known: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"did you mean {name!r}?" for name in nearest(word, known))


def _depth_problem(data: Any) -> Problem | None:
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for value in level
            if isinstance(value, dict | list | tuple)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return None
    return Problem((), "NE2003", f"nested deeper than {MAX_DEPTH} levels")


def _family_problem(data: dict[str, Any]) -> Problem:
    family = data.get("family")
    if family is None:
        return Problem((), "NE2021", "the key 'family' is missing", (f"add 'family: {'|'.join(sorted(FAMILIES))}'",))
    fixes = _did_you_mean(str(family), FAMILIES) + (f"known families: {', '.join(sorted(FAMILIES))}",)
    return Problem(("family",), "NE2012", f"unknown family {_shown(family)}", fixes)


def _reference_problems(data: dict[str, Any]) -> list[Problem]:
    """Source ids, workloads and cost sets that are named but not described."""
    known = _names(data.get("sources"))
    problems = []
    for path, mapping in mappings(data):
        source = mapping.get("source")
        if path[:1] == ("sources",) or not isinstance(source, str):
            continue
        for identifier in source_ids(source):
            if identifier not in known:
                fixes = (*_did_you_mean(identifier, known), f"add 'sources: {{{identifier}: full reference}}'")
                problems.append(Problem((*path, "source"), "NE2027", f"unknown source {identifier!r}", fixes))
    return problems + _accuracy_problems(data)


def _accuracy_problems(data: dict[str, Any]) -> list[Problem]:
    validation = data.get("validation")
    if not isinstance(validation, dict) or not isinstance(validation.get("accuracy"), dict):
        return []
    sets, workloads = _names(data.get("cost_sets")), _names(validation.get("workloads"))
    problems = []
    for name, compared in validation["accuracy"].items():
        path: KeyPath = ("validation", "accuracy", name)
        if name not in sets:
            problems.append(Problem(path, "NE2036", f"there is no cost set {name!r}", _did_you_mean(str(name), sets)))
        for index, item in enumerate(compared if isinstance(compared, list | tuple) else ()):
            workload = item.get("workload") if isinstance(item, dict) else None
            if isinstance(workload, str) and workload not in workloads:
                fixes = _did_you_mean(workload, workloads)
                problems.append(Problem((*path, index, "workload"), "NE2036", f"no workload {workload!r}", fixes))
    return problems


def _names(mapping: Any) -> tuple[str, ...]:
    return tuple(str(key) for key in mapping) if isinstance(mapping, dict) else ()


def _translated(error: Any, model: type[BaseModel]) -> list[Problem]:
    path: KeyPath = error["loc"]
    kind: str = error["type"]
    if kind == "chip_rules":
        found: tuple[Problem, ...] = error["ctx"]["problems"]
        return [Problem((*path, *problem.path), problem.code, problem.message, problem.fixes) for problem in found]
    if kind == "extra_forbidden":
        known = keys_at(model, path[:-1])
        word = str(path[-1])
        fixes = _did_you_mean(word, known) or (f"known keys here: {', '.join(known)}",)
        return [Problem(path, "NE2020", f"unknown key {word!r}", fixes)]
    if kind == "missing":
        return [Problem(path[:-1], "NE2021", f"the key {path[-1]!r} is missing", (f"add '{path[-1]}: ...'",))]
    if kind == "literal_error":
        expected = error["ctx"]["expected"]
        fixes = _did_you_mean(str(error["input"]), [word for word in expected.split("'") if word.isidentifier()])
        return [Problem(path, "NE2022", f"expected {expected}, found {_shown(error['input'])}", fixes)]
    expected = _EXPECTED.get(kind)
    message = f"expected {expected}, found {_shown(error['input'])}" if expected else error["msg"]
    return [Problem(path, "NE2022", message)]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def keys_at(model: type[BaseModel], path: KeyPath) -> tuple[str, ...]:
    """The keys allowed at a key path of ``model``, in schema order; empty where any key is allowed."""
    annotation: Any = model
    for part in path:
        annotation = _inside(_bare(annotation), part)
    bare = _bare(annotation)
    return tuple(bare.model_fields) if isinstance(bare, type) and issubclass(bare, BaseModel) else ()


def _bare(annotation: Any) -> Any:
    """An annotation without ``Annotated`` and ``None``."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(option for option in get_args(annotation) if option is not type(None)))
    return annotation


def _inside(annotation: Any, part: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return None if field is None else field.annotation
    inner = [option for option in get_args(annotation) if option is not Ellipsis]
    return inner[-1] if inner else None


def _finding(problem: Problem, data: dict[str, Any], locate: Locate) -> Finding:
    path = _existing(problem.path, data, keep_last=problem.code == "NE2020")
    dotted = ".".join(str(part) for part in path)
    message = f"{dotted}: {problem.message}" if dotted else problem.message
    return Finding(problem.code, message, locate(path, problem.code == "NE2020"), problem.fixes)


def _existing(path: KeyPath, data: Any, keep_last: bool) -> KeyPath:
    """``path`` as far as ``data`` has it: a bare value has no ``value`` key."""
    for depth, part in enumerate(path):
        listed = isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)
        if not listed and not (isinstance(data, dict) and part in data):
            return path if keep_last else path[:depth]
        data = data[part]
    return path
