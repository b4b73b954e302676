// One neuron, one tick: the function `tick` of neuroemu/families/lifcore/dynamics.py for all inputs within the widths below.
//
// Widths never wrap on the way; only the three `limited` values (current, drive, soft reset) are brought back to V_BITS.
// Per neuron: u, v, refractory, arriving, bias, threshold. The other inputs are the core's registers and stay as they are
// while neurons are on their way. Where one leak alone is built in, leak_mode is not looked at; where several are, a mode that is
// not built in is no leak. With STAGES = 3 the results belong to the neuron of the last clock with `advance`; with STAGES = 1
// the module is combinational.
module lif_datapath #(
    parameter V_BITS = 16,
    parameter ACC_BITS = 16,
    parameter SHIFT_BITS = 3,
    parameter REF_BITS = 4,
    parameter FACTOR = 0,
    parameter SHIFT = 1,
    parameter CONSTANT = 0,
    parameter CURRENT = 0,
    parameter WRAP = 0,
    parameter STAGES = 1,
    parameter FEWEST_LEAK_BITS = (FACTOR != 0) ? 13 : 5,
    parameter LEAK_BITS = (CONSTANT != 0 && V_BITS > FEWEST_LEAK_BITS) ? V_BITS : FEWEST_LEAK_BITS
) (
    input wire clk,
    input wire advance,
    input wire signed [V_BITS-1:0] u,
    input wire signed [V_BITS-1:0] v,
    input wire [REF_BITS-1:0] refractory,
    input wire signed [ACC_BITS-1:0] arriving,
    input wire signed [V_BITS-1:0] bias,
    input wire signed [V_BITS:0] threshold,
    input wire [SHIFT_BITS-1:0] input_shift,
    input wire [12:0] current_keep,
    input wire [1:0] leak_mode,
    input wire [LEAK_BITS-1:0] leak_amount,
    input wire compare,
    input wire [1:0] reset_mode,
    input wire signed [V_BITS-1:0] reset_value,
    input wire [REF_BITS-1:0] period,
    input wire overflow,
    output wire signed [V_BITS-1:0] next_u,
    output wire signed [V_BITS-1:0] next_v,
    output wire [REF_BITS-1:0] next_refractory,
    output wire spiked,
    output wire left_range
);
  localparam [1:0] LEAK_SCALE = 2'd0, LEAK_SHIFT = 2'd1, LEAK_CONSTANT = 2'd2;
  localparam [1:0] RESET_TO_VALUE = 2'd0, RESET_SUBTRACT = 2'd1;
  localparam ONLY_LEAK = (FACTOR != 0) + (SHIFT != 0) + (CONSTANT != 0) == 1;

  // What arrives, shifted up, and one bit more where a kept current is added; at least one bit above a potential.
  localparam SHIFTED_BITS = ACC_BITS + (1 << SHIFT_BITS) - 1;
  localparam WIDER = (SHIFTED_BITS > V_BITS + 1) ? SHIFTED_BITS : V_BITS + 1;
  localparam U_BITS = (CURRENT != 0) ? WIDER + 1 : WIDER;

  wire negative = v[V_BITS-1];
  wire wrapping = (WRAP != 0) && overflow;

  // 1. The current, or what arrives alone.
  wire signed [U_BITS-1:0] came = {{(U_BITS - ACC_BITS) {arriving[ACC_BITS-1]}}, arriving} << input_shift;
  wire signed [U_BITS-1:0] exact_u;

  generate
    if (CURRENT != 0) begin : g_current
      // Product of magnitudes: toward zero means that the magnitude is rounded down.
      wire u_negative = u[V_BITS-1];
      wire [V_BITS-1:0] u_magnitude = u_negative ? -u : u;
      wire [V_BITS+12:0] product = {13'd0, u_magnitude} * {{V_BITS{1'b0}}, current_keep};
      wire [U_BITS-1:0] kept = {{(U_BITS - V_BITS - 1) {1'b0}}, product[V_BITS+12:12]};
      wire [11:0] unused_fraction = product[11:0];
      assign exact_u = came + (u_negative ? -kept : kept);
    end else begin : g_no_current
      wire unused_current = &{1'b0, u, current_keep};
      assign exact_u = came;
    end
  endgenerate

  // A value is out of range when the bits above the potential's sign are no copies of it.
  wire u_outside = exact_u[U_BITS-1:V_BITS-1] != {(U_BITS - V_BITS + 1) {exact_u[U_BITS-1]}};
  wire signed [V_BITS-1:0] new_u = (u_outside && !wrapping) ? {exact_u[U_BITS-1], {(V_BITS - 1) {!exact_u[U_BITS-1]}}}
                                                            : exact_u[V_BITS-1:0];

  // 2. The leak; a factor up to 8191/4096 needs one bit more than the potential.
  wire [V_BITS:0] wide_v = {negative, v};
  wire [V_BITS:0] by_factor, by_shift, by_constant;
  reg [V_BITS:0] leaked;

  generate
    if (FACTOR != 0) begin : g_factor
      wire [V_BITS-1:0] magnitude = negative ? -v : v;
      wire [V_BITS+12:0] product = {13'd0, magnitude} * {{V_BITS{1'b0}}, leak_amount[12:0]};
      wire [V_BITS:0] scaled = product[V_BITS+12:12];
      wire [11:0] unused_fraction = product[11:0];
      assign by_factor = negative ? -scaled : scaled;
    end else begin : g_no_factor
      assign by_factor = wide_v;
    end

    if (SHIFT != 0) begin : g_shift
      // v - toward_zero(v / 2**amount): the shift rounds down, so a negative part counts one less where a set bit was lost.
      localparam STEPS = ($clog2(V_BITS) < LEAK_BITS) ? $clog2(V_BITS) : LEAK_BITS;
      wire beyond = |(leak_amount >> STEPS);
      reg signed [V_BITS-1:0] part;
      reg lost;
      integer k;
      always @* begin
        part = v;
        lost = beyond;
        for (k = 0; k < STEPS; k = k + 1)
          if (leak_amount[k]) begin
            lost = lost | (|(part & ~({V_BITS{1'b1}} << (1 << k))));
            part = part >>> (1 << k);
          end
        if (beyond) part = {V_BITS{negative}};
      end
      wire whole = !(negative && lost);
      // One bit below carries `whole` in: two summands are one adder.
      wire [V_BITS+1:0] less = {wide_v, 1'b1} + {~{negative, part}, whole};
      wire unused_less = less[0];
      assign by_shift = less[V_BITS+1:1];
    end else begin : g_no_shift
      assign by_shift = wide_v;
    end

    if (CONSTANT != 0) begin : g_constant
      // A step that changes the sign has gone beyond zero.
      localparam STEP_BITS = ((LEAK_BITS > V_BITS) ? LEAK_BITS : V_BITS) + 1;
      wire [STEP_BITS-1:0] from = {{(STEP_BITS - V_BITS) {negative}}, v};
      wire [STEP_BITS-1:0] amount = {{(STEP_BITS - LEAK_BITS) {1'b0}}, leak_amount};
      wire [STEP_BITS-1:0] to = from + (negative ? amount : -amount);
      wire beyond = to[STEP_BITS-1] != negative;
      assign by_constant = beyond ? {(V_BITS + 1) {1'b0}} : to[V_BITS:0];
    end else begin : g_no_constant
      assign by_constant = wide_v;
    end
  endgenerate

  wire unused_leak = &{1'b0, leak_mode, leak_amount};
  always @* begin
    leaked = wide_v;
    if (SHIFT != 0 && (ONLY_LEAK || leak_mode == LEAK_SHIFT)) leaked = by_shift;
    if (FACTOR != 0 && (ONLY_LEAK || leak_mode == LEAK_SCALE)) leaked = by_factor;
    if (CONSTANT != 0 && (ONLY_LEAK || leak_mode == LEAK_CONSTANT)) leaked = by_constant;
  end

  // 3. The drive: current and bias are added while the leak is at work; kept, or synthesis makes one slower sum of all.
  (* keep *) wire signed [V_BITS:0] input_drive = {new_u[V_BITS-1], new_u} + {bias[V_BITS-1], bias};
  wire signed [V_BITS+1:0] sum = {leaked[V_BITS], leaked} + {input_drive[V_BITS], input_drive};

  wire signed [V_BITS+1:0] exact_v;
  wire signed [V_BITS-1:0] kept_u;
  wire signed [V_BITS:0] limit;
  wire [REF_BITS-1:0] counter;
  wire kept_u_outside;

  generate
    if (STAGES == 3) begin : g_cut
      reg signed [V_BITS+1:0] sum_cut;
      reg signed [V_BITS-1:0] u_cut;
      reg signed [V_BITS:0] limit_cut;
      reg [REF_BITS-1:0] counter_cut;
      reg u_outside_cut;
      always @(posedge clk)
        if (advance) begin
          sum_cut <= sum;
          u_cut <= new_u;
          limit_cut <= threshold;
          counter_cut <= refractory;
          u_outside_cut <= u_outside;
        end
      assign exact_v = sum_cut;
      assign kept_u = u_cut;
      assign limit = limit_cut;
      assign counter = counter_cut;
      assign kept_u_outside = u_outside_cut;
    end else begin : g_straight
      wire unused_clock = &{1'b0, clk, advance};
      assign exact_v = sum;
      assign kept_u = new_u;
      assign limit = threshold;
      assign counter = refractory;
      assign kept_u_outside = u_outside;
    end
  endgenerate

  wire v_outside = exact_v[V_BITS+1:V_BITS-1] != {3{exact_v[V_BITS+1]}};
  wire signed [V_BITS-1:0] driven = (v_outside && !wrapping) ? {exact_v[V_BITS+1], {(V_BITS - 1) {!exact_v[V_BITS+1]}}}
                                                             : exact_v[V_BITS-1:0];

  // 4. The comparison has a subtractor of its own, with `compare` as its carry: looking for zero in the other one takes longer. A
  // neuron that fires has above >= 0, so a soft reset can only leave the range upwards.
  wire [V_BITS+1:0] wide_driven = {{2{driven[V_BITS-1]}}, driven};
  wire [V_BITS+1:0] wide_limit = {limit[V_BITS], limit};
  wire [V_BITS+2:0] reached = {wide_driven, 1'b1} + {~wide_limit, compare};
  wire unused_reached = &{1'b0, reached};
  wire [V_BITS+1:0] above = wide_driven - wide_limit;
  wire ready = counter == {REF_BITS{1'b0}};
  wire fires = !reached[V_BITS+2];
  wire rest_outside = above[V_BITS+1:V_BITS-1] != 3'b000;
  wire [V_BITS-1:0] rested = (rest_outside && !wrapping) ? {1'b0, {(V_BITS - 1) {1'b1}}} : above[V_BITS-1:0];
  wire to_value = ready ? (fires && reset_mode == RESET_TO_VALUE) : 1'b1;
  wire subtracts = fires && reset_mode == RESET_SUBTRACT;

  assign spiked = ready && fires;
  assign next_u = kept_u;
  assign next_v = to_value ? reset_value : subtracts ? rested : driven;
  assign next_refractory = spiked ? period : ready ? {REF_BITS{1'b0}} : counter - {{(REF_BITS - 1) {1'b0}}, 1'b1};
  assign left_range = kept_u_outside || (ready && (v_outside || (subtracts && rest_outside)));
endmodule
