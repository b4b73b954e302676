"""Recorded spike samples from ``.npz`` files: inputs, labels and the source framework's own output.

Keys: ``input`` (samples, ticks, *shape) whole counts, or ``input__NAME`` per input of a network with several; optional
``labels`` (samples,) and ``out_spikes`` (samples, ticks, outputs). Other keys are left alone. Nothing is unpickled, and
declared sizes are checked before anything is allocated.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.network.coding import input_counts
from neuroemu.network.model import Network

MOST_BYTES = 2**31
MOST_MEMBERS = 1000
PREFIX = "input__"


@dataclass(frozen=True)
class Samples:
    """Spike counts ``(samples, ticks, *shape)`` per input population, labels, and expected output counts."""

    inputs: Mapping[str, NDArray[Any]]
    labels: NDArray[np.int64] | None = None
    expected: NDArray[Any] | None = None

    @property
    def count(self) -> int:
        return int(next(iter(self.inputs.values())).shape[0])

    @property
    def ticks(self) -> int:
        return int(next(iter(self.inputs.values())).shape[1])


def load_samples(path: str | Path, network: Network) -> Samples:
    """Read samples and check them against ``network``.

    Raises:
        BadInput: unreadable file (NE1001, NE1040), oversized (NE1041), missing keys (NE1042), wrong dtype or values
            (NE1043), wrong shapes (NE1131 for inputs with both shapes, NE1044 for labels and out_spikes).
    """
    file = Path(path)
    arrays = read_npz(file, lambda name: name in ("input", "labels", "out_spikes") or name.startswith(PREFIX))
    inputs = _inputs_of(arrays, network, file)
    counts = {name: _whole_counts(array, file, name) for name, array in inputs.items()}
    try:
        flat = input_counts(network, counts)
    except BadInput as refusal:
        findings = [Finding(f.code, f.message, f"{file}: {f.where}", f.fixes) for f in refusal.findings]
        raise BadInput(findings) from None
    samples, ticks = next(iter(flat.values())).shape[:2]
    if samples == 0 or ticks == 0:
        raise BadInput(Finding("NE1043", f"holds {samples} samples of {ticks} ticks", str(file)))
    shaped = {n: a.reshape(samples, ticks, *network.populations[n].shape) for n, a in flat.items()}
    return Samples(shaped, _labels(arrays, samples, file), _expected(arrays, (samples, ticks), network, file))


def read_npz(file: Path, wanted: Any = None) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` whose name ``wanted(name)`` accepts (default all), without pickle.

    Raises:
        BadInput: NE1001 unreadable, NE1040 not an npz or damaged, NE1041 too large or not what it declares.
    """
    arrays: dict[str, NDArray[Any]] = {}
    total = 0
    if file.exists() and not (file.is_file() or file.is_dir()):
        raise BadInput(Finding("NE1001", "cannot be read: it is no regular file", str(file)))
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise BadInput(Finding("NE1041", f"holds {len(members)} members, at most {MOST_MEMBERS}", str(file)))
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name == member.filename or (wanted is not None and not wanted(name)):
                    continue
                total += member.file_size
                if total > MOST_BYTES:
                    message = f"unpacks to more than {MOST_BYTES} bytes (at {name!r})"
                    raise BadInput(Finding("NE1041", message, str(file), ("split the samples",)))
                with archive.open(member) as stream:
                    arrays[name] = _read_array(stream, member, file, name)
    except BadInput:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as failure:
        raise BadInput(Finding("NE1001", f"cannot be read: {failure.strerror}", str(file))) from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as failure:
        said = " ".join(str(failure).split())[:200] or type(failure).__name__
        fixes = ("write the file with numpy.savez_compressed(path, input=…, labels=…)",)
        raise BadInput(Finding("NE1040", f"is not a readable .npz file: {said}", str(file), fixes)) from None
    return arrays


def _read_array(stream: IO[bytes], member: zipfile.ZipInfo, file: Path, name: str) -> NDArray[Any]:
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name}: npy format {version}")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran_order, dtype = read_header(stream)
    if dtype.hasobject:
        message = f"{name!r} holds Python objects (a pickle), which are never read"
        raise BadInput(Finding("NE1040", message, str(file), ("save plain numeric arrays",)))
    declared = dtype.itemsize
    for side in shape:
        declared *= int(side)
    if declared < 0 or declared > member.file_size:
        message = f"{name!r} declares {declared} bytes (shape {shape}), the file holds {member.file_size}"
        raise BadInput(Finding("NE1041", message, str(file)))
    data = stream.read(declared)
    if len(data) != declared:
        raise ValueError(f"{name}: {len(data)} of {declared} bytes")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran_order else "C")


def _inputs_of(arrays: Mapping[str, NDArray[Any]], network: Network, file: Path) -> dict[str, NDArray[Any]]:
    named = {key.removeprefix(PREFIX): array for key, array in arrays.items() if key.startswith(PREFIX)}
    if "input" in arrays and not named and len(network.inputs) == 1:
        return {network.inputs[0]: arrays["input"]}
    if named and "input" not in arrays:
        return named
    expected = "input" if len(network.inputs) == 1 else ", ".join(PREFIX + name for name in network.inputs)
    found = ", ".join(sorted(arrays)) or "nothing of the kind"
    message = f"needs {expected}; it has {found}"
    raise BadInput(Finding("NE1042", message, str(file), ("numpy.savez_compressed(path, input=…, labels=…)",)))


def _whole_counts(array: NDArray[Any], file: Path, name: str) -> NDArray[Any]:
    """Spike counts as unsigned bytes where they fit, else int32."""
    place = f"{file}: input {name}"
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind not in "uif":
        raise BadInput(Finding("NE1043", f"holds {array.dtype}; spike counts are whole numbers", place))
    bad = ~np.isfinite(array) | (array < 0) | (array > 2**31 - 1) | (array != np.rint(array))
    if bad.any():
        example = array[bad].flat[0]
        message = f"{int(bad.sum())} of {array.size} values are no spike counts, for example {example}"
        fixes = ("spike counts are whole numbers from 0; encode analog data, for example with encode_bernoulli",)
        raise BadInput(Finding("NE1043", message, place, fixes))
    return array.astype(np.uint8 if array.max(initial=0) <= 255 else np.int32)


def _labels(arrays: Mapping[str, NDArray[Any]], samples: int, file: Path) -> NDArray[np.int64] | None:
    labels = arrays.get("labels")
    if labels is None:
        return None
    if labels.shape != (samples,) or labels.dtype.kind not in "ui":
        message = f"labels are {labels.dtype} {labels.shape}; whole numbers of shape ({samples},) are needed"
        raise BadInput(Finding("NE1044", message, str(file)))
    return labels.astype(np.int64)


def _expected(
    arrays: Mapping[str, NDArray[Any]], presented: tuple[int, int], network: Network, file: Path
) -> NDArray[Any] | None:
    expected = arrays.get("out_spikes")
    if expected is None:
        return None
    width = sum(network.populations[name].size for name in network.outputs)
    flat = expected.reshape(*expected.shape[:2], -1) if expected.ndim >= 2 and expected.size else expected
    if flat.shape != (*presented, width) or expected.dtype.kind not in "buif":
        message = f"out_spikes has the shape {expected.shape}, the network gives {(*presented, width)}"
        raise BadInput(Finding("NE1044", message, str(file)))
    return flat
