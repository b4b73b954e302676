// A LIF core with a queue for address events on either side, as it would sit at a network port.
module lif_tile #(
    parameter NEURONS = 256,
    parameter AXONS = 256,
    parameter WEIGHT_BITS = 8,
    parameter V_BITS = 16,
    parameter ACC_BITS = 16,
    parameter SHIFT_BITS = 3,
    parameter REF_BITS = 4,
    parameter START_BITS = 8,
    parameter ROUTES = 512,
    parameter CORE_BITS = 2,
    parameter TARGET_BITS = 8,
    parameter FACTOR = 0,
    parameter SHIFT = 1,
    parameter CONSTANT = 0,
    parameter CURRENT = 0,
    parameter WRAP = 0,
    parameter STAGES = 1,
    parameter COUNTERS = 1,
    parameter IN_DEPTH = 4,
    parameter OUT_DEPTH = 4,
    // Widths that follow from the above: not to be set.
    parameter NEURON_BITS = (NEURONS > 1) ? $clog2(NEURONS) : 1,
    parameter AXON_BITS = (AXONS > 1) ? $clog2(AXONS) : 1,
    parameter ROUTE_BITS = (ROUTES > 1) ? $clog2(ROUTES) : 1,
    parameter WEIGHT_ADDRESS_BITS = (NEURONS * AXONS > 1) ? $clog2(NEURONS * AXONS) : 1,
    parameter WIDER_BITS = (WEIGHT_ADDRESS_BITS > ROUTE_BITS) ? WEIGHT_ADDRESS_BITS : ROUTE_BITS,
    parameter OFFSET_BITS = (WIDER_BITS > 4) ? WIDER_BITS : 4,
    parameter CFG_BITS = 4 + OFFSET_BITS
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire in_last,
    input wire [AXON_BITS-1:0] in_axon,
    output wire out_valid,
    input wire out_ready,
    output wire out_last,
    output wire [CORE_BITS-1:0] out_core,
    output wire [TARGET_BITS-1:0] out_axon,
    input wire cfg_valid,
    input wire cfg_write,
    input wire [CFG_BITS-1:0] cfg_addr,
    input wire [31:0] cfg_wdata,
    output wire cfg_ready,
    output wire [31:0] cfg_rdata
);
  wire event_valid, event_ready, event_last;
  wire [AXON_BITS-1:0] event_axon;
  wire packet_valid, packet_ready, packet_last;
  wire [CORE_BITS-1:0] packet_core;
  wire [TARGET_BITS-1:0] packet_axon;

  // What benches watch stays open in a design.
  wire unused_valid, unused_spiked, unused_left_range;
  wire [NEURON_BITS-1:0] unused_neuron;
  wire signed [V_BITS-1:0] unused_v, unused_u;
  wire [REF_BITS-1:0] unused_refractory;

  aer_fifo #(
      .WIDTH(1 + AXON_BITS),
      .DEPTH(IN_DEPTH)
  ) events (
      .clk(clk),
      .rst(rst),
      .in_valid(in_valid),
      .in_ready(in_ready),
      .in_data({in_last, in_axon}),
      .out_valid(event_valid),
      .out_ready(event_ready),
      .out_data({event_last, event_axon})
  );

  lif_core #(
      .NEURONS(NEURONS),
      .AXONS(AXONS),
      .WEIGHT_BITS(WEIGHT_BITS),
      .V_BITS(V_BITS),
      .ACC_BITS(ACC_BITS),
      .SHIFT_BITS(SHIFT_BITS),
      .REF_BITS(REF_BITS),
      .START_BITS(START_BITS),
      .ROUTES(ROUTES),
      .CORE_BITS(CORE_BITS),
      .TARGET_BITS(TARGET_BITS),
      .FACTOR(FACTOR),
      .SHIFT(SHIFT),
      .CONSTANT(CONSTANT),
      .CURRENT(CURRENT),
      .WRAP(WRAP),
      .STAGES(STAGES),
      .COUNTERS(COUNTERS)
  ) core (
      .clk(clk),
      .rst(rst),
      .in_valid(event_valid),
      .in_ready(event_ready),
      .in_last(event_last),
      .in_axon(event_axon),
      .out_valid(packet_valid),
      .out_ready(packet_ready),
      .out_last(packet_last),
      .out_core(packet_core),
      .out_axon(packet_axon),
      .cfg_valid(cfg_valid),
      .cfg_write(cfg_write),
      .cfg_addr(cfg_addr),
      .cfg_wdata(cfg_wdata),
      .cfg_ready(cfg_ready),
      .cfg_rdata(cfg_rdata),
      .upd_valid(unused_valid),
      .upd_neuron(unused_neuron),
      .upd_spiked(unused_spiked),
      .upd_left_range(unused_left_range),
      .upd_v(unused_v),
      .upd_u(unused_u),
      .upd_refractory(unused_refractory)
  );

  aer_fifo #(
      .WIDTH(1 + CORE_BITS + TARGET_BITS),
      .DEPTH(OUT_DEPTH)
  ) packets (
      .clk(clk),
      .rst(rst),
      .in_valid(packet_valid),
      .in_ready(packet_ready),
      .in_data({packet_last, packet_core, packet_axon}),
      .out_valid(out_valid),
      .out_ready(out_ready),
      .out_data({out_last, out_core, out_axon})
  );
endmodule
