"""Programs in which much is under way at any time, for tests that stop a chip between two ticks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from neuroemu.families.loihi import packing
from neuroemu.image.container import Program
from neuroemu.spec import load_chip
from neuroemu.toolchain import deploy
from tests.small import restless

_SMALL_CORES = {"loihi1": "compartments", "lifcore": "neurons"}
PROGRAMS = ("loihi1", "loihi1 with noise", "lifcore")


@cache
def program_of(name: str) -> Program:
    """``restless`` on the cores of a chip of which each holds 64 neurons, so that threads share the work."""
    chip = name.removesuffix(" with noise")
    limit = f"{_SMALL_CORES[chip]}: {{value: 64, kind: assumed, note: a test}}"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "small.yaml"
        file.write_text(f"extends: {chip}\nname: small\ntitle: small cores\nlimits:\n  {limit}\n")
        spec = load_chip(file)
    program = deploy(restless(), spec).compiled.program
    return noisy(program) if name.endswith("noise") else program


def noisy(program: Program) -> Program:
    """The same program with noise on every membrane (a register that no network format reaches)."""
    image = packing.unpack(program)
    cores = tuple(
        replace(
            core,
            profiles=tuple(replace(profile, noise_enable=True) for profile in core.profiles),
            noise_exponent=9,
            noise_target="membrane",
        )
        for core in image.cores
    )
    return packing.pack(replace(image, cores=cores, seed=5))
