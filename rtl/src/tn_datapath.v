// One neuron of a crossbar core, one tick: leak, range, thresholds, resets.
//
// Four stages with three cuts: sum | leak | range | thresholds and resets. The results are there in the fourth clock in which
// the inputs have stayed as they are. Then they are equal, for all inputs, to `tick` in neuroemu/families/truenorth/dynamics.py,
// which a proof in rtl/tests shows. The equations of a crossbar core are not those of lif_datapath: two thresholds, a leak that
// follows the potential's sign, three resets on either side.
module tn_datapath #(
    parameter SUM_BITS = 17
) (
    input wire clk,
    input wire signed [19:0] v,
    input wire signed [SUM_BITS-1:0] synaptic,
    input wire signed [8:0] leak,
    input wire reversal,
    input wire [17:0] alpha,
    input wire [17:0] beta,
    input wire [17:0] eta,
    input wire signed [18:0] reset,
    input wire [1:0] gamma,
    input wire kappa,
    input wire zero_clamp,
    input wire ibm_clamp,
    input wire ranc,
    output wire signed [19:0] next_v,
    output wire spiked,
    output wire left_range
);
  localparam signed [20:0] Highest = 21'sd524287;
  localparam signed [20:0] Lowest = -21'sd524288;
  localparam signed [20:0] IbmCeiling = 21'sd393216;

  // A potential has 20 bits, 256 weights of 9 bits have 17: 21 bits hold every sum.
  reg signed [20:0] summed;
  reg [18:0] ceiling;
  reg [18:0] depth;
  reg signed [8:0] leak_now;
  reg signed [18:0] reset_now;
  always @(posedge clk) begin
    summed  <= {v[19], v} + {{(21 - SUM_BITS) {synaptic[SUM_BITS-1]}}, synaptic};
    ceiling <= {1'b0, alpha} + {1'b0, eta};
    depth   <= {1'b0, beta} + (kappa ? 19'd0 : {1'b0, eta});
    leak_now  <= leak;
    reset_now <= reset;
  end

  wire rising = !summed[20] && summed != 21'sd0;
  wire signed [20:0] leak_wide = {{12{leak_now[8]}}, leak_now};
  wire signed [20:0] step = !reversal || rising ? leak_wide : summed[20] ? -leak_wide : 21'sd0;
  wire signed [20:0] moved = summed + step;
  wire crossed = reversal && zero_clamp && (rising ? moved[20] : !moved[20]);
  reg signed [20:0] exact;
  wire signed [20:0] reset_wide = {{2{reset_now[18]}}, reset_now};
  reg signed [20:0] reset_below;
  always @(posedge clk) begin
    exact <= crossed ? 21'sd0 : moved;
    reset_below <= -reset_wide;
  end

  wire signed [20:0] high = ibm_clamp ? IbmCeiling : Highest;
  wire signed [20:0] low = ibm_clamp ? -IbmCeiling : Lowest;
  reg above;
  reg under;
  reg signed [20:0] held;
  always @(posedge clk) begin
    above <= exact > high;
    under <= exact < low;
    held  <= exact > high ? high : exact < low ? low : exact;
  end
  assign left_range = above || under;
  wire stuck = left_range && ibm_clamp;

  // What is left above alpha + eta, and above the negative threshold: comparison and linear reset are one subtraction.
  wire signed [20:0] over = held - $signed({2'b00, ceiling});
  wire signed [20:0] lack = held + $signed({2'b00, depth});
  wire fires = !over[20];
  wire falls = lack[20] || (ranc && lack == 21'sd0);

  wire signed [20:0] fired = gamma == 2'd0 ? reset_wide : gamma == 2'd1 ? over : held;
  wire signed [20:0] bounced = gamma == 2'd0 ? reset_below : gamma == 2'd1 ? lack : held;
  wire signed [20:0] floored = kappa ? -$signed({2'b00, depth}) : bounced;
  wire signed [20:0] rested = fires ? fired : falls ? floored : held;
  wire signed [20:0] settled = stuck ? held : rested;

  assign spiked = stuck ? above : fires;
  assign next_v = settled[19:0];

  // Within 20 bits by construction; the proof compares all that is used.
  wire unused = &{1'b0, settled[20]};
endmodule
