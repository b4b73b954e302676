"""Linear connectivity that keeps its structure: dense, sparse, convolution, pooling, elementwise scale.

A stage maps ``(..., n_in)`` float64 values (C order of ``in_shape``) to ``(..., n_out)`` (C order of ``out_shape``).
Nothing is expanded unless :meth:`to_sparse` is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    """All-to-all synapses; ``weight`` has shape ``(n_out, n_in)``."""

    weight: FloatArray


@dataclass(frozen=True)
class Sparse:
    """Listed synapses; ``weight`` is CSR of shape ``(n_out, n_in)``; ``delay`` (CSR data order, ticks) is optional."""

    weight: sp.csr_array


@dataclass(frozen=True)
class Conv2d:
    """Cross-correlation as in PyTorch; a 1-D convolution is one with height 1.

    ``weight`` is ``(out_channels, in_channels // groups, kernel_h, kernel_w)``; ``in_shape`` is ``(channels, h, w)``;
    ``padding`` is ``(top, bottom, left, right)``.
    """

    weight: FloatArray
    in_shape: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True)
class Pool2d:
    """Zero-padded pooling; ``average`` divides by the full kernel area."""

    mode: Literal["sum", "average"]
    in_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Scale:
    """Elementwise factor of shape ``(n,)``; ``Scale(ones)`` is the identity (a direct neuron-to-neuron edge)."""

    factor: FloatArray


Connectivity = Dense | Sparse | Conv2d | Pool2d | Scale
