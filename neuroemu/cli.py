"""The command line: one verb per stage, results on stdout, progress on stderr, exit codes 0 ok, 1 does not fit or differs,
2 bad input, 3 a defect of neuroemu, 130 interrupted by Ctrl-C."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from neuroemu import __version__
from neuroemu.errors import Finding, NeuroemuError

INTERRUPTED = 130
"""Exit code after Ctrl-C; what was complete by then is reported and written."""


class Interrupted(NeuroemuError):
    """Ctrl-C before there was anything to report."""

    exit_code = INTERRUPTED


class Verbs(TyperGroup):
    """The verbs; a Ctrl-C in one of them is an error with a code like any other."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            finding = Finding("NE6014", "interrupted before there was anything to keep; nothing was written")
            raise Interrupted(finding) from None


app = typer.Typer(
    name="neuroemu",
    cls=Verbs,
    help="Deploy a trained spiking network on an emulated neuromorphic chip: does it fit, what does it compute, how long "
    "does it take, what does it cost and what limits it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
chips_app = typer.Typer(help="The chips: list, show, validate, schema.", no_args_is_help=True)
app.add_typer(chips_app, name="chips")

NetworkFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="Network: NIR (.nir) or neuroemu YAML; deploy also takes IBM's mapped models (JSON)."
    ),
]
ChipOption = Annotated[str, typer.Option("--chip", "-c", help="Chip name or chip file; `neuroemu chips list`.")]
DialectOption = Annotated[
    str,
    typer.Option("--dialect", "-d", help="How the NIR file is meant: snntorch-hard, norse, sinabs, ...; auto guesses."),
]
DtOption = Annotated[float | None, typer.Option("--dt", help="Seconds per step of the source framework.")]
InputOption = Annotated[
    Path | None,
    typer.Option("--input", "-i", help="Samples (.npz: input, optional labels); spikes (.sfti) for a mapped model."),
]
TicksOption = Annotated[
    int | None,
    typer.Option(
        "--ticks", min=1, help="Ticks of a mapped model's run; default: until all delays after its input are over."
    ),
]
OutOption = Annotated[Path | None, typer.Option("-o", "--out", help="Folder for program.nemu, report and spikes.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of mapping and chip noise.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable result on stdout.")]
JsonFileOption = Annotated[Path | None, typer.Option("-o", "--out", help="Write the JSON result to this file.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no report on the terminal.")]
ProgramInputOption = Annotated[
    Path,
    typer.Option(
        "--input", "-i", help="Samples (.npz: input, optional labels), or the spike file of a model of IBM's tools."
    ),
]
LimitOption = Annotated[int | None, typer.Option("--samples", min=1, help="Use only the first N samples.")]
FloatOption = Annotated[
    int, typer.Option("--compare-samples", min=0, help="Samples compared with the float network; 0 compares none.")
]
ProbeOption = Annotated[
    list[str] | None, typer.Option("--probe", help="Record u and v of this population (repeatable; in spikes.npz).")
]
ThreadsOption = Annotated[
    int,
    typer.Option("--threads", min=1, help="Threads that emulate the chip together; any number gives the same bits."),
]
EveryOption = Annotated[
    int | None,
    typer.Option(
        "--snapshot-every", metavar="N", min=1, help="Keep the run's state in the -o folder every N chip ticks."
    ),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on from the newest snapshot in the -o folder, if there is one.")
]
PartitionerOption = Annotated[str | None, typer.Option("--partitioner", help="How populations are split over cores.")]
PlacerOption = Annotated[str | None, typer.Option("--placer", help="How cores are placed on the mesh.")]

_DEFAULT_COMPARED = 1000


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the ``neuroemu`` command; with --json, errors are JSON on stdout as well."""
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given
    _settle_encoding(as_json)
    try:
        outcome = app(given, prog_name="neuroemu", standalone_mode=False)
        sys.exit(outcome if isinstance(outcome, int) else 0)  # typer hands an Exit back as its code
    except NeuroemuError as error:
        _fail(error.findings, error.exit_code, as_json)
    except MemoryError:
        _fail((Finding("NE6017", "this machine has not enough memory for that"),), 2, as_json)
    except Exception as error:  # noqa: BLE001  # the last resort: a defect must not end in a traceback
        if not _is_usage_error(error):
            _fail((_defect(error),), 3, as_json)
        if not as_json and type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # type: ignore[attr-defined]
            sys.exit(2)
        _fail((_misunderstood(error),), 2, as_json)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"neuroemu {__version__}")
        raise typer.Exit


@app.command()
def check(
    file: NetworkFile,
    chip: Annotated[str | None, typer.Option("--chip", "-c", help="Also tell whether it fits this chip.")] = None,
    dialect: DialectOption = "auto",
    dt: DtOption = None,
    partitioner: PartitionerOption = None,
    placer: PlacerOption = None,
    seed: SeedOption = 0,
    out: JsonFileOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Read and validate a network; with --chip, say whether it fits and, if not, what to change."""
    from neuroemu import verbs

    if verbs.is_mapped(file):
        unused = verbs.given(dialect=dialect != "auto", dt=dt, partitioner=partitioner, placer=placer)
        verdict = verbs.check_mapped(file, chip, unused=unused)
    else:
        network = verbs.load_checked(file, dialect, dt)
        verdict = verbs.check(network, file, chip, partitioner=partitioner, placer=placer, seed=seed)
    if out is not None:
        verbs.write_file(out, verdict.to_json().encode())
    if as_json:
        typer.echo(verdict.to_json(), nl=False)
    elif not quiet:
        verdict.print(_console())
    raise typer.Exit(0 if verdict.ok else 1)


@app.command()
def deploy(
    file: NetworkFile,
    chip: ChipOption,
    samples_file: InputOption = None,
    out: OutOption = None,
    dialect: DialectOption = "auto",
    dt: DtOption = None,
    partitioner: PartitionerOption = None,
    placer: PlacerOption = None,
    samples: LimitOption = None,
    compare_samples: FloatOption = _DEFAULT_COMPARED,
    probe: ProbeOption = None,
    threads: ThreadsOption = 1,
    snapshot_every: EveryOption = None,
    resume: ResumeOption = False,
    seed: SeedOption = 0,
    ticks: TicksOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put a network on a chip, run samples on it, and report fit, accuracy, latency, energy and what limits it."""
    from neuroemu import verbs

    with _progress(quiet) as progress, verbs.Output(out) as output:
        if verbs.is_mapped(file):
            report = verbs.deploy_mapped_and_report(
                file,
                chip,
                samples_file,
                output,
                ticks=ticks,
                unused=verbs.given(dialect=dialect != "auto", dt=dt, partitioner=partitioner, placer=placer),
                probes=probe or (),
                seed=seed,
                threads=threads,
                snapshot_every=snapshot_every,
                resume=resume,
                progress=progress,
                note=None if quiet else _note,
            )
        else:
            network = verbs.load_checked(file, dialect, dt)
            report = verbs.deploy_and_report(
                network,
                file,
                chip,
                samples_file,
                output,
                partitioner=partitioner,
                placer=placer,
                most_samples=samples,
                compared=compare_samples,
                probes=probe or (),
                seed=seed,
                threads=threads,
                snapshot_every=snapshot_every,
                resume=resume,
                progress=progress,
                note=None if quiet else _note,
            )
    _show(report, as_json, quiet, str(output))
    raise typer.Exit(INTERRUPTED if verbs.interrupted(report) else 0)


@app.command()
def run(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM", help="A deployed program (program.nemu).")],
    samples_file: ProgramInputOption,
    out: OutOption = None,
    samples: LimitOption = None,
    probe: ProbeOption = None,
    threads: ThreadsOption = 1,
    snapshot_every: EveryOption = None,
    resume: ResumeOption = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of chip noise instead of the program's.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a deployed program; needs no network file."""
    from neuroemu import verbs

    with _progress(quiet) as progress, verbs.Output(out) as output:
        report = verbs.run_and_report(
            program,
            samples_file,
            output,
            most_samples=samples,
            probes=probe or (),
            seed=seed,
            threads=threads,
            snapshot_every=snapshot_every,
            resume=resume,
            progress=progress,
            note=None if quiet else _note,
        )
    _show(report, as_json, quiet, str(output))
    raise typer.Exit(INTERRUPTED if verbs.interrupted(report) else 0)


@app.command()
def cosim(
    program: Annotated[
        Path, typer.Argument(metavar="PROGRAM", help="A program deployed on lifcore-rtl or truenorth (program.nemu).")
    ],
    samples_file: ProgramInputOption,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for cosim.json and the waveform of a difference.")
    ] = None,
    samples: LimitOption = None,
    stages: Annotated[int, typer.Option("--stages", help="Pipeline of the Verilog LIF core: 1 or 3 stages.")] = 1,
    stalls: Annotated[
        float,
        typer.Option(
            "--stalls", min=0, max=0.95, metavar="P", help="Share of clocks in which events and packets wait."
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, max=(1 << 64) - 1, help="Seed of the stalls.")] = 0,
    sources: Annotated[
        Path | None, typer.Option("--rtl", metavar="FOLDER", help="Verilog sources instead of the package's.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a program on the Verilog cores and on the model; every spike, state and cycle must agree."""
    from neuroemu import verbs
    from neuroemu.errors import BadInput

    if stages not in (1, 3):
        raise BadInput(Finding("NE6013", f"--stages is {stages}; the core has 1 or 3", fixes=("leave it out",)))
    with _progress(quiet) as progress, verbs.Output(out) as output:
        agreement = verbs.cosimulate(
            program,
            samples_file,
            output,
            most_samples=samples,
            stages=stages,
            stalls=stalls,
            seed=seed,
            sources=sources,
            progress=progress,
            note=None if quiet else _note,
        )
    if as_json:
        typer.echo(agreement.to_json(), nl=False)
    elif not quiet:
        agreement.print(_console())
        if str(output):
            typer.echo(str(output))
    raise typer.Exit(0 if agreement.agrees else 1)


@app.command("report")
def report_command(
    file: Annotated[Path, typer.Argument(metavar="REPORT", help="A report.json, or a folder that holds one.")],
    html: Annotated[Path | None, typer.Option("-o", "--out", "--html", help="Also write it as an HTML page.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show a saved report on the terminal or turn it into an HTML page."""
    from neuroemu import verbs

    report = verbs.read_report(file)
    if html is not None:
        verbs.write_file(html, verbs.html_page(report))
    _show(report, as_json, quiet)


@app.command()
def compare(
    file: NetworkFile,
    chips: Annotated[str, typer.Option("--chips", "-c", help="Chips to compare, separated by commas.")],
    samples_file: InputOption = None,
    out: OutOption = None,
    dialect: DialectOption = "auto",
    dt: DtOption = None,
    samples: LimitOption = None,
    compare_samples: FloatOption = _DEFAULT_COMPARED,
    threads: ThreadsOption = 1,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Deploy one network on several chips and show them side by side."""
    from neuroemu import verbs

    with _progress(quiet) as progress:
        comparison = verbs.compare_chips(
            file,
            [name.strip() for name in chips.split(",") if name.strip()],
            samples_file,
            out,
            dialect=dialect,
            dt_s=dt,
            most_samples=samples,
            compared=compare_samples,
            seed=seed,
            threads=threads,
            progress=progress,
            note=None if quiet else _note,
        )
    if as_json:
        typer.echo(comparison.to_json(), nl=False)
    elif not quiet:
        comparison.print(_console())
    if any(verbs.interrupted(report) for report in comparison.reports):
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(0 if comparison.any_fits else 1)


@app.command()
def verify(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Folders or files of recorded cases.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Unsupported cases count as failures.")] = False,
    out: JsonFileOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Replay recorded behaviour of other people's software through the emulator and count the differences."""
    from neuroemu import verbs
    from neuroemu.verify import verify_paths

    show: Callable[[str], None] | None = None if as_json or quiet else typer.echo
    outcome = verify_paths(paths or [], on_case=show)
    if out is not None:
        verbs.write_file(out, outcome.to_json().encode())
    typer.echo(outcome.to_json() if as_json else outcome.last_line, nl=not as_json)
    raise typer.Exit(outcome.exit_code(strict))


@app.command()
def bench(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK]...",
            help="rand_1k, rand_10k, rand_100k, mlp, conv, brunel, microcircuit_SCALE (above 0, up to 1), loihi_cuba_4k or an "
            ".npz file.",
        ),
    ] = None,
    repeat: Annotated[int, typer.Option("--repeat", min=1, help="Runs per network; the median counts.")] = 5,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of the emulator and of the peers.")] = 1,
    per_tick: Annotated[
        bool, typer.Option("--per-tick", help="Time every tick on the chip: its busiest core and farthest packet.")
    ] = False,
    chip: Annotated[str, typer.Option("--chip", "-c", help="A chip of family lifcore.")] = "lifcore-bench",
    against: Annotated[
        str | None, typer.Option("--against", help="Run these simulators as well, in turn: brian2, nest, sanafe.")
    ] = None,
    peer_python: Annotated[
        list[str] | None,
        typer.Option("--peer-python", metavar="PEER=PYTHON", help="Interpreter that has the peer (repeatable)."),
    ] = None,
    peer_timeout: Annotated[float, typer.Option("--peer-timeout", help="Seconds after which a peer is stopped.")] = 900,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run benchmark networks on open LIF cores: events per CPU second, memory and a hash of all spikes."""
    from rich.console import Console

    from neuroemu.bench.measure import Measured, Setting
    from neuroemu.bench.peers import interpreters
    from neuroemu.bench.suite import HEADING, Against, as_rows, bench
    from neuroemu.bench.suite import as_json as to_json

    peers = [name.strip() for name in (against or "").split(",") if name.strip()]
    pythons = interpreters(peers, peer_python or [])
    headings = [] if as_json else [HEADING]

    def tell(result: Measured) -> None:
        if headings:
            typer.echo(headings.pop())
        typer.echo(to_json(result) if as_json else as_rows(result))

    with Console(stderr=True, quiet=quiet).status("") as status:
        bench(
            networks or ["rand_1k"],
            Setting(repeat, threads, per_tick, chip),
            tell,
            status.update,
            Against(pythons, peer_timeout),
        )


@app.command()
def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="An error code such as NE1012.")],
    out: JsonFileOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what an error code means and what to do about it."""
    from neuroemu.explain import explain as look_up

    entry = look_up(code)
    _answer({"schema": "neuroemu.explain/1", **entry.to_dict()}, lambda: typer.echo(str(entry)), out, as_json, quiet)


@chips_app.command("list")
def chips_list(out: JsonFileOption = None, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Name the chips that can be deployed to."""
    from neuroemu.spec import list_chips

    found = list_chips()
    width = max((len(chip.name) for chip in found), default=0)
    rows = [{"name": chip.name, "title": chip.title, "family": chip.family} for chip in found]
    lines = [f"{chip.name:<{width}}  {chip.title} ({chip.family})" for chip in found]
    _answer({"schema": "neuroemu.chips/1", "chips": rows}, lambda: typer.echo("\n".join(lines)), out, as_json, quiet)


@chips_app.command("show")
def chips_show(
    name: Annotated[str, typer.Argument(metavar="CHIP", help="Chip name or chip file.")],
    out: JsonFileOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show every number of a chip with its unit, source and kind."""
    from neuroemu import verbs
    from neuroemu.spec import load_chip

    chip = load_chip(name)
    document = {"schema": "neuroemu.chip/1", "chip": chip.to_dict()}
    _answer(document, lambda: verbs.print_chip(chip, _console()), out, as_json, quiet)


@chips_app.command("validate")
def chips_validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A chip file (.yaml).")],
    out: JsonFileOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check a chip file; every mistake with line, column and the nearest known key."""
    from neuroemu.errors import errors_in
    from neuroemu.spec import validate_file

    findings = validate_file(str(file))
    errors = errors_in(findings)
    verdict = f"{file}: {_counted(len(errors))}" if errors else f"{file}: valid"
    document = {"schema": "neuroemu.findings/1", "findings": [finding.to_dict() for finding in findings]}
    lines = [*map(str, findings), verdict]
    _answer(document, lambda: typer.echo("\n".join(lines)), out, as_json, quiet)
    raise typer.Exit(2 if errors else 0)


@chips_app.command("schema")
def chips_schema(out: JsonFileOption = None, quiet: QuietOption = False) -> None:
    """Print the JSON Schema of chip files."""
    from neuroemu.spec import json_schema

    _answer(json_schema(), lambda: None, out, not quiet, quiet)


# ---------------------------------------------------------------------------- what the terminal sees


def _answer(document: Any, show: Callable[[], None], out: Path | None, as_json: bool, quiet: bool) -> None:
    """A result that is plain data: as JSON to a file and to stdout when asked for, otherwise in words."""
    import json

    text = json.dumps(document, indent=1) + "\n"
    if out is not None:
        from neuroemu.verbs import write_file

        write_file(out, text.encode())
    if as_json:
        typer.echo(text, nl=False)
    elif not quiet:
        show()


def _show(report: Any, as_json: bool, quiet: bool, written: str = "") -> None:
    from neuroemu.report import to_json

    if as_json:
        typer.echo(to_json(report), nl=False)
        return
    if quiet:
        return
    from neuroemu.report.terminal import render

    render(report, _console())
    if written:
        typer.echo(written)


def _settle_encoding(as_json: bool) -> None:
    """JSON is UTF-8; text that a terminal cannot show is replaced instead of ending in an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8" if as_json else None, errors="replace")


def _console() -> Any:
    from rich.console import Console

    return Console()


def _note(text: str) -> None:
    typer.echo(text, err=True)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str], Callable[[int, int], None]] | None]:
    """A maker of progress callbacks: ``progress("chip")(done, total)`` draws on stderr when it is a terminal."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        def start(label: str) -> Callable[[int, int], None]:
            task = bars.add_task(label, total=None, rate="")

            def advance(done: int, total: int) -> None:
                speed = bars.tasks[task].speed or 0.0
                bars.update(task, completed=done, total=total, rate=f"{speed:,.0f} ticks/s" if speed else "")

            return advance

        yield start


def _fail(findings: Sequence[Finding], exit_code: int, as_json: bool) -> NoReturn:
    """Tell what went wrong and leave."""
    if as_json:
        import json

        plain = [finding.to_dict() for finding in findings]
        document = {"schema": "neuroemu.error/1", "exit_code": exit_code, "findings": plain}
        typer.echo(json.dumps(document, indent=1))
        sys.exit(exit_code)
    for finding in findings:
        _note(str(finding))
    first = min(finding.code for finding in findings)
    _note(f"{_counted(len(findings))}; more: neuroemu explain {first}")
    sys.exit(exit_code)


def _counted(problems: int) -> str:
    return f"{problems} problem{'s' if problems != 1 else ''}"


def _defect(error: Exception) -> Finding:
    import traceback

    if os.environ.get("NEUROEMU_DEBUG"):
        traceback.print_exc()
    last = traceback.extract_tb(error.__traceback__)[-1]
    return Finding(
        "NE9000",
        f"this is a defect of neuroemu {__version__}: {type(error).__name__}: {error} ({Path(last.filename).name}:"
        f"{last.lineno})",
        fixes=("report it with the command you ran", "set NEUROEMU_DEBUG=1 to see the whole trace"),
    )


def _misunderstood(error: Any) -> Finding:
    """A verb, option or value that the command line does not know."""
    verb = error.ctx.command_path if getattr(error, "ctx", None) is not None else "neuroemu"
    return Finding("NE6013", " ".join(error.format_message().split()), fixes=(f"{verb} --help",))


def _is_usage_error(error: Exception) -> bool:
    return hasattr(error, "show") and hasattr(error, "exit_code")


if __name__ == "__main__":
    main()


__all__ = ["app", "main"]
