// The open LIF core: one weight and one neuron per clock, address events in and out, a configuration bus.
//
// An event walks through its row of weights and adds them up; an end-of-tick marker starts a sweep over all neurons, whose
// spikes leave as packets in the order of neurons and routes, then the marker leaves. Cycles, stalls of the output aside:
//     event         1 + SIZE
//     tick          SIZE + routes sent + 3 + STAGES
// All walks share one counter and one pipeline: addresses are issued in `issue`, words are there one clock later (R), the
// results are written back at W. With STAGES = 1 W is R; with STAGES = 3 a register (M) and the cut of the datapath lie between.
// While packets wait or leave, the whole pipeline stands still; `advance` says that it moves.
`include "lif_registers.vh"
module lif_core #(
    parameter NEURONS = 256,
    parameter AXONS = 256,
    parameter WEIGHT_BITS = 8,
    parameter V_BITS = 16,
    parameter ACC_BITS = 16,
    parameter SHIFT_BITS = 3,
    parameter REF_BITS = 4,
    parameter START_BITS = 8,
    parameter ROUTES = 512,
    parameter CORE_BITS = 2,
    parameter TARGET_BITS = 8,
    parameter FACTOR = 0,
    parameter SHIFT = 1,
    parameter CONSTANT = 0,
    parameter CURRENT = 0,
    parameter WRAP = 0,
    parameter STAGES = 1,
    parameter COUNTERS = 1,
    // Widths that follow from the above: not to be set.
    parameter NEURON_BITS = (NEURONS > 1) ? $clog2(NEURONS) : 1,
    parameter AXON_BITS = (AXONS > 1) ? $clog2(AXONS) : 1,
    parameter ROUTE_BITS = (ROUTES > 1) ? $clog2(ROUTES) : 1,
    parameter WEIGHT_ADDRESS_BITS = (NEURONS * AXONS > 1) ? $clog2(NEURONS * AXONS) : 1,
    parameter WIDER_BITS = (WEIGHT_ADDRESS_BITS > ROUTE_BITS) ? WEIGHT_ADDRESS_BITS : ROUTE_BITS,
    parameter OFFSET_BITS = (WIDER_BITS > 4) ? WIDER_BITS : 4,
    parameter CFG_BITS = 4 + OFFSET_BITS
) (
    input wire clk,
    input wire rst,
    // address events in; with in_last the end of a tick
    input wire in_valid,
    output wire in_ready,
    input wire in_last,
    input wire [AXON_BITS-1:0] in_axon,
    // packets out; with out_last the end of a tick
    output wire out_valid,
    input wire out_ready,
    output wire out_last,
    output wire [CORE_BITS-1:0] out_core,
    output wire [TARGET_BITS-1:0] out_axon,
    // configuration bus: a request stays until cfg_ready
    input wire cfg_valid,
    input wire cfg_write,
    input wire [CFG_BITS-1:0] cfg_addr,
    input wire [31:0] cfg_wdata,
    output wire cfg_ready,
    output reg [31:0] cfg_rdata,
    // what a neuron's update writes back, for benches
    output wire upd_valid,
    output wire [NEURON_BITS-1:0] upd_neuron,
    output wire upd_spiked,
    output wire upd_left_range,
    output wire signed [V_BITS-1:0] upd_v,
    output wire signed [V_BITS-1:0] upd_u,
    output wire [REF_BITS-1:0] upd_refractory
);
  // A build that does not fit the bus words, or has another number of stages, names a module that does not exist.
  generate
    if ((STAGES != 1 && STAGES != 3) || NEURONS < 1 || NEURONS > 65535 || AXONS < 1 || AXONS > 65535 || ROUTES < 1
        || ROUTES > 65535 || WEIGHT_BITS < 2 || WEIGHT_BITS > 32 || V_BITS < 2 || V_BITS > 32 || ACC_BITS < 2 || ACC_BITS > 32
        || SHIFT_BITS < 1 || SHIFT_BITS > 5 || REF_BITS < 1 || REF_BITS > 16 || START_BITS < 1 || START_BITS > 31
        || CORE_BITS < 1 || CORE_BITS > 16 || TARGET_BITS < 1 || TARGET_BITS > 16) begin : g_refused
      lif_core_parameters_out_of_range refused ();
    end
  endgenerate

  localparam SIZE_BITS = NEURON_BITS + 1;
  localparam COUNT_BITS = $clog2(ROUTES + 1);
  localparam SHORT_LEAK_BITS = (FACTOR != 0) ? 13 : 5;
  localparam LEAK_BITS = (CONSTANT != 0 && V_BITS > SHORT_LEAK_BITS) ? V_BITS : SHORT_LEAK_BITS;
  localparam AMOUNT_BITS = (LEAK_BITS > 24) ? 24 : LEAK_BITS;
  localparam integer ALL_NEURONS = NEURONS;
  localparam integer ALL_AXONS = AXONS;

  localparam [2:0] CLEAR = 3'd0, IDLE = 3'd1, EVENT = 3'd2, SWEEP = 3'd3, CONFIG = 3'd4;

  reg [2:0] state;
  reg issue;
  reg [NEURON_BITS-1:0] neuron;
  wire advance;

  // Tokens: what was issued is at R, at W. The last one of a walk ends it.
  reg token_r, last_r;
  reg [NEURON_BITS-1:0] neuron_r;
  wire token_w, last_w;
  wire [NEURON_BITS-1:0] neuron_w;

  // ---- configuration requests ----------------------------------------------------------------------------------------
  wire [3:0] region = cfg_addr[CFG_BITS-1:OFFSET_BITS];
  wire [OFFSET_BITS-1:0] offset = cfg_addr[OFFSET_BITS-1:0];
  wire configuring = state == CONFIG;
  wire config_write = configuring && cfg_write;
  wire in_registers = region == `LIF_REGION_REGISTER;
  wire write_register = config_write && issue && in_registers;
  wire write_control = config_write && in_registers && offset[3:0] == `LIF_REGISTER_CONTROL && cfg_wdata[0];

  assign cfg_ready = configuring && last_w;

  // ---- registers -----------------------------------------------------------------------------------------------------
  reg [SIZE_BITS-1:0] size;
  reg [1:0] leak_mode;
  reg [AMOUNT_BITS-1:0] leak_amount;
  reg compare;
  reg [1:0] reset_mode;
  reg [SHIFT_BITS-1:0] input_shift;
  reg [REF_BITS-1:0] period;
  reg signed [V_BITS-1:0] reset_value;
  wire [12:0] current_keep;
  wire overflow;
  reg error;
  reg [START_BITS-1:0] tick;
  wire [31:0] cycles, stalls, left_range_events;

  wire write_size = write_register && offset[3:0] == `LIF_REGISTER_SIZE;
  wire write_mode = write_register && offset[3:0] == `LIF_REGISTER_MODE;
  wire good_size = cfg_wdata[15:0] != 16'd0 && cfg_wdata[15:0] <= ALL_NEURONS[15:0];

  always @(posedge clk)
    if (rst) begin
      size <= ALL_NEURONS[SIZE_BITS-1:0];
      leak_mode <= 2'd0;
      leak_amount <= {AMOUNT_BITS{1'b0}};
      compare <= 1'b0;
      reset_mode <= 2'd0;
      input_shift <= {SHIFT_BITS{1'b0}};
      period <= {REF_BITS{1'b0}};
      reset_value <= {V_BITS{1'b0}};
    end else begin
      if (write_size && good_size) size <= cfg_wdata[SIZE_BITS-1:0];
      if (write_register && offset[3:0] == `LIF_REGISTER_LEAK) begin
        leak_mode <= cfg_wdata[`LIF_LEAK_MODE_LOW+:2];
        leak_amount <= cfg_wdata[AMOUNT_BITS-1:0];
      end
      if (write_mode) begin
        compare <= cfg_wdata[0];
        reset_mode <= cfg_wdata[`LIF_MODE_RESET_LOW+:2];
        input_shift <= cfg_wdata[`LIF_MODE_INPUT_SHIFT_LOW+:SHIFT_BITS];
        period <= cfg_wdata[`LIF_MODE_PERIOD_LOW+:REF_BITS];
      end
      if (write_register && offset[3:0] == `LIF_REGISTER_RESET_VALUE) reset_value <= cfg_wdata[V_BITS-1:0];
    end

  generate
    if (CURRENT != 0) begin : g_current_keep
      reg [12:0] kept;
      always @(posedge clk)
        if (rst) kept <= 13'd0;
        else if (write_register && offset[3:0] == `LIF_REGISTER_CURRENT_KEEP) kept <= cfg_wdata[12:0];
      assign current_keep = kept;
    end else begin : g_no_current_keep
      assign current_keep = 13'd0;
    end
    if (WRAP != 0) begin : g_overflow
      reg wraps;
      always @(posedge clk)
        if (rst) wraps <= 1'b0;
        else if (write_mode) wraps <= cfg_wdata[`LIF_MODE_OVERFLOW_LOW];
      assign overflow = wraps;
    end else begin : g_no_overflow
      assign overflow = 1'b0;
    end
  endgenerate

  // ---- control -------------------------------------------------------------------------------------------------------
  wire serve = state == IDLE && cfg_valid;
  assign in_ready = state == IDLE && !cfg_valid;
  wire accept = in_ready && in_valid;
  wire known_axon = {{(32 - AXON_BITS) {1'b0}}, in_axon} < ALL_AXONS;
  wire take_event = accept && !in_last && known_axon;
  wire take_marker = accept && in_last;
  wire finish = out_valid && out_ready && out_last;

  wire [SIZE_BITS-1:0] following = {1'b0, neuron} + {{NEURON_BITS{1'b0}}, 1'b1};
  wire [SIZE_BITS-1:0] walk = (state == CLEAR) ? ALL_NEURONS[SIZE_BITS-1:0] : size;
  wire at_last = configuring || following == walk;

  always @(posedge clk)
    if (rst) begin
      state <= CLEAR;
      issue <= 1'b1;
      neuron <= {NEURON_BITS{1'b0}};
    end else begin
      if (state == IDLE) neuron <= serve ? offset[NEURON_BITS-1:0] : {NEURON_BITS{1'b0}};
      else if (issue && advance) neuron <= at_last ? {NEURON_BITS{1'b0}} : following[NEURON_BITS-1:0];

      if (state == IDLE) issue <= serve || take_event || take_marker;
      else if (configuring && last_w) issue <= write_control;
      else if (advance && at_last) issue <= 1'b0;

      case (state)
        CLEAR: if (last_w) state <= IDLE;
        EVENT: if (at_last) state <= IDLE;
        SWEEP: if (finish) state <= IDLE;
        CONFIG: if (last_w) state <= write_control ? CLEAR : IDLE;
        default:
        if (serve) state <= CONFIG;
        else if (take_event) state <= EVENT;
        else if (take_marker) state <= SWEEP;
      endcase
    end

  // An event has no last token: it is over when its last weight is issued, what is left to add cannot meet what comes next.
  wire in_walk = state == SWEEP || state == CLEAR || configuring;

  always @(posedge clk)
    if (rst) begin
      token_r <= 1'b0;
      last_r <= 1'b0;
      neuron_r <= {NEURON_BITS{1'b0}};
    end else if (advance) begin
      token_r <= issue;
      last_r <= issue && at_last && in_walk;
      neuron_r <= neuron;
    end

  // ---- weights and accumulators --------------------------------------------------------------------------------------
  // A weight is read one clock before its accumulator, the first one while the event is accepted, and waits in a register: the
  // sum then starts right behind the memory of accumulators.
  wire [WEIGHT_ADDRESS_BITS-1:0] weight_address;
  wire signed [WEIGHT_BITS-1:0] weight;
  reg signed [WEIGHT_BITS-1:0] weight_r;
  wire signed [ACC_BITS-1:0] accumulated;

  generate
    if (AXONS > 1 && (1 << NEURON_BITS) == NEURONS) begin : g_row_and_column
      reg [AXON_BITS-1:0] axon;
      wire [NEURON_BITS-1:0] ahead = configuring ? neuron : following[NEURON_BITS-1:0];
      always @(posedge clk) if (state == IDLE) axon <= serve ? offset[WEIGHT_ADDRESS_BITS-1:NEURON_BITS] : in_axon;
      assign weight_address = (state == IDLE) ? {in_axon, {NEURON_BITS{1'b0}}} : {axon, ahead};
    end else begin : g_running_address
      localparam integer PITCH = NEURONS;
      reg [WEIGHT_ADDRESS_BITS-1:0] running;
      wire [31:0] row = {{(32 - AXON_BITS) {1'b0}}, in_axon} * PITCH;
      wire unused_row = &{1'b0, row};
      always @(posedge clk) running <= serve ? offset[WEIGHT_ADDRESS_BITS-1:0] : weight_address + 1'b1;
      assign weight_address = (state == IDLE) ? row[WEIGHT_ADDRESS_BITS-1:0] : running;
    end
  endgenerate

  sram_sp #(
      .WORDS(NEURONS * AXONS),
      .WIDTH(WEIGHT_BITS)
  ) weights (
      .clk(clk),
      .enable(accept || state == EVENT || (configuring && issue)),
      .write(config_write && region == `LIF_REGION_WEIGHT),
      .address(weight_address),
      .write_data(cfg_wdata[WEIGHT_BITS-1:0]),
      .read_data(weight)
  );

  always @(posedge clk) weight_r <= weight;

  wire signed [ACC_BITS-1:0] widened;
  generate
    if (ACC_BITS > WEIGHT_BITS) begin : g_widened
      assign widened = {{(ACC_BITS - WEIGHT_BITS) {weight_r[WEIGHT_BITS-1]}}, weight_r};
    end else begin : g_narrowed
      wire unused_weight = &{1'b0, weight_r};
      assign widened = weight_r[ACC_BITS-1:0];
    end
  endgenerate

  wire write_accumulator = token_r && advance && (!configuring || (cfg_write && region == `LIF_REGION_ACCUMULATOR));
  wire clear_accumulator = state == SWEEP || state == CLEAR;

  sram_1r1w #(
      .WORDS(NEURONS),
      .WIDTH(ACC_BITS)
  ) accumulators (
      .clk(clk),
      .read_enable(issue && advance),
      .read_address(neuron),
      .read_data(accumulated),
      .write_enable(write_accumulator),
      .write_address(neuron_r),
      .write_data(clear_accumulator ? {ACC_BITS{1'b0}} : configuring ? cfg_wdata[ACC_BITS-1:0] : accumulated + widened)
  );

  // ---- neuron parameters ---------------------------------------------------------------------------------------------
  wire signed [V_BITS:0] threshold;
  wire signed [V_BITS-1:0] bias;
  wire [START_BITS-1:0] bias_start;
  wire [32:0] wide_wdata = {cfg_wdata[31], cfg_wdata};
  wire unused_wdata = &{1'b0, wide_wdata};

  sram_sp #(
      .WORDS(NEURONS),
      .WIDTH(V_BITS + 1)
  ) thresholds (
      .clk(clk),
      .enable(issue && advance),
      .write(config_write && region == `LIF_REGION_THRESHOLD),
      .address(neuron),
      .write_data(wide_wdata[V_BITS:0]),
      .read_data(threshold)
  );

  sram_sp #(
      .WORDS(NEURONS),
      .WIDTH(V_BITS)
  ) biases (
      .clk(clk),
      .enable(issue && advance),
      .write(config_write && region == `LIF_REGION_BIAS),
      .address(neuron),
      .write_data(cfg_wdata[V_BITS-1:0]),
      .read_data(bias)
  );

  sram_sp #(
      .WORDS(NEURONS),
      .WIDTH(START_BITS)
  ) bias_starts (
      .clk(clk),
      .enable(issue && advance),
      .write(config_write && region == `LIF_REGION_BIAS_START),
      .address(neuron),
      .write_data(cfg_wdata[START_BITS-1:0]),
      .read_data(bias_start)
  );

  wire signed [V_BITS-1:0] due_bias = (tick >= bias_start) ? bias : {V_BITS{1'b0}};

  // ---- state ---------------------------------------------------------------------------------------------------------
  wire signed [V_BITS-1:0] v, u, next_v, next_u;
  wire [REF_BITS-1:0] refractory, next_refractory;
  wire spiked, left_range;
  // A clear and the bus write a potential through the datapath: it sees a neuron that rests for one more tick, with what is to
  // be written as its reset value. That spares a multiplexer behind the longest path.
  wire signed [V_BITS-1:0] rest_value = configuring ? cfg_wdata[V_BITS-1:0] : (state == CLEAR) ? {V_BITS{1'b0}} : reset_value;
  wire [REF_BITS-1:0] counted = (state == SWEEP) ? refractory : {{(REF_BITS - 1) {1'b0}}, 1'b1};
  wire write_back = token_w && advance && state == SWEEP;
  wire zero = token_w && state == CLEAR;
  wire set_state = token_w && config_write;

  sram_1r1w #(
      .WORDS(NEURONS),
      .WIDTH(V_BITS)
  ) potentials (
      .clk(clk),
      .read_enable(issue && advance),
      .read_address(neuron),
      .read_data(v),
      .write_enable(write_back || zero || (set_state && region == `LIF_REGION_POTENTIAL)),
      .write_address(neuron_w),
      .write_data(next_v)
  );

  sram_1r1w #(
      .WORDS(NEURONS),
      .WIDTH(REF_BITS)
  ) refractories (
      .clk(clk),
      .read_enable(issue && advance),
      .read_address(neuron),
      .read_data(refractory),
      .write_enable(write_back || zero || (set_state && region == `LIF_REGION_REFRACTORY)),
      .write_address(neuron_w),
      .write_data(configuring ? cfg_wdata[REF_BITS-1:0] : next_refractory)
  );

  generate
    if (CURRENT != 0) begin : g_currents
      sram_1r1w #(
          .WORDS(NEURONS),
          .WIDTH(V_BITS)
      ) currents (
          .clk(clk),
          .read_enable(issue && advance),
          .read_address(neuron),
          .read_data(u),
          .write_enable(write_back || zero || (set_state && region == `LIF_REGION_CURRENT)),
          .write_address(neuron_w),
          .write_data((state == CLEAR) ? {V_BITS{1'b0}} : configuring ? cfg_wdata[V_BITS-1:0] : next_u)
      );
    end else begin : g_no_currents
      assign u = {V_BITS{1'b0}};
    end
  endgenerate

  // ---- pipeline and datapath -----------------------------------------------------------------------------------------
  wire signed [V_BITS-1:0] operand_v, operand_u, operand_bias;
  wire signed [V_BITS:0] operand_threshold;
  wire [REF_BITS-1:0] operand_refractory;
  wire signed [ACC_BITS-1:0] operand_arrived;
  // Route lists are read one clock before W, so that nothing carries them along.
  wire list_enable;
  wire [NEURON_BITS-1:0] list_neuron;

  generate
    if (STAGES == 3) begin : g_three_stages
      reg token_m, last_m, token_d, last_d;
      reg [NEURON_BITS-1:0] neuron_m, neuron_d;
      reg signed [V_BITS-1:0] v_m, u_m, bias_m;
      reg signed [V_BITS:0] threshold_m;
      reg [REF_BITS-1:0] refractory_m;
      reg signed [ACC_BITS-1:0] arrived_m;
      always @(posedge clk)
        if (rst) begin
          token_m <= 1'b0;
          last_m <= 1'b0;
          token_d <= 1'b0;
          last_d <= 1'b0;
        end else if (advance) begin
          // What an event has issued ends at R.
          token_m <= token_r && in_walk;
          last_m <= last_r;
          token_d <= token_m;
          last_d <= last_m;
        end
      always @(posedge clk)
        if (advance) begin
          neuron_m <= neuron_r;
          neuron_d <= neuron_m;
          v_m <= v;
          u_m <= u;
          bias_m <= due_bias;
          threshold_m <= threshold;
          refractory_m <= counted;
          arrived_m <= accumulated;
        end
      assign token_w = token_d;
      assign last_w = last_d;
      assign neuron_w = neuron_d;
      assign operand_v = v_m;
      assign operand_u = u_m;
      assign operand_bias = bias_m;
      assign operand_threshold = threshold_m;
      assign operand_refractory = refractory_m;
      assign operand_arrived = arrived_m;
      assign list_enable = token_m && advance;
      assign list_neuron = neuron_m;
    end else begin : g_one_stage
      assign token_w = token_r && in_walk;
      assign last_w = last_r;
      assign neuron_w = neuron_r;
      assign operand_v = v;
      assign operand_u = u;
      assign operand_bias = due_bias;
      assign operand_threshold = threshold;
      assign operand_refractory = counted;
      assign operand_arrived = accumulated;
      assign list_enable = issue && advance;
      assign list_neuron = neuron;
    end
  endgenerate

  wire [LEAK_BITS-1:0] wide_leak_amount;
  generate
    if (LEAK_BITS > AMOUNT_BITS) begin : g_wide_amount
      assign wide_leak_amount = {{(LEAK_BITS - AMOUNT_BITS) {1'b0}}, leak_amount};
    end else begin : g_amount
      assign wide_leak_amount = leak_amount;
    end
  endgenerate

  lif_datapath #(
      .V_BITS(V_BITS),
      .ACC_BITS(ACC_BITS),
      .SHIFT_BITS(SHIFT_BITS),
      .REF_BITS(REF_BITS),
      .FACTOR(FACTOR),
      .SHIFT(SHIFT),
      .CONSTANT(CONSTANT),
      .CURRENT(CURRENT),
      .WRAP(WRAP),
      .STAGES(STAGES),
      .LEAK_BITS(LEAK_BITS)
  ) datapath (
      .clk(clk),
      .advance(advance),
      .u(operand_u),
      .v(operand_v),
      .refractory(operand_refractory),
      .arriving(operand_arrived),
      .bias(operand_bias),
      .threshold(operand_threshold),
      .input_shift(input_shift),
      .current_keep(current_keep),
      .leak_mode(leak_mode),
      .leak_amount(wide_leak_amount),
      .compare(compare),
      .reset_mode(reset_mode),
      .reset_value(rest_value),
      .period(period),
      .overflow(overflow),
      .next_u(next_u),
      .next_v(next_v),
      .next_refractory(next_refractory),
      .spiked(spiked),
      .left_range(left_range)
  );

  assign upd_valid = write_back;
  assign upd_neuron = neuron_w;
  assign upd_spiked = spiked;
  assign upd_left_range = left_range;
  assign upd_v = next_v;
  assign upd_u = next_u;
  assign upd_refractory = next_refractory;

  // ---- packets -------------------------------------------------------------------------------------------------------
  wire [ROUTE_BITS-1:0] first_route;
  wire [COUNT_BITS-1:0] route_count;
  reg [ROUTE_BITS-1:0] next_route;
  reg [COUNT_BITS-1:0] to_send;
  reg last_s;
  reg packet_valid, packet_last;

  sram_sp #(
      .WORDS(NEURONS),
      .WIDTH(COUNT_BITS + ROUTE_BITS)
  ) route_lists (
      .clk(clk),
      .enable(list_enable),
      .write(config_write && region == `LIF_REGION_ROUTE_LIST),
      .address(list_neuron),
      .write_data({cfg_wdata[`LIF_ROUTE_LIST_COUNT_LOW+:COUNT_BITS], cfg_wdata[ROUTE_BITS-1:0]}),
      .read_data({route_count, first_route})
  );

  // The first route of the neuron at W is always fetched, so that its packet is there if it spikes.
  wire sent = packet_valid && out_ready;
  wire [ROUTE_BITS-1:0] route_address = (state == SWEEP && advance) ? first_route : next_route;

  sram_sp #(
      .WORDS(ROUTES),
      .WIDTH(CORE_BITS + TARGET_BITS)
  ) routes (
      .clk(clk),
      .enable(configuring ? issue : (token_w && advance) || sent),
      .write(config_write && region == `LIF_REGION_ROUTE),
      .address(route_address),
      .write_data({cfg_wdata[`LIF_ROUTE_CORE_LOW+:CORE_BITS], cfg_wdata[TARGET_BITS-1:0]}),
      .read_data({out_core, out_axon})
  );

  assign out_valid = packet_valid;
  assign out_last = packet_last;
  assign advance = !packet_valid;

  always @(posedge clk) begin
    if (state == IDLE) next_route <= offset[ROUTE_BITS-1:0];
    else if (advance || out_ready) next_route <= route_address + 1'b1;
    to_send <= advance ? route_count : to_send - {{(COUNT_BITS - 1) {1'b0}}, out_ready};
    if (rst) begin
      last_s <= 1'b0;
      packet_valid <= 1'b0;
      packet_last <= 1'b0;
    end else if (advance) begin
      last_s <= last_w && state == SWEEP;
      packet_valid <= last_s || (write_back && spiked && route_count != {COUNT_BITS{1'b0}});
      packet_last <= last_s;
    end else if (out_ready) begin
      packet_valid <= !packet_last && to_send != {{(COUNT_BITS - 1) {1'b0}}, 1'b1};
      packet_last <= 1'b0;
    end
  end

  // ---- tick, counters, error -----------------------------------------------------------------------------------------
  wire refused = (accept && !in_last && !known_axon) || (write_size && !good_size);

  always @(posedge clk)
    if (rst || state == CLEAR) begin
      tick <= {START_BITS{1'b0}};
      error <= 1'b0;
    end else begin
      if (finish && tick != {START_BITS{1'b1}}) tick <= tick + {{(START_BITS - 1) {1'b0}}, 1'b1};
      if (refused) error <= 1'b1;
    end

  generate
    if (COUNTERS != 0) begin : g_counters
      reg [31:0] cycle_counter, stall_counter, left_range_counter;
      // Counted one clock later: the datapath says it late.
      reg leaves_range;
      wire stalled = packet_valid && !out_ready;
      wire busy = accept || state == EVENT || (state == SWEEP && !stalled);
      always @(posedge clk) leaves_range <= write_back && left_range;
      always @(posedge clk)
        if (rst || state == CLEAR) begin
          cycle_counter <= 32'd0;
          stall_counter <= 32'd0;
          left_range_counter <= 32'd0;
        end else begin
          cycle_counter <= cycle_counter + {31'd0, busy};
          stall_counter <= stall_counter + {31'd0, stalled};
          left_range_counter <= left_range_counter + {31'd0, leaves_range};
        end
      assign cycles = cycle_counter;
      assign stalls = stall_counter;
      assign left_range_events = left_range_counter;
    end else begin : g_no_counters
      assign cycles = 32'd0;
      assign stalls = 32'd0;
      assign left_range_events = 32'd0;
    end
  endgenerate

  // ---- reading back --------------------------------------------------------------------------------------------------
  localparam integer BUILD_ROUTES = ROUTES | (CORE_BITS << `LIF_BUILD_ROUTES_CORE_BITS_LOW)
      | (TARGET_BITS << `LIF_BUILD_ROUTES_TARGET_BITS_LOW);
  localparam integer BUILD_WIDTHS = WEIGHT_BITS | (V_BITS << `LIF_BUILD_WIDTHS_POTENTIAL_BITS_LOW)
      | (ACC_BITS << `LIF_BUILD_WIDTHS_ACCUMULATOR_BITS_LOW) | (SHIFT_BITS << `LIF_BUILD_WIDTHS_SHIFT_BITS_LOW)
      | (REF_BITS << `LIF_BUILD_WIDTHS_REFRACTORY_BITS_LOW) | (START_BITS << `LIF_BUILD_WIDTHS_START_BITS_LOW);
  localparam integer BUILD_FEATURES = ((FACTOR != 0) ? 1 : 0) | ((SHIFT != 0) ? 1 << `LIF_BUILD_FEATURES_SHIFT_LOW : 0)
      | ((CONSTANT != 0) ? 1 << `LIF_BUILD_FEATURES_CONSTANT_LOW : 0)
      | ((CURRENT != 0) ? 1 << `LIF_BUILD_FEATURES_CURRENT_LOW : 0) | ((WRAP != 0) ? 1 << `LIF_BUILD_FEATURES_WRAP_LOW : 0)
      | (STAGES << `LIF_BUILD_FEATURES_STAGES_LOW) | ((COUNTERS != 0) ? 1 << `LIF_BUILD_FEATURES_COUNTERS_LOW : 0);

  // Room above every width, so that a replication is never empty.
  wire [33:0] wide_weight = {{(34 - WEIGHT_BITS) {weight[WEIGHT_BITS-1]}}, weight};
  wire [33:0] wide_threshold = {{(33 - V_BITS) {threshold[V_BITS]}}, threshold};
  wire [33:0] wide_bias = {{(34 - V_BITS) {bias[V_BITS-1]}}, bias};
  wire [33:0] wide_v = {{(34 - V_BITS) {v[V_BITS-1]}}, v};
  wire [33:0] wide_u = {{(34 - V_BITS) {u[V_BITS-1]}}, u};
  wire [33:0] wide_accumulated = {{(34 - ACC_BITS) {accumulated[ACC_BITS-1]}}, accumulated};
  wire [33:0] wide_reset_value = {{(34 - V_BITS) {reset_value[V_BITS-1]}}, reset_value};
  wire unused_above = &{1'b0, wide_weight, wide_threshold, wide_bias, wide_v, wide_u, wide_accumulated, wide_reset_value};

  reg [31:0] register_word;
  always @* begin
    register_word = 32'd0;
    case (offset[3:0])
      `LIF_REGISTER_IDENTITY: register_word = `LIF_IDENTITY;
      `LIF_REGISTER_STATUS: begin
        register_word[0] = 1'b1;
        register_word[`LIF_STATUS_ERROR_LOW] = error;
      end
      `LIF_REGISTER_SIZE: register_word[SIZE_BITS-1:0] = size;
      `LIF_REGISTER_LEAK: begin
        register_word[AMOUNT_BITS-1:0] = leak_amount;
        register_word[`LIF_LEAK_MODE_LOW+:2] = leak_mode;
      end
      `LIF_REGISTER_MODE: begin
        register_word[0] = compare;
        register_word[`LIF_MODE_RESET_LOW+:2] = reset_mode;
        register_word[`LIF_MODE_OVERFLOW_LOW] = overflow;
        register_word[`LIF_MODE_INPUT_SHIFT_LOW+:SHIFT_BITS] = input_shift;
        register_word[`LIF_MODE_PERIOD_LOW+:REF_BITS] = period;
      end
      `LIF_REGISTER_RESET_VALUE: register_word = wide_reset_value[31:0];
      `LIF_REGISTER_CURRENT_KEEP: register_word[12:0] = current_keep;
      `LIF_REGISTER_TICK: register_word[START_BITS-1:0] = tick;
      `LIF_REGISTER_CYCLES: register_word = cycles;
      `LIF_REGISTER_STALLS: register_word = stalls;
      `LIF_REGISTER_LEFT_RANGE: register_word = left_range_events;
      `LIF_REGISTER_BUILD_SIZE: register_word = {ALL_AXONS[15:0], ALL_NEURONS[15:0]};
      `LIF_REGISTER_BUILD_ROUTES: register_word = BUILD_ROUTES;
      `LIF_REGISTER_BUILD_WIDTHS: register_word = BUILD_WIDTHS;
      `LIF_REGISTER_BUILD_FEATURES: register_word = BUILD_FEATURES;
      default: register_word = 32'd0;
    endcase
  end

  always @* begin
    cfg_rdata = 32'd0;
    case (region)
      `LIF_REGION_REGISTER: cfg_rdata = register_word;
      `LIF_REGION_WEIGHT: cfg_rdata = wide_weight[31:0];
      `LIF_REGION_THRESHOLD: cfg_rdata = wide_threshold[31:0];
      `LIF_REGION_BIAS: cfg_rdata = wide_bias[31:0];
      `LIF_REGION_BIAS_START: cfg_rdata[START_BITS-1:0] = bias_start;
      `LIF_REGION_POTENTIAL: cfg_rdata = wide_v[31:0];
      `LIF_REGION_CURRENT: cfg_rdata = wide_u[31:0];
      `LIF_REGION_REFRACTORY: cfg_rdata[REF_BITS-1:0] = refractory;
      `LIF_REGION_ACCUMULATOR: cfg_rdata = wide_accumulated[31:0];
      `LIF_REGION_ROUTE_LIST: begin
        cfg_rdata[ROUTE_BITS-1:0] = first_route;
        cfg_rdata[`LIF_ROUTE_LIST_COUNT_LOW+:COUNT_BITS] = route_count;
      end
      `LIF_REGION_ROUTE: begin
        cfg_rdata[TARGET_BITS-1:0] = out_axon;
        cfg_rdata[`LIF_ROUTE_CORE_LOW+:CORE_BITS] = out_core;
      end
      default: cfg_rdata = 32'd0;
    endcase
  end

`ifdef FORMAL
`include "lif_core_properties.vh"
`endif
endmodule
