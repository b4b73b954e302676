"""The shape of the house: imports only look down, `import neuroemu` is light, printing is the front door's business."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "neuroemu"
MODULES = sorted(PACKAGE.rglob("*.py"))

WINGS = sorted(path.name for path in (PACKAGE / "families").iterdir() if (path / "dynamics.py").exists())

CHIP_SIDE = ("emulator", "noc", "cost", "image")
TOOLCHAIN_SIDE = ("network", "formats", "mapping", "toolchain", "cli")
WING_ROOMS_OF_THE_CHIP = ("core.py", "dynamics.py", "timing.py")
SPEAKS_TO_THE_USER = ("cli.py", "report")


def room_of(path: Path) -> str:
    """First part of the path below the package: the room a module lives in."""
    return path.relative_to(PACKAGE).parts[0]


def imported_modules(path: Path) -> set[str]:
    """Absolute names of everything ``path`` imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports hide which room is used"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def imports_room(path: Path, room: str) -> bool:
    prefix = f"neuroemu.{room}"
    return any(name == prefix or name.startswith(prefix + ".") for name in imported_modules(path))


def test_import_neuroemu_loads_no_heavy_library() -> None:
    heavy = ("numba", "scipy", "h5py", "pydantic", "jinja2", "networkx")
    program = f"import sys, neuroemu; print([name for name in {heavy!r} if name in sys.modules])"
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"


def test_running_a_program_loads_nothing_of_the_toolchain_side() -> None:
    modules = ["neuroemu.machine", *(f"neuroemu.families.{wing}.boot" for wing in WINGS)]
    left = tuple(f"neuroemu.{room}" for room in ("network", "formats", "mapping", "toolchain"))
    program = f"import sys, {', '.join(modules)}; print([name for name in sys.modules if name.startswith({left!r})])"
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"


def test_every_public_name_can_be_imported() -> None:
    import neuroemu

    missing = [name for name in neuroemu.__all__ if getattr(neuroemu, name, None) is None]
    assert missing == []


def test_unknown_public_name_is_an_attribute_error() -> None:
    import neuroemu

    with pytest.raises(AttributeError, match="no_such_name"):
        _ = neuroemu.no_such_name


@pytest.mark.parametrize("room", CHIP_SIDE)
def test_chip_side_imports_nothing_from_the_toolchain_side(room: str) -> None:
    modules = [path for path in MODULES if room_of(path) == room]
    assert modules, f"the room {room} is missing"
    offenders = [
        f"{path.relative_to(PACKAGE)} imports {left}"
        for path in modules
        for left in TOOLCHAIN_SIDE
        if imports_room(path, left)
    ]
    assert offenders == []


def test_a_wings_core_dynamics_and_timing_import_nothing_from_the_toolchain_side() -> None:
    modules = [path for path in MODULES if room_of(path) == "families" and path.name in WING_ROOMS_OF_THE_CHIP]
    assert modules
    offenders = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in modules
        for name in imported_modules(path)
        if name.split(".")[1:2] and name.split(".")[0] == "neuroemu"
        if name.split(".")[1] in TOOLCHAIN_SIDE or "lower" in name.split(".")
    ]
    assert offenders == []


def test_only_the_front_door_prints() -> None:
    offenders = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in MODULES
        if room_of(path) not in SPEAKS_TO_THE_USER
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert offenders == []


def test_no_module_unpickles_or_evaluates_input() -> None:
    forbidden = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
    offenders = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in MODULES
        for name in imported_modules(path)
        if name.split(".")[0] in forbidden
    ]
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
                offenders.append(f"{path.relative_to(PACKAGE)}:{node.lineno} calls {node.func.id}")
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
                offenders.append(f"{path.relative_to(PACKAGE)}:{node.value.lineno} allows pickled arrays")
    assert offenders == []


def test_every_module_begins_with_its_purpose() -> None:
    silent = [
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []
