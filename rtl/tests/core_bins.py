"""What an update of ``lif_core`` did, as bins: the rule is asked again with wider numbers or an unreachable threshold."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from neuroemu.families.lifcore import dynamics
from rtl.tests.bins import MANY, hit
from rtl.tests.core_model import Core, Operands, Update

WIDE = 64
NEVER = 1 << 60


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
