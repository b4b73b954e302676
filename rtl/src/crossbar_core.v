// A TrueNorth-style core: a binary crossbar, four axon types, one neuron after the other.
//
// Computes what the engine of neuroemu/families/truenorth computes, to the bit and with the same random numbers. Rows lie in the
// memory as the program image has them: the synapse bits of a neuron, its potential, parameters and destination. A spike that
// comes in sets a bit of the tick it is meant for; an end-of-tick marker starts the sweep over all neurons.
//
// Sweep of a neuron: read the row; keep the bits of active axons; one clock per such bit, lowest axon first, then per stochastic
// leak and threshold; leak, limit, compare and reset; write the row back; send the packet. docs/rtl.md has the cycle contract.
`include "tn_registers.vh"

module crossbar_core #(
    parameter NEURONS = 256,
    parameter AXONS = 256,
    parameter STOCHASTIC = 1,  // 0: without generator; rows must not ask for random numbers
    parameter DRAW_STEP = 8,  // bits of a 64-bit factor per clock: 1, 2, 4, 8, 16, 32 or 64
    parameter NEURON_BITS = (NEURONS > 1) ? $clog2(NEURONS) : 1
) (
    input wire clk,
    input wire rst,

    input wire in_valid,
    output wire in_ready,
    input wire in_last,
    input wire [7:0] in_axon,
    input wire [3:0] in_delay,

    output wire out_valid,
    input wire out_ready,
    output wire out_last,
    output wire [8:0] out_dx,
    output wire [8:0] out_dy,
    output wire [7:0] out_axon,
    output wire [3:0] out_delay,

    input wire cfg_valid,
    input wire cfg_write,
    input wire [11:0] cfg_addr,
    input wire [31:0] cfg_wdata,
    output wire cfg_ready,
    output wire [31:0] cfg_rdata,

    output wire upd_valid,
    output wire [NEURON_BITS-1:0] upd_neuron,
    output wire upd_spiked,
    output wire upd_left_range,
    output wire signed [19:0] upd_v
);
  // A build that does not fit the ports, or whose generator does not step through a word, names a module that does not exist.
  generate
    if (NEURONS < 1 || NEURONS > 256 || AXONS < 1 || AXONS > 256 || (STOCHASTIC != 0 && (DRAW_STEP < 1 || 64 % DRAW_STEP != 0)))
    begin : g_refused
      crossbar_core_parameters_out_of_range refused ();
    end
  endgenerate

  localparam RowBits = AXONS + `TN_ROW_FIELDS;
  // Rows stream through the configuration bus without padding, so many bits per clock as divide a row and a word.
  localparam Pace = (RowBits % 2 == 0) ? 2 : 1;
  localparam PositionBits = $clog2(RowBits / Pace);
  localparam TypeSpan = 16 * ((AXONS + 15) / 16);
  localparam SumBits = $clog2(255 * AXONS + 1) + 1;
  localparam [5:0] WordShifts = 32 / Pace;
  // Constants at 32 bits first: an assignment would have to cut them, a part-select says so.
  localparam [31:0] Neurons = NEURONS;
  localparam [31:0] NeuronsLess = NEURONS - 1;
  localparam [31:0] RowShiftsLess = RowBits / Pace - 1;
  localparam [31:0] Axons = AXONS;
  localparam [31:0] DrawStep = DRAW_STEP;
  localparam [NEURON_BITS-1:0] LastNeuron = NeuronsLess[NEURON_BITS-1:0];
  localparam [PositionBits-1:0] LastPosition = RowShiftsLess[PositionBits-1:0];
  localparam [0:0] Seeds = STOCHASTIC != 0;

  localparam [4:0] Clear = 5'd0;  // empty the slots of all ticks to come
  localparam [4:0] Idle = 5'd1;
  localparam [4:0] Mark = 5'd2;  // set a bit in the slot that was read
  localparam [4:0] Open = 5'd3;  // empty the slot of the tick that begins; what was read from it are the active axons
  localparam [4:0] Key = 5'd4;  // what the tick's random words are made from
  localparam [4:0] Read = 5'd5;
  localparam [4:0] Take = 5'd6;  // keep the synapses of active axons
  localparam [4:0] Seek = 5'd7;  // find the first of them
  localparam [4:0] Integrate = 5'd8;  // add its weight and find the next; at the end leak and threshold may draw
  localparam [4:0] Draw = 5'd9;
  localparam [4:0] Apply = 5'd10;  // use the random word
  localparam [4:0] Leak = 5'd11;  // the datapath's second stage; its first is the last clock of Integrate
  localparam [4:0] Limit = 5'd12;
  localparam [4:0] Update = 5'd13;
  localparam [4:0] Write = 5'd14;
  localparam [4:0] Send = 5'd15;
  localparam [4:0] Close = 5'd16;  // the end-of-tick marker goes out
  localparam [4:0] Fetch = 5'd17;  // configuration: read a row
  localparam [4:0] Fill = 5'd18;  // configuration: take it
  localparam [4:0] Shift = 5'd19;  // configuration: a word of the row stream
  localparam [4:0] Store = 5'd20;  // configuration: write a full row
  localparam [4:0] Served = 5'd21;

  reg [4:0] state;

  // ------------------------------------------------------------------------------------------------ configuration registers

  reg zero_clamp;
  reg ibm_clamp;
  reg ranc;
  reg rho_from_one;
  reg rho_span_255;
  reg encoded_reset;
  reg [31:0] core_seed;
  reg [31:0] run_seed;

  wire [3:0] region = cfg_addr[11:8];
  wire [7:0] offset = cfg_addr[7:0];
  wire serve = state == Idle && cfg_valid;
  wire at_rows = region == `TN_REGION_ROW;
  wire set_register = serve && cfg_write && region == `TN_REGION_REGISTER;
  wire clear = set_register && offset == `TN_REGISTER_CONTROL && cfg_wdata[0];

  always @(posedge clk)
    if (rst) begin
      {rho_span_255, rho_from_one, ranc, ibm_clamp, zero_clamp} <= 5'b01001;
      encoded_reset <= 1'b0;
      core_seed <= 32'd0;
      run_seed <= 32'd0;
    end else if (set_register)
      case (offset)
        `TN_REGISTER_RULES: {rho_span_255, rho_from_one, ranc, ibm_clamp, zero_clamp} <= cfg_wdata[4:0];
        `TN_REGISTER_CORE_SEED: core_seed <= cfg_wdata;
        `TN_REGISTER_CORE_FLAGS: encoded_reset <= cfg_wdata[0];
        `TN_REGISTER_RUN_SEED: run_seed <= cfg_wdata;
        default: ;
      endcase

  // Axon types enter and leave 16 at a time, lowest axons first; a type's two bits lie in two planes.
  reg [TypeSpan-1:0] type_low;
  reg [TypeSpan-1:0] type_high;
  wire [31:0] types_read;
  wire [15:0] types_low;
  wire [15:0] types_high;
  genvar entry;
  generate
    for (entry = 0; entry < 16; entry = entry + 1) begin : g_types
      assign types_read[2*entry+:2] = {type_high[entry], type_low[entry]};
      assign types_low[entry] = cfg_write ? cfg_wdata[2*entry] : type_low[entry];
      assign types_high[entry] = cfg_write ? cfg_wdata[2*entry+1] : type_high[entry];
    end
  endgenerate

  always @(posedge clk)
    if (serve && region == `TN_REGION_AXON_TYPE) begin
      type_low  <= (type_low >> 16) | ({{(TypeSpan - 16) {1'b0}}, types_low} << (TypeSpan - 16));
      type_high <= (type_high >> 16) | ({{(TypeSpan - 16) {1'b0}}, types_high} << (TypeSpan - 16));
    end

  // ------------------------------------------------------------------------------------------------ rows

  reg [NEURON_BITS-1:0] neuron;
  // Work: a neuron with the synapses that are still to be served, or a row on its way from or to the configuration bus.
  reg [RowBits-1:0] row;
  reg signed [19:0] new_v;
  wire [RowBits-1:0] stored;
  wire [`TN_ROW_FIELDS-1:0] field = row[RowBits-1:AXONS];
  wire row_write = state == Write || state == Store;
  wire row_enable = row_write || state == Read || state == Fetch;
  wire [RowBits-1:0] row_data = state == Store ? row : {stored[RowBits-1:AXONS+20], new_v, stored[AXONS-1:0]};

  sram_sp #(
      .WORDS(NEURONS),
      .WIDTH(RowBits)
  ) rows (
      .clk(clk),
      .enable(row_enable),
      .write(row_write),
      .address(neuron),
      .write_data(row_data),
      .read_data(stored)
  );

  // ------------------------------------------------------------------------------------------------ axon bits of 16 ticks

  reg [31:0] tick;  // the one that the next marker closes
  reg [3:0] slot;
  reg [7:0] axon;
  wire [AXONS-1:0] slot_data;
  wire [AXONS-1:0] mark = {{(AXONS - 1) {1'b0}}, 1'b1} << axon;
  wire accept = in_valid && in_ready;
  // A spike is sent in the tick that the last marker closed, and its delay counts from there.
  wire [3:0] in_slot = tick[3:0] + (in_last ? 4'd0 : in_delay - 4'd1);
  wire stray = !in_last && ({1'b0, in_axon} >= Axons[8:0] || in_delay == 4'd0);
  wire slot_write = state == Clear || state == Mark || state == Open;
  wire slot_enable = slot_write || accept && !stray;
  wire [3:0] slot_address = state == Idle ? in_slot : slot;
  wire [AXONS-1:0] slot_bits = state == Mark ? slot_data | mark : {AXONS{1'b0}};

  sram_sp #(
      .WORDS(16),
      .WIDTH(AXONS)
  ) slots (
      .clk(clk),
      .enable(slot_enable),
      .write(slot_write),
      .address(slot_address),
      .write_data(slot_bits),
      .read_data(slot_data)
  );

  // ------------------------------------------------------------------------------------------------ random numbers

  reg keyed;  // the first half of the tick's key is being made
  reg [63:0] key;
  reg [8:0] draw;
  wire drawing;
  wire drawn;
  wire [63:0] mixed;

  generate
    if (Seeds) begin : g_random
      wire second = state == Key && drawn && keyed;
      wire start = state == Open || second || drawing;
      wire [63:0] place = key ^ {{(32 - NEURON_BITS) {1'b0}}, neuron, 23'd0, draw};
      tn_random #(
          .STEP(DRAW_STEP)
      ) random (
          .clk(clk),
          .rst(rst),
          .start(start),
          .value(state == Open ? {run_seed, core_seed} : second ? mixed ^ {32'd0, tick} : place),
          .done(drawn),
          .mixed(mixed)
      );
    end else begin : g_without
      wire unused = &{1'b0, run_seed, core_seed, key, draw, drawing};
      assign drawn = 1'b0;
      assign mixed = 64'd0;
    end
  endgenerate

  // ------------------------------------------------------------------------------------------------ synapses, leak, threshold

  reg signed [SumBits-1:0] sum;
  reg signed [1:0] leak_drawn;
  reg leak_known;
  reg [17:0] eta;
  reg eta_known;

  wire [AXONS-1:0] hits = row[AXONS-1:0];
  wire [AXONS-1:0] served;
  wire [1:0] next_kind;
  tn_next_synapse #(
      .AXONS(AXONS)
  ) next_synapse (
      .bits(hits),
      .type_low(type_low[AXONS-1:0]),
      .type_high(type_high[AXONS-1:0]),
      .lowest(served),
      .kind(next_kind)
  );
  // One synapse is being integrated while the next is looked for.
  reg any;
  reg [1:0] kind;
  wire [3:0] dice_of = field[`TN_ROW_B0+:4];
  wire dice = Seeds && dice_of[kind];

  reg [8:0] weight;  // sign and magnitude
  always @*
    case (kind)
      2'd0: weight = field[`TN_ROW_S0+:9];
      2'd1: weight = field[`TN_ROW_S1+:9];
      2'd2: weight = field[`TN_ROW_S2+:9];
      default: weight = field[`TN_ROW_S3+:9];
    endcase
  wire [8:0] leak = field[`TN_ROW_LAMBDA+:9];
  wire [4:0] mask_bits = field[`TN_ROW_TM+:5];
  wire leak_waits = Seeds && field[`TN_ROW_C_LAMBDA] && !leak_known;
  wire eta_waits = Seeds && mask_bits != 5'd0 && !eta_known;
  assign drawing = state == Integrate && (any ? dice : leak_waits || eta_waits);

  wire signed [1:0] gated;
  wire [17:0] eta_drawn;
  wire [8:0] amount = any ? weight : leak;
  tn_dice die (
      .clk(clk),
      .word(mixed[63:32]),
      .from_one(rho_from_one),
      .span_255(rho_span_255),
      .negative(amount[8]),
      .magnitude(amount[7:0]),
      .mask_bits(mask_bits),
      .gated(gated),
      .eta(eta_drawn)
  );
  wire signed [8:0] weight_signed = weight[8] ? -{1'b0, weight[7:0]} : {1'b0, weight[7:0]};
  wire signed [8:0] leak_signed = leak[8] ? -{1'b0, leak[7:0]} : {1'b0, leak[7:0]};
  wire signed [8:0] leak_used = leak_known ? {{7{leak_drawn[1]}}, leak_drawn} : leak_signed;
  wire signed [8:0] addend = state == Apply ? {{7{gated[1]}}, gated} : weight_signed;
  wire integrated = any && (state == Integrate && !dice || state == Apply);

  // A core whose reset values are large stores VR for 2**VR - 1.
  wire [7:0] reset_stored = field[`TN_ROW_R+:8];
  wire [17:0] reset_power = ~(18'h3ffff << reset_stored);
  wire [18:0] reset_size = {1'b0, encoded_reset ? reset_power : {10'd0, reset_stored}};
  wire signed [18:0] reset_signed = field[`TN_ROW_SIGMA_R] ? -reset_size : reset_size;

  wire signed [19:0] next_v;
  wire next_spiked;
  wire next_left;
  tn_datapath #(
      .SUM_BITS(SumBits)
  ) datapath (
      .clk(clk),
      .v(field[`TN_ROW_V+:20]),
      .synaptic(sum),
      .leak(leak_used),
      .reversal(field[`TN_ROW_EPSILON]),
      .alpha(field[`TN_ROW_ALPHA+:18]),
      .beta(field[`TN_ROW_BETA+:18]),
      .eta(eta),
      .reset(reset_signed),
      .gamma(field[`TN_ROW_GAMMA+:2]),
      .kappa(field[`TN_ROW_KAPPA]),
      .zero_clamp(zero_clamp),
      .ibm_clamp(ibm_clamp),
      .ranc(ranc),
      .next_v(next_v),
      .spiked(next_spiked),
      .left_range(next_left)
  );

  // ------------------------------------------------------------------------------------------------ control

  reg new_spiked;
  reg new_left;
  reg reading;  // the row stream is being read, not written
  reg [PositionBits-1:0] position;
  reg [5:0] shifts;
  reg [31:0] window;
  wire row_ends = position == LastPosition;
  wire word_ends = shifts == 6'd1;
  wire final_neuron = neuron == LastNeuron;
  wire sends = new_spiked && field[`TN_ROW_DELAY+:4] != 4'd0;

  always @(posedge clk)
    if (rst) state <= Clear;
    else
      case (state)
        Clear: if (slot == 4'd15) state <= Idle;
        Idle:
        if (serve)
          state <= clear ? Clear : !at_rows ? Idle : !cfg_write && position == {PositionBits{1'b0}} ? Fetch : Shift;
        else if (accept) state <= in_last ? Open : stray ? Idle : Mark;
        Mark: state <= Idle;
        Open: state <= Seeds ? Key : Read;
        Key: if (drawn && !keyed) state <= Read;
        Read: state <= Take;
        Take: state <= Seek;
        Seek: state <= Integrate;
        Integrate: state <= drawing ? Draw : any ? Integrate : Leak;
        Draw: if (drawn) state <= Apply;
        Apply: state <= Integrate;
        Leak: state <= Limit;
        Limit: state <= Update;
        Update: state <= Write;
        Write: state <= sends ? Send : final_neuron ? Close : Read;
        Send: if (out_ready) state <= final_neuron ? Close : Read;
        Close: if (out_ready) state <= Idle;
        Fetch: state <= Fill;
        Fill: state <= Shift;
        Shift:
        if (row_ends && !reading) state <= Store;
        else if (word_ends) state <= Served;
        else if (row_ends) state <= Fetch;
        Store: state <= shifts == 6'd0 ? Served : Shift;
        default: state <= Idle;
      endcase

  wire next_row = state == Store || state == Shift && row_ends && reading;
  always @(posedge clk)
    if (rst || clear || state == Open || state == Close) neuron <= {NEURON_BITS{1'b0}};
    else if (set_register && offset == `TN_REGISTER_ROW) neuron <= cfg_wdata[NEURON_BITS-1:0];
    else if (next_row || state == Write && !sends || state == Send && out_ready)
      neuron <= final_neuron ? {NEURON_BITS{1'b0}} : neuron + {{(NEURON_BITS - 1) {1'b0}}, 1'b1};

  always @(posedge clk) begin
    if (state == Fill) row <= stored;
    else if (state == Shift) row <= {window[Pace-1:0], row[RowBits-1:Pace]};
    else if (state == Take) row <= {stored[RowBits-1:AXONS], stored[AXONS-1:0] & slot_data};
    else if (state == Seek || integrated) row[AXONS-1:0] <= hits & ~served;

    if (state == Seek || integrated) begin
      any  <= |hits;
      kind <= next_kind;
    end

    if (state == Idle) begin
      reading <= !cfg_write;
      shifts  <= WordShifts;
      window  <= cfg_wdata;
    end else if (state == Shift) begin
      shifts <= shifts - 6'd1;
      window <= {row[Pace-1:0], window[31:Pace]};
    end

    // Wherever `neuron` is set, the stream starts at that row's first bit.
    if (rst || clear || state == Open || set_register && offset == `TN_REGISTER_ROW) position <= {PositionBits{1'b0}};
    else if (state == Shift) position <= row_ends ? {PositionBits{1'b0}} : position + {{(PositionBits - 1) {1'b0}}, 1'b1};

    if (rst) slot <= 4'd0;
    else if (state == Idle) slot <= clear ? 4'd0 : in_slot;
    else if (state == Clear) slot <= slot + 4'd1;
    if (state == Idle) axon <= in_axon;

    if (state == Open) keyed <= 1'b1;
    else if (drawn) keyed <= 1'b0;
    if (state == Key && drawn) key <= mixed;

    if (state == Take) begin
      sum <= {SumBits{1'b0}};
      draw <= 9'd0;
      leak_known <= 1'b0;
      eta_known <= 1'b0;
      eta <= 18'd0;
    end
    if (integrated) sum <= sum + {{(SumBits - 9) {addend[8]}}, addend};
    if (state == Apply) begin
      draw <= draw + 9'd1;
      if (!any && leak_waits) begin
        leak_drawn <= gated;
        leak_known <= 1'b1;
      end else if (!any) begin
        eta <= eta_drawn;
        eta_known <= 1'b1;
      end
    end

    if (state == Update) begin
      new_v <= next_v;
      new_spiked <= next_spiked;
      new_left <= next_left;
    end
  end

  // ------------------------------------------------------------------------------------------------ counters

  reg error;
  reg [31:0] cycles;
  reg [31:0] stalls;
  reg [31:0] left_range;
  reg [31:0] merged;
  reg [31:0] synaptic_events;
  wire stalled = out_valid && !out_ready;
  wire working = accept || state >= Mark && state <= Close && !stalled;

  always @(posedge clk)
    if (rst || clear) begin
      error <= 1'b0;
      tick <= 32'd0;
      cycles <= 32'd0;
      stalls <= 32'd0;
      left_range <= 32'd0;
      merged <= 32'd0;
      synaptic_events <= 32'd0;
    end else begin
      if (accept && stray) error <= 1'b1;
      if (set_register && offset == `TN_REGISTER_TICK) tick <= cfg_wdata;
      else if (state == Close && out_ready) tick <= tick + 32'd1;
      if (working) cycles <= cycles + 32'd1;
      if (stalled) stalls <= stalls + 32'd1;
      if (state == Write && new_left) left_range <= left_range + 32'd1;
      if (state == Mark && |(slot_data & mark)) merged <= merged + 32'd1;
      if (integrated) synaptic_events <= synaptic_events + 32'd1;
    end

  // ------------------------------------------------------------------------------------------------ ports

  assign in_ready  = state == Idle && !cfg_valid;

  assign out_valid = state == Send || state == Close;
  assign out_last  = state == Close;
  assign out_dx    = field[`TN_ROW_DX+:9];
  assign out_dy    = field[`TN_ROW_DY+:9];
  assign out_axon  = field[`TN_ROW_AXON+:8];
  assign out_delay = field[`TN_ROW_DELAY+:4];

  reg [31:0] register;
  always @*
    case (offset)
      `TN_REGISTER_IDENTITY: register = `TN_IDENTITY;
      `TN_REGISTER_STATUS: register = {31'd0, error};
      `TN_REGISTER_BUILD_SIZE: register = {Axons[15:0], Neurons[15:0]};
      `TN_REGISTER_BUILD_RANDOM: register = {23'd0, Seeds, DrawStep[7:0]};
      `TN_REGISTER_RULES: register = {27'd0, rho_span_255, rho_from_one, ranc, ibm_clamp, zero_clamp};
      `TN_REGISTER_CORE_SEED: register = core_seed;
      `TN_REGISTER_CORE_FLAGS: register = {31'd0, encoded_reset};
      `TN_REGISTER_RUN_SEED: register = run_seed;
      `TN_REGISTER_TICK: register = tick;
      `TN_REGISTER_ROW: register = {{(32 - NEURON_BITS) {1'b0}}, neuron};
      `TN_REGISTER_CYCLES: register = cycles;
      `TN_REGISTER_STALLS: register = stalls;
      `TN_REGISTER_LEFT_RANGE: register = left_range;
      `TN_REGISTER_MERGED: register = merged;
      `TN_REGISTER_SYNAPTIC_EVENTS: register = synaptic_events;
      default: register = 32'd0;
    endcase

  assign cfg_ready = serve && !at_rows || state == Served;
  wire at_types = region == `TN_REGION_AXON_TYPE;
  wire at_registers = region == `TN_REGION_REGISTER;
  assign cfg_rdata = at_rows ? window : at_types ? types_read : at_registers ? register : 32'd0;

  assign upd_valid = state == Write;
  assign upd_neuron = neuron;
  assign upd_spiked = new_spiked;
  assign upd_left_range = new_left;
  assign upd_v = new_v;

`ifdef FORMAL
`include "crossbar_core_properties.vh"
`endif
endmodule
