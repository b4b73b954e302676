// What the controller of crossbar_core promises; included by crossbar_core.v under FORMAL and proved by crossbar_core.sby.
//
// Memories, generator, datapath and dice are cut out: whatever they give. Of memories and generator that much is assumed as
// crossbar_parts.sby proves of them. One spike bit (slot f_slot, axon f_axon) and one row (f_neuron) stand for all: the solver
// chooses them. Ghosts are called f_*; they add nothing to the circuit.
  reg f_was_reset = 1'b0;
  localparam [15:0] F_MIX = (STOCHASTIC != 0) ? 2 * (64 / DRAW_STEP) + 2 : 0;
  localparam [15:0] F_DRAW = F_MIX + 16'd1;
  localparam [15:0] F_ALL = NEURONS;
  localparam [15:0] F_AXONS = AXONS;
  localparam [15:0] F_MOST = 16'd8 + (F_AXONS + 16'd2) * (F_DRAW + 16'd1) + 16'd1;  // of a neuron
  localparam [5:0] F_WORD = WordShifts;

  (* anyconst *) reg [3:0] f_slot;
  (* anyconst *) reg [7:0] f_axon;
  (* anyconst *) reg [NEURON_BITS-1:0] f_neuron;
  always @* assume (f_axon < AXONS && f_neuron <= LastNeuron);

  wire f_in_tick = state >= Open && state <= Close;
  wire f_in_neuron = state >= Read && state <= Write;
  wire f_serving = state == Integrate || state == Draw || state == Apply;
  wire f_marker = accept && in_last;
  wire f_spike = accept && !in_last && {1'b0, in_axon} < AXONS && in_delay != 4'd0;
  wire f_spike_here = f_spike && in_axon == f_axon && f_slot == tick[3:0] + in_delay - 4'd1;
  wire f_packet_due = new_spiked && field[`TN_ROW_DELAY+:4] != 4'd0;
  wire f_stochastic = STOCHASTIC != 0 && field[`TN_ROW_B0+kind];
  wire f_start;
  generate
    if (STOCHASTIC != 0) assign f_start = g_random.start;
    else assign f_start = 1'b0;
  endgenerate

  // ---- the world around: it starts with a reset; a configuration request stays until it is answered and names a row that is
  // ---- there -----------------------------------------------------------------------------------------------------------
  initial assume (rst);
  always @(posedge clk)
    if (f_was_reset && $past(cfg_valid && !cfg_ready && !rst))
      assume (cfg_valid && $stable(cfg_write) && $stable(cfg_addr) && $stable(cfg_wdata));

  always @* assume (!(set_register && offset == `TN_REGISTER_ROW && cfg_wdata[NEURON_BITS-1:0] > LastNeuron));

  // ---- the parts: what a memory holds in one word, and shows; when the generator is done -------------------------------
  reg [AXONS-1:0] f_slot_word, f_slot_read;
  reg [RowBits-1:0] f_row, f_row_read;
  reg f_slot_shown = 1'b0;
  reg f_row_shown = 1'b0;
  reg f_slot_kept = 1'b0;
  reg f_row_kept = 1'b0;
  reg f_running = 1'b0;
  reg [15:0] f_age;
  always @(posedge clk) begin
    if (slot_enable && slot_write && slot_address == f_slot) f_slot_word <= slot_bits;
    if (slot_enable && !slot_write) {f_slot_shown, f_slot_read} <= {slot_address == f_slot, f_slot_word};
    f_slot_kept <= !(slot_enable && !slot_write);
    if (row_enable && row_write && neuron == f_neuron) f_row <= row_data;
    if (row_enable && !row_write) {f_row_shown, f_row_read} <= {neuron == f_neuron, f_row};
    f_row_kept <= !(row_enable && !row_write);
    if (rst) f_running <= 1'b0;
    else if (f_start) {f_running, f_age} <= {1'b1, 16'd1};
    else f_age <= f_age + 16'd1;
    if (f_running && f_age == F_MIX && !f_start) f_running <= 1'b0;
  end
  always @* begin
    if (f_slot_shown) assume (slot_data == f_slot_read);
    if (f_row_shown) assume (stored == f_row_read);
    if (STOCHASTIC != 0 && f_was_reset) assume (drawn == (f_running && f_age == F_MIX));
  end
  always @(posedge clk) begin
    if (f_slot_kept) assume ($stable(slot_data));
    if (f_row_kept) assume ($stable(stored));
  end

  // ---- ghosts --------------------------------------------------------------------------------------------------------
  reg f_due, f_active, f_was_due, f_here, f_owed, f_stalled;
  reg [1:0] f_times, f_others;
  reg [AXONS-1:0] f_current;
  reg [15:0] f_updates, f_packets_due, f_sent, f_events, f_draws, f_spent, f_base, f_busy, f_clocks, f_extra;
  reg [31:0] f_contract;
  always @(posedge clk) begin
    if (rst) f_was_reset <= 1'b1;

    // The spike bit: it is due from the spike that brings it to the marker of its tick.
    if (rst || clear) f_due <= 1'b0;
    else if (f_spike_here) f_due <= 1'b1;
    else if (f_marker && tick[3:0] == f_slot) f_due <= 1'b0;
    if (f_marker) f_active <= f_due && tick[3:0] == f_slot;
    if (f_spike) {f_here, f_was_due} <= {f_spike_here, f_due};

    // A tick.
    if (rst) f_owed <= 1'b0;
    else f_owed <= f_owed + f_marker - (out_valid && out_ready && out_last);
    if (f_marker) begin
      {f_updates, f_packets_due, f_sent} <= 48'd0;
      f_stalled <= 1'b0;
      f_busy <= 16'd1;
      f_base <= 16'd2 + 16'd2 * F_MIX;
    end else begin
      if (upd_valid) f_updates <= f_updates + 16'd1;
      if (upd_valid && f_packet_due) f_packets_due <= f_packets_due + 16'd1;
      if (out_valid && out_ready && !out_last) f_sent <= f_sent + 16'd1;
      if (out_valid && !out_ready) f_stalled <= 1'b1;
      else f_busy <= f_busy + 16'd1;
      if (state == Write && !f_packet_due) f_base <= f_base + 16'd8 + f_spent;
      if (state == Send && out_ready) f_base <= f_base + 16'd9 + f_spent;
    end

    // A neuron: how often the axon was served, which one is being served, what the clocks went into.
    if (state == Take) begin
      {f_times, f_others} <= 4'd0;
      {f_events, f_draws, f_spent} <= 48'd0;
    end
    if (state == Seek || integrated) f_current <= served;
    if (integrated) begin
      if (f_current[f_axon]) f_times <= f_times + 2'd1;
      f_events <= f_events + 16'd1;
      f_draws <= f_draws + f_stochastic;
      f_spent <= f_spent + 16'd1 + (f_stochastic ? F_DRAW : 16'd0);
    end else if (state == Apply) begin
      f_others <= f_others + 2'd1;
      f_draws <= f_draws + 16'd1;
      f_spent <= f_spent + 16'd1 + F_DRAW;
    end

    // What the contract says was worth counting until the last spike or tick was over.
    if (rst || clear) f_contract <= 32'd0;
    else if (accept && !in_last && !f_spike) f_contract <= f_contract + 32'd1;
    else if (state == Mark) f_contract <= f_contract + 32'd2;
    else if (state == Close && out_ready) f_contract <= f_contract + f_base + 32'd1;

    // A request on the bus.
    if (serve) {f_clocks, f_extra} <= {16'd1, 16'd0};
    else begin
      f_clocks <= f_clocks + 16'd1;
      if (state == Fetch || state == Fill || state == Store) f_extra <= f_extra + 16'd1;
    end
  end

  reg [15:0] f_left;  // synapses that wait to be served
  integer f_bit;
  always @* begin
    f_left = 16'd0;
    for (f_bit = 0; f_bit < AXONS; f_bit = f_bit + 1) f_left = f_left + row[f_bit];
  end
  wire f_want = stored[f_axon] && slot_data[f_axon];

  always @(posedge clk)
    if (f_was_reset) begin
      assert (state <= Served);

      // ---- handshakes --------------------------------------------------------------------------------------------------
      if ($past(out_valid && !out_ready && !rst)) begin
        assert (out_valid && $stable(out_last));
        assert ($stable(out_dx) && $stable(out_dy) && $stable(out_axon) && $stable(out_delay));
      end
      if (in_ready) assert (state == Idle && !cfg_valid && !out_valid && !cfg_ready);
      if (cfg_ready) assert (cfg_valid && !out_valid);
      if ($past(rst)) assert (state == Clear && slot == 4'd0 && !out_valid && !in_ready && !cfg_ready && !upd_valid);

      // ---- one marker out for one in, after all packets and all neurons --------------------------------------------------
      assert (f_owed == f_in_tick);
      if (f_in_tick) assert (f_packets_due == f_sent + (state == Send));
      if (out_valid && out_last) assert (f_sent == f_packets_due && f_updates == F_ALL);

      // ---- each neuron once per sweep, in order ----------------------------------------------------------------------------
      if (f_in_tick) assert (f_updates <= F_ALL && f_packets_due <= f_updates);
      assert (neuron <= LastNeuron);
      if (state == Open || state == Key) assert (f_updates == 16'd0);
      if (state == Key) assert (neuron == {NEURON_BITS{1'b0}});
      if (f_in_neuron) assert (f_updates == neuron);
      if (upd_valid) assert (upd_neuron == f_updates);
      if (state == Send) assert (f_updates == neuron + 16'd1);
      if (state == Close) assert (f_updates == F_ALL);

      // ---- its row: what is read is what was written, and only the potential is changed -------------------------------------
      if (state >= Take && state <= Write) assert (f_row_shown == (neuron == f_neuron));
      if (state >= Take && state <= Write && neuron == f_neuron) assert (stored == f_row);
      if (state >= Seek && state <= Write) assert (row[RowBits-1:AXONS] == stored[RowBits-1:AXONS]);
      if (state == Write && neuron == f_neuron) begin
        assert (row_data[AXONS-1:0] == f_row[AXONS-1:0] && row_data[RowBits-1:AXONS+20] == f_row[RowBits-1:AXONS+20]);
        assert (row_data[AXONS+:20] == upd_v);
      end
      if (state == Send && neuron == f_neuron) begin
        assert (new_spiked && out_delay != 4'd0);
        assert ({out_delay, out_axon, out_dy, out_dx} == f_row[AXONS+`TN_ROW_DX+:30]);
      end
      if (row_write && state != Write) assert (state == Store && !reading && position == {PositionBits{1'b0}});

      // ---- spikes: the bit in the memory is the one that is due; none is lost, none comes twice ------------------------------
      if (state == Clear) assert (!f_due && (slot <= f_slot || !f_slot_word[f_axon]));
      else if (state == Mark) begin
        assert (f_due == (f_here || f_slot_word[f_axon]));
        assert (f_here == (slot == f_slot && axon == f_axon) && f_slot_shown == (slot == f_slot) && axon < AXONS);
        if (f_here) assert (f_slot_word[f_axon] == f_was_due);
      end else if (state == Open) begin
        assert (f_slot_word[f_axon] == ((slot == f_slot) ? f_active : f_due));
      end else assert (f_slot_word[f_axon] == f_due);
      if (state == Mark && f_slot_shown) assert (slot_data == f_slot_word);
      if (f_in_tick) begin
        assert (slot == tick[3:0] && f_slot_shown == (slot == f_slot));
        if (slot == f_slot) assert (slot_data[f_axon] == f_active && !f_due);
      end

      // ---- a synapse is served once if its axon is active, never otherwise, lowest axon first --------------------------------
      if (state == Seek) begin
        assert (row[AXONS-1:0] == (stored[AXONS-1:0] & slot_data));
        assert (f_times == 2'd0 && f_events == 16'd0);
      end
      if (f_serving) begin
        assert (any == (f_current != {AXONS{1'b0}}));
        assert (any || row[AXONS-1:0] == {AXONS{1'b0}});
        assert ((f_current & (f_current - 1'b1)) == {AXONS{1'b0}});
        if (any) assert ((row[AXONS-1:0] & (f_current | (f_current - 1'b1))) == {AXONS{1'b0}});
        assert (f_times + (any && f_current[f_axon]) + row[f_axon] == f_want);
        assert (f_events + any + f_left <= F_AXONS);
        if (any && f_current[f_axon]) assert (kind == {type_high[f_axon], type_low[f_axon]});
      end
      if (state >= Leak && state <= Write) assert (f_times == f_want && f_events <= F_AXONS);
      if (state >= Leak && state <= Write && neuron == f_neuron && tick[3:0] == f_slot) begin
        assert (f_times == (f_row[f_axon] && f_active));
      end

      // ---- random numbers: one for each that needs one, numbered through ------------------------------------------------------
      if (state >= Seek && state <= Send) assert (draw == f_draws[8:0] && f_others == leak_known + eta_known);
      if (f_serving && any) assert (f_others == 2'd0);
      if (f_serving && !field[`TN_ROW_C_LAMBDA] || STOCHASTIC == 0) assert (!f_serving || !leak_known);
      if (f_serving && field[`TN_ROW_TM+:5] == 5'd0 || STOCHASTIC == 0) assert (!f_serving || !eta_known);
      if (state == Draw || state == Apply) assert (any ? f_stochastic : leak_waits || eta_waits);
      if (state == Leak) begin
        assert (leak_known == (STOCHASTIC != 0 && field[`TN_ROW_C_LAMBDA]));
        assert (eta_known == (STOCHASTIC != 0 && field[`TN_ROW_TM+:5] != 5'd0));
      end
      if (state == Key || state == Draw) assert (f_running && f_age >= 16'd1 && f_age <= F_MIX);
      else assert (!f_running);

      // ---- the cycle contract --------------------------------------------------------------------------------------------------
      case (state)
        Open: assert (f_busy == 16'd1);
        Key: assert (f_busy == 16'd1 + (keyed ? 16'd0 : F_MIX) + f_age);
        Read: assert (f_busy == f_base);
        Take: assert (f_busy == f_base + 16'd1);
        Seek: assert (f_busy == f_base + 16'd2 && f_spent == 16'd0);
        Integrate: assert (f_busy == f_base + 16'd3 + f_spent);
        Draw: assert (f_busy == f_base + 16'd3 + f_spent + f_age);
        Apply: assert (f_busy == f_base + 16'd3 + f_spent + F_DRAW);
        Leak: assert (f_busy == f_base + 16'd4 + f_spent);
        Limit: assert (f_busy == f_base + 16'd5 + f_spent);
        Update: assert (f_busy == f_base + 16'd6 + f_spent);
        Write: assert (f_busy == f_base + 16'd7 + f_spent);
        Send: assert (f_busy == f_base + 16'd8 + f_spent);
        Close: assert (f_busy == f_base);
        default: ;
      endcase
      if (f_in_tick) assert (cycles == f_contract + {16'd0, f_busy});
      else if (state == Mark) assert (cycles == f_contract + 32'd1);
      else assert (cycles == f_contract);
      // Nothing hangs: a sweep is over after so many clocks in which the output is taken.
      if (state >= Seek && state <= Send) begin
        assert (f_events <= F_AXONS && f_spent <= (f_events + f_others) * (F_DRAW + 16'd1));
      end
      if (f_in_neuron || state == Send) assert (f_base <= 16'd2 + 16'd2 * F_MIX + neuron * F_MOST);
      if (state == Open || state == Key) assert (f_base == 16'd2 + 16'd2 * F_MIX);
      if (f_in_tick) assert (f_busy <= 16'd2 + 16'd2 * F_MIX + F_ALL * F_MOST);
      if ($past(f_in_tick && (!out_valid || out_ready) && !rst)) assert (!f_in_tick || f_busy == $past(f_busy) + 16'd1);

      // ---- configuration: only the bus writes registers, in the idle state, and is answered in time -------------------------------
      if (!$past(rst) && !$past(set_register)) begin
        assert ($stable(zero_clamp) && $stable(ibm_clamp) && $stable(ranc) && $stable(rho_from_one) && $stable(rho_span_255));
        assert ($stable(encoded_reset) && $stable(core_seed) && $stable(run_seed));
      end
      if (set_register) assert (state == Idle && cfg_valid && cfg_write && region == `TN_REGION_REGISTER);
      if (!$past(serve)) assert ($stable(type_low) && $stable(type_high));
      assert (position <= LastPosition);
      if (state >= Fetch) assert (cfg_valid && at_rows && reading == !cfg_write);
      if (state == Fetch || state == Fill) begin
        assert (reading && position == {PositionBits{1'b0}} && shifts != 6'd0);
      end
      if (state >= Fetch && state <= Shift) assert (shifts >= 6'd1 && shifts <= F_WORD);
      if (state == Store) assert (!reading && shifts < F_WORD);
      if (state == Served) assert (shifts == 6'd0);
      if (state >= Fetch) begin
        assert (f_clocks == 16'd1 + (F_WORD - shifts) + f_extra);
        assert (f_extra <= 16'd2 && (f_extra == 16'd0 || position <= F_WORD - shifts));
        if (state == Fetch || state == Store) assert (f_extra == 16'd0);
        if (state == Fill) assert (f_extra == 16'd1);
      end
      if (cfg_ready) assert (!at_rows || f_clocks <= 16'd3 + F_WORD);

      // ---- ticks and counters ------------------------------------------------------------------------------------------------------
      if ($past(rst) || $past(clear)) begin
        assert (tick == 32'd0 && cycles == 32'd0 && stalls == 32'd0 && left_range == 32'd0 && merged == 32'd0);
        assert (synaptic_events == 32'd0 && !error);
      end else begin
        if ($past(state == Close && out_ready)) assert (tick == $past(tick) + 32'd1);
        else if (!$past(set_register)) assert (tick == $past(tick));
        assert (stalls == $past(stalls) + $past(out_valid && !out_ready));
        assert (left_range == $past(left_range) + $past(upd_valid && upd_left_range));
        if ($past(state == Mark && f_here)) assert (merged == $past(merged) + $past(f_was_due));
        if ($past(state != Mark)) assert (merged == $past(merged));
        assert (synaptic_events == $past(synaptic_events) + ($past(f_events) + 16'd1 == f_events && $past(integrated)));
        assert (error == ($past(error) || $past(accept && !in_last && !f_spike)));
      end
    end

  // ---- what must be able to happen ---------------------------------------------------------------------------------------
  always @(posedge clk)
    if (f_was_reset && !rst) begin
      cover (state == Close && out_ready && f_sent == F_ALL && f_stalled);
      cover (state == Close && out_ready && f_sent == 16'd0 && tick != 32'd0);
      cover (state == Mark && f_here && f_was_due);
      cover (f_marker && $past(state) == Mark && f_due);
      cover (integrated && f_events != 16'd0 && f_times == 2'd1 && neuron == LastNeuron);
      cover (state == Apply && any && f_others == 2'd0);
      cover (state == Leak && leak_known && eta_known);
      cover (error && state == Mark);
      cover (serve && clear && f_due && tick != 32'd0);
      cover (upd_valid && upd_left_range && !upd_spiked);
      cover (state == Served && !reading);
      cover (state == Served && reading && f_extra == 16'd2);
    end
