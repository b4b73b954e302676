"""What the mutation run asked of the crossbar core's ports beyond co-simulation: whole rows, wide fields, counters, any build."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from neuroemu.cosim.crossbar_program import memories
from neuroemu.families.truenorth.image import ProgramImage
from neuroemu.families.truenorth.load import rules_of
from neuroemu.families.truenorth.registers import BUS, ROW_FIELDS, address, register
from neuroemu.spec import ChipSpec
from rtl.tests.one_crossbar import MARKER, OneCrossbar
from rtl.tests.random_crossbars import random_program
from rtl.tests.test_crossbar import ODD, SMALL


@pytest.fixture(params=[SMALL, ODD], ids=["small", "odd"])
def core(request: pytest.FixtureRequest) -> Iterator[OneCrossbar]:
    """A core, out of reset."""
    rtl = OneCrossbar(request.param)
    yield rtl
    rtl.close()


def stream_words(core: OneCrossbar) -> int:
    """Words of the bus that hold all rows, the last one perhaps in part."""
    return -(-core.build.neurons * (core.build.axons + ROW_FIELDS) // 32)


def load(core: OneCrossbar, image: ProgramImage) -> None:
    """Write the program's only core."""
    core.load(memories(image, rules_of(ChipSpec.from_dict(image.chip).arithmetic))[0])


def test_registers_say_what_is_built(core: OneCrossbar) -> None:
    found = {name: int(core.read(register(name))[0]) for name in ("identity", "build_size", "build_random")}
    assert found == {
        "identity": BUS.identity,
        "build_size": core.build.axons << 16 | core.build.neurons,
        "build_random": int(core.build.stochastic) << 8 | core.build.draw_step,
    }


def test_rows_of_noise_read_back_and_a_stream_goes_on_where_it_ended(core: OneCrossbar) -> None:
    width, count = core.build.axons + ROW_FIELDS, core.build.neurons
    dice = np.random.default_rng(1)
    bits = dice.integers(0, 2, (3, count * width)).astype(np.uint8)
    padded = np.concatenate([bits.reshape(-1), np.zeros(-bits.size % 32, np.uint8)])
    core.write(register("row"), [0])
    core.write(address("row"), np.packbits(padded, bitorder="little").view("<u4"))
    for _ in range(2):
        core.write(register("row"), [0])
        words = core.read(address("row"), stream_words(core))
        found = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[width : count * width]
        assert np.array_equal(found, bits[-1][width:])


def test_axon_types_of_noise_read_back_twice(core: OneCrossbar) -> None:
    words = np.random.default_rng(2).integers(0, 1 << 32, -(-core.build.axons // 16), dtype=np.uint32)
    core.write(address("axon_type"), words)
    for _ in range(2):
        assert np.array_equal(core.axon_types(), words)


def test_the_tick_goes_on_at_every_width(core: OneCrossbar) -> None:
    for bit in range(33):
        last = (1 << bit) - 1
        core.write(register("tick"), [last])
        core.run(np.array([MARKER], np.uint32))
        assert int(core.read(register("tick"))[0]) == (last + 1) % (1 << 32)


def test_a_sweep_changes_nothing_of_a_row_but_the_potential_and_sends_its_destination(core: OneCrossbar) -> None:
    image, _ = random_program(5, core.build)
    cores, dice = image.cores, np.random.default_rng(3)
    for name, lowest, end in (("dx", -256, 256), ("dy", -256, 256), ("axon", 0, 256)):
        column = getattr(cores, name)
        column[...] = dice.integers(lowest, end, column.shape)
    load(core, image)
    core.write(register("row"), [0])
    before = core.read(address("row"), stream_words(core))
    spikes = np.array([axon | 1 << 8 for axon in range(core.build.axons)], np.uint32)
    batch = core.run(np.concatenate([np.append(spikes, np.uint32(MARKER))] * 20))
    for spiked, packets in zip(batch.spiked, batch.packets, strict=True):
        sources = np.flatnonzero(spiked & (cores.delay[0, : core.build.neurons] > 0))
        wanted = [getattr(cores, name)[0, sources] for name in ("dx", "dy", "axon", "delay")]
        assert np.array_equal(packets, np.stack(wanted, axis=1))
    core.write(register("row"), [0])
    after = core.read(address("row"), stream_words(core))
    width = core.build.axons + ROW_FIELDS
    rows = [
        np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[: core.build.neurons * width]
        for words in (before, after)
    ]
    old, new = (bits.reshape(core.build.neurons, width) for bits in rows)
    potential = slice(core.build.axons, core.build.axons + 20)
    assert np.array_equal(np.delete(old, potential, axis=1), np.delete(new, potential, axis=1))
    assert np.array_equal(batch.v[-1], core.potentials())
    assert not np.array_equal(old, new) and sum(len(packets) for packets in batch.packets) > 3


def test_hundreds_of_merged_spikes_are_counted(core: OneCrossbar) -> None:
    load(core, random_program(1, core.build)[0])
    core.run(np.array([3 | 2 << 8] * 300 + [MARKER], np.uint32))
    for more in range(0, 400, 33):
        assert core.counters()["merged"] == 299 + more
        core.run(np.array([3 | 5 << 8] * 34 + [MARKER] * 6, np.uint32))


def test_an_error_is_said_after_a_stray_spike_and_until_a_clear(core: OneCrossbar) -> None:
    load(core, random_program(1, core.build)[0])
    for event in (1, core.build.axons | 1 << 8):
        assert core.counters()["error"] == 0
        core.run(np.array([event, MARKER], np.uint32))
        core.run(np.array([0 | 1 << 8, MARKER], np.uint32))
        assert core.counters()["error"] == 1
        core.write(register("control"), [1])
