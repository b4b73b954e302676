"""Small NIR files written with h5py alone, so that tests control every byte of structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest


def put_node(group: h5py.Group, node: Mapping[str, Any]) -> None:
    for key, value in node.items():
        if key == "nodes":
            children = group.create_group("nodes")
            for name, child in value.items():
                put_node(children.create_group(name), child)
        elif key == "edges":
            edges = np.array([[a.encode(), b.encode()] for a, b in value], dtype=object).reshape(-1, 2)
            group.create_dataset("edges", data=edges, dtype=h5py.string_dtype())
        else:
            group.create_dataset(key, data=value)


@pytest.fixture
def write_nir(tmp_path: Path) -> Callable[..., Path]:
    """``write_nir(nodes, edges, version="1.0.8")`` writes a graph and returns its path."""

    def write(nodes: Mapping[str, Any], edges: Any, version: str = "1.0.8", name: str = "net.nir") -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            file.create_dataset("version", data=version)
            put_node(file.create_group("node"), {"type": "NIRGraph", "nodes": nodes, "edges": edges})
        return path

    return write


@pytest.fixture
def chain(write_nir: Callable[..., Path]) -> Callable[..., Path]:
    """``chain(shape, *nodes)`` writes Input -> n0 -> n1 -> … -> Output."""

    def write(
        shape: tuple[int, ...], *nodes: Mapping[str, Any], out: tuple[int, ...] | None = None, **more: Any
    ) -> Path:
        named: dict[str, Any] = {"input": {"type": "Input", "shape": np.array(shape)}}
        named |= {f"n{number}": node for number, node in enumerate(nodes)}
        named["output"] = {"type": "Output"} if out is None else {"type": "Output", "shape": np.array(out)}
        names = list(named)
        return write_nir(named, list(pairwise(names)), **more)

    return write
