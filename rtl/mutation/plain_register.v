// A register with the ports and parameters of yosys' $dff, as a module of its own: the prover takes it out of the core.
module plain_register #(
    parameter WIDTH = 32,
    parameter CLK_POLARITY = 1
) (
    input wire CLK,
    input wire [WIDTH-1:0] D,
    output reg [WIDTH-1:0] Q
);
  always @(posedge CLK) Q <= D;
endmodule
