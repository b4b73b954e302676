"""No linter has a word to say about the Verilog, at any parameter point; and each of them does speak when it should."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from pyslang.driver import Driver

from neuroemu.cosim.tools import command, environment

RTL = Path(__file__).parents[1]
SOURCE = RTL / "src"
RULES = RTL / ".rules.verible_lint"

POINTS = {
    "lif_tile": (
        {},
        {"STAGES": 3},
        {"NEURONS": 5, "AXONS": 3, "ROUTES": 7, "STAGES": 3, "IN_DEPTH": 3, "OUT_DEPTH": 1},
        {
            "NEURONS": 1,
            "AXONS": 1,
            "ROUTES": 1,
            "CORE_BITS": 1,
            "TARGET_BITS": 1,
            "START_BITS": 1,
            "REF_BITS": 1,
            "COUNTERS": 0,
        },
        {"FACTOR": 1, "CONSTANT": 1, "CURRENT": 1, "WRAP": 1},
        {
            "FACTOR": 1,
            "CONSTANT": 1,
            "CURRENT": 1,
            "WRAP": 1,
            "STAGES": 3,
            "V_BITS": 32,
            "ACC_BITS": 32,
            "WEIGHT_BITS": 16,
        },
        {"SHIFT": 0, "CONSTANT": 1, "V_BITS": 8, "ACC_BITS": 6, "STAGES": 3},
        {"FACTOR": 1, "SHIFT": 0, "NEURONS": 100, "AXONS": 300, "ROUTES": 1000, "V_BITS": 24, "ACC_BITS": 20},
    ),
    "crossbar_core": (
        {},
        {"NEURONS": 5, "AXONS": 33},
        {"NEURONS": 64, "AXONS": 100, "STOCHASTIC": 0},
        {"DRAW_STEP": 1},
    ),
}
CASES = [(top, point) for top, points in POINTS.items() for point in points]


def overrides(parameters: Mapping[str, int]) -> list[str]:
    """Parameters as both Verilator and slang take them."""
    return [f"-G{name}={value}" for name, value in parameters.items()]


def verilator_warnings(folder: Path, top: str, parameters: Mapping[str, int]) -> str:
    words = [
        "verilator",
        "--lint-only",
        "-Wall",
        "-Wno-fatal",
        "--quiet",
        f"-I{folder}",
        "--top",
        top,
        f"{folder / top}.v",
    ]
    ran = subprocess.run(
        [*words, *overrides(parameters)], env=environment(), capture_output=True, text=True, timeout=120
    )
    return "\n".join(line for line in (ran.stdout + ran.stderr).splitlines() if not line.startswith("- "))


def slang_findings(folder: Path, top: str, parameters: Mapping[str, int]) -> tuple[int, int]:
    """Errors and warnings of a full elaboration as Verilog-2005; signs are Verilator's business."""
    driver = Driver()
    driver.addStandardArgs()
    words = [
        "slang",
        "--std",
        "1364-2005",
        "-Wextra",
        "-Wconversion",
        "-Wno-sign-conversion",
        "--top",
        top,
        f"-I{folder}",
    ]
    files = [str(path) for path in sorted(folder.glob("*.v"))]
    assert driver.parseCommandLine(" ".join([*words, *overrides(parameters), *files]))
    assert driver.processOptions() and driver.parseAllSources()
    compilation = driver.createCompilation()
    driver.reportCompilation(compilation, True)
    driver.runAnalysis(compilation)
    driver.reportDiagnostics(True)
    return driver.diagEngine.numErrors, driver.diagEngine.numWarnings


def verible_warnings(*files: Path) -> str:
    words = [command("verible-verilog-lint", "verible"), f"--rules_config={RULES}", *map(str, files)]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=120)
    return ran.stdout + ran.stderr


@pytest.mark.parametrize(("top", "parameters"), CASES)
def test_verilator_has_no_warning(top, parameters):
    assert verilator_warnings(SOURCE, top, parameters) == ""


@pytest.mark.parametrize(("top", "parameters"), CASES)
def test_slang_has_no_warning(top, parameters):
    assert slang_findings(SOURCE, top, parameters) == (0, 0)


def test_verible_has_no_warning():
    assert verible_warnings(*sorted(SOURCE.glob("*.v*"))) == ""


def test_every_module_lies_in_a_file_of_its_name_and_is_reached_from_a_top():
    reached: set[str] = set()
    waiting = list(POINTS)
    while waiting:
        name = waiting.pop()
        text = (SOURCE / f"{name}.v").read_text()
        assert [line.split()[1] for line in text.splitlines() if line.startswith("module ")] == [name]
        reached.add(name)
        waiting += [path.stem for path in SOURCE.glob("*.v") if f"  {path.stem} " in text and path.stem not in reached]
    assert reached == {path.stem for path in SOURCE.glob("*.v")}


@pytest.mark.parametrize(
    ("top", "parameters"),
    [
        ("lif_core", {"STAGES": 2}),
        ("lif_core", {"V_BITS": 33}),
        ("lif_core", {"AXONS": 65536, "NEURONS": 2}),
        ("lif_core", {"REF_BITS": 17}),
        ("crossbar_core", {"NEURONS": 300}),
        ("crossbar_core", {"AXONS": 300}),
        ("crossbar_core", {"DRAW_STEP": 3}),
    ],
)
def test_a_build_that_cannot_be_is_refused_by_name(top, parameters):
    assert f"{top}_parameters_out_of_range" in verilator_warnings(SOURCE, top, parameters)
    assert slang_findings(SOURCE, top, parameters)[0] > 0


@pytest.fixture
def planted(tmp_path):
    """A copy of the FIFO that drops a bit without a word, uses a name before its declaration and ends a line with a blank."""
    text = (SOURCE / "aer_fifo.v").read_text()
    planted = text.replace(
        "  assign in_ready =",
        "  wire [WIDTH:0] longer = early; \n  wire [WIDTH-1:0] early = longer;\n  assign in_ready =",
    )
    assert planted != text
    (tmp_path / "aer_fifo.v").write_text(planted)
    return tmp_path


def test_verilator_sees_a_width_that_does_not_fit(planted):
    assert "%Warning-WIDTH" in verilator_warnings(planted, "aer_fifo", {})


def test_slang_sees_a_use_before_the_declaration(planted):
    assert slang_findings(planted, "aer_fifo", {})[0] > 0


def test_verible_sees_a_blank_at_the_end_of_a_line(planted):
    assert "no-trailing-spaces" in verible_warnings(planted / "aer_fifo.v")
