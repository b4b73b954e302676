"""Programs in which much is under way at any time, for tests that stop a chip between two ticks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from neuroemu.families.loihi import packing
from neuroemu.families.truenorth import image as crossbars
from neuroemu.image.container import Program
from neuroemu.spec import load_chip
from neuroemu.toolchain import deploy
from tests.small import restless

_CORES_OF = {
    "loihi1": "compartments: {value: 64",
    "lifcore": "neurons: {value: 64",
    "truenorth": "neurons: {value: 256",
}
PROGRAMS = ("loihi1", "loihi1 with noise", "lifcore", "truenorth", "truenorth with noise")


@cache
def program_of(name: str) -> Program:
    """``restless`` on the cores of a chip that hold at most 256 neurons each, so that threads share the work."""
    chip = name.removesuffix(" with noise")
    limit = f"{_CORES_OF[chip]}, kind: assumed, note: a test}}"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "small.yaml"
        file.write_text(f"extends: {chip}\nname: small\ntitle: small cores\nlimits:\n  {limit}\n")
        spec = load_chip(file)
    program = deploy(restless(), spec).compiled.program
    if not name.endswith("noise"):
        return program
    return drawing(program) if chip == "truenorth" else noisy(program)


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


def drawing(program: Program) -> Program:
    """The same program with random leaks and thresholds, and random synapses of one axon type."""
    image = crossbars.unpack(program)
    cores = image.cores
    used = cores.alpha != crossbars.UNUSED_ALPHA
    stochastic = np.zeros_like(cores.stochastic)
    stochastic[..., 0] = used
    changed = replace(
        cores,
        stochastic=stochastic,
        leak=np.where(used, 90, cores.leak).astype(np.int16),
        stochastic_leak=used.astype(np.uint8),
        mask_bits=np.where(used, 4, 0).astype(np.uint8),
    )
    return crossbars.pack(replace(image, cores=changed, seed=5))
