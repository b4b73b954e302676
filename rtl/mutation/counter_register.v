// Register of a counter in the netlist of the mutation run, with the ports and parameters of yosys' $sdff: a module of its
// own has a place in the hierarchy where a test can put the counter near its end.
module counter_register #(
    parameter WIDTH = 32,
    parameter CLK_POLARITY = 1,
    parameter SRST_POLARITY = 1,
    parameter SRST_VALUE = 0
) (
    input wire CLK,
    input wire SRST,
    input wire [WIDTH-1:0] D,
    output reg [WIDTH-1:0] Q
);
  always @(posedge CLK) Q <= SRST ? {WIDTH{1'b0}} : D;
endmodule
