"""The terms a report uses, said in a sentence each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A field term; ``key`` is its anchor in the HTML report."""

    key: str
    name: str
    text: str


GLOSSARY = (
    Term("population", "population", "A named group of neurons of one model, usually a layer."),
    Term("projection", "projection", "All synapses from one population to another."),
    Term("compartment", "compartment", "The unit of state on a core; a plain neuron takes one."),
    Term(
        "axon", "axon", "An entry that a core needs per source it listens to (input) and per core it sends to (output)."
    ),
    Term(
        "core",
        "core",
        "The part of a chip that holds neurons and their incoming synapses and updates them tick by tick.",
    ),
    Term("tile", "tile", "Cores that share a router of the mesh."),
    Term(
        "link",
        "link",
        "The wires between two neighbouring routers, one direction; a packet counts on every link it takes.",
    ),
    Term("hop", "hop", "One step of a packet from router to router."),
    Term("tick", "tick", "One time step of the chip: update all neurons, deliver all spikes, wait for the barrier."),
    Term(
        "tick-offset",
        "tick offset",
        "Ticks by which a layer lags behind the input, since a spike arrives one tick later.",
    ),
    Term("spike", "spike", "The event a neuron sends when its membrane crosses the threshold."),
    Term(
        "synaptic-event",
        "synaptic event",
        "One spike acting on one synapse (also SynOp); usually the largest dynamic cost.",
    ),
    Term("packet", "packet", "What crosses the mesh: a spike on its way to one core."),
    Term(
        "inference",
        "inference",
        "One sample from reset to answer; figures per inference divide the run by its samples.",
    ),
    Term("barrier", "barrier", "The synchronisation of all cores that ends a tick."),
    Term("scale", "scale", "Chip units per float unit; weights, biases and threshold of a population share it."),
    Term("clipped", "clipped weight", "A weight beyond the largest value of the stored format, cut to it."),
    Term(
        "tau",
        "time constant",
        "Ticks in which a potential or current decays to 37 %; the chip's decay register rounds it.",
    ),
    Term(
        "quantised-float",
        "quantised float",
        "The float network with the chip's rounded parameters: tells rounding from arithmetic.",
    ),
    Term("bin", "bin", "One neuron in one tick of one sample; it differs when the number of spikes differs."),
    Term("dead", "dead", "A population that never spikes on the chip."),
    Term("saturated", "saturated", "A population that spikes in nearly every tick."),
    Term("static", "static energy", "What the powered chip takes without activity, times the run's duration."),
    Term(
        "band",
        "error band",
        "Where the true value should lie, from measurements named with the cost set; no statistic of this run.",
    ),
    Term("cost-set", "cost set", "Constants from one source, never mixed with another's."),
    Term("measured", "measured", "A constant read from a measurement of the chip."),
    Term("published", "published", "A constant printed by the makers, often from simulation before silicon."),
    Term("fitted", "fitted", "A constant found by regression on measurements."),
    Term("assumed", "assumed", "A constant nobody published; a stand-in, said so."),
    Term("unknown", "unknown", "No figure exists or none was computed; it is never counted as 0."),
)
