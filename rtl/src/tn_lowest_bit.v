// The lowest set bit of a vector, alone. In two levels, so that no carry runs through all bits. Combinational.
module tn_lowest_bit #(
    parameter WIDTH = 256,
    parameter GROUP = 16
) (
    input  wire [WIDTH-1:0] bits,
    output wire [WIDTH-1:0] lowest
);
  localparam Groups = (WIDTH + GROUP - 1) / GROUP;
  localparam Padded = Groups * GROUP;

  wire [Padded-1:0] padded;
  wire [Padded-1:0] isolated;
  wire [Groups-1:0] filled;
  wire [Groups-1:0] first = filled & -filled;

  generate
    if (Padded > WIDTH) begin : g_pad
      wire unused = &{1'b0, isolated[Padded-1:WIDTH]};
      assign padded = {{(Padded - WIDTH) {1'b0}}, bits};
    end else begin : g_exact
      assign padded = bits;
    end
  endgenerate

  genvar group;
  generate
    for (group = 0; group < Groups; group = group + 1) begin : g_group
      wire [GROUP-1:0] part = padded[group*GROUP+:GROUP];
      wire [GROUP-1:0] alone = part & -part;
      assign filled[group] = |part;
      assign isolated[group*GROUP+:GROUP] = first[group] ? alone : {GROUP{1'b0}};
    end
  endgenerate

  assign lowest = isolated[WIDTH-1:0];
endmodule
