"""Stands before the compiler in Verilator's makefiles and keeps the objects of Verilator's own files: all builds share them.

OBJCACHE="python object_cache.py FOLDER" make -f Vtop.mk
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def main(folder: Path, command: list[str]) -> int:
    """Run a compiler's command line, or take its object from ``folder``; the command's return code."""
    source = Path(command[-1])
    if not source.name.startswith("verilated") or "-o" not in command:
        return subprocess.run(command, check=False).returncode
    wanted = Path(command[command.index("-o") + 1])
    told = subprocess.run([command[0], "--version"], capture_output=True, check=False).stdout
    digest = hashlib.sha256(repr(command).encode() + told + source.read_bytes()).hexdigest()
    kept = folder / f"{source.stem}-{digest[:20]}.o"
    if not kept.exists():
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as temporary:
            pass
        shutil.copyfile(wanted, temporary.name)
        os.replace(temporary.name, kept)
    else:
        shutil.copyfile(kept, wanted)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
