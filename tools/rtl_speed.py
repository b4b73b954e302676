"""How fast Verilog runs here: the bulk harness and cocotb with Verilator, the same core, the same stimulus, the same packets.

    python tools/rtl_speed.py

Needs the extra ``rtl``, g++ and make. Processor time of the ticks alone: building and loading are not in it. The cocotb bench is a
lean one: it runs fewer ticks, wakes once a clock, records packets and looks at nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

STIMULUS_VARIABLE = "NEUROEMU_RTL_SPEED"
TICKS, COCOTB_TICKS = 20_000, 60
EVENTS_PER_TICK = 4.0
REPEAT = 3

HEAD = """\
| way to run | stages | clocks | packets | M clocks/s | against cocotb |
| --- | ---: | ---: | ---: | ---: | ---: |"""


def stimulus(ticks: int, stages: int) -> dict[str, Any]:
    """Words of a full core of random weights, one route per neuron, and axons of the events of each tick, as plain data."""
    from neuroemu.cosim.lif import Build

    build = Build(stages=stages)
    rng = np.random.default_rng(0)
    neuron, synapse = np.arange(build.neurons), np.arange(build.neurons * build.axons)
    parts = (
        (build.address("weight", synapse), rng.integers(-20, 40, synapse.shape[0]) & 0xFF),
        (build.address("threshold", neuron), np.full(build.neurons, 150)),
        (build.address("bias", neuron), np.zeros(build.neurons)),
        (build.address("bias_start", neuron), np.zeros(build.neurons)),
        (build.address("route_list", neuron), 1 << 16 | neuron),
        (build.address("route", neuron), 1 << 16 | neuron),
        (build.register("leak"), [1 << 24 | 3]),
        (build.register("mode"), [2 << 16]),
        (build.register("control"), [1]),
    )
    axons = [rng.integers(0, build.axons, count).tolist() for count in rng.poisson(EVENTS_PER_TICK, max(TICKS, ticks))]
    return {
        "stages": stages,
        "address": np.concatenate([address for address, _ in parts]).tolist(),
        "word": np.concatenate([word for _, word in parts]).astype(np.int64).tolist(),
        "axons": axons[:ticks],
    }


def by_harness(given: dict[str, Any], ticks: int) -> tuple[float, int, list[int]]:
    """(processor seconds, clocks, axons of all packets) of the bulk harness."""
    from neuroemu.cosim.core import Events, RtlCores
    from neuroemu.cosim.lif import Build

    build = Build(stages=given["stages"])
    axons = given["axons"][:ticks]
    events = Events(np.cumsum([0, *map(len, axons)]), np.array([axon for part in axons for axon in part], np.int32))
    with RtlCores(build, [build.neurons], [0]) as cores:
        cores.write(0, np.array(given["address"]), np.array(given["word"]))
        begin = time.process_time()
        record = cores.run(events, 1, packet_room=build.neurons * ticks)
        seconds = time.process_time() - begin
    return seconds, record.clocks, record.packet[:, 1].tolist()


def by_cocotb(given: dict[str, Any]) -> tuple[float, int, list[int]]:
    """The same of cocotb with Verilator."""
    from cocotb_tools.runner import get_runner

    from neuroemu.cosim.lif import TOP, Build
    from neuroemu.cosim.tools import environment, sources

    os.environ["PATH"] = environment()["PATH"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
        runner = get_runner("verilator")
        files = [sources() / f"{module}.v" for module in (TOP, "lif_datapath", "sram_sp", "sram_1r1w")]
        runner.build(
            sources=files,
            hdl_toplevel=TOP,
            includes=[sources()],
            parameters=Build(stages=given["stages"]).parameters,
            build_dir=folder / "build",
            build_args=["-O3", "--x-assign", "fast", "-CFLAGS", "-O3", "-Wno-fatal"],
            log_file=folder / "build.log",
        )
        runner.test(
            test_module=Path(__file__).stem,
            hdl_toplevel=TOP,
            test_dir=folder,
            extra_env={
                STIMULUS_VARIABLE: name,
                "PYTHONPATH": str(Path(__file__).parent),
                "COCOTB_LOG_LEVEL": "WARNING",
            },
            log_file=folder / "test.log",
        )
        told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    return told["seconds"], told["clocks"], told["packets"]


def main() -> None:
    """Print a table; stop if both sides do not send the same packets."""
    print(HEAD)
    for stages in (1, 3):
        given = stimulus(TICKS, stages)
        runs = [by_harness(given, TICKS) for _ in range(REPEAT)]
        seconds, clocks, packets = min(runs)
        slow_seconds, slow_clocks, slow_packets = by_cocotb({**given, "axons": given["axons"][:COCOTB_TICKS]})
        assert slow_packets and slow_packets == by_harness(given, COCOTB_TICKS)[2], "the packets differ"
        rates = clocks / seconds, slow_clocks / slow_seconds
        for name, rate, count, sent in (
            ("bulk harness", rates[0], clocks, packets),
            ("cocotb + Verilator", rates[1], slow_clocks, slow_packets),
        ):
            print(f"| {name} | {stages} | {count:,} | {len(sent):,} | {rate / 1e6:.3f} | {rate / rates[1]:.0f} x |")


if __name__ == "__main__":
    main()
elif STIMULUS_VARIABLE in os.environ:
    import cocotb
    from cocotb.clock import Clock
    from cocotb.triggers import ReadOnly, RisingEdge

    @cocotb.test()
    async def ticks(dut: Any) -> None:
        """Load the words, run the ticks, leave what was measured beside the stimulus."""
        folder = Path(os.environ[STIMULUS_VARIABLE])
        given = json.loads((folder / "given.json").read_text(encoding="utf-8"))
        Clock(dut.clk, 10, "ns").start()
        for name in ("in_valid", "in_last", "in_axon", "cfg_valid", "cfg_write", "cfg_addr", "cfg_wdata"):
            getattr(dut, name).value = 0
        dut.out_ready.value = 1
        dut.rst.value = 1
        edge = RisingEdge(dut.clk)
        await edge
        await edge
        dut.rst.value = 0
        dut.cfg_valid.value = dut.cfg_write.value = 1
        for address, word in zip(given["address"], given["word"], strict=True):
            dut.cfg_addr.value, dut.cfg_wdata.value = address, word
            await _until(dut.cfg_ready, edge)
        dut.cfg_valid.value = 0
        packets: list[int] = []
        begin, clocks = time.process_time(), 0
        for axons in given["axons"]:
            dut.in_valid.value = dut.in_last.value = 1
            clocks += await _until(dut.in_ready, edge)
            dut.in_valid.value = dut.in_last.value = 0
            while True:
                await ReadOnly()
                if leaves := bool(dut.out_valid.value):
                    last = bool(dut.out_last.value)
                    if not last:
                        packets.append(int(dut.out_axon.value))
                await edge
                clocks += 1
                if leaves and last:
                    break
            dut.in_valid.value = 1
            for axon in axons:
                dut.in_axon.value = axon
                clocks += await _until(dut.in_ready, edge)
            dut.in_valid.value = 0
        told = {"seconds": time.process_time() - begin, "clocks": clocks, "packets": packets}
        (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")

    async def _until(ready: Any, edge: Any) -> int:
        """Clocks until one in which ``ready`` is there, that one included."""
        clocks = 0
        while True:
            await ReadOnly()
            there = bool(ready.value)
            await edge
            clocks += 1
            if there:
                return clocks
