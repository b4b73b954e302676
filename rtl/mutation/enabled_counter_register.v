// As `counter_register`, with the ports and parameters of yosys' $sdffe: the counter stands still while it is not enabled.
module enabled_counter_register #(
    parameter WIDTH = 32,
    parameter CLK_POLARITY = 1,
    parameter EN_POLARITY = 1,
    parameter SRST_POLARITY = 1,
    parameter SRST_VALUE = 0
) (
    input wire CLK,
    input wire EN,
    input wire SRST,
    input wire [WIDTH-1:0] D,
    output reg [WIDTH-1:0] Q
);
  always @(posedge CLK)
    if (SRST) Q <= {WIDTH{1'b0}};
    else if (EN) Q <= D;
endmodule
