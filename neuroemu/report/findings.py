"""Findings in the order a reader needs them: errors first, and what several populations share said once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from neuroemu.errors import Finding

if TYPE_CHECKING:
    from neuroemu.report.shape import FindingEntry

SEVERITIES = ("error", "warning", "note")
_PREFIX = "population "


def ordered(entries: Iterable[FindingEntry]) -> tuple[Finding, ...]:
    """Findings of a report: errors, then warnings, then notes, each group in the order reported and :func:`grouped`."""
    findings = [
        Finding(entry["code"], entry["message"], entry["where"], tuple(entry["fixes"]), entry["severity"])
        for entry in entries
    ]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return grouped(findings)


def grouped(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings that say the same of several populations as one, in the order of the first of them."""
    names_of: dict[Finding, list[str]] = {}
    for finding in findings:
        if finding.where.startswith(_PREFIX):
            names_of.setdefault(replace(finding, where=_PREFIX), []).append(finding.where.removeprefix(_PREFIX))
        else:
            names_of.setdefault(finding, [])
    return tuple(
        replace(finding, where=_populations(names)) if names else finding for finding, names in names_of.items()
    )


def _populations(names: list[str]) -> str:
    return f"population{'s' if len(names) > 1 else ''} {', '.join(names)}"
