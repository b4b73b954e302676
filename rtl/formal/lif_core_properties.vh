// What the controller of lif_core promises; included by lif_core.v under FORMAL and proved by lif_core.sby.
//
// One ghost counter, f_steps, says how often the pipeline has moved since the walk began; every stage follows from it. That
// makes the promises below inductive. Ghosts are called f_*; they add nothing to the circuit.
  reg f_was_reset = 1'b0;
  reg [7:0] f_steps, f_updates, f_due, f_sent, f_busy, f_age, f_additions, f_config_age;
  reg [31:0] f_contract;
  reg [AXON_BITS-1:0] f_axon;
  reg [7:0] f_weight_read, f_weight_used;
  reg [NEURON_BITS-1:0] f_operand, f_list;
  reg [ROUTE_BITS-1:0] f_route_read, f_first;
  reg [COUNT_BITS-1:0] f_count;
  reg f_markers_owed, f_stalled, f_finished_one;
  (* anyconst *) reg [NEURON_BITS-1:0] f_any;
  reg f_zero_v, f_zero_refractory, f_zero_accumulator;

  localparam [7:0] F_DEPTH = STAGES;
  localparam [7:0] F_ALL = NEURONS;
  localparam [7:0] F_MOST_ROUTES = (1 << COUNT_BITS) - 1;
  wire [7:0] f_size = {{(8 - SIZE_BITS) {1'b0}}, size};
  wire [7:0] f_walk = configuring ? 8'd1 : (state == CLEAR) ? F_ALL : f_size;
  wire [7:0] f_neuron = {{(8 - NEURON_BITS) {1'b0}}, neuron};
  wire [7:0] f_neuron_r = {{(8 - NEURON_BITS) {1'b0}}, neuron_r};
  wire [7:0] f_neuron_w = {{(8 - NEURON_BITS) {1'b0}}, neuron_w};
  wire f_packet = packet_valid && !packet_last;
  wire f_adds = write_accumulator && (state == EVENT || state == IDLE);

  // ---- the world around: it starts with a reset; a configuration request stays until it is answered -------------------
  initial assume (rst);
  always @(posedge clk)
    if (f_was_reset && $past(cfg_valid && !cfg_ready && !rst))
      assume (cfg_valid && $stable(cfg_write) && $stable(cfg_addr) && $stable(cfg_wdata));

  // ---- ghosts --------------------------------------------------------------------------------------------------------
  always @(posedge clk) begin
    if (rst) f_was_reset <= 1'b1;
    if (rst || state == IDLE || (configuring && last_w)) f_steps <= 8'd0;
    else if (advance) f_steps <= f_steps + 8'd1;

    if (rst || take_marker) begin
      f_updates <= 8'd0;
      f_due <= 8'd0;
      f_sent <= 8'd0;
      f_busy <= 8'd1;
      f_stalled <= 1'b0;
    end else begin
      if (upd_valid) f_updates <= f_updates + 8'd1;
      if (upd_valid && upd_spiked) f_due <= f_due + {{(8 - COUNT_BITS) {1'b0}}, route_count};
      if (out_valid && out_ready && !out_last) f_sent <= f_sent + 8'd1;
      if (!(out_valid && !out_ready)) f_busy <= f_busy + 8'd1;
      if (out_valid && !out_ready) f_stalled <= 1'b1;
    end

    if (take_event) begin
      f_axon <= in_axon;
      f_age <= 8'd1;
      f_additions <= 8'd0;
    end else begin
      f_age <= f_age + 8'd1;
      if (f_adds) f_additions <= f_additions + 8'd1;
    end
    f_config_age <= serve ? 8'd1 : f_config_age + 8'd1;

    // What the contract says was worth counting until the last event or tick was over.
    if (rst || state == CLEAR) f_contract <= 32'd0;
    else if (accept && !in_last && !known_axon) f_contract <= f_contract + 32'd1;
    else if (state == EVENT && at_last) f_contract <= f_contract + 32'd1 + {24'd0, f_size};
    else if (finish) f_contract <= f_contract + {24'd0, f_size} + {24'd0, f_sent} + 32'd3 + STAGES;

    // Addresses of what the memories show.
    if (accept || state == EVENT) f_weight_read <= {{(8 - WEIGHT_ADDRESS_BITS) {1'b0}}, weight_address};
    f_weight_used <= f_weight_read;
    if (issue && advance) f_operand <= neuron;
    if (list_enable) f_list <= list_neuron;
    if ((token_w && advance) || sent) f_route_read <= route_address;
    if (upd_valid && upd_spiked) begin
      f_first <= first_route;
      f_count <= route_count;
    end

    if (rst) f_markers_owed <= 1'b0;
    else f_markers_owed <= f_markers_owed + take_marker - (out_valid && out_ready && out_last);
    if (rst) f_finished_one <= 1'b0;
    else if (finish) f_finished_one <= 1'b1;

    if (rst || !(state == CLEAR)) {f_zero_v, f_zero_refractory, f_zero_accumulator} <= 3'b000;
    else begin
      if (zero && neuron_w == f_any && next_v == {V_BITS{1'b0}}) f_zero_v <= 1'b1;
      if (zero && neuron_w == f_any && next_refractory == {REF_BITS{1'b0}}) f_zero_refractory <= 1'b1;
      if (write_accumulator && neuron_r == f_any && clear_accumulator) f_zero_accumulator <= 1'b1;
    end
  end

  always @(posedge clk)
    if (f_was_reset) begin
      // ---- states and stages: everything follows from f_steps ----------------------------------------------------------
      assert (state <= CONFIG);
      assert (size != {SIZE_BITS{1'b0}} && size <= ALL_NEURONS[SIZE_BITS-1:0]);
      if (state == IDLE) assert (!issue && !last_r && !last_w && !token_w && !last_s && !packet_valid);
      if (state == EVENT) begin
        assert (issue && f_steps < f_size && f_neuron == f_steps && token_r == (f_steps != 8'd0));
        assert (!last_r && !token_w && !last_w && !last_s && !packet_valid);
        if (token_r) assert (f_neuron_r + 8'd1 == f_steps);
      end
      if (in_walk) begin
        assert (issue == (f_steps < f_walk));
        assert (token_r == (f_steps >= 8'd1 && f_steps <= f_walk));
        assert (last_r == (f_steps == f_walk));
        assert (token_w == (f_steps >= F_DEPTH && f_steps < f_walk + F_DEPTH));
        assert (last_w == (f_steps + 8'd1 == f_walk + F_DEPTH));
        assert (last_s == (state == SWEEP && f_steps == f_walk + F_DEPTH));
        assert (packet_last == (state == SWEEP && f_steps == f_walk + F_DEPTH + 8'd1));
        assert (f_steps <= ((state == SWEEP) ? f_walk + F_DEPTH + 8'd1 : f_walk + F_DEPTH - 8'd1));
        if (!configuring) begin
          if (issue) assert (f_neuron == f_steps);
          if (token_r) assert (f_neuron_r + 8'd1 == f_steps);
          if (token_w) assert (f_neuron_w + F_DEPTH == f_steps);
        end else begin
          if (issue) assert (neuron == offset[NEURON_BITS-1:0]);
          if (token_r) assert (neuron_r == offset[NEURON_BITS-1:0]);
          if (token_w) assert (neuron_w == offset[NEURON_BITS-1:0]);
        end
      end
      if (state != SWEEP) assert (!packet_valid);
      if (packet_last) assert (packet_valid);

      // ---- handshakes --------------------------------------------------------------------------------------------------
      if ($past(out_valid && !out_ready && !rst)) begin
        assert (out_valid && $stable(out_last) && $stable(out_core) && $stable(out_axon));
      end
      if (in_ready) assert (state == IDLE && !cfg_valid && !out_valid && !issue && !token_w);
      if (cfg_ready) assert (cfg_valid && !in_ready && !out_valid && f_config_age == 8'd1 + F_DEPTH);
      if (configuring) assert (cfg_valid && f_config_age == 8'd1 + f_steps);

      // ---- one marker out for one in, and packets neither lost nor invented ----------------------------------------------
      assert (f_markers_owed == (state == SWEEP));
      if (state == SWEEP) begin
        assert (f_due == f_sent + (f_packet ? {{(8 - COUNT_BITS) {1'b0}}, to_send} : 8'd0));
        assert (f_sent <= f_due && f_due <= f_updates * F_MOST_ROUTES);
        if (f_packet) assert (to_send != {COUNT_BITS{1'b0}});
      end
      if (out_valid && out_last) assert (f_sent == f_due && f_updates == f_size);
      // They are the routes of the neuron's list, in order.
      if (in_walk && token_w) assert (f_list == neuron_w);
      if (f_packet) begin
        assert (f_route_read == f_first + (f_count[ROUTE_BITS-1:0] - to_send[ROUTE_BITS-1:0]));
        assert (next_route == f_route_read + 1'b1);
      end

      // ---- each neuron once per sweep, in order, with its own operands ---------------------------------------------------
      if (upd_valid) assert ({{(8 - NEURON_BITS) {1'b0}}, upd_neuron} == f_updates);
      if (state == SWEEP) begin
        assert (f_updates == ((f_steps < F_DEPTH) ? 8'd0 : (f_steps - F_DEPTH < f_size) ? f_steps - F_DEPTH : f_size));
      end
      if (token_r) assert (f_operand == neuron_r);

      // ---- an event adds each weight of its row once, in order -----------------------------------------------------------
      if (state == EVENT) begin
        assert (f_weight_read == {{(8 - AXON_BITS) {1'b0}}, f_axon} * F_ALL + f_steps);
        assert (f_additions + (token_r ? 8'd1 : 8'd0) == f_steps);
      end
      if (f_adds) begin
        assert (f_weight_used == {{(8 - AXON_BITS) {1'b0}}, f_axon} * F_ALL + f_neuron_r);
        assert (f_neuron_r == f_additions);
      end
      if (state == IDLE && token_r) assert (f_additions + 8'd1 == f_size);

      // ---- no memory is read where it is written -------------------------------------------------------------------------
      if (issue && advance && write_accumulator) assert (neuron != neuron_r);
      if (issue && advance && (write_back || zero || set_state)) assert (neuron != neuron_w);

      // ---- nothing hangs: each cycle of a sweep in which the output is taken moves the pipeline or sends a packet ------------
      if ($past(state == SWEEP && (!out_valid || out_ready) && !rst)) begin
        assert (state == IDLE || f_steps == $past(f_steps) + 8'd1 || f_sent == $past(f_sent) + 8'd1);
      end

      // ---- only the bus writes registers, and only where it is told to ------------------------------------------------------
      if (!$past(rst) && !$past(write_register)) begin
        assert ($stable(size) && $stable(leak_mode) && $stable(leak_amount) && $stable(compare) && $stable(reset_mode));
        assert ($stable(input_shift) && $stable(period) && $stable(reset_value));
      end
      if (write_register) assert (cfg_valid && cfg_write && region == `LIF_REGION_REGISTER);

      // ---- the cycle contract --------------------------------------------------------------------------------------------
      if (state == EVENT) assert (f_age == 8'd1 + f_steps);
      if ($past(state) == EVENT && state == IDLE && !$past(rst)) assert (f_age == 8'd1 + f_size);
      if (state == SWEEP) assert (f_busy == 8'd1 + f_steps + f_sent);
      if (finish) assert (f_busy + 8'd1 == f_size + f_sent + 8'd3 + F_DEPTH);
      if (state == EVENT) assert (cycles == f_contract + {24'd0, f_age});
      else if (state == SWEEP) assert (cycles == f_contract + {24'd0, f_busy});
      else assert (state == CLEAR || cycles == f_contract);

      // ---- a clear writes zeros everywhere -------------------------------------------------------------------------------
      if (state == CLEAR && f_any < ALL_NEURONS) begin
        if (f_steps > {{(8 - NEURON_BITS) {1'b0}}, f_any} + F_DEPTH) assert (f_zero_v && f_zero_refractory);
        if (f_steps > {{(8 - NEURON_BITS) {1'b0}}, f_any} + 8'd1) assert (f_zero_accumulator);
      end
      if ($past(state) == CLEAR && state == IDLE && !$past(rst) && f_any < ALL_NEURONS) begin
        assert (f_zero_v && f_zero_refractory && f_zero_accumulator);
        assert (tick == {START_BITS{1'b0}} && cycles == 32'd0 && stalls == 32'd0 && left_range_events == 32'd0 && !error);
      end
      if ($past(rst)) assert (state == CLEAR && f_steps == 8'd0 && !out_valid && !in_ready && !cfg_ready);

      // ---- ticks count sweeps --------------------------------------------------------------------------------------------
      if (!$past(rst) && $past(state) != CLEAR) begin
        if ($past(finish) && $past(tick) != {START_BITS{1'b1}}) assert (tick == $past(tick) + 1'b1);
        else assert (tick == $past(tick));
      end
    end

  generate
    if (STAGES == 3) begin : f_middle_stage
      always @(posedge clk)
        if (f_was_reset) begin
          assert (g_three_stages.token_m == (in_walk && f_steps >= 8'd2 && f_steps <= f_walk + 8'd1));
          assert (g_three_stages.last_m == (in_walk && f_steps == f_walk + 8'd1));
          if (g_three_stages.token_m) begin
            if (configuring) assert (g_three_stages.neuron_m == offset[NEURON_BITS-1:0]);
            else assert ({{(8 - NEURON_BITS) {1'b0}}, g_three_stages.neuron_m} + 8'd2 == f_steps);
          end
        end
    end
  endgenerate

  // ---- what must be able to happen ---------------------------------------------------------------------------------------
  always @(posedge clk)
    if (f_was_reset && !rst) begin
      cover (finish && f_sent >= 8'd2 && f_stalled);
      cover (finish && f_finished_one && f_sent == 8'd0);
      cover (take_marker && token_r);
      cover (take_event && token_r);
      cover (serve && token_r);
      cover (configuring && last_w && write_control && f_finished_one);
      cover (error);
      cover (upd_valid && upd_spiked && f_due != 8'd0);
      cover (upd_valid && upd_left_range);
      cover (upd_valid && !upd_spiked && upd_refractory != {REF_BITS{1'b0}});
      cover (state == SWEEP && size == {{(SIZE_BITS - 1) {1'b0}}, 1'b1} && packet_valid && f_finished_one);
    end
