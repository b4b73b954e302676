// The lowest set bit of a vector, alone, and the axon type that goes with it. Combinational.
//
// In groups, so that no carry runs through all bits: every group finds its own lowest bit and type while the lowest group that
// has any is looked for.
module tn_next_synapse #(
    parameter AXONS = 256,
    parameter GROUP = 16
) (
    input wire [AXONS-1:0] bits,
    input wire [AXONS-1:0] type_low,
    input wire [AXONS-1:0] type_high,
    output wire [AXONS-1:0] lowest,
    output wire [1:0] kind
);
  localparam Groups = (AXONS + GROUP - 1) / GROUP;

  wire [Groups-1:0] filled;
  wire [Groups-1:0] low;
  wire [Groups-1:0] high;
  wire [Groups-1:0] first = filled & -filled;

  genvar group;
  generate
    for (group = 0; group < Groups; group = group + 1) begin : g_group
      localparam Begin = group * GROUP;
      localparam Width = (AXONS - Begin < GROUP) ? AXONS - Begin : GROUP;
      wire [Width-1:0] part = bits[Begin+:Width];
      wire [Width-1:0] alone = part & -part;
      assign filled[group] = |part;
      assign low[group] = |(alone & type_low[Begin+:Width]);
      assign high[group] = |(alone & type_high[Begin+:Width]);
      assign lowest[Begin+:Width] = first[group] ? alone : {Width{1'b0}};
    end
  endgenerate

  assign kind = {|(first & high), |(first & low)};
endmodule
