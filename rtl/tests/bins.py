"""Functional coverage: what the protocol tests must have seen the core do, as named bins that count.

A bin is counted where the scoreboard has just agreed with the core, so it stands for something that was checked. What the
rule did inside an update is found by asking the rule again with wider numbers or an unreachable threshold, never by stating it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from neuroemu.families.lifcore import dynamics
from rtl.tests.core_model import Core, Operands, Outputs, Update

WIDE = 64
NEVER = 1 << 60
MANY = 3
PAGE = Path(__file__).resolve().parents[2] / "docs" / "rtl.md"
BEGIN = "<!-- bins: written by python -m rtl.tests.bins; edit rtl/tests/bins.py instead -->\n"
END = "<!-- end of bins -->\n"

BINS = {
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
    "no neuron spikes": "a tick without any packet",
    "every neuron spikes": "a tick in which all do",
    "last neuron spikes with routes": "packets between the last update and the marker",
    "neighbours spike with routes": "packets of two updates in a row",
    "stall of a first packet": "of an update",
    "stall of a later packet": "not the first of its update",
    "stall of a last packet": "of an update with several",
    "stall of the marker": "the end of a tick waits",
    "stall for 100 cycles": "one output waits that long",
    "no stall in a tick with packets": "every packet is taken at once",
    "size below the build": "a tick of fewer neurons than built",
    "size 1": "a tick of one neuron",
    "size of the build": "a tick of all neurons",
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
    "accumulator wraps up": "a sum beyond the accumulator's width",
    "accumulator wraps down": "the same below",
    "event waits for the bus": "a request and an event stand there in one cycle, the request goes first",
    "request waits for an event": "a request stands there while weights are added",
    "request waits for a tick": "while neurons are swept",
    "request waits for a clear": "while the clear walks",
    "request between events of a tick": "after an event, before its marker",
    "requests back to back": "the next one is seen in the first cycle it can be",
    "event waits for a clear": "the first event is taken right after the walk",
    "size 0 refused": "error set, size kept",
    "size beyond the build refused": "error set, size kept",
    "clear by register": "a 1 is written to control",
    "error cleared": "a clear forgets the error",
    "reset while idle": "rst where nothing runs",
    "reset in an event": "rst while weights are added",
    "reset in a sweep": "rst while neurons are swept",
    "reset while a packet waits": "rst at a packet",
    "reset while the marker waits": "rst at the end of a tick",
    "reset in a clear": "rst in the walk that a clear or a reset started",
    "reset in a request": "rst while the bus is served",
    "reset for several cycles": "rst held",
    "fifo full": "a queue refuses",
    "fifo empty": "nothing waits in a queue",
    "fifo passes when full": "a word leaves a full queue",
    "fifo wraps": "more words than slots",
    "event while the fifo is full": "an event waits in front of a tile's full queue",
    "packets wait in the fifo": "a tile's core stalls because its output queue is full",
}

COUNTS: Counter[str] = Counter()


def hit(name: str, when: Any = True) -> None:
    """Count a bin.

    Raises:
        KeyError: no such bin is listed.
    """
    BINS[name]
    if when:
        COUNTS[name] += 1


def save(path: Path) -> None:
    """Write the counts of this process."""
    path.write_text(json.dumps(dict(sorted(COUNTS.items())), indent=1), encoding="utf-8")


def merged(paths: list[Path]) -> dict[str, int]:
    """Counts of all listed bins over the files of several runs."""
    total: Counter[str] = Counter()
    for path in paths:
        total.update(json.loads(path.read_text(encoding="utf-8")))
    return {name: total[name] for name in BINS}


def of_update(update: Update, core: Core) -> None:
    """Bins of one neuron's update that the core agreed with."""
    read = update.read
    ready = read.refractory == 0
    _of_current(read, update)
    if ready:
        _of_leak(read)
        _of_drive(read, update)
    _of_refractory(read, update)
    bias = core.entry("bias", update.neuron)["bias"]
    start = core.entry("bias_start", update.neuron)["tick"]
    hit("bias open", bias and read.bias)
    hit("bias gated", bias and not read.bias)
    hit("bias opens", bias and read.bias and start and core.tick == start + 1)
    if update.spiked:
        routes = len(update.packets)
        hit("spike with 0 routes", routes == 0)
        hit("spike with 1 route", routes == 1)
        hit("spike with many routes", routes >= MANY)
        hit("last neuron spikes with routes", routes and update.neuron == core.size - 1)


def _of_current(read: Operands, update: Update) -> None:
    exact = dynamics.tick(**vars(replace(read, bits=WIDE)))[0]
    saturates = read.overflow == dynamics.SATURATE
    hit("current saturates up", saturates and exact > update.u)
    hit("current saturates down", saturates and exact < update.u)
    hit("current wraps", not saturates and exact != update.u)
    hit("range left in a refractory tick", read.refractory and exact != update.u and update.left_range)
    hit("current kept", read.u > 0 and 0 < read.current_keep < dynamics.DECAY_ONE)
    hit("current kept whole", read.u and read.current_keep == dynamics.DECAY_ONE)
    hit("current negative kept", read.u < 0 and 0 < read.current_keep < dynamics.DECAY_ONE)
    hit("input shift zero", read.arriving and read.input_shift == 0)


def _of_leak(read: Operands) -> None:
    left = dynamics.leak(read.v, read.leak_mode, read.leak_amount)
    moved = read.v != left
    side = "positive" if read.v > 0 else "negative"
    if read.leak_mode == dynamics.LEAK_SCALE:
        if read.v and read.leak_amount < dynamics.DECAY_ONE:
            hit(f"leak: factor, {side}", moved)
        hit("leak: factor above one", moved and read.leak_amount > dynamics.DECAY_ONE)
    elif read.leak_mode == dynamics.LEAK_SHIFT:
        if moved:
            hit(f"leak: shift, {side}")
        hit("leak: shift beyond the width", read.v and read.leak_amount >= read.bits)
        one_more = dynamics.leak(read.v - 1, read.leak_mode, read.leak_amount)
        hit("leak: shift, fraction lost", read.v < 0 and moved and one_more == left - 1)
    elif moved:
        hit(f"leak: constant, {side}")
        hit("leak: constant stops at zero", abs(read.v) < read.leak_amount)


def _of_drive(read: Operands, update: Update) -> None:
    """The driven potential is what a tick leaves that cannot fire; its exact value the same with wide numbers."""
    alone = replace(read, threshold=NEVER, reset=dynamics.RESET_NONE)
    driven = dynamics.tick(**vars(alone))[1]
    given = replace(alone, u=update.u, current_keep=dynamics.DECAY_ONE, arriving=0, bits=WIDE)
    exact = dynamics.tick(**vars(given))[1]
    saturates = read.overflow == dynamics.SATURATE
    hit("drive saturates up", saturates and exact > driven)
    hit("drive saturates down", saturates and exact < driven)
    hit("drive wraps up", not saturates and exact > driven)
    hit("drive wraps down", not saturates and exact < driven)
    hit("threshold: one below", driven == read.threshold - 1 and not update.spiked)
    hit("threshold: one above", driven == read.threshold + 1 and update.spiked)
    hit("threshold: exactly, spikes", driven == read.threshold and update.spiked)
    hit("threshold: exactly, silent", driven == read.threshold and not update.spiked)
    highest = (1 << (read.bits - 1)) - 1
    hit("threshold: beyond every potential", read.threshold > highest and driven == highest)
    if update.spiked:
        _of_spike(read, update, driven)


def _of_spike(read: Operands, update: Update, driven: int) -> None:
    hit("compare: above", read.compare == dynamics.ABOVE)
    hit("compare: at or above", read.compare == dynamics.AT_OR_ABOVE)
    hit("threshold: negative", read.threshold < 0)
    hit("reset: to value", read.reset == dynamics.RESET_TO_VALUE)
    hit("reset: subtract", read.reset == dynamics.RESET_SUBTRACT)
    hit("reset: none", read.reset == dynamics.RESET_NONE)
    rested = dynamics.after_spike(driven, read.threshold, read.reset, read.reset_value)
    outside = read.reset == dynamics.RESET_SUBTRACT and rested != update.v
    hit("soft reset saturates", outside and read.overflow == dynamics.SATURATE)
    hit("soft reset wraps", outside and read.overflow == dynamics.WRAP)


def _of_refractory(read: Operands, update: Update) -> None:
    hit("refractory entered", update.spiked and update.refractory)
    hit("refractory period 0", update.spiked and not update.refractory)
    hit("refractory waits", update.refractory and not update.spiked)
    hit("refractory left", read.refractory and not update.refractory)
    if read.refractory:
        awake = dynamics.tick(**vars(replace(read, refractory=0)))
        hit("refractory, input ignored", awake[3])


def of_tick(updates: list[Update], stalls: int, core: Core) -> None:
    """Bins of a finished tick."""
    spikes = [update.spiked for update in updates]
    sending = [bool(update.packets) for update in updates]
    hit("no neuron spikes", not any(spikes))
    hit("every neuron spikes", all(spikes) and len(spikes) > 1)
    hit("neighbours spike with routes", any(a and b for a, b in pairwise(sending)))
    hit("no stall in a tick with packets", any(sending) and not stalls)
    hit("size below the build", core.size < core.build.NEURONS)
    hit("size 1", core.size == 1)
    hit("size of the build", core.size == core.build.NEURONS)
    hit("tick stops at all ones", core.tick == (1 << core.build.START_BITS) - 1)
    highest = (1 << core.build.SHIFT_BITS) - 1
    hit("input shift highest", any(u.read.arriving and u.read.input_shift == highest for u in updates))


RESET_BINS = {
    "idle": "reset while idle",
    "event": "reset in an event",
    "sweep": "reset in a sweep",
    "packet": "reset while a packet waits",
    "marker": "reset while the marker waits",
    "clear": "reset in a clear",
    "config": "reset in a request",
}


def of_reset(expected: Outputs) -> None:
    """Bins of a reset that found the core in this phase."""
    hit(RESET_BINS[expected.phase])


def page(old: str) -> str:
    """docs/rtl.md with its table of bins replaced by the list above.

    Raises:
        ValueError: the marker comments are not there.
    """
    before, rest = old.split(BEGIN)
    _, after = rest.split(END)
    rows = [f"| {name} | {meaning} |" for name, meaning in BINS.items()]
    table = "\n".join(("| bin | what happened |", "| --- | --- |", *rows))
    return f"{before}{BEGIN}\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
