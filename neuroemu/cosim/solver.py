"""The solver behind the proofs; where it is not installed, importing this says what brings it (BadInput, NE7201)."""

from __future__ import annotations

from neuroemu.cosim.tools import PACKAGES
from neuroemu.errors import BadInput, Finding

try:
    from bitwuzla import Bitwuzla, Kind, Option, Options, Parser, Result, Term, TermManager
except ImportError:
    raise BadInput(Finding("NE7201", "the Python package bitwuzla is not installed", fixes=(PACKAGES,))) from None

__all__ = ["Bitwuzla", "Kind", "Option", "Options", "Parser", "Result", "Term", "TermManager"]
