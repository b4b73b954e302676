// Queue for address events, valid and ready on both sides; any depth from 1 on. A word takes one clock at least to pass.
module aer_fifo #(
    parameter WIDTH = 9,
    parameter DEPTH = 4,
    parameter POINTER_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1,
    parameter LEVEL_BITS = $clog2(DEPTH + 1)
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    output wire out_valid,
    input wire out_ready,
    output wire [WIDTH-1:0] out_data
);
  localparam integer LAST_SLOT = DEPTH - 1;
  localparam integer FULL = DEPTH;

  reg [WIDTH-1:0] memory[0:DEPTH-1];
  reg [POINTER_BITS-1:0] write_slot;
  reg [POINTER_BITS-1:0] read_slot;
  reg [LEVEL_BITS-1:0] words;

  assign in_ready = words != FULL[LEVEL_BITS-1:0];
  assign out_valid = words != {LEVEL_BITS{1'b0}};
  assign out_data = memory[read_slot];

  wire put = in_valid && in_ready;
  wire take = out_valid && out_ready;

  always @(posedge clk) begin
    if (put) memory[write_slot] <= in_data;
    if (rst) begin
      write_slot <= {POINTER_BITS{1'b0}};
      read_slot <= {POINTER_BITS{1'b0}};
      words <= {LEVEL_BITS{1'b0}};
    end else begin
      if (put) write_slot <= (write_slot == LAST_SLOT[POINTER_BITS-1:0]) ? {POINTER_BITS{1'b0}} : write_slot + 1'b1;
      if (take) read_slot <= (read_slot == LAST_SLOT[POINTER_BITS-1:0]) ? {POINTER_BITS{1'b0}} : read_slot + 1'b1;
      if (put && !take) words <= words + 1'b1;
      else if (take && !put) words <= words - 1'b1;
    end
  end

`ifdef FORMAL
`include "aer_fifo_properties.vh"
`endif
endmodule
