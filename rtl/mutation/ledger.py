"""Ledgers of mutants: files with a summary in the first line, then a line for each mutant."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KILLED, EQUIVALENT, SURVIVED = "killed", "equivalent", "survived"


def digest_of(*verilog: str) -> str:
    """Of the texts of modules, whatever their comments and line breaks."""
    texts = (" ".join(re.sub(r"//.*", "", text).split()) for text in verilog)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def counts_of(rows: Sequence[Mapping[str, Any]], builds: Sequence[str]) -> dict[str, Any]:
    """How many mutants there are, how they ended, and the same of each build."""
    verdicts = (KILLED, EQUIVALENT, SURVIVED)
    counts = {
        build: {
            verdict: sum(row["build"] == build and row["verdict"] == verdict for row in rows) for verdict in verdicts
        }
        for build in builds
    }
    return {
        "mutants": len(rows),
        **{verdict: sum(each[verdict] for each in counts.values()) for verdict in verdicts},
        "builds": counts,
    }


def read_lines(ledger: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary and the mutants of a ledger."""
    summary, *rows = (json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines())
    return summary, rows


def write_lines(ledger: Path, summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a ledger anew."""
    lines = [json.dumps(line, separators=(",", ":")) for line in (summary, *rows)]
    ledger.write_text("\n".join(lines) + "\n", encoding="utf-8")
