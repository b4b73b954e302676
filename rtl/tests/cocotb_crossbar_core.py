"""Protocol tests of ``crossbar_core`` under cocotb: what goes in. The bench holds every output of every cycle against the model."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from neuroemu.cosim.crossbar import SPIKE_CYCLES, CrossbarBuild, tick_cycles
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.image import FIELD_LIMITS, TYPES, UNUSED_ALPHA
from neuroemu.families.truenorth.registers import BUS
from neuroemu.image.bus import REGION_BITS, WORD
from rtl.tests.bench import Pace, bench_test
from rtl.tests.crossbar_bench import Bench, Spike, build_of_environment
from rtl.tests.crossbar_model import Core, packed_row
from rtl.tests.ports import index_bits

BODIES: dict[str, Callable[[Bench], Awaitable[None]]] = {}
NOISE = Pace(events=0.6, packets=0.5, requests=0.4)
ZERO_CLAMP, IBM_CLAMP, RANC, FROM_ONE, SPAN_255 = (1 << bit for bit in range(5))
"""Bits of the register ``rules``."""
MOST_DELAY = FIELD_LIMITS["delay"][1]
MOST_WEIGHT = FIELD_LIMITS["weight"][1]
MOST_ALPHA = UNUSED_ALPHA

core_test = bench_test(lambda dut, name: Bench(dut, build_of_environment(), name), BODIES)
"""A cocotb test with a bench that was just reset. ``BODIES`` has all of them."""


# ---- what is loaded ---------------------------------------------------------------------------------------------------------
def queue_rows(bench: Bench, rows: list[int], first: int = 0) -> None:
    """Queue the words of rows ``first``, ``first + 1``, ...; the rest of the last word reaches a row that is not written."""
    width = Core(bench.build).width
    stream = sum(row << place * width for place, row in enumerate(rows))
    bench.queue_registers(row=first)
    for word in range(-(-len(rows) * width // WORD)):
        bench.request("row", data=stream >> WORD * word & 0xFFFFFFFF)
    bench.queue_registers(row=0)


def queue_types(bench: Bench, types: list[int]) -> None:
    """Queue the axon types; those that the last word has too many are noise."""
    stream = sum(kind << 2 * axon for axon, kind in enumerate(types))
    beyond = bench.random.getrandbits(WORD) << 2 * len(types)
    for word in range(-(-2 * len(types) // WORD)):
        bench.request("axon_type", data=(stream | beyond) >> WORD * word & 0xFFFFFFFF)


def quiet(build: CrossbarBuild, **fields: int) -> int:
    """A row in which nothing happens but for ``fields``: no synapses, weights or leak, a threshold that nothing meets."""
    synapses = fields.pop("synapses", 0)
    return packed_row(
        build, synapses, **{"alpha": MOST_ALPHA, "beta": MOST_ALPHA, "gamma": dynamics.RESET_NONE, **fields}
    )


def signed(name: str, value: int) -> dict[str, int]:
    """A number of sign and magnitude as the fields of a row: ``s0`` .. ``s3``, ``lambda`` or ``R``."""
    sign = {"lambda": "sigma_lambda", "R": "sigma_R"}.get(name, f"sigma{name[1:]}")
    return {name: abs(value), sign: int(value < 0)}


async def load(bench: Bench, rows: list[int], types: list[int] | None = None, **registers: int) -> None:
    """Write rows (the last one fills up), axon types and registers."""
    build = bench.build
    queue_rows(bench, (rows + rows[-1:] * build.neurons)[: build.neurons])
    queue_types(bench, types or [axon % TYPES for axon in range(build.axons)])
    bench.queue_registers(**registers)
    await bench.settle()


def extreme(draw: random.Random, low: int, high: int) -> int:
    """A number of a range: an end, a small one, or any."""
    return draw.choice(
        (low, high, draw.randint(low, high), *(max(low, min(high, draw.randint(-300, 300))) for _ in range(4)))
    )


def random_fields(build: CrossbarBuild, draw: random.Random) -> dict[str, int]:
    """Every field of a row; random numbers only where the build has them."""
    dice = int(build.stochastic)
    fields: dict[str, int] = {"V": extreme(draw, *FIELD_LIMITS["potential"])}
    for kind in range(TYPES):
        fields |= signed(f"s{kind}", extreme(draw, -MOST_WEIGHT, MOST_WEIGHT))
        fields[f"b{kind}"] = dice & (draw.random() < 0.3)
    fields |= signed("lambda", extreme(draw, -MOST_WEIGHT, MOST_WEIGHT) >> draw.randrange(8))
    fields |= signed("R", draw.choice((0, MOST_WEIGHT, draw.randint(-MOST_WEIGHT, MOST_WEIGHT), -draw.randint(0, 18))))
    fields |= {"c_lambda": dice & (draw.random() < 0.3), "TM": dice * draw.choice((0, 0, 1, draw.randint(0, 18)))}
    fields |= {"epsilon": draw.getrandbits(1), "kappa": draw.getrandbits(1), "gamma": draw.randint(0, 2)}
    fields |= {"alpha": extreme(draw, 0, MOST_ALPHA), "beta": extreme(draw, 0, MOST_ALPHA)}
    return fields | target(draw, draw.choice((0, 1, MOST_DELAY, draw.randint(1, MOST_DELAY))))


def target(draw: random.Random, delay: int) -> dict[str, int]:
    """A destination: anywhere, or as far as the fields go."""
    low, high = FIELD_LIMITS["dx"]
    far = (low, high, 0, draw.randint(low, high))
    return {"dx": draw.choice(far), "dy": draw.choice(far), "axon": draw.getrandbits(8), "delay": delay}


async def load_random(bench: Bench) -> None:
    """A random program: rows, axon types, rules and seeds."""
    build, draw = bench.build, bench.random
    share = draw.choice((0.2, 0.5, 1.0))
    rows = []
    for _ in range(build.neurons):
        synapses = sum(1 << axon for axon in range(build.axons) if draw.random() < share * min(1.0, 24 / build.axons))
        rows.append(packed_row(build, synapses, **random_fields(build, draw)))
    seeds = {"core_seed": draw.getrandbits(32), "run_seed": draw.getrandbits(32)}
    types = [draw.randrange(TYPES) for _ in range(build.axons)]
    await load(bench, rows, types, rules=draw.getrandbits(5), core_flags=draw.getrandbits(1), **seeds)


def spikes(
    build: CrossbarBuild, draw: random.Random, most: int, delays: tuple[int, ...] = (1, 1, 2, 7, 15)
) -> list[Spike]:
    """Spikes for any axons of the build."""
    return [(draw.randrange(build.axons), draw.choice(delays)) for _ in range(draw.randint(0, most))]


async def load_chatty(bench: Bench, draws: bool = True) -> None:
    """Every neuron spikes and sends in every tick, with input, and takes random numbers where there are any."""
    build, draw = bench.build, bench.random
    dice = {"b1": 1, "c_lambda": 1, "TM": 2} if build.stochastic and draws else {}
    rows = []
    for neuron in range(build.neurons):
        weights = {key: value for kind in range(TYPES) for key, value in signed(f"s{kind}", 40 * kind - 60).items()}
        sent = target(draw, 1 + neuron % MOST_DELAY)
        fields = {
            "V": 400_000,
            "alpha": 5,
            "gamma": dynamics.RESET_NONE,
            **signed("lambda", -200),
            **sent,
            **dice,
            **weights,
        }
        rows.append(packed_row(build, draw.getrandbits(build.axons) | 1, **fields))
    await load(bench, rows)


async def everything_reads_as_the_model_says(bench: Bench) -> None:
    """All registers, rows and axon types, at full pace."""
    bench.pace = Pace()
    for item in BUS.registers:
        bench.request("register", item.number)
    bench.queue_registers(row=0)
    for _ in range(-(-bench.build.neurons * bench.core.width // WORD)):
        bench.request("row")
    bench.queue_registers(row=0)
    for _ in range(-(-bench.build.axons // 16)):
        bench.request("axon_type")
    await bench.settle()


# ---- register map and memories ----------------------------------------------------------------------------------------------
@core_test
async def registers_hold_their_reset_values(bench: Bench) -> None:
    build = bench.build
    for item in BUS.registers:
        await bench.read_register(item.name)
    assert await bench.read_register("identity") == 0x544E5801
    assert await bench.read_register("build_size") == build.axons << 16 | build.neurons
    assert await bench.read_register("rules") == ZERO_CLAMP | FROM_ONE


@core_test
async def registers_read_back_what_was_written(bench: Bench) -> None:
    for data in (0xFFFFFFFF, 0, 0xAAAAAAAA, 0x55555555, *(bench.random.getrandbits(32) for _ in range(4))):
        for item in BUS.registers:
            if item.name != "control":
                bench.request("register", item.number, data)
        for item in BUS.registers:
            bench.request("register", item.number)
        await bench.settle()
    await bench.write_register("control", 0xFFFFFFFE)
    assert await bench.read_register("control") == 0


@core_test
async def addresses_without_anything_read_zero_and_take_writes_to_nowhere(bench: Bench) -> None:
    await load_random(bench)
    before = [await bench.read_register(item.name) for item in BUS.registers]
    offsets = (0, 2, 5, len(BUS.registers) - 1, len(BUS.registers), 0x82, 0xFF)
    empty = [(region, offset) for region in range(len(BUS.regions), 1 << REGION_BITS) for offset in offsets]
    empty += [(0, offset) for offset in range(len(BUS.registers), 256, 7)]
    for region, offset in empty:
        bench.ask(region, offset, 0xFFFFFFFF)
        made = bench.ask(region, offset)
        await bench.settle()
        assert made.word == 0
    assert [await bench.read_register(item.name) for item in BUS.registers] == before
    await everything_reads_as_the_model_says(bench)


@core_test
async def rows_and_axon_types_read_back_as_they_were_written(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    width = bench.core.width
    ones = (1 << width) - 1
    for pace, rows in (
        (Pace(), [ones]),
        (Pace(), [0]),
        (NOISE, [draw.getrandbits(width) for _ in range(build.neurons)]),
    ):
        bench.pace = pace
        await load(bench, rows, [draw.randrange(TYPES) for _ in range(build.axons)])
        await everything_reads_as_the_model_says(bench)
    for _ in range(4):
        first = draw.randrange(build.neurons)
        count = draw.randint(1, build.neurons - first)
        queue_rows(bench, [draw.getrandbits(width) for _ in range(count)], first)
        await everything_reads_as_the_model_says(bench)
        bench.queue_registers(row=draw.randrange(build.neurons))
        for _ in range(2 * -(-width // WORD)):  # over the end of the last row
            bench.request("row")
        await bench.settle()
    for offset in (0, 1, 77, 255):  # any offset is the next word
        bench.request("axon_type", offset, draw.getrandbits(32))
        bench.request("row", offset)
    await everything_reads_as_the_model_says(bench)


@core_test
async def a_row_that_is_left_half_way_is_not_written(bench: Bench) -> None:
    build = bench.build
    await load_random(bench)
    whole = list(bench.core.rows)
    for leave in ("row", "control", "marker"):
        bench.queue_registers(row=build.neurons - 1)
        bench.request("row", data=bench.random.getrandbits(32))
        if leave == "marker":
            await bench.tick()
            break
        bench.queue_registers(**{leave: 0 if leave == "row" else 1})
        for _ in range(-(-build.neurons * bench.core.width // WORD)):
            bench.request("row")
        await everything_reads_as_the_model_says(bench)
        assert bench.core.rows == whole
    for _ in range(3):  # the tick has set it back to the first row
        assert await bench.answer(bench.request("row")) is not None
    await bench.settle()


@core_test
async def rows_beyond_the_build_break_nothing(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    await load_random(bench)
    beyond = range(build.neurons, 1 << index_bits(build.neurons))
    for row in beyond:
        bench.queue_registers(row=row)
        for _ in range(2):
            bench.request("row")
        bench.queue_registers(row=row)
        for _ in range(-(-bench.core.width // WORD)):
            bench.request("row", data=draw.getrandbits(32))
        await bench.read_register("row")
        await everything_reads_as_the_model_says(bench)
    await bench.tick((0, 1))
    await everything_reads_as_the_model_says(bench)


# ---- spikes in --------------------------------------------------------------------------------------------------------------
@core_test
async def spikes_are_served_after_exactly_their_delay(bench: Bench) -> None:
    build = bench.build
    await load(bench, [quiet(build, synapses=(1 << build.axons) - 1, s0=1)], [0] * build.axons)
    for delay in range(1, MOST_DELAY + 1):
        bench.send((delay % build.axons, delay))
        served = [len((await bench.tick())[0].weights) for _ in range(delay)]
        assert served == [0] * (delay - 1) + [1]


@core_test
async def spikes_of_all_delays_at_once_keep_apart(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    await load(bench, [quiet(build, synapses=(1 << build.axons) - 1, **signed("s0", -1), s1=2)])
    bench.pace = NOISE
    for _ in range(2):
        bench.send(*((draw.randrange(build.axons), delay) for delay in range(1, MOST_DELAY + 1)))
        for _ in range(MOST_DELAY + 3):
            await bench.tick(*spikes(build, draw, 3, tuple(range(1, MOST_DELAY + 1))))
    await everything_reads_as_the_model_says(bench)


@core_test
async def spikes_that_meet_in_a_tick_are_one_and_counted(bench: Bench) -> None:
    build = bench.build
    await load(bench, [quiet(build, synapses=(1 << build.axons) - 1, s0=3)], [0] * build.axons)
    last = build.axons - 1
    await bench.tick((last, 2), (0, 1), (0, 1))
    updates = await bench.tick((last, 1), (last, 1))
    assert [update.read.synaptic for update in updates] == [3] * build.neurons
    assert await bench.read_register("merged") == 3


@core_test
async def stray_spikes_are_dropped_and_said(bench: Bench) -> None:
    build = bench.build
    await load(bench, [quiet(build, synapses=(1 << build.axons) - 1, s0=3)], [0] * build.axons)
    beyond = [
        (axon, delay)
        for axon in {*range(build.axons, min(build.axons + 3, 256)), 255} - {build.axons - 1}
        for delay in (1, 15)
    ]
    for stray in [(0, 0), (build.axons - 1, 0), *beyond]:
        assert await bench.read_register("status") == 0
        bench.send(stray)
        await bench.settle()
        assert await bench.read_register("status") == 1
        for _ in range(2):
            updates = await bench.tick()
            assert not any(update.weights for update in updates)
        assert await bench.read_register("status") == 1
        await bench.clear()


# ---- rules ------------------------------------------------------------------------------------------------------------------
@core_test
async def random_programs_follow_the_rules_under_random_stalls(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    for number in range(8):
        bench.pace = Pace()
        await load_random(bench)
        bench.pace = Pace() if number == 0 else Pace(*(draw.choice((0.1, 0.5, 0.9, 1.0)) for _ in range(3)))
        for _ in range(5):
            bench.send(*spikes(build, draw, min(build.axons + 3, 40)))
            bench.end_tick()
            for _ in range(draw.randint(0, 3)):
                any_request(bench)
            if draw.random() < 0.5:
                await bench.settle()
        await bench.settle()
        await everything_reads_as_the_model_says(bench)
        await bench.clear()


def any_request(bench: Bench) -> None:
    """A read anywhere, or a write where it means nothing bad."""
    draw = bench.random
    kind = draw.choice(("register", "register", "row", "axon_type", "write"))
    if kind == "register":
        bench.request("register", draw.randrange(len(BUS.registers)))
    elif kind == "row":
        bench.queue_registers(row=draw.randrange(bench.build.neurons))
        for _ in range(draw.randint(1, 2)):
            bench.request("row")
    elif kind == "axon_type":  # all of them, or they would be others' afterwards
        for _ in range(-(-bench.build.axons // 16)):
            bench.request("axon_type")
    else:
        word = {"rules": draw.getrandbits(5), "core_seed": draw.getrandbits(32), "core_flags": draw.getrandbits(1)}
        name = draw.choice(list(word))
        bench.queue_registers(**{name: word[name]})


async def one_tick_each(bench: Bench, cases: list[dict[str, int]], rules: int) -> list[Any]:
    """The update of every case, as many at a time as there are neurons."""
    build, updates = bench.build, []
    for first in range(0, len(cases), build.neurons):
        part = cases[first : first + build.neurons]
        queue_rows(bench, [quiet(build, **case) for case in part])
        bench.queue_registers(rules=rules)
        updates += (await bench.tick())[: len(part)]
    return updates


@core_test
async def thresholds_are_met_exactly(bench: Bench) -> None:
    draw = bench.random
    await load(bench, [quiet(bench.build)])
    for rules in (0, RANC):
        cases: list[dict[str, int]] = [{"alpha": 0, "beta": 0, "gamma": dynamics.RESET_LINEAR}]
        for edge in (draw.randint(1, 40), 0, MOST_ALPHA):
            for step in (-1, 0, 1):
                for fields in (
                    {"V": edge + step, "alpha": edge},
                    {"V": step - edge, "alpha": max(edge, 2), "beta": edge},
                ):
                    number = len(cases) + (rules == RANC)
                    modes = {"gamma": number % 3, "kappa": number // 3 % 2}
                    cases.append({**fields, **modes, **signed("R", draw.randint(-MOST_WEIGHT, MOST_WEIGHT))})
        updates = await one_tick_each(bench, cases, rules)
        assert [update.spiked for update in updates] == [case.get("V", 0) >= case["alpha"] for case in cases]


@core_test
async def thresholds_with_their_random_part_are_met_exactly(bench: Bench) -> None:
    """A first tick shows the random part; the same tick again, with potentials just below and at the threshold."""
    build, draw = bench.build, bench.random
    for leak_drawn in (0, 1):
        dice = {"TM": 18, "c_lambda": leak_drawn} if build.stochastic else {}
        again = {"tick": draw.getrandbits(32), "core_seed": draw.getrandbits(32)}
        await load(bench, [quiet(build, **dice)], **again)
        edges = [(draw.randint(0, 40), update.read.eta) for update in await bench.tick()]
        for step in (-1, 0):
            rows = [quiet(build, **dice, alpha=alpha, V=alpha + eta + step) for alpha, eta in edges]
            await load(bench, rows, **again)
            assert [update.spiked for update in await bench.tick()] == [step == 0] * build.neurons


@core_test
async def potentials_leave_the_range_as_the_rule_says(bench: Bench) -> None:
    lowest, highest = FIELD_LIMITS["potential"]
    ends = [(dynamics.HIGHEST, dynamics.LOWEST), (dynamics.IBM_CEILING, -dynamics.IBM_CEILING)]
    await load(bench, [quiet(bench.build)])
    for rules, (top, bottom) in zip((0, IBM_CLAMP), ends, strict=True):
        ways = [(top - 1, 1), (top, 0), (top, 1), (top, MOST_WEIGHT), (highest, 0)]
        ways += [(bottom + 1, -1), (bottom, 0), (bottom, -1), (bottom, -MOST_WEIGHT), (lowest, 0)]
        cases = [
            {"V": v, **signed("lambda", leak), "gamma": 2 * (place % 2), "R": 9, "delay": 1}
            for place, (v, leak) in enumerate(ways)
        ]
        updates = await one_tick_each(bench, cases, rules)
        left = [not bottom <= v + leak <= top for v, leak in ways]
        assert [update.left_range for update in updates] == left
        assert await bench.read_register("left_range") >= sum(left)
        await bench.clear()


@core_test
async def leaks_follow_the_sign_and_stop_where_they_must(bench: Bench) -> None:
    await load(bench, [quiet(bench.build)])
    for rules in (0, ZERO_CLAMP):
        ways = [(v, 1, leak) for v in (-4, 0, 4) for leak in (5, -5)] + [
            (5, 1, -5),
            (-5, 1, -5),
            (0, 0, 5),
            (0, 0, -5),
            (3, 1, 0),
        ]
        cases = [{"V": v, "epsilon": reversal, **signed("lambda", leak)} for v, reversal, leak in ways]
        await one_tick_each(bench, cases, rules)


@core_test
async def every_weight_and_axon_type_is_added(bench: Bench) -> None:
    build = bench.build
    every = (1 << build.axons) - 1
    for weights in (
        (MOST_WEIGHT, -MOST_WEIGHT, 1, -1),
        (0, 2, -128, 127),
        (MOST_WEIGHT,) * TYPES,
        (-MOST_WEIGHT,) * TYPES,
    ):
        fields = {
            key: value for kind, weight in enumerate(weights) for key, value in signed(f"s{kind}", weight).items()
        }
        await load(bench, [quiet(build, synapses=every, **fields)])
        updates = await bench.tick(*((axon, 1) for axon in range(build.axons)))
        assert all(len(update.weights) == build.axons for update in updates)
        for axon in sorted({0, 1, build.axons // 2, build.axons - 1}):
            updates = await bench.tick((axon % build.axons, 1))
            assert updates[0].read.synaptic == weights[axon % build.axons % TYPES]


@core_test
async def resets_take_their_values_plain_and_encoded(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    for encoded in (0, 1):
        sizes = (0, 1, 17, 18, 9) if encoded else (0, 1, MOST_WEIGHT, 128, 77)
        for alpha, v in ((3, 3), (3, MOST_ALPHA), (MOST_ALPHA, -9)):
            rows = []
            for neuron in range(build.neurons):
                size = sizes[(neuron + v) % len(sizes)]
                fields = {"V": v, "alpha": alpha, "beta": 2, "gamma": 0, **signed("R", draw.choice((-1, 1)) * size)}
                rows.append(packed_row(build, 0, **fields))
            await load(bench, rows, core_flags=encoded)
            await bench.tick()
            await bench.tick()
    await load(bench, [packed_row(build, 0, V=3, gamma=0, R=18)], core_flags=1)
    updates = await bench.tick()
    assert updates[0].v == (1 << 18) - 1


@core_test
async def random_numbers_decide_as_the_generator_says(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    if not build.stochastic:
        await load_random(bench)
        assert all(update.draws == 0 for update in await bench.tick((0, 1)))
        return
    for rules, mask_bits in zip((0, FROM_ONE, SPAN_255, FROM_ONE | SPAN_255), (1, 18, 9, 0), strict=True):
        rows = []
        for _ in range(build.neurons):
            fields = {"b0": 1, "b2": draw.getrandbits(1), "c_lambda": 1, "TM": mask_bits, "kappa": draw.getrandbits(1)}
            for kind in range(TYPES):
                fields |= signed(f"s{kind}", draw.randint(-MOST_WEIGHT, MOST_WEIGHT))
            fields |= signed("lambda", draw.randint(-MOST_WEIGHT, MOST_WEIGHT))
            fields |= {"V": draw.choice((0, 40)), "alpha": draw.choice((0, 40, 100)), "beta": draw.choice((0, 40))}
            rows.append(packed_row(build, draw.getrandbits(build.axons) | 1, **fields))
        await load(bench, rows, rules=rules, core_seed=draw.getrandbits(32), run_seed=draw.getrandbits(32))
        for _ in range(2):
            await bench.tick(*((axon, 1) for axon in {0, *draw.sample(range(build.axons), min(build.axons, 9))}))
    every = {f"b{kind}": 1 for kind in range(TYPES)} | {f"s{kind}": 60 * kind for kind in range(TYPES)}
    await load(bench, [quiet(build, synapses=(1 << build.axons) - 1, c_lambda=1, TM=2, **every), quiet(build)])
    updates = await bench.tick(*((axon, 1) for axon in range(build.axons)))
    assert updates[0].draws == build.axons + 2
    drawing = quiet(build, **signed("s0", 0), b0=1, synapses=1, gamma=1)
    await load(bench, [drawing], [0] * build.axons)
    await bench.tick((0, 1))
    for kappa in (0, 1):
        for v in (-3, 2):
            await load(bench, [packed_row(build, 0, V=v, alpha=2, beta=2, TM=18, kappa=kappa, gamma=1)])
            await bench.tick()


@core_test
async def random_numbers_hang_on_tick_and_seeds_alone(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    await load(bench, [quiet(build, TM=18 if build.stochastic else 0)])
    for tick in (0, 3, 0xFFFFFFFF, draw.getrandbits(32)):
        seen = []
        for seed in (7, 7, 8):
            bench.queue_registers(tick=tick, core_seed=5, run_seed=seed)
            seen.append([update.read.eta for update in await bench.tick()])
            assert await bench.read_register("tick") == (tick + 1) % (1 << 32)
        assert seen[0] == seen[1]
        assert (seen[1] != seen[2]) == build.stochastic
    await bench.clear()


@core_test
async def cycles_follow_the_contract(bench: Bench) -> None:
    build = bench.build
    await load_chatty(bench)
    await bench.clear()
    bench.pace = NOISE
    sent = [(0, 1), (build.axons - 1, 1), (0, 2)]
    updates = await bench.tick(*sent)
    bench.pace = Pace()
    synapse_draws = sum(drawn for update in updates for *_, drawn in update.weights)
    others = sum(update.draws for update in updates) - synapse_draws
    events = sum(len(update.weights) for update in updates)
    packets = sum(update.packet is not None for update in updates)
    assert packets == build.neurons
    wanted = tick_cycles(build, len(sent), events, synapse_draws, others, packets)
    assert await bench.read_register("cycles") == wanted
    assert await bench.read_register("synaptic_events") == events
    bench.send((0, 0), (0, 3))
    await bench.settle()
    assert await bench.read_register("cycles") == wanted + 1 + SPIKE_CYCLES


# ---- protocol ---------------------------------------------------------------------------------------------------------------
@core_test
async def packets_wait_as_long_as_nobody_takes_them(bench: Bench) -> None:
    build = bench.build
    await load_chatty(bench)
    for phase in ("packet", "marker"):
        bench.send((0, 1))
        bench.end_tick()
        bench.send((0, 1), (build.axons - 1, 2))
        bench.end_tick()
        bench.request("register", 0)
        await bench.let_wait(phase)
    await everything_reads_as_the_model_says(bench)


@core_test
async def requests_go_before_spikes_and_wait_for_work_in_hand(bench: Bench) -> None:
    build = bench.build
    await load_chatty(bench, draws=False)
    for pace in (Pace(), NOISE, Pace(requests=0.1), Pace(events=0.2)):
        bench.pace = pace
        for _ in range(3):
            bench.send(*spikes(build, bench.random, 4))
            bench.end_tick()
            for _ in range(6):
                any_request(bench)
        await bench.settle()
    bench.pace = Pace()
    bench.send(*([(0, 1)] * (build.axons + 1)))
    bench.end_tick()
    bench.end_tick()
    bench.send((0, 1), (0, 1))
    bench.end_tick()
    bench.request("register", 2, 1)
    bench.request("register", 1)
    bench.send((0, 1))
    await bench.settle()


# ---- reset and clear --------------------------------------------------------------------------------------------------------
async def comes_back(bench: Bench, registers: dict[str, int]) -> None:
    """After a reset the core, with its registers set anew, does a tick as the model says, and its memories are as they were."""
    bench.pace = Pace()
    bench.queue_registers(**registers)
    await bench.tick((bench.build.axons - 1, 1))
    await everything_reads_as_the_model_says(bench)


@core_test
async def a_reset_at_any_moment_leaves_a_clean_core(bench: Bench) -> None:
    build = bench.build
    await load_chatty(bench)
    seeds = {"core_seed": 3, "run_seed": 4}
    bench.queue_registers(**seeds)
    await bench.tick((0, 1), (build.axons - 1, 1))
    span = await bench.read_register("cycles") + build.neurons + 3
    for moment in sorted(bench.random.sample(range(span), min(span, 9))):
        bench.pace = Pace(packets=0.5)
        bench.send((0, 1), (build.axons - 1, 3))
        bench.end_tick()
        await bench.run(moment + 1)
        await bench.reset(1 + moment % 3)
        await comes_back(bench, seeds)


@core_test
async def a_reset_strikes_every_phase(bench: Bench) -> None:
    build = bench.build
    await load_chatty(bench)
    dice = ("key", "draw") if build.stochastic else ()
    for phase in ("idle", "event", "sweep", *dice, "write", "packet", "marker", "config", "clear"):
        for later in (0, 1) if phase == "packet" else (int(phase in ("idle", "sweep", "config")),):
            bench.pace = Pace(packets=0.3)
            if phase == "config":
                bench.queue_registers(row=0)
                bench.request("row")
            elif phase == "clear":
                bench.request("register", 2, 1)
            elif phase != "idle":
                bench.send((0, 1))
                bench.end_tick()
            await bench.run_until(lambda: bench.phase == phase)  # noqa: B023
            await bench.run(later)
            await bench.reset()
            await comes_back(bench, {"core_seed": 9})


@core_test
async def a_reset_in_a_request_does_all_of_it_or_nothing(bench: Bench) -> None:
    build = bench.build
    await load_random(bench)
    rows = [bits for bits, _ in bench.core.rows]
    for moment in range(0, 4 * bench.core.width, max(1, bench.core.width // 2)):
        queue_rows(bench, rows)
        await bench.run(moment + 1)
        await bench.reset()
        await everything_reads_as_the_model_says(bench)
    for region, data in (("axon_type", None), ("axon_type", 0x1B1B1B1B), ("register", 77)):
        queue_types(bench, [3] * build.axons)
        await bench.settle()
        bench.request(region, 6, data)
        await bench.reset()
        await everything_reads_as_the_model_says(bench)


@core_test
async def a_clear_forgets_spikes_and_keeps_registers_rows_and_types(bench: Bench) -> None:
    build = bench.build
    await load_random(bench)
    many = range(build.axons) if build.axons < 32 else (0, build.axons - 1)
    for _ in range(2):
        await bench.tick(*spikes(build, bench.random, 3))
        bench.send(*((axon, delay) for axon in many for delay in range(1, MOST_DELAY + 1)))
        await bench.settle()
        bench.request("register", 2, 1)
        await bench.run_until(lambda: bench.phase == "clear")
        bench.send((0, 2))
        await bench.settle()
        await everything_reads_as_the_model_says(bench)
        await bench.clear()
        for _ in range(3):
            assert not any(update.weights for update in await bench.tick())
    await everything_reads_as_the_model_says(bench)
