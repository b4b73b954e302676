"""The shape of a report, key by key: the one source of both the static types and the published JSON Schema.

Every number is plain Python in the SI unit its name ends with. ``None`` means "unknown" (or "not computed") and shows
as the word *unknown*, never as 0. Fractions (accuracy, errors, agreement) run from 0 to 1.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

SCHEMA_ID = "neuroemu.report/1"

Number = int | float
Severity = Literal["error", "warning", "note"]
EnergyGroup = Literal["static", "neuron", "synapse", "network", "reset", "host", "io"]
Pair = Annotated[list[int], Field(min_length=2, max_length=2)]


class Dialect(TypedDict):
    """The reading rules under which the network file was understood."""

    name: str
    """Name of the dialect, such as ``snntorch-hard``."""
    origin: Literal["given", "guessed"]
    """``given`` by the user or ``guessed`` from the file."""
    reasons: list[str]
    """Why it was guessed, strongest reason first."""


class PopulationSummary(TypedDict):
    """A population of the logical network."""

    name: str
    """Name, unique in the network."""
    kind: str
    """Neuron model of the source: lif, if, cubalif, li, input, ..."""
    shape: list[int]
    """Shape, channel first for images."""
    neurons: int
    """Number of neurons."""
    tick_offset: int | None
    """Ticks by which this population lags behind the input on the chip."""
    is_input: bool
    """Its spikes come from outside."""
    is_output: bool
    """Its spikes are the answer."""
    refractory_ticks: NotRequired[int | None]
    """Ticks of silence after a spike."""


class ProjectionSummary(TypedDict):
    """Synapses from one population to another."""

    name: str
    """Name, unique in the network."""
    source: str
    """Presynaptic population."""
    target: str
    """Postsynaptic population."""
    kind: str
    """Connectivity: dense, sparse, conv, pool, or several joined by ``+``."""
    synapses: int | None
    """Synapses, counted as if expanded."""
    delay_ticks: int
    """0 feed-forward, 1 or more reads earlier ticks."""


class NetworkSummary(TypedDict):
    """What was loaded."""

    name: str
    """Name of the network."""
    file: str | None
    """File it came from, null when built in Python."""
    dialect: Dialect | None
    """Reading rules of the file, null when the network was not read from an exchange format."""
    dt_s: float | None
    """Step of the source framework in seconds of model time."""
    neurons: int
    """Neurons, inputs not counted."""
    synapses: int | None
    """Synapses, counted as if expanded."""
    populations: list[PopulationSummary]
    """Populations, sources before targets."""
    projections: list[ProjectionSummary]
    """Projections."""


class ChipSummary(TypedDict):
    """The chip the network was deployed on."""

    name: str
    """Name of the chip file, such as ``loihi1``."""
    title: str
    """Name for people, such as ``Intel Loihi 1``."""
    family: str
    """Chip family."""
    cores: int | None
    """Cores of the chip."""
    description: str
    """One or two sentences."""


class FindingEntry(TypedDict):
    """One thing the user should know."""

    code: str
    """``NE`` and four digits; ``neuroemu explain CODE`` tells more."""
    severity: Severity
    """``error`` stops the work, ``warning`` changes results or cost, ``note`` informs."""
    where: str
    """File, line, population or core; empty when global."""
    message: str
    """What is wrong and by how much."""
    fixes: list[str]
    """What to change, most useful first."""


class Quantisation(TypedDict):
    """What became of one population's numbers on the way to the chip's integers."""

    population: str
    """Population whose neurons and incoming weights these are."""
    scale: float | None
    """Chip units per float unit."""
    weight_exponent: int | None
    """Exponent shared by the weights."""
    weight_bits: int | None
    """Bits of a stored weight."""
    weight_error_max: float | None
    """Largest weight error, relative to the largest weight."""
    weight_error_rms: float | None
    """Root mean square weight error, relative to the largest weight."""
    clipped_weights: int | None
    """Weights cut to the largest value the chip can hold."""
    threshold_float: float | None
    """Threshold of the network (of neuron 0 where they differ)."""
    threshold_chip: Number | None
    """Threshold in chip units."""
    threshold_error: float | None
    """Largest relative threshold error."""
    tau_membrane_ticks: float | None
    """Membrane time constant of the network, null without leak."""
    tau_membrane_chip_ticks: float | None
    """Membrane time constant that the chip's decay register gives."""
    tau_current_ticks: float | None
    """Synaptic time constant of the network, null when there is no synaptic current."""
    tau_current_chip_ticks: float | None
    """Synaptic time constant that the chip's decay register gives."""
    bias_error_max: float | None
    """Largest bias error, relative to the threshold."""
    remarks: list[str]
    """What the chip can not do and what was done instead."""


class Mesh(TypedDict):
    """The grid of tiles."""

    columns: int
    """Tiles per row."""
    rows: int
    """Rows of tiles."""
    cores_per_tile: int
    """Cores that share a router."""


class CorePopulation(TypedDict):
    """The part of a population that lives on a core."""

    name: str
    """Population."""
    neurons: int
    """Neurons of it on this core."""


class Core(TypedDict):
    """One core in use."""

    core: int
    """Core number."""
    tile: int | None
    """Tile number."""
    x: int | None
    """Column of the tile."""
    y: int | None
    """Row of the tile."""
    populations: list[CorePopulation]
    """What it holds."""
    use: dict[str, Number | None]
    """Resource -> amount used; keys as in ``mapping.limits``."""
    activity: dict[str, Number | None] | None
    """Counter -> value over the whole run: spikes, synaptic_events, packets_in, packets_out, updates."""


Link = TypedDict(
    "Link",
    {
        "from": Annotated[Pair, Field(description="Tile column and row at the start.")],
        "to": Annotated[Pair, Field(description="Tile column and row at the end.")],
        "packets": Annotated[int, Field(description="Packets over the whole run.")],
    },
)
Link.__doc__ = "Traffic of one directed link between routers."


class Mapping(TypedDict):
    """Where the network runs."""

    partitioner: str | None
    """Algorithm that split populations over cores; null when only the program file is known."""
    placer: str | None
    """Algorithm that put cores on the mesh; null when only the program file is known."""
    router: str
    """Algorithm that chose routes."""
    cores_used: int
    """Cores in use."""
    cores_lower_bound: int | None
    """No partition can need fewer."""
    binding_resource: str | None
    """Resource that decides the number of cores."""
    messages: Number | None
    """Spike-weighted packets between cores over the run."""
    hops: Number | None
    """Router-to-router steps of all packets over the run."""
    max_link_load: Number | None
    """Packets over the busiest link."""
    diameter_hops: int | None
    """Longest route in use."""
    mesh: Mesh | None
    """The grid of tiles; null when the chip has none."""
    cores: list[Core]
    """Cores in use, by number."""
    limits: dict[str, Number | None]
    """Resource -> what one core holds."""
    links: list[Link]
    """Links that carried packets."""


class PopulationActivity(TypedDict):
    """Spikes of one population."""

    name: str
    """Population."""
    spikes: int
    """Spikes over the whole run."""
    rate_per_tick: float | None
    """Spikes per neuron and tick."""
    neurons: int
    """Number of neurons."""


class RasterPopulation(TypedDict):
    """Spikes of one population in one sample."""

    name: str
    """Population."""
    neurons: int
    """Number of neurons."""
    events: list[Pair]
    """Pairs of tick and neuron."""
    truncated: bool
    """Some events were left out to keep the file small."""


class Raster(TypedDict):
    """Spikes of one sample."""

    sample: int
    """Index of the sample."""
    ticks: int
    """Length in ticks."""
    populations: list[RasterPopulation]
    """Populations, sources before targets."""


class RunSummary(TypedDict):
    """What happened."""

    samples: int
    """Samples run; one sample is one inference."""
    ticks_per_sample: int
    """Input ticks of a sample."""
    total_ticks: int
    """Ticks of the whole run, pipeline ticks included."""
    pipeline_ticks: int | None
    """Ticks by which the output lags behind the input."""
    counters: dict[str, Number | None]
    """Counter -> value over the whole run."""
    populations: list[PopulationActivity]
    """Spikes per population."""
    raster: Raster | None
    """Spikes of one sample."""
    tick_time_s: list[float] | None
    """Time of every tick of the first sample, by the default cost set."""
    busiest_core: list[int] | None
    """Core that decided the time of each of these ticks."""


class Accuracy(TypedDict):
    """How often the answer is right, as fractions."""

    samples: int
    """Samples with a label."""
    chip: float | None
    """Accuracy of the chip."""
    float: float | None
    """Accuracy of the float reference."""
    quantised_float: float | None
    """Accuracy of the float reference with the chip's rounded parameters."""
    agreement_with_float: float | None
    """Share of samples where chip and float reference give the same answer."""


class FirstDivergence(TypedDict):
    """The first place where chip and float reference differ."""

    sample: int
    """Index of the sample."""
    tick: int
    """Tick in the float reference's time (tick offset taken out)."""
    neuron: int
    """Neuron of the population."""
    float: Number
    """Spikes of the float reference in this bin."""
    chip: Number
    """Spikes of the chip in this bin."""


class Fidelity(TypedDict):
    """Spikes of one population in float, in float with rounded parameters, and on the chip."""

    population: str
    """Population."""
    spikes_float: int | None
    """Spikes of the float reference."""
    spikes_quantised: int | None
    """Spikes of the float reference with the chip's rounded parameters."""
    spikes_chip: int | None
    """Spikes of the chip."""
    bins: int
    """Bins compared: samples x ticks x neurons."""
    differing_bins_float_chip: int | None
    """Bins where float and chip differ."""
    differing_bins_quantised_chip: int | None
    """Bins where quantised float and chip differ."""
    first_divergence: FirstDivergence | None
    """First bin where float and chip differ, null when none does."""
    dead: bool
    """Spikes in float but never on the chip, or never at all."""
    saturated: bool
    """Fires in nearly every tick on the chip."""


class EnergyLine(TypedDict):
    """One part of the energy of the whole run."""

    name: str
    """What costs."""
    group: EnergyGroup
    """static, neuron, synapse, network and reset are the chip's; host and io stand apart."""
    value_j: float | None
    """Energy of the whole run."""
    low_j: float | None
    """Lower end of its band."""
    high_j: float | None
    """Upper end of its band."""
    formula: str
    """Constant times count, as text."""
    constants: list[str]
    """Keys of the constants used."""


class Energy(TypedDict):
    """Energy by one cost set. Totals are sums over the chip's lines; host and io are not in them."""

    total_j: float | None
    """Energy of the whole run."""
    low_j: float | None
    """Lower end of its band."""
    high_j: float | None
    """Upper end of its band."""
    per_inference_j: float | None
    """Energy of one inference."""
    per_inference_low_j: float | None
    """Lower end of its band."""
    per_inference_high_j: float | None
    """Upper end of its band."""
    lines: list[EnergyLine]
    """The parts, of the whole run."""


class TimeLine(TypedDict):
    """One part of the time of the whole run."""

    name: str
    """What takes time."""
    value_s: float | None
    """Time of the whole run."""
    formula: str
    """Constant times count, as text."""
    constants: list[str]
    """Keys of the constants used."""


class Time(TypedDict):
    """Time by one cost set."""

    total_s: float | None
    """Time of the whole run."""
    per_inference_s: float | None
    """Time of one inference."""
    low_s: float | None
    """Lower end of the band of ``per_inference_s``."""
    high_s: float | None
    """Upper end of the band of ``per_inference_s``."""
    per_tick_mean_s: float | None
    """Mean time of a tick."""
    per_tick_max_s: float | None
    """Longest tick."""
    lines: list[TimeLine]
    """The parts, of the whole run."""
    bound: str | None
    """What decides the length of most ticks: neuron processing, message processing, barrier, ..."""


class Constant(TypedDict):
    """A constant of the cost model and where it comes from."""

    key: str
    """Key, as used in ``constants`` of energy and time lines."""
    value: Number | None
    """Value in ``unit``."""
    unit: str
    """SI unit."""
    text: str
    """Value as written in the chip file."""
    kind: str
    """measured, published, fitted or assumed."""
    confidence: str | None
    """How sure the value is."""
    source: str
    """Short tag or link of the source."""
    source_text: str
    """The source in full."""


class CostSet(TypedDict):
    """Energy and time by one named set of constants; sets are never mixed."""

    name: str
    """Name of the set."""
    title: str
    """Name for people."""
    band_text: str
    """Where its error band comes from."""
    energy: Energy
    """Energy."""
    time: Time
    """Time."""
    constants: list[Constant]
    """Constants of the set."""


class Cost(TypedDict):
    """What it costs."""

    default_set: str
    """Name of the set behind the headline figures."""
    sets: list[CostSet]
    """All sets of the chip."""


class Limit(TypedDict):
    """What binds."""

    name: str
    """Short name of the limit."""
    text: str
    """One sentence: how far from it, and what would follow."""


class ReportDocument(TypedDict):
    """Does a network fit a chip, what does the chip compute, how long does it take, its cost, its limit."""

    schema: Literal["neuroemu.report/1"]
    """Name and version of this schema."""
    version: str
    """Version of neuroemu that wrote the report."""
    network: NetworkSummary
    """What was loaded."""
    chip: ChipSummary
    """The chip."""
    findings: list[FindingEntry]
    """Errors, warnings and notes of all stages."""
    quantisation: list[Quantisation] | None
    """Floats to integers, per population."""
    mapping: Mapping | None
    """Where it runs; null when it does not fit."""
    run: RunSummary | None
    """What happened; null when nothing was run."""
    accuracy: Accuracy | None
    """Right answers; null without labels."""
    fidelity: list[Fidelity] | None
    """Chip against float, per population."""
    cost: Cost | None
    """Energy and time; null when nothing was run."""
    limit: Limit | None
    """What binds."""


SHAPES = (
    Dialect,
    PopulationSummary,
    ProjectionSummary,
    NetworkSummary,
    ChipSummary,
    FindingEntry,
    Quantisation,
    Mesh,
    CorePopulation,
    Core,
    Link,
    Mapping,
    PopulationActivity,
    RasterPopulation,
    Raster,
    RunSummary,
    Accuracy,
    FirstDivergence,
    Fidelity,
    EnergyLine,
    Energy,
    TimeLine,
    Time,
    Constant,
    CostSet,
    Cost,
    Limit,
    ReportDocument,
)
"""Every object of the report, smallest first."""
