"""The `neuroemu` command as a user meets it: words in, exit code and text out."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroemu.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def codes(self) -> list[str]:
        """Codes of the findings of a JSON answer."""
        return [finding["code"] for finding in self.document["findings"]]


def neuroemu(*words: str | Path) -> Answer:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    exit_code = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as request:
            exit_code = int(request.code or 0)
    return Answer(exit_code, out.getvalue(), err.getvalue())


def neuroemu_process(*words: str | Path, folder: Path = REPOSITORY) -> Answer:
    """Run the command in a process of its own."""
    program = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from neuroemu.cli import main; main()"
    command = [sys.executable, "-c", program, *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)
