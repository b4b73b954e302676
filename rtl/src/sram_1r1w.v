// Memory with one read and one write port; the word read is there in the next clock. Nothing clears it.
// Reading the address that is written in the same clock is not allowed: memories differ in what they return.
module sram_1r1w #(
    parameter WORDS = 256,
    parameter WIDTH = 16,
    parameter ADDRESS_BITS = (WORDS > 1) ? $clog2(WORDS) : 1
) (
    input wire clk,
    input wire read_enable,
    input wire [ADDRESS_BITS-1:0] read_address,
    output reg [WIDTH-1:0] read_data,
    input wire write_enable,
    input wire [ADDRESS_BITS-1:0] write_address,
    input wire [WIDTH-1:0] write_data
);
  // The attribute keeps synthesis from adding logic that settles a collision.
  (* no_rw_check, ram_style = "block" *) reg [WIDTH-1:0] memory[0:WORDS-1];

  always @(posedge clk) begin
    if (read_enable) read_data <= memory[read_address];
    if (write_enable) memory[write_address] <= write_data;
  end
endmodule
