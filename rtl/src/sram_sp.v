// Single-port memory: one read or one write per clock, the word read is there in the next one. Nothing clears it.
module sram_sp #(
    parameter WORDS = 256,
    parameter WIDTH = 8,
    parameter ADDRESS_BITS = (WORDS > 1) ? $clog2(WORDS) : 1
) (
    input wire clk,
    input wire enable,
    input wire write,
    input wire [ADDRESS_BITS-1:0] address,
    input wire [WIDTH-1:0] write_data,
    output reg [WIDTH-1:0] read_data
);
  reg [WIDTH-1:0] memory[0:WORDS-1];

  always @(posedge clk)
    if (enable) begin
      if (write) memory[address] <= write_data;
      else read_data <= memory[address];
    end

`ifdef FORMAL_PARTS
`include "sram_sp_properties.vh"
`endif
endmodule
