// The finaliser of splitmix64, of which generator "neuroemu v1" is made: `mix` in neuroemu/emulator/random.py.
//
// Two multiplications by constants, STEP bits of the factor per clock, highest bits first. `start` is taken at any time;
// `done` is there 2 * (64 / STEP) + 2 clocks later, together with `mixed`, which stays until the next start. STEP divides 64.
module tn_random #(
    parameter STEP = 8
) (
    input wire clk,
    input wire rst,
    input wire start,
    input wire [63:0] value,
    output wire done,
    output wire [63:0] mixed
);
  localparam [63:0] Golden = 64'h9e3779b97f4a7c15;
  localparam [63:0] First = 64'hbf58476d1ce4e5b9;
  localparam [63:0] Second = 64'h94d049bb133111eb;
  localparam [31:0] Divided = 64 / STEP;
  localparam [6:0] Steps = Divided[6:0];

  localparam [1:0] Resting = 2'd0;
  localparam [1:0] FirstFactor = 2'd1;
  localparam [1:0] Between = 2'd2;
  localparam [1:0] SecondFactor = 2'd3;

  reg [1:0] phase;
  reg [6:0] left;
  reg finished;
  reg [63:0] factor;
  reg [63:0] sum;

  wire [63:0] seeded = value + Golden;
  wire [63:0] constant = phase == FirstFactor ? First : Second;
  wire [63:0] digit = factor >> (64 - STEP);
  wire [63:0] next_sum = (sum << STEP) + digit * constant;

  always @(posedge clk) begin
    finished <= 1'b0;
    if (rst) phase <= Resting;
    else if (start) begin
      phase  <= FirstFactor;
      left   <= Steps;
      factor <= seeded ^ (seeded >> 30);
      sum    <= 64'd0;
    end else
      case (phase)
        FirstFactor, SecondFactor: begin
          factor <= factor << STEP;
          sum <= next_sum;
          left <= left - 7'd1;
          if (left == 7'd1) begin
            phase <= phase == FirstFactor ? Between : Resting;
            finished <= phase == SecondFactor;
          end
        end
        Between: begin
          phase  <= SecondFactor;
          left   <= Steps;
          factor <= sum ^ (sum >> 27);
          sum    <= 64'd0;
        end
        default: phase <= Resting;
      endcase
  end

  assign done  = finished;
  assign mixed = sum ^ (sum >> 31);

`ifdef FORMAL_PARTS
`include "tn_random_properties.vh"
`endif
endmodule
