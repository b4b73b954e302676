"""Functional coverage: what the protocol tests must have seen the cores do, as named bins that count.

A bin is counted where the scoreboard has just agreed with the core, so it stands for something that was checked. What the
rule did inside an update is found by asking the rule again, never by stating it (``core_bins``, ``crossbar_bins``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rtl.tests.ports import Outputs

MANY = 3
PAGE = Path(__file__).resolve().parents[2] / "docs" / "rtl.md"
END = "<!-- end of bins -->\n"

PORTS = {
    "no neuron spikes": "a tick without any packet",
    "every neuron spikes": "a tick in which all do",
    "stall of the marker": "the end of a tick waits",
    "stall for 100 cycles": "one output waits that long",
    "no stall in a tick with packets": "every packet is taken at once",
    "event on the first axon": "axon 0",
    "event on the last axon": "axon AXONS - 1",
    "event beyond the axons": "dropped, error set",
    "same axon twice": "two events in one tick",
    "events back to back": "the next event is taken in the first cycle it can be",
    "event right after a marker": "taken in the first cycle after a tick",
    "marker right after an event": "taken in the first cycle it can be",
    "marker right after a marker": "taken in the first cycle it can be",
    "tick without events": "a marker with nothing before it",
    "tick with many events": "more than axons",
    "event waits for the bus": "a request and an event stand there in one cycle, the request goes first",
    "request waits for an event": "a request stands there while an event is served",
    "request waits for a tick": "while neurons are swept",
    "request waits for a clear": "while the clear walks",
    "request between events of a tick": "after an event, before its marker",
    "requests back to back": "the next one is seen in the first cycle it can be",
    "event waits for a clear": "the first event is taken right after the walk",
    "clear by register": "a 1 is written to control",
    "error cleared": "a clear forgets the error",
    "reset while idle": "rst where nothing runs",
    "reset in an event": "rst while an event is served",
    "reset in a sweep": "rst while neurons are swept",
    "reset while a packet waits": "rst at a packet",
    "reset while the marker waits": "rst at the end of a tick",
    "reset in a clear": "rst in the walk that a clear or a reset started",
    "reset in a request": "rst while the bus is served",
    "reset for several cycles": "rst held",
}
"""Bins of every core: what happens at its ports."""

LIF = {
    "leak: factor, positive": "a positive potential leaks by a factor below one",
    "leak: factor, negative": "a negative one",
    "leak: factor above one": "a factor that grows the potential",
    "leak: shift, positive": "a positive potential leaks by a shift",
    "leak: shift, negative": "a negative one",
    "leak: shift beyond the width": "the shift is at least as wide as the potential",
    "leak: shift, fraction lost": "a negative potential whose leak was rounded toward zero",
    "leak: constant, positive": "a positive potential takes a constant step down",
    "leak: constant, negative": "a negative one takes it up",
    "leak: constant stops at zero": "the step would have gone beyond zero",
    "reset: to value": "a spike sets the reset value",
    "reset: subtract": "a spike subtracts the threshold",
    "reset: none": "a spike leaves the potential",
    "compare: above": "a spike above the threshold",
    "compare: at or above": "a spike, at the threshold counts",
    "threshold: one below": "ready, potential one below the threshold, no spike",
    "threshold: exactly, spikes": "potential equal to the threshold, at or above",
    "threshold: exactly, silent": "potential equal to the threshold, above",
    "threshold: one above": "potential one above the threshold",
    "threshold: negative": "a spike over a negative threshold",
    "threshold: beyond every potential": "a threshold that no potential can meet, potential at its highest",
    "current saturates up": "the current stops at its highest value",
    "current saturates down": "at its lowest",
    "drive saturates up": "leaked potential, current and bias add up beyond the range",
    "drive saturates down": "the same below it",
    "soft reset saturates": "a negative threshold is subtracted from a high potential",
    "current wraps": "overflow 1: the current wraps",
    "drive wraps up": "overflow 1: the driven potential wraps above the range",
    "drive wraps down": "overflow 1: below it",
    "soft reset wraps": "overflow 1: a negative threshold is subtracted from a high potential",
    "current kept": "a current that was there goes into the next one",
    "current kept whole": "nothing of it decays",
    "current negative kept": "the same for a negative current",
    "input shift zero": "something arrives and is not shifted",
    "input shift highest": "something arrives and is shifted by all the register can say",
    "refractory entered": "a spike starts the counter",
    "refractory waits": "the counter goes down and does not reach zero",
    "refractory left": "the counter reaches zero",
    "refractory period 0": "a spike with period 0",
    "refractory, input ignored": "what would have fired meets a waiting neuron",
    "bias open": "a bias that is not zero is added",
    "bias gated": "a bias that is not zero is not due yet",
    "bias opens": "the very tick of the bias start",
    "range left in a refractory tick": "the current saturates while the potential is held",
    "tick stops at all ones": "more ticks than the tick register counts",
    "spike with 0 routes": "a spike that sends nothing",
    "spike with 1 route": "a spike that sends one packet",
    "spike with many routes": f"{MANY} or more",
    "last neuron spikes with routes": "packets between the last update and the marker",
    "neighbours spike with routes": "packets of two updates in a row",
    "stall of a first packet": "of an update",
    "stall of a later packet": "not the first of its update",
    "stall of a last packet": "of an update with several",
    "size below the build": "a tick of fewer neurons than built",
    "size 1": "a tick of one neuron",
    "size of the build": "a tick of all neurons",
    "accumulator wraps up": "a sum beyond the accumulator's width",
    "accumulator wraps down": "the same below",
    "size 0 refused": "error set, size kept",
    "size beyond the build refused": "error set, size kept",
    "fifo full": "a queue refuses",
    "fifo empty": "nothing waits in a queue",
    "fifo passes when full": "a word leaves a full queue",
    "fifo wraps": "more words than slots",
    "event while the fifo is full": "an event waits in front of a tile's full queue",
    "packets wait in the fifo": "a tile's core stalls because its output queue is full",
    **PORTS,
}
"""Bins of ``lif_core``, its tile and its queues."""

CROSSBAR = {
    "leak: up": "a neuron takes a positive leak",
    "leak: down": "a negative one",
    "leak: none": "a leak of zero",
    "leak: follows a positive potential": "reversal, potential and input together positive",
    "leak: follows a negative potential": "negative",
    "leak: stands still at zero": "zero, with a leak that is not",
    "leak: stops at zero": "a reversing leak that would have changed the sign, zero clamp set",
    "leak: passes zero": "the same without the clamp",
    "leak: drawn, acts": "a stochastic leak moves the potential by one",
    "leak: drawn, rests": "it does not",
    "synapse: axon type 0": "an active synapse of that type",
    "synapse: axon type 1": "of that",
    "synapse: axon type 2": "of that",
    "synapse: axon type 3": "of that",
    "synapse: positive": "a positive weight is added",
    "synapse: negative": "a negative one",
    "synapse: weight zero": "one of zero",
    "synapse: largest weights": "255 and -255 in one neuron",
    "synapse: drawn, acts up": "a stochastic synapse adds one",
    "synapse: drawn, acts down": "takes one off",
    "synapse: drawn, rests": "does nothing",
    "synapse: drawn and fixed": "both sorts in one neuron",
    "synapse: drawn weight zero": "a stochastic weight that can never act",
    "no synapse active": "a neuron without input",
    "every synapse active": "a neuron with a synapse of every axon",
    "draws: three sorts": "synapse, leak and threshold of one neuron draw",
    "draws: none": "a neuron takes no random number",
    "random numbers 1..256": "something is drawn under that range",
    "random numbers 0..255": "under that",
    "random numbers 1..255": "under that",
    "random numbers 0..254": "under that",
    "random part of 1 bit": "of the thresholds",
    "random part of 18 bits": "the widest",
    "random part withholds a spike": "the potential is at the threshold, not at threshold and random part",
    "random part withholds a fall": "the same for the negative threshold",
    "random part spares a held floor": "kappa 1: below the negative threshold whatever was drawn",
    "threshold: one below": "potential one below threshold and random part",
    "threshold: exactly": "at it, which spikes",
    "threshold: one above": "one above it",
    "threshold: zero": "a spike over a threshold of zero",
    "threshold: highest": "a threshold of 18 ones",
    "floor: one above": "one above the negative threshold",
    "floor: exactly, paper": "at it, which is not below",
    "floor: exactly, ranc": "at it, which is",
    "floor: one below": "one below it",
    "floor: highest": "a negative threshold of 18 ones",
    "spike at both thresholds": "a spike and below the negative threshold (both zero, ranc): the spike counts",
    "spike: reset to value": "gamma 0",
    "spike: linear reset": "gamma 1",
    "spike: no reset": "gamma 2",
    "fall: reset to value": "gamma 0, kappa 0",
    "fall: linear reset": "gamma 1, kappa 0",
    "fall: no reset": "gamma 2, kappa 0",
    "fall: held, gamma 0": "kappa 1",
    "fall: held, gamma 1": "kappa 1",
    "fall: held, gamma 2": "kappa 1",
    "reset value: negative": "a spike sets one",
    "reset value: encoded": "a spike sets 2**VR - 1",
    "reset value: encoded, largest": "VR 18",
    "range: saturates up": "the potential stops at its highest",
    "range: saturates down": "at its lowest",
    "range: ceiling spikes": "NeMo's ceiling: a spike, the potential stays",
    "range: floor is silent": "NeMo's floor",
    "range: ends exactly": "a potential that just stays inside",
    "delay 1": "a spike for the tick that is open",
    "delay between": "2 to 14",
    "delay 15": "the longest",
    "delay 0 dropped": "error set",
    "spikes merged": "a spike finds the bit set",
    "spikes merged across ticks": "by one with another delay",
    "slots come round": "a spike in a tick whose slot was used sixteen ticks ago",
    "spike without target": "nothing is sent",
    "packet: west": "a negative dx",
    "packet: south": "a negative dy",
    "packet: farthest": "dx or dy at an end of its range",
    "packet: longest delay": "delay 15",
    "packet stalls": "a packet waits",
    "packet of the last neuron": "a packet right before the marker",
    "neighbours send": "packets of two updates in a row",
    "row read": "a word of the row stream",
    "row written": "the same",
    "row ends inside a word": "the stream goes on with the next row",
    "row ends with a word": "rows and words end together",
    "row beyond the build": "read or written: nobody knows, nothing breaks",
    "rows come round": "after the last row the first",
    "axon types read": "sixteen at a time",
    "axon types written": "sixteen at a time",
    "register beyond the map": "reads zero",
    "region beyond the map": "reads zero, written to nowhere",
    "tick written": "the next marker closes another tick",
    "tick wraps": "after 32 bits",
    "counter wraps": "after 32 bits",
    "reset while the key is made": "rst in the first clocks of a tick",
    "reset while a number is drawn": "rst while the generator runs",
    "reset in a write-back": "rst in the very clock that writes a row: it is written",
    **PORTS,
}
"""Bins of ``crossbar_core``."""

LISTS = {"lif_core": LIF, "crossbar_core": CROSSBAR}
_LISTED = {name for names in LISTS.values() for name in names}

COUNTS: Counter[str] = Counter()


def hit(name: str, when: Any = True) -> None:
    """Count a bin.

    Raises:
        KeyError: no such bin is listed.
    """
    if name not in _LISTED:
        raise KeyError(name)
    if when:
        COUNTS[name] += 1


def save(path: Path) -> None:
    """Write the counts of this process."""
    path.write_text(json.dumps(dict(sorted(COUNTS.items())), indent=1), encoding="utf-8")


def merged(paths: Iterable[Path], listed: Iterable[str]) -> dict[str, int]:
    """Counts of the bins ``listed`` over the files of several runs."""
    total: Counter[str] = Counter()
    for path in paths:
        total.update(json.loads(path.read_text(encoding="utf-8")))
    return {name: total[name] for name in listed}


RESET_BINS = {
    "idle": "reset while idle",
    "event": "reset in an event",
    "sweep": "reset in a sweep",
    "packet": "reset while a packet waits",
    "marker": "reset while the marker waits",
    "clear": "reset in a clear",
    "config": "reset in a request",
    "key": "reset while the key is made",
    "draw": "reset while a number is drawn",
    "write": "reset in a write-back",
}


def of_reset(expected: Outputs) -> None:
    """Bins of a reset that found the core in this phase."""
    hit(RESET_BINS[expected.phase])


def begin(core: str) -> str:
    """The comment before a core's table in docs/rtl.md."""
    return f"<!-- bins of {core}: written by python -m rtl.tests.bins; edit rtl/tests/bins.py instead -->\n"


def page(old: str) -> str:
    """docs/rtl.md with its tables of bins replaced by the lists above.

    Raises:
        ValueError: the marker comments are not there.
    """
    for core, listed in LISTS.items():
        before, rest = old.split(begin(core))
        _, after = rest.split(END, 1)
        rows = [f"| {name} | {meaning} |" for name, meaning in listed.items()]
        table = "\n".join(("| bin | what happened |", "| --- | --- |", *rows))
        old = f"{before}{begin(core)}\n{table}\n\n{END}{after}"
    return old


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
