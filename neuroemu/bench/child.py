"""The process in which one network is measured, so that its memory is its own; speaks JSON lines with its parent.

    python -m neuroemu.bench.child NAME SETTING

Lines on stdout are ``{"tell": text}`` for progress and at last ``{"result": {...}}``, or ``{"findings": [...]}`` with an exit
code other than 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TextIO

from neuroemu.bench.measure import Measured, Setting, measure_named
from neuroemu.errors import BadInput, DoesNotFit, Finding, NeuroemuError


def measure_apart(name: str, setting: Setting, tell: Callable[[str], None]) -> Measured:
    """Measure in a process of its own.

    Raises:
        BadInput, DoesNotFit: what the process found, NE7103 when it ended without a result (killed for want of memory, say).
    """
    command = [sys.executable, "-m", __name__, name, json.dumps(asdict(setting))]
    answer: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                answer = json.loads(line)
                if "tell" in answer:
                    tell(answer["tell"])
        except BaseException:
            process.kill()
            raise
    if "result" in answer:
        return Measured(**answer["result"])
    if "findings" in answer:
        findings = [Finding(**{**found, "fixes": tuple(found["fixes"])}) for found in answer["findings"]]
        raise DoesNotFit(findings) if process.returncode == DoesNotFit.exit_code else BadInput(findings)
    code = process.returncode
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    fixes = ("run a smaller network or free memory", "look at what the process wrote to standard error")
    raise BadInput(Finding("NE7103", f"the process that ran {name} {ended} and gave no result", fixes=fixes))


def main(arguments: list[str], out: TextIO) -> int:
    """Measure, say how it goes; returns the exit code."""

    def say(**line: Any) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    name, setting = arguments
    try:
        result = measure_named(name, Setting(**json.loads(setting)), lambda text: say(tell=text))
    except NeuroemuError as error:
        say(findings=[finding.to_dict() for finding in error.findings])
        return error.exit_code
    say(result=asdict(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout))
