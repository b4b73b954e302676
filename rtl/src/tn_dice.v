// What a random word decides: whether a weight or leak acts, and what is added to the thresholds.
//
// The rules `rho`, `gated` and `eta` of neuroemu/families/truenorth/dynamics.py. The word is that of the clock before, the
// other inputs are those of this clock.
module tn_dice (
    input wire clk,
    input wire [31:0] word,
    input wire from_one,
    input wire span_255,
    input wire negative,
    input wire [7:0] magnitude,
    input wire [4:0] mask_bits,
    output wire signed [1:0] gated,
    output wire [17:0] eta
);
  // word * 255 is word * 256 - word; the bits above 2^32 are the number.
  wire [39:0] product = {word, 8'd0} - (span_255 ? {8'd0, word} : 40'd0);
  reg [7:0] number;
  reg [17:0] low_bits;
  always @(posedge clk) begin
    number   <= product[39:32];
    low_bits <= word[17:0];
  end

  // At least rho: at least the number, or above it where numbers begin at one.
  wire acts = {magnitude, !from_one} > {number, 1'b0} && magnitude != 8'd0;
  assign gated = {acts && negative, acts};

  wire [17:0] mask = ~(18'h3ffff << mask_bits);
  assign eta = low_bits & mask;

  wire unused = &{1'b0, product[31:0]};
endmodule
