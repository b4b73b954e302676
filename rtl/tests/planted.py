"""Verilog sources with one bug each: what a test that compares with the model must find."""

from __future__ import annotations

import shutil
from pathlib import Path

from neuroemu.cosim.tools import sources

BUGS = {
    "fires at the threshold whatever is compared": (
        "lif_datapath.v",
        "wire fires = !reached[V_BITS+2];",
        "wire fires = !above[V_BITS+1];",
    ),
    "a soft reset is never limited": (
        "lif_datapath.v",
        "(rest_outside && !wrapping)",
        "(1'b0 && rest_outside && !wrapping)",
    ),
    "a neuron without spike keeps its counter": (
        "lif_datapath.v",
        "ready ? {REF_BITS{1'b0}} : counter - {{(REF_BITS - 1) {1'b0}}, 1'b1};",
        "ready ? {REF_BITS{1'b0}} : counter - {{(REF_BITS - 1) {1'b0}}, counter[0]};",
    ),
    "weights are subtracted": ("lif_core.v", ": accumulated + widened)", ": accumulated - widened)"),
    "a bias starts a tick late": ("lif_core.v", "tick >= bias_start", "tick > bias_start"),
    "the last weights of an event update neurons when a marker follows directly": (
        "lif_core.v",
        "token_m <= token_r && in_walk;",
        "token_m <= token_r;",
    ),
    "the first packet of the last neuron goes where another one went": (
        "lif_core.v",
        "(state == SWEEP && advance) ? first_route",
        "(state == SWEEP && advance && !last_w) ? first_route",
    ),
    "stalls count as cycles": ("lif_core.v", "(state == SWEEP && !stalled)", "(state == SWEEP)"),
    "the tick does not count": ("lif_core.v", "if (finish && tick !=", "if (1'b0 && finish && tick !="),
}
"""What is wrong -> (file, right, wrong): found by comparing states, packets and cycles."""
OF_THREE_STAGES = frozenset({"the last weights of an event update neurons when a marker follows directly"})
"""Those of them that a core with one stage cannot have."""

CROSSBAR_BUGS = {
    "the wrong half of a random word": ("crossbar_core.v", ".word(mixed[63:32])", ".word(mixed[31:0])", ("spiked",)),
    "one random number for all draws": ("crossbar_core.v", "draw <= draw + 9'd1", "draw <= draw", ("spiked",)),
    "a clock that is not counted": (
        "crossbar_core.v",
        "state >= Mark",
        "state > Mark",
        ("cycles by the register",),
    ),
    "a generator that takes a clock more": ("tn_random.v", "Divided = 64 / STEP", "Divided = 64 / STEP + 1", ("v",)),
    "an error whatever comes in": ("crossbar_core.v", "error <= 1'b0;", "error <= 1'b1;", ("register status",)),
    "merged spikes are not counted": ("crossbar_core.v", "|(slot_data & mark)", "&(slot_data & mark)", ("merged",)),
    "delays are one too long": ("crossbar_core.v", "in_delay - 4'd1", "in_delay", ("v",)),
}
"""What is wrong -> (file, right, wrong, what differs first)."""

_OTHERS = {
    "a threshold is reached one above it": (
        "tn_datapath.v",
        "wire fires = !over[20];",
        "wire fires = !over[20] && over != 21'sd0;",
    ),
    "seeds of cores are forgotten": ("crossbar_core.v", "{run_seed, core_seed}", "{run_seed, 32'd0}"),
    "a clear keeps spikes that are under way": (
        "crossbar_core.v",
        "state <= clear ? Clear :",
        "state <= clear ? Idle :",
    ),
    "a row loses a bit on the bus": ("crossbar_core.v", "window  <= cfg_wdata;", "window  <= cfg_wdata & ~32'd1;"),
    "updates name another neuron": ("crossbar_core.v", "assign upd_neuron = neuron;", "assign upd_neuron = ~neuron;"),
    "the search for a synapse never ends": ("tn_next_synapse.v", "filled & -filled", "filled & -filled & ~1"),
    "a threshold always gets its lowest bit on the bus": (
        "lif_core.v",
        ".write_data(wide_wdata[V_BITS:0])",
        ".write_data({wide_wdata[V_BITS:1], 1'b1})",
    ),
    "a clear keeps potentials": (
        "lif_core.v",
        "write_back || zero || (set_state && region == `LIF_REGION_POTENTIAL)",
        "write_back || (set_state && region == `LIF_REGION_POTENTIAL)",
    ),
    "some spikes are said to leave the range": (
        "lif_datapath.v",
        "assign left_range = kept_u_outside",
        "assign left_range = (spiked && v[3:0] == 4'd3) || kept_u_outside",
    ),
    "the marker never comes back": ("lif_core.v", "packet_last <= last_s;", "packet_last <= 1'b0;"),
    "a clear never ends": ("lif_core.v", "CLEAR: if (last_w)", "CLEAR: if (1'b0 && last_w)"),
    "the bus never answers": (
        "lif_core.v",
        "assign cfg_ready = configuring &&",
        "assign cfg_ready = 1'b0 && configuring &&",
    ),
    "a packet does not wait": (
        "lif_core.v",
        "assign out_valid = packet_valid;",
        "reg off;\n  always @(posedge clk) off <= !rst && packet_valid && !out_ready;\n  assign out_valid = packet_valid && !off;",
    ),
    "a tick is printed and the third one stops": (
        "lif_core.v",
        "assign out_valid = packet_valid;",
        "assign out_valid = packet_valid;\n  always @(posedge clk)\n    if (out_valid && out_ready && out_last) begin\n"
        '      $display("tick %0d", told);\n      told <= told + 1;\n      if (told == 2) $stop;\n    end\n'
        "  integer told = 0;",
    ),
    "a packet leaves while events come in": (
        "lif_core.v",
        "assign out_valid = packet_valid;",
        "assign out_valid = packet_valid || state == EVENT;",
    ),
}
"""Found before anything runs, as a broken protocol, or in what counters say."""


def with_bug(name: str, folder: Path) -> Path:
    """A copy of the sources with one bug in ``folder``."""
    file, right, wrong = {**BUGS, **CROSSBAR_BUGS, **_OTHERS}[name][:3]
    shutil.copytree(sources(), folder, dirs_exist_ok=True)
    text = (folder / file).read_text(encoding="utf-8")
    assert text.count(right) == 1, f"{file} no longer has exactly one {right!r}"
    (folder / file).write_text(text.replace(right, wrong), encoding="utf-8")
    return folder
