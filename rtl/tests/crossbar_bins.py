"""What ``crossbar_core`` did, as bins: the rules of the family are asked about the operands that the model read."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.image import DESTINATION, FIELD_LIMITS
from neuroemu.families.truenorth.memory import SLOTS
from neuroemu.families.truenorth.registers import BUS, REGION_NUMBER
from neuroemu.image.bus import WORD
from rtl.tests.bins import hit
from rtl.tests.crossbar_model import ALL_ONES, Core, Operands, Update, address
from rtl.tests.ports import Inputs

MOST_WEIGHT = FIELD_LIMITS["weight"][1]
MOST_THRESHOLD = FIELD_LIMITS["alpha"][1]
MOST_MASK_BITS = FIELD_LIMITS["mask_bits"][1]
MOST_DELAY = FIELD_LIMITS["delay"][1]
GAMMAS = {
    dynamics.RESET_TO_VALUE: "reset to value",
    dynamics.RESET_LINEAR: "linear reset",
    dynamics.RESET_NONE: "no reset",
}
_WIDTHS = {item.name: item.width for _, item in DESTINATION.values()}


def of_update(update: Update, core: Core) -> None:
    """Bins of one neuron's update that the core agreed with."""
    _of_synapses(update, core)
    _of_leak(update)
    _of_draws(update, core)
    exact = dynamics.leaked(
        update.read.v + update.read.synaptic, update.read.leak, update.read.reversal, update.read.zero_clamp
    )
    held = dynamics.limited(exact, update.read.overflow)
    _of_range(update, exact, held)
    if held == exact or update.read.overflow == dynamics.SATURATE:
        _of_thresholds(update, held)
        if update.spiked:
            _of_spike(update, core)
    hit("spike without target", update.spiked and update.packet is None)
    hit("packet of the last neuron", update.packet is not None and update.neuron == core.build.neurons - 1)


def _of_synapses(update: Update, core: Core) -> None:
    weights = update.weights
    for kind, stored, added, drawn in weights:
        hit(f"synapse: axon type {kind}")
        hit("synapse: positive", not drawn and stored > 0)
        hit("synapse: negative", not drawn and stored < 0)
        hit("synapse: weight zero", not drawn and stored == 0)
        hit("synapse: drawn, acts up", drawn and added > 0)
        hit("synapse: drawn, acts down", drawn and added < 0)
        hit("synapse: drawn, rests", drawn and stored and not added)
        hit("synapse: drawn weight zero", drawn and not stored)
    stored_weights = {stored for _, stored, _, _ in weights}
    hit("synapse: largest weights", {MOST_WEIGHT, -MOST_WEIGHT} <= stored_weights)
    hit("synapse: drawn and fixed", len({drawn for *_, drawn in weights}) == 2)
    hit("no synapse active", not weights)
    hit("every synapse active", len(weights) == core.axons)


def _of_leak(update: Update) -> None:
    read = update.read
    before = read.v + read.synaptic
    after = dynamics.leaked(before, read.leak, read.reversal, read.zero_clamp)
    unclamped = dynamics.leaked(before, read.leak, read.reversal, 0)
    hit("leak: up", not read.reversal and after > before)
    hit("leak: down", not read.reversal and after < before)
    hit("leak: none", not update.stored_leak)
    hit("leak: follows a positive potential", read.reversal and before > 0 and after != before)
    hit("leak: follows a negative potential", read.reversal and before < 0 and after != before)
    hit("leak: stands still at zero", read.reversal and before == 0 and read.leak)
    hit("leak: stops at zero", after != unclamped)
    hit("leak: passes zero", read.reversal and not read.zero_clamp and after * before < 0)
    hit("leak: drawn, acts", update.leak_drawn and read.leak)
    hit("leak: drawn, rests", update.leak_drawn and update.stored_leak and not read.leak)


def _of_draws(update: Update, core: Core) -> None:
    sorts = {drawn for *_, drawn in update.weights if drawn}
    hit("draws: three sorts", sorts and update.leak_drawn and update.mask_bits)
    hit("draws: none", not update.draws)
    if sorts or update.leak_drawn:
        lowest, span = core.rules.lowest, core.rules.span
        hit(f"random numbers {lowest}..{lowest + span - 1}")
    hit("random part of 1 bit", update.mask_bits == 1)
    hit("random part of 18 bits", update.mask_bits == MOST_MASK_BITS)


def _of_range(update: Update, exact: int, held: int) -> None:
    above, under = exact > held, exact < held
    clamps = update.read.overflow == dynamics.IBM_CLAMP
    hit("range: saturates up", above and not clamps)
    hit("range: saturates down", under and not clamps)
    hit("range: ceiling spikes", above and clamps and update.spiked)
    hit("range: floor is silent", under and clamps and not update.spiked)
    one_more = (dynamics.limited(exact + step, update.read.overflow) != exact + step for step in (-1, 1))
    hit("range: ends exactly", not above and not under and any(one_more))


def _of_thresholds(update: Update, held: int) -> None:
    """Where the potential lies beside both thresholds; without the random part they are asked for again."""
    read = update.read
    top = read.alpha + read.eta
    hit("threshold: one below", held == top - 1 and not update.spiked)
    hit("threshold: exactly", held == top and update.spiked)
    hit("threshold: one above", held == top + 1 and update.spiked)
    hit("threshold: zero", update.spiked and top == 0)
    hit("threshold: highest", read.alpha == MOST_THRESHOLD)
    bare = replace(read, eta=0)
    hit("random part withholds a spike", not update.spiked and dynamics.tick(**vars(bare))[1])
    falls = _below(read, held)
    hit("spike at both thresholds", update.spiked and falls)
    if update.spiked:
        return
    paper = replace(read, compat=dynamics.PAPER)
    under = {step: _below(paper, held + step) for step in range(-2, 2)}
    hit("floor: one above", under[-2] and not under[-1])
    hit("floor: exactly, paper", under[-1] and not under[0] and read.compat == dynamics.PAPER)
    hit("floor: exactly, ranc", under[-1] and not under[0] and read.compat == dynamics.RANC)
    hit("floor: one below", under[0] and not under[1])
    hit("floor: highest", read.beta == MOST_THRESHOLD)
    hit("random part withholds a fall", not falls and _below(bare, held))
    hit("random part spares a held floor", falls and read.kappa and read.eta)
    if falls and read.kappa:
        hit(f"fall: held, gamma {read.gamma}")
    elif falls:
        hit(f"fall: {GAMMAS[read.gamma]}")


def _below(read: Operands, held: int) -> bool:
    return bool(dynamics.below(held, read.beta, read.eta, read.kappa, read.compat))


def _of_spike(update: Update, core: Core) -> None:
    read = update.read
    hit(f"spike: {GAMMAS[read.gamma]}")
    to_value = read.gamma == dynamics.RESET_TO_VALUE
    encoded = to_value and core.registers["core_flags"]
    hit("reset value: negative", to_value and read.reset < 0)
    hit("reset value: encoded", encoded and read.reset)
    hit("reset value: encoded, largest", encoded and abs(read.reset) == FIELD_LIMITS["reset"][1])


def of_packet(packet: tuple[int, int, int, int] | None, waits: bool) -> None:
    """Bins of a packet at the output."""
    assert packet is not None
    dx, dy, _, delay = packet
    ends = {name: (1 << (_WIDTHS[name] - 1)) - 1 for name in ("dx", "dy")}
    hit("packet: west", dx > ends["dx"])
    hit("packet: south", dy > ends["dy"])
    hit("packet: farthest", dx in (ends["dx"], ends["dx"] + 1) or dy in (ends["dy"], ends["dy"] + 1))
    hit("packet: longest delay", delay == MOST_DELAY)
    hit("packet stalls", waits)


def of_tick(updates: list[Update], stalls: int, core: Core) -> None:
    """Bins of a finished tick."""
    sending = [update.packet is not None for update in updates]
    spikes = [update.spiked for update in updates]
    hit("no neuron spikes", not any(spikes))
    hit("every neuron spikes", all(spikes) and len(spikes) > 1)
    hit("neighbours send", any(a and b for a, b in pairwise(sending)))
    hit("no stall in a tick with packets", any(sending) and not stalls)
    hit("tick wraps", core.tick == ALL_ONES)


def of_spike(axon: int, delay: int, core: Core, before: int) -> None:
    """Bins of a spike that comes in, before the model takes it; ``before`` is the tick of the last one for its slot and axon."""
    hit("delay 1", delay == 1)
    hit("delay between", 1 < delay < MOST_DELAY)
    hit("delay 15", delay == MOST_DELAY)
    hit("delay 0 dropped", delay == 0)
    if axon < core.axons and delay:
        place = core.tick + delay - 1
        merged = core.slots[place % SLOTS] >> axon & 1
        hit("spikes merged", merged)
        hit("spikes merged across ticks", merged and before != core.tick)
        hit("slots come round", place >= SLOTS)


def of_request(seen: Inputs, core: Core) -> None:
    """Bins of an answered request; the model's position is that behind it."""
    written, place = seen.cfg_write, (seen.region, seen.offset)
    if seen.region == REGION_NUMBER["row"]:
        hit("row written", written)
        hit("row read", not written)
        hit("row ends with a word", core.position == 0)
        hit("row ends inside a word", 0 < core.position < WORD)
        hit("row beyond the build", core.registers["row"] >= core.build.neurons)
        hit("rows come round", core.registers["row"] == 0 and core.position < WORD and core.build.neurons > 1)
    elif seen.region == REGION_NUMBER["axon_type"]:
        hit("axon types written", written)
        hit("axon types read", not written)
    elif seen.region == REGION_NUMBER["register"]:
        hit("register beyond the map", seen.offset >= len(BUS.registers))
        hit("tick written", written and place == address("tick") and seen.cfg_wdata)
        hit("clear by register", written and place == address("control") and seen.cfg_wdata & 1)
    else:
        hit("region beyond the map")
