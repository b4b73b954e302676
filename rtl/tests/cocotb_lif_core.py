"""Protocol tests of ``lif_core`` under cocotb: what goes in. The bench holds every output of every cycle against the model."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.registers import REGISTERS
from rtl.tests.bench import Pace, Request, bench_test
from rtl.tests.core_bench import Bench, build_of_environment
from rtl.tests.core_model import Build, word

PER_NEURON = ("threshold", "bias", "bias_start", "potential", "current", "refractory", "accumulator", "route_list")
BODIES: dict[str, Callable[[Bench], Awaitable[None]]] = {}
NOISE = Pace(events=0.6, packets=0.5, requests=0.4)


core_test = bench_test(lambda dut, name: Bench(dut, build_of_environment(), name), BODIES)
"""A cocotb test with a bench that was just reset. ``BODIES`` has all of them."""


# ---- what is loaded ---------------------------------------------------------------------------------------------------------
def signed(draw: random.Random, bits: int) -> int:
    """A number of ``bits`` bits: an extreme, a small one, or any."""
    high = (1 << (bits - 1)) - 1
    return draw.choice(
        (-high - 1, high, 0, draw.randint(-high - 1, high), max(-high - 1, min(high, draw.randint(-4, 4))))
    )


def leak_word(build: Build, draw: random.Random) -> int:
    """A leak that is built in."""
    mode = draw.choice(build.leak_modes)
    amounts = {
        dynamics.LEAK_SCALE: (0, 1, 2048, 4000, 4095, 4096, 4097, 8191),
        dynamics.LEAK_SHIFT: (0, 1, 2, 3, 5, build.V_BITS - 1, build.V_BITS, 31),
        dynamics.LEAK_CONSTANT: (0, 1, 3, draw.getrandbits(build.leak_bits)),
    }
    amount = draw.choice(amounts[mode]) & ((1 << build.leak_bits) - 1)
    return word("leak", mode=mode, amount=amount)


def no_leak(build: Build) -> int:
    """A leak that leaves every potential as it is."""
    mode = build.leak_modes[0]
    amount = {dynamics.LEAK_SCALE: dynamics.DECAY_ONE, dynamics.LEAK_SHIFT: 31, dynamics.LEAK_CONSTANT: 0}[mode]
    return word("leak", mode=mode, amount=amount)


def queue_registers(bench: Bench, **words: int) -> None:
    for name, data in words.items():
        number = next(item.number for item in REGISTERS if item.name == name)
        bench.request("register", number, data)


def queue_memory(bench: Bench, region: str, words: list[int]) -> None:
    for offset, data in enumerate(words):
        bench.request(region, offset, data)


def unreachable(build: Build) -> int:
    """The highest threshold that a word can hold: no potential is above it."""
    return min((1 << build.V_BITS) - 1, (1 << 31) - 1)


def lowest_threshold(build: Build) -> int:
    return max(-(1 << build.V_BITS), -(1 << 31))


def quiet_words(build: Build) -> dict[str, list[int]]:
    """Memories of a core in which nothing happens: no weights, no bias, thresholds that nothing meets, no routes."""
    fill = {"threshold": unreachable(build)}
    sizes = {"weight": build.NEURONS * build.AXONS, "route": build.ROUTES}
    names = ("weight", "route", *PER_NEURON)
    return {name: [fill.get(name, 0)] * sizes.get(name, build.NEURONS) for name in names}


async def load(bench: Bench, **words: list[int]) -> None:
    """Write all memories: quiet ones but for ``words``; no leak."""
    queue_registers(bench, leak=no_leak(bench.build))
    for region, data in {**quiet_words(bench.build), **words}.items():
        queue_memory(bench, region, data)
    await bench.settle()


async def set_neurons(bench: Bench, **values: int) -> None:
    """The same word for every neuron in each of some memories; quiet words in the others. Weights and routes stay."""
    quiet = quiet_words(bench.build)
    for region in PER_NEURON:
        word_of_all = values.get(region, quiet[region][0])
        queue_memory(bench, region, [word_of_all] * bench.build.NEURONS)
    await bench.settle()


def route_lists(build: Build, draw: random.Random) -> list[int]:
    """For each neuron where its routes start and how many, none and many among them."""
    lists = []
    for _ in range(build.NEURONS):
        first = draw.randrange(build.ROUTES)
        count = min(draw.choice((0, 1, 1, 2, 3, 5)), build.ROUTES - first)
        lists.append(word("route_list", first=first, count=count))
    return lists


async def load_random(bench: Bench) -> None:
    """A random program: registers, weights, parameters, routes; state and accumulators as well."""
    build, draw = bench.build, bench.random
    thresholds = [draw.choice((signed(draw, build.V_BITS + 1), draw.randint(0, 100))) for _ in range(build.NEURONS)]
    words = {
        "weight": [signed(draw, build.WEIGHT_BITS) for _ in range(build.NEURONS * build.AXONS)],
        "threshold": thresholds,
        "bias": [draw.choice((0, signed(draw, build.V_BITS), draw.randint(-5, 60))) for _ in range(build.NEURONS)],
        "bias_start": [draw.choice((0, 1, 3)) for _ in range(build.NEURONS)],
        "potential": [signed(draw, build.V_BITS) for _ in range(build.NEURONS)],
        "current": [signed(draw, build.V_BITS) for _ in range(build.NEURONS)],
        "refractory": [draw.choice((0, 0, draw.getrandbits(build.REF_BITS))) for _ in range(build.NEURONS)],
        "accumulator": [signed(draw, build.ACC_BITS) for _ in range(build.NEURONS)],
        "route_list": route_lists(build, draw),
        "route": [draw.getrandbits(32) for _ in range(build.ROUTES)],
    }
    await load(bench, **words)
    queue_registers(bench, leak=leak_word(build, draw), **random_registers(build, draw))
    await bench.settle()


def random_registers(build: Build, draw: random.Random) -> dict[str, int]:
    """All registers but the leak, as words."""
    mode = word(
        "mode",
        compare=draw.randint(0, 1),
        reset=draw.randint(0, 2),
        overflow=draw.randint(0, 1),
        input_shift=draw.choice((0, 0, 1, (1 << build.SHIFT_BITS) - 1)),
        period=draw.choice((0, 1, 2, (1 << build.REF_BITS) - 1)),
    )
    return {
        "mode": mode,
        "reset_value": signed(draw, build.V_BITS) & 0xFFFFFFFF,
        "current_keep": draw.choice((0, 1, 2000, 4096)),
        "size": draw.choice((1, build.NEURONS, draw.randint(1, build.NEURONS))),
    }


def axons(build: Build, draw: random.Random, most: int) -> list[int]:
    return [draw.randrange(build.AXONS) for _ in range(draw.randint(0, most))]


# ---- register map -----------------------------------------------------------------------------------------------------------
@core_test
async def registers_hold_their_reset_values(bench: Bench) -> None:
    for item in REGISTERS:
        await bench.read_register(item.name)
    assert await bench.read_register("identity") == 0x4C494601
    assert await bench.read_register("status") == 1
    assert await bench.read_register("size") == bench.build.NEURONS


@core_test
async def registers_read_back_what_was_written(bench: Bench) -> None:
    for data in (0xFFFFFFFF, 0, 0xAAAAAAAA, 0x55555555, *(bench.random.getrandbits(32) for _ in range(4))):
        for item in REGISTERS:
            if item.name != "control":
                bench.request("register", item.number, data)
        for item in REGISTERS:
            bench.request("register", item.number)
        await bench.settle()
    await bench.write_register("control", 0xFFFFFFFE)
    assert await bench.read_register("control") == 0


@core_test
async def memories_read_back_sign_extended(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    sizes = {"weight": build.NEURONS * build.AXONS, "route": build.ROUTES}
    for region in ("weight", "route", *PER_NEURON):
        size = sizes.get(region, build.NEURONS)
        for fixed in (0xFFFFFFFF, 0, None):
            words = [draw.getrandbits(32) if fixed is None else fixed for _ in range(size)]
            queue_memory(bench, region, words)
            for offset in draw.sample(range(size), min(size, 10)):
                bench.request(region, offset)
        await bench.settle()
    for region in ("weight", "route", *PER_NEURON):
        for offset in range(sizes.get(region, build.NEURONS)):
            bench.request(region, offset)
    await bench.settle()


@core_test
async def regions_without_memory_read_zero_and_take_writes_to_nowhere(bench: Bench) -> None:
    await load(bench)
    before = [await bench.read_register(item.name) for item in REGISTERS]
    for region in range(11, 16):
        for request in (Request(True, region, 3, 0xFFFFFFFF), Request(False, region, 3)):
            bench.requests.append(request)
    await bench.settle()
    assert [await bench.read_register(item.name) for item in REGISTERS] == before


@core_test
async def sizes_and_axons_beyond_the_build_are_refused(bench: Bench) -> None:
    build = bench.build
    await load(bench)
    for bad in (0, build.NEURONS + 1, 0xFFFF, 0x10000, 0x80000000 + build.NEURONS + 1):
        await bench.write_register("size", bad)
        assert await bench.read_register("status") == 3
        assert await bench.read_register("size") == build.NEURONS
        await bench.clear()
        assert await bench.read_register("status") == 1
    beyond = range(build.AXONS, 1 << max((build.AXONS - 1).bit_length(), 1))
    for axon in beyond:
        await bench.tick(axon, axon)
        assert await bench.read_register("status") == 3
        await bench.clear()
        assert await bench.read_register("status") == 1


# ---- rule -------------------------------------------------------------------------------------------------------------------
@core_test
async def random_programs_follow_the_rule_under_random_stalls(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    for number in range(8):
        bench.pace = Pace()
        await load_random(bench)
        bench.pace = Pace() if number == 0 else Pace(*(draw.choice((0.1, 0.5, 0.9, 1.0)) for _ in range(3)))
        for _ in range(5):
            bench.send(*axons(build, draw, build.AXONS + 3))
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
    build, draw = bench.build, bench.random
    region = draw.choice((*PER_NEURON, "weight", "route", "register"))
    sizes = {"weight": build.NEURONS * build.AXONS, "route": build.ROUTES, "register": len(REGISTERS)}
    offset = draw.randrange(sizes.get(region, build.NEURONS))
    if region in ("potential", "accumulator", "weight", "bias", "threshold", "refractory") and draw.random() < 0.5:
        bench.request(region, offset, draw.getrandbits(32))
    else:
        bench.request(region, offset)


async def everything_reads_as_the_model_says(bench: Bench) -> None:
    bench.pace = Pace()
    for region in PER_NEURON:
        for neuron in range(bench.build.NEURONS):
            bench.request(region, neuron)
    for item in REGISTERS:
        bench.request("register", item.number)
    await bench.settle()


@core_test
async def thresholds_are_met_exactly(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    await load(bench)
    for reset in (dynamics.RESET_TO_VALUE, dynamics.RESET_SUBTRACT, dynamics.RESET_NONE):
        for compare in (dynamics.ABOVE, dynamics.AT_OR_ABOVE):
            for step in (-1, 0, 1):
                potentials = [draw.randint(-9, 9) for _ in range(build.NEURONS)]
                queue_memory(bench, "potential", potentials)
                queue_memory(bench, "threshold", [v - step for v in potentials])
                queue_registers(bench, mode=word("mode", compare=compare, reset=reset), reset_value=5)
                updates = await bench.tick()
                fires = step > 0 or (step == 0 and compare == dynamics.AT_OR_ABOVE)
                assert [update.spiked for update in updates] == [fires] * build.NEURONS


@core_test
async def potentials_and_currents_leave_the_range_as_the_rule_says(bench: Bench) -> None:
    build = bench.build
    high, low = (1 << (build.V_BITS - 1)) - 1, -(1 << (build.V_BITS - 1))
    most = (1 << (build.ACC_BITS - 1)) - 1
    never = unreachable(build)
    cases = [
        {"potential": high, "bias": high, "threshold": never},
        {"potential": low, "bias": low, "threshold": never},
        {"potential": high, "bias": 0, "threshold": high + 1},
        {"potential": high, "bias": 0, "threshold": low},
        {"accumulator": most, "potential": high, "threshold": high},
        {"accumulator": -most - 1, "potential": low, "threshold": low},
        {"accumulator": most, "current": high, "refractory": 2},
        {"accumulator": -most - 1, "current": low, "refractory": 1},
        {"accumulator": 1, "potential": 1, "current": 9, "refractory": 2, "threshold": 0},
    ]
    await load(bench)
    for overflow in (dynamics.SATURATE, dynamics.WRAP)[: 1 + build.WRAP]:
        for reset in (dynamics.RESET_SUBTRACT, dynamics.RESET_TO_VALUE):
            for case in cases:
                await set_neurons(bench, **case)
                shift = (1 << build.SHIFT_BITS) - 1
                mode = word("mode", overflow=overflow, reset=reset, input_shift=shift, period=1)
                queue_registers(bench, mode=mode, current_keep=4096, reset_value=low & 0xFFFFFFFF)
                await bench.tick()
                await bench.tick()


@core_test
async def every_leak_pulls_toward_zero(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    amounts = {
        dynamics.LEAK_SCALE: (0, 1, 4095, 4097, 8191, 3000),
        dynamics.LEAK_SHIFT: (0, 1, 2, 4, build.V_BITS - 1, build.V_BITS, 31),
        dynamics.LEAK_CONSTANT: (0, 1, 7, (1 << build.leak_bits) - 1),
    }
    await load(bench)
    for mode in build.leak_modes:
        for amount in amounts[mode]:
            queue_registers(bench, leak=word("leak", mode=mode, amount=amount & ((1 << build.leak_bits) - 1)))
            for _ in range(3):
                queue_memory(bench, "potential", [signed(draw, build.V_BITS) for _ in range(build.NEURONS)])
                await bench.tick()


@core_test
async def a_spike_sends_the_packets_of_its_list_in_order(bench: Bench) -> None:
    build, draw = bench.build, bench.random
    routes = [draw.getrandbits(32) for _ in range(build.ROUTES)]
    always = [lowest_threshold(build)] * build.NEURONS
    for count in sorted({0, 1, min(2, build.ROUTES), min(4, build.ROUTES), build.ROUTES}):
        lists = [
            word("route_list", first=draw.randint(0, build.ROUTES - count) % build.ROUTES, count=count)
            for _ in range(build.NEURONS)
        ]
        await load(bench, threshold=always, route=routes, route_list=lists)
        queue_registers(bench, mode=word("mode", reset=dynamics.RESET_NONE))
        for pace in (Pace(), NOISE, Pace(packets=0.15)):
            bench.pace = pace
            updates = await bench.tick()
            assert all(len(update.packets) == count for update in updates)
        bench.pace = Pace()


@core_test
async def refractory_neurons_wait_their_period(bench: Bench) -> None:
    build = bench.build
    longest = min((1 << build.REF_BITS) - 1, 15)
    for period in (0, 1, 2, longest):
        await load(bench, threshold=[0] * build.NEURONS, bias=[9] * build.NEURONS)
        queue_registers(bench, mode=word("mode", period=period), reset_value=3)
        spikes = [(await bench.tick())[0].spiked for _ in range(2 * (period + 1))]
        assert spikes == ([True] + [False] * period) * 2


@core_test
async def a_bias_counts_from_its_start_on_and_ticks_stop_at_all_ones(bench: Bench) -> None:
    build = bench.build
    last = (1 << build.START_BITS) - 1
    starts = [(0, 1, 2, last)[neuron % 4] for neuron in range(build.NEURONS)]
    await load(bench, bias=[7] * build.NEURONS, bias_start=starts)
    await bench.clear()
    for _ in range(min(last, 20) + 3):
        await bench.tick()
        await bench.read_register("tick")


@core_test
async def accumulators_wrap(bench: Bench) -> None:
    build = bench.build
    high = (1 << (build.ACC_BITS - 1)) - 1
    heavy = (1 << (build.WEIGHT_BITS - 1)) - 1
    for start, weight in ((high, heavy), (-high - 1, -heavy - 1), (high, 1), (-high - 1, -1)):
        weights = [weight] * (build.NEURONS * build.AXONS)
        await load(bench, weight=weights, accumulator=[start] * build.NEURONS)
        await bench.tick(0, build.AXONS - 1, 0)
        await bench.tick()


@core_test
async def cycles_follow_the_contract(bench: Bench) -> None:
    build = bench.build
    await load(bench, threshold=[-1] * build.NEURONS, route_list=[word("route_list", count=1)] * build.NEURONS)
    await bench.clear()
    bench.pace = NOISE
    events = [0, build.AXONS - 1, 0, 0]
    await bench.tick(*events)
    bench.pace = Pace()
    sweep = build.NEURONS + build.NEURONS + 3 + build.STAGES
    wanted = len(events) * (1 + build.NEURONS) + sweep if build.COUNTERS else 0
    assert await bench.read_register("cycles") == wanted


# ---- protocol ---------------------------------------------------------------------------------------------------------------
async def load_chatty(bench: Bench) -> None:
    """Every neuron spikes in every tick and has up to three routes; weights are there too."""
    build, draw = bench.build, bench.random
    most = min(3, build.ROUTES)
    lists = [word("route_list", count=neuron % (most + 1) if neuron else most) for neuron in range(build.NEURONS)]
    weights = [signed(draw, build.WEIGHT_BITS) for _ in range(build.NEURONS * build.AXONS)]
    routes = [draw.getrandbits(32) for _ in range(build.ROUTES)]
    always = [lowest_threshold(build)] * build.NEURONS
    await load(bench, weight=weights, route=routes, route_list=lists, threshold=always)
    queue_registers(bench, mode=word("mode", reset=dynamics.RESET_NONE))
    await bench.settle()


@core_test
async def packets_wait_as_long_as_nobody_takes_them(bench: Bench) -> None:
    build = bench.build
    await load_chatty(bench)
    for phase in ("packet", "marker"):
        bench.send(0)
        bench.end_tick()
        bench.send(0, build.AXONS - 1)
        bench.end_tick()
        bench.request("potential", 0)
        await bench.let_wait(phase)
    await everything_reads_as_the_model_says(bench)


@core_test
async def requests_go_before_events_and_wait_for_work_in_hand(bench: Bench) -> None:
    build = bench.build
    await load_chatty(bench)
    for pace in (Pace(), NOISE, Pace(requests=0.1), Pace(events=0.2)):
        bench.pace = pace
        for _ in range(4):
            bench.send(*axons(build, bench.random, 4))
            bench.end_tick()
            for _ in range(6):
                any_request(bench)
        await bench.settle()
    bench.pace = Pace()
    bench.send(*([0] * (build.AXONS + 1)))
    bench.end_tick()
    bench.end_tick()
    bench.send(0, 0)
    bench.end_tick()
    await bench.settle()


# ---- reset and clear --------------------------------------------------------------------------------------------------------
@core_test
async def a_reset_at_any_moment_leaves_a_clean_core(bench: Bench) -> None:
    build = bench.build
    await load_chatty(bench)
    span = 2 * (1 + build.NEURONS) + 3 * build.NEURONS + 12
    moments = range(span) if span < 60 else sorted(bench.random.sample(range(span), 40))
    for moment in moments:
        bench.pace = Pace(packets=0.5)
        bench.send(0, build.AXONS - 1)
        bench.end_tick()
        await bench.run(moment + 1)
        await bench.reset(1 + moment % 3)
        bench.pace = Pace()
        queue_registers(bench, leak=no_leak(build), mode=word("mode", reset=dynamics.RESET_NONE))
        bench.send(build.AXONS - 1)
        bench.end_tick()
        for region in ("potential", "refractory", "accumulator", "current"):
            bench.request(region, bench.random.randrange(build.NEURONS))
        await bench.settle()


@core_test
async def a_reset_strikes_every_phase(bench: Bench) -> None:
    build = bench.build
    await load_chatty(bench)
    for phase in ("idle", "event", "sweep", "packet", "marker", "config", "clear"):
        for later in (0, 1, 2):
            bench.pace = Pace(packets=0.3)
            if phase == "config":
                bench.request("potential", 0)
            elif phase == "clear":
                bench.request("register", 2, 1)
            elif phase != "idle":
                bench.send(0)
                bench.end_tick()
            await bench.run_until(lambda: bench.phase == phase)  # noqa: B023
            await bench.run(later)
            await bench.reset()
            bench.pace = Pace()
            queue_registers(bench, leak=no_leak(build), mode=word("mode", reset=dynamics.RESET_NONE))
            await bench.tick(0)
            await everything_reads_as_the_model_says(bench)


@core_test
async def a_clear_keeps_registers_and_programs(bench: Bench) -> None:
    build = bench.build
    await load_random(bench)
    for _ in range(3):
        await bench.tick(*axons(build, bench.random, 3))
        bench.send(*axons(build, bench.random, 3))
        await bench.settle()
        bench.request("register", 2, 1)
        bench.send(0)
        bench.request("register", 1)
        await bench.settle()
        await everything_reads_as_the_model_says(bench)
        await bench.write_register("control", 1)
        bench.end_tick()
        await bench.settle()
    for offset in range(build.NEURONS * build.AXONS):
        bench.request("weight", offset)
    await bench.settle()
