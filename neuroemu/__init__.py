"""Neuromorphic hardware emulator and deployment toolchain: a trained spiking network in, chip behaviour and cost out.

The public face is loaded on first use, so that ``import neuroemu`` stays light::

    import neuroemu
    network = neuroemu.load("braille.nir", dialect="snntorch-hard")
    deployment = neuroemu.deploy(network, "loihi1")
    report = deployment.run(samples).report()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from neuroemu.errors import BadInput as BadInput
    from neuroemu.errors import DoesNotFit as DoesNotFit
    from neuroemu.errors import Finding as Finding
    from neuroemu.errors import NeuroemuError as NeuroemuError
    from neuroemu.formats import load as load
    from neuroemu.machine import Run as Run
    from neuroemu.network import Network as Network
    from neuroemu.report.build import Report as Report
    from neuroemu.spec import Chip as Chip
    from neuroemu.toolchain import Deployment as Deployment
    from neuroemu.toolchain import deploy as deploy

_HOME_OF = {
    "BadInput": "neuroemu.errors",
    "DoesNotFit": "neuroemu.errors",
    "Finding": "neuroemu.errors",
    "NeuroemuError": "neuroemu.errors",
    "load": "neuroemu.formats",
    "deploy": "neuroemu.toolchain",
    "Deployment": "neuroemu.toolchain",
    "Chip": "neuroemu.spec",
    "Network": "neuroemu.network",
    "Run": "neuroemu.machine",
    "Report": "neuroemu.report.build",
}

__all__ = [
    "BadInput",
    "Chip",
    "Deployment",
    "DoesNotFit",
    "Finding",
    "Network",
    "NeuroemuError",
    "Report",
    "Run",
    "__version__",
    "deploy",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import the public name ``name`` from its home on first use (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'neuroemu' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
