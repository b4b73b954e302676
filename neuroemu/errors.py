"""What can go wrong, said once: findings with a code, a place, a figure and a fix.

Every room reports through :class:`Finding`. Findings of severity ``error`` are collected and raised together
(``raise BadInput(findings)``), so that a user sees all problems at once; ``warning`` and ``note`` findings travel with the
result (``Network.findings``, the report) so that nothing is lost silently.

Codes are ``NE`` plus four digits. The first digit is the room: 1 formats and network, 2 spec, 3 lowering, 4 mapping,
5 image, 6 emulator and run, 7 verify, 8 report, 9 internal. ``neuroemu explain NE1012`` prints the entry of
``neuroemu/explanations/*.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing the user should know.

    Attributes:
        code: ``NE`` and four digits; must have an entry in ``neuroemu/explanations``.
        message: one sentence: what is wrong and by how much.
        where: ``file``, ``file:line:column``, ``file:/graph/path`` or ``population NAME``; empty when global.
        fixes: what to change, most useful first.
        severity: ``error`` stops the work, ``warning`` changes results or cost, ``note`` informs.
    """

    code: str
    message: str
    where: str = ""
    fixes: tuple[str, ...] = ()
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.code} {self.message}" + "".join(f"\n    fix: {fix}" for fix in self.fixes)

    def to_dict(self) -> dict[str, object]:
        """Plain data for ``--json``."""
        return {
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "message": self.message,
            "fixes": list(self.fixes),
        }


class NeuroemuError(Exception):
    """Base of every error this package raises on purpose; carries all findings and the exit code."""

    exit_code = 3

    def __init__(self, findings: Finding | Iterable[Finding]):
        self.findings: tuple[Finding, ...] = (findings,) if isinstance(findings, Finding) else tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class DoesNotFit(NeuroemuError):
    """The network is valid but the chip cannot hold or compute it (exit code 1)."""

    exit_code = 1


class BadInput(NeuroemuError):
    """A file, option or array is unusable (exit code 2)."""

    exit_code = 2


def errors_in(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that must stop the work."""
    return tuple(finding for finding in findings if finding.severity == "error")
