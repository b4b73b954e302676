"""Snapshots on disk: one file that only grows holds what a run has recorded, a small one beside it the state at a tick.

A folder holds

- ``recorded``: blocks, each a header (first tick, tick after the last, spikes; three uint64) and the new rows of every column,
- ``state-TICK.nemu``: a container (:mod:`neuroemu.image.container`) with the arrays of engine and meter at that tick, what
  run it belongs to, and how much of ``recorded`` it needs, under a checksum.

A state file appears under its name only when it and all it needs are on the disk, so that a run may be killed at any moment;
the last two are kept. What a killed run wrote to ``recorded`` beyond its last state is overwritten. While a run goes on it holds
the system's lock on the file ``lock``.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.snapshot import PER_TICK, Arrays
from neuroemu.errors import BadInput, Finding
from neuroemu.image.container import Program, read_program, take, write_program

FORMAT = "neuroemu-snapshot/1"
RECORDED = "recorded"
SPIKES = "spikes."
"""Names of columns with one row per spike; all others have one row per tick."""

_STATES = "state-*.nemu"
_UNFINISHED = ".state-*.partial"
_LOCK = "lock"
_KEPT_STATES = 2
_BLOCK = struct.Struct("<QQQ")
_TYPES = {np.dtype(name).newbyteorder("<").str for name in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f8")}
_ROWS_MOST = 1 << 31
_CELLS_MOST = 1 << 40
_ENGINE, _METER = "engine.", "meter."

_Row = tuple[np.dtype[Any], tuple[int, ...]]
"""Type and shape of one row of a column."""


@dataclass(frozen=True)
class Snapshots:
    """Where a run keeps its snapshots and how often it takes one.

    Attributes:
        folder: the folder of snapshots, made with the first one.
        every: chip ticks between two snapshots; None takes none.
        resume: go on from the newest snapshot in the folder, or start at tick 0 when there is none.
        note: told what is worth knowing about resuming.
    """

    folder: Path
    every: int | None = None
    resume: bool = False
    note: Callable[[str], None] = lambda text: None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep all other runs out of the folder; the system opens it again when this process ends, however it ends.

        Raises:
            BadInput: NE6025 when another run is in the folder, NE6010 when nothing can be written there.
        """
        from filelock import FileLock, Timeout

        path = self.folder / _LOCK
        lock = FileLock(path, blocking=False)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise _in_use(self.folder) from None
        except OSError as error:
            raise _unwritable(self.folder, error.strerror or str(error)) from None
        try:
            yield
        finally:
            with suppress(OSError):  # before others can take it; a system that keeps open files leaves it there
                path.unlink()
            lock.release()
            with suppress(OSError):
                self.folder.rmdir()

    def remove(self) -> None:
        """Take all snapshots away, and the folder when nothing else is in it; not while another run is in the folder."""
        if self.folder.is_dir():
            with suppress(BadInput), self.held():
                _clear(self.folder)


@dataclass(frozen=True)
class Moment:
    """A run between two ticks: everything needed to go on from ``tick``, and the ``columns`` recorded before it."""

    tick: int
    engine: Arrays
    meter: Arrays
    columns: Arrays


class Keeper:
    """Takes the snapshots of one run and finds the newest one to go on from.

    Args:
        run: what the run is, as plain JSON data: a snapshot whose entries differ belongs to another run.
        ticks: length of the run.
        sources: numbers that recorded spikes may come from.
    """

    def __init__(self, snapshots: Snapshots, run: Mapping[str, Any], ticks: int, sources: range):
        self.snapshots = snapshots
        self.run = dict(run)
        self.ticks = ticks
        self.sources = sources
        self._tick = 0
        self._size = 0
        self._digest = hashlib.sha256()

    @property
    def tick(self) -> int:
        """The tick of the last snapshot, 0 before there is one."""
        return self._tick

    def next_due(self, tick: int) -> int | None:
        """The first tick after ``tick`` at which a snapshot is due."""
        every = self.snapshots.every
        return None if every is None else (tick // every + 1) * every

    def newest(self) -> Moment | None:
        """The newest complete snapshot when this run is to be resumed and there is one.

        Raises:
            BadInput: NE6021 when there are snapshots but all are damaged, NE6022 when the newest is of another run.
        """
        folder, note = self.snapshots.folder, self.snapshots.note
        states = sorted(folder.glob(_STATES), reverse=True)
        if not self.snapshots.resume:
            if states and self.snapshots.every is not None:
                note(
                    f"{folder} holds snapshots of an earlier run; this run replaces them (--resume would go on from them)"
                )
            return None
        damaged: list[Finding] = []
        for path in states:
            try:
                moment = self._read(path)
            except _Damaged as damage:
                damaged.append(Finding("NE6021", f"this is no complete snapshot: {damage}", str(path), _FIXES))
                continue
            for finding in damaged:
                note(f"{finding.where}: {finding.code} {finding.message}; an older snapshot is used")
            note(f"resumed at tick {moment.tick:,}")
            return moment
        if damaged:
            raise BadInput(damaged)
        note(f"no snapshot in {folder}: the run starts at tick 0")
        return None

    def save(self, tick: int, engine: Arrays, meter: Arrays, recorded: Sequence[Arrays]) -> None:
        """Take a snapshot at ``tick``.

        Args:
            engine, meter: all arrays; of those named ``per_tick.`` only the rows since the last snapshot are written.
            recorded: columns of every chunk since the last snapshot.

        Raises:
            BadInput: NE6010 when it cannot be written; earlier snapshots are as they were.
        """
        per_tick = {name: array[self._tick :] for name, array in meter.items() if name.startswith(PER_TICK)}
        columns = {**{name: np.concatenate([part[name] for part in recorded]) for name in recorded[0]}, **per_tick}
        state = {_ENGINE + name: array for name, array in engine.items()}
        state |= {_METER + name: array for name, array in meter.items() if name not in per_tick}
        folder = self.snapshots.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._tick == 0:
                _clear(folder)
            size, digest = self._append(tick, columns)
            manifest = {
                "format": FORMAT,
                "run": self.run,
                "tick": tick,
                "arrays": {name: [_little(array).dtype.str, list(array.shape)] for name, array in state.items()},
                "columns": [[name, _little(array).dtype.str, *array.shape[1:]] for name, array in columns.items()],
                "recorded": {"size": size, "sha256": digest.hexdigest()},
            }
            sections = {name: _bytes(array) for name, array in state.items()}
            path = folder / f"state-{tick:015d}.nemu"
            write_program(path, Program(manifest, sections))
            _settle(folder)
            _prune(path)
        except OSError as error:
            raise _unwritable(folder, error.strerror or str(error)) from None
        except BadInput as error:
            raise _unwritable(folder, error.findings[0].message) from None
        self._tick, self._size, self._digest = tick, size, digest

    def _append(self, tick: int, columns: Arrays) -> tuple[int, Any]:
        """Write a block behind the last snapshot's; size and running checksum of the file after it."""
        size, digest = self._size, self._digest.copy()
        spikes = next((array.shape[0] for name, array in columns.items() if name.startswith(SPIKES)), 0)
        with open(self.snapshots.folder / RECORDED, "ab") as file:
            file.truncate(size)
            pieces: list[Any] = [_BLOCK.pack(self._tick, tick, spikes), *map(_bytes, columns.values())]
            for piece in pieces:
                digest.update(piece)
                size += file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        return size, digest

    def _read(self, path: Path) -> Moment:
        """A snapshot of this run, every byte of it checked; this run goes on writing behind it."""
        state = _read_state(path)
        self._refuse_other_runs(path, state.run)
        record = path.with_name(RECORDED)
        if not record.is_file():
            raise _Damaged(f"there is no {record}")
        try:
            with open(record, "rb") as file:
                columns, digest = _read_recorded(file, state.size, state.columns, state.tick)
        except OSError as error:
            raise _Damaged(f"{record} cannot be read: {error.strerror or error}") from None
        if digest.hexdigest() != state.digest:
            raise _Damaged(f"the first {state.size:,} bytes of {record} do not match their checksum")
        self._check_spikes(columns, state.tick)
        self._tick, self._size, self._digest = state.tick, state.size, digest
        engine = {name.removeprefix(_ENGINE): array for name, array in state.arrays.items() if name.startswith(_ENGINE)}
        meter = {name.removeprefix(_METER): array for name, array in state.arrays.items() if name.startswith(_METER)}
        meter |= {name: array for name, array in columns.items() if name.startswith(PER_TICK)}
        kept = {name: array for name, array in columns.items() if not name.startswith(PER_TICK)}
        return Moment(state.tick, engine, meter, kept)

    def _refuse_other_runs(self, path: Path, there: Mapping[str, Any]) -> None:
        here = self.run
        if differing := sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key)):
            raise BadInput(
                Finding(
                    "NE6022",
                    f"the snapshot is of another run: {key} is {_shown(there.get(key))} there and {_shown(here.get(key))} here",
                    str(path),
                    ("repeat the command that wrote the snapshot, with --resume", "run again without --resume"),
                )
                for key in differing
            )

    def _check_spikes(self, columns: Arrays, tick: int) -> None:
        """Spikes must be of this chip, in time order and before the end of the run."""
        when, who = columns.get(SPIKES + "tick"), columns.get(SPIKES + "source")
        if when is None or who is None or not when.dtype == who.dtype == np.int32 or when.ndim + who.ndim != 2:
            raise _Damaged("it holds no spikes")
        if tick >= self.ticks:
            raise _Damaged(f"it is of tick {tick:,}, the run has {self.ticks:,} ticks")
        if when.size and not (when[0] >= 0 and when[-1] < tick and (np.diff(when) >= 0).all()):
            raise _Damaged("its spikes are not in time order")
        if who.size and not (who.min() >= self.sources.start and who.max() < self.sources.stop):
            raise _Damaged("its spikes are of neurons that this program does not have")


class _Damaged(Exception):
    """Why a snapshot cannot be used."""


@dataclass(frozen=True)
class _State:
    """A state file as it was read: of which run and tick, and how much of the record it needs."""

    run: dict[str, Any]
    tick: int
    arrays: Arrays
    columns: Mapping[str, _Row]
    size: int
    digest: str


_FIXES = ("run again without --resume",)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "missing" if value is None else str(value)


def _unwritable(folder: Path, why: str) -> BadInput:
    fixes = ("make room and run again with --resume", "choose another folder with -o")
    return BadInput(Finding("NE6010", f"the snapshot cannot be written: {why}", str(folder), fixes))


def _in_use(folder: Path) -> BadInput:
    fixes = ("wait until the other run has ended", "choose another folder with -o")
    message = "another run keeps its snapshots in this folder and has not ended: the two would overwrite each other's"
    return BadInput(Finding("NE6025", message, str(folder), fixes))


def _clear(folder: Path) -> None:
    for path in (*folder.glob(_STATES), *folder.glob(_UNFINISHED), folder / RECORDED):
        path.unlink(missing_ok=True)


def _prune(newest: Path) -> None:
    """Keep the last states up to the newest; later ones were found damaged when the run was resumed."""
    states = sorted(newest.parent.glob(_STATES))
    kept = [path for path in states if path <= newest][-_KEPT_STATES:]
    for path in (*states, *newest.parent.glob(_UNFINISHED)):
        if path not in kept:
            path.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Have the folder's names on the disk, where the system can."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _little(array: NDArray[Any]) -> NDArray[Any]:
    """The same values, contiguous and least significant byte first."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return _little(array).reshape(-1).view(np.uint8)


def _type(name: str) -> np.dtype[Any]:
    if name not in _TYPES:
        raise _Damaged(f"{name!r} is no type of number it may hold")
    return np.dtype(name)


def _read_state(path: Path) -> _State:
    try:
        container = read_program(path)
        manifest = container.manifest
        if manifest.get("format") != FORMAT:
            raise _Damaged(f"its format is {manifest.get('format')!r}, not {FORMAT!r}")
        recorded = take(manifest, "recorded", dict, "snapshot")
        return _State(
            run=take(manifest, "run", dict, "snapshot"),
            tick=take(manifest, "tick", int, "snapshot"),
            arrays=_arrays(container, take(manifest, "arrays", dict, "snapshot")),
            columns=_columns(take(manifest, "columns", list, "snapshot")),
            size=take(recorded, "size", int, "recorded"),
            digest=take(recorded, "sha256", str, "recorded"),
        )
    except BadInput as error:
        raise _Damaged(error.findings[0].message) from None


def _arrays(container: Program, table: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Arrays of a state file; every declared size is compared with the bytes that are there before it is used."""
    arrays = {}
    for name, entry in table.items():
        match entry:
            case [str(type_name), [*shape]] if all(type(length) is int and length >= 0 for length in shape):
                dtype, data = _type(type_name), container.section(name)
            case _:
                raise _Damaged(f"the entry of '{name}' is malformed")
        cells, most = math.prod(shape), math.prod(max(length, 1) for length in shape)
        if len(shape) > 4 or most > _CELLS_MOST or cells * dtype.itemsize != data.size:
            raise _Damaged(f"'{name}' has {data.size} bytes, which is no {dtype} of shape {shape}")
        arrays[name] = data.view(dtype).reshape(shape).astype(dtype.newbyteorder("="))
    return arrays


def _columns(table: list[Any]) -> dict[str, _Row]:
    columns: dict[str, _Row] = {}
    for entry in table:
        match entry:
            case [str(name), str(type_name)]:
                columns[name] = (_type(type_name), ())
            case [str(name), str(type_name), int(width)] if 0 <= width < _ROWS_MOST:
                columns[name] = (_type(type_name), (width,))
            case _:
                raise _Damaged(f"the column {entry!r} is malformed")
    return columns


def _read_recorded(
    file: BinaryIO, size: int, table: Mapping[str, _Row], last_tick: int
) -> tuple[dict[str, NDArray[Any]], Any]:
    """The columns in the first ``size`` bytes, whole, and the running checksum of these bytes."""
    present = os.fstat(file.fileno()).st_size
    if not 0 <= size <= present:
        raise _Damaged(f"{RECORDED} has {present:,} bytes, {size:,} are needed")
    digest = hashlib.sha256()
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in table}
    tick = 0
    for first, last, spikes in _blocks(file, size, table, digest):
        if first != tick:
            raise _Damaged(f"{RECORDED} goes on with ticks {first}..{last} after tick {tick}")
        for name, rows in parts.items():
            dtype, shape = table[name]
            array = np.empty((spikes if name.startswith(SPIKES) else last - first, *shape), dtype)
            content = array.reshape(-1).view(np.uint8)
            if file.readinto(content) != content.size:  # type: ignore[attr-defined]
                raise _Damaged(f"{RECORDED} changed while it was read")
            digest.update(content.data)
            rows.append(array.astype(dtype.newbyteorder("="), copy=False))
        tick = last
    if tick != last_tick or tick == 0:
        raise _Damaged(f"{RECORDED} ends at tick {tick}, the state is of tick {last_tick}")
    return {name: np.concatenate(rows) for name, rows in parts.items()}, digest


def _blocks(file: BinaryIO, size: int, table: Mapping[str, _Row], digest: Any) -> Iterator[tuple[int, int, int]]:
    """Headers of blocks that end within ``size`` bytes, the file standing behind each; the taker reads the block's rows."""
    left = size
    while left:
        header = file.read(min(_BLOCK.size, left))
        if len(header) < _BLOCK.size:
            raise _Damaged(f"{RECORDED} ends inside a block")
        digest.update(header)
        first, last, spikes = _BLOCK.unpack(header)
        ticks = last - first
        left -= _BLOCK.size + sum(
            (spikes if name.startswith(SPIKES) else ticks) * dtype.itemsize * math.prod(shape)
            for name, (dtype, shape) in table.items()
        )
        if left < 0 or not 0 < ticks < _ROWS_MOST or spikes >= _ROWS_MOST:
            raise _Damaged(f"{RECORDED} declares a block that is longer than the file")
        yield first, last, spikes
