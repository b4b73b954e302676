// What aer_fifo promises; included by aer_fifo.v under FORMAL and proved by aer_fifo.sby.
//
// One word, picked by the solver among all that are ever put in, is followed until it comes out.
  reg f_was_reset = 1'b0;
  (* anyseq *) reg f_pick;
  reg f_follows, f_done;
  reg [WIDTH-1:0] f_word;
  reg [LEVEL_BITS-1:0] f_ahead;

  initial assume (rst);

  wire [31:0] f_slot = {{(32 - POINTER_BITS) {1'b0}}, read_slot} + {{(32 - LEVEL_BITS) {1'b0}}, f_ahead};
  wire [31:0] f_wrapped_slot = (f_slot >= FULL) ? f_slot - FULL : f_slot;
  wire [31:0] f_end = {{(32 - POINTER_BITS) {1'b0}}, read_slot} + {{(32 - LEVEL_BITS) {1'b0}}, words};
  wire [31:0] f_wrapped_end = (f_end >= FULL) ? f_end - FULL : f_end;

  always @(posedge clk) begin
    if (rst) begin
      f_was_reset <= 1'b1;
      {f_follows, f_done} <= 2'b00;
    end else if (f_follows) begin
      if (take && f_ahead == {LEVEL_BITS{1'b0}}) {f_follows, f_done} <= 2'b01;
      if (take) f_ahead <= f_ahead - 1'b1;
    end else if (put && f_pick && !f_done) begin
      f_follows <= 1'b1;
      f_word <= in_data;
      f_ahead <= take ? words - 1'b1 : words;
    end
  end

  always @(posedge clk)
    if (f_was_reset) begin
      // Never more words than slots, never less than none; the pointers agree with the number of words.
      assert (words <= FULL[LEVEL_BITS-1:0]);
      assert (write_slot <= LAST_SLOT[POINTER_BITS-1:0] && read_slot <= LAST_SLOT[POINTER_BITS-1:0]);
      assert ({{(32 - POINTER_BITS) {1'b0}}, write_slot} == f_wrapped_end);
      assert (!(put && words == FULL[LEVEL_BITS-1:0]) && !(take && words == {LEVEL_BITS{1'b0}}));
      // The word that is followed is not lost, not changed and does not change places.
      if (f_follows) assert (f_ahead < words && memory[f_wrapped_slot[POINTER_BITS-1:0]] == f_word);
      if (f_follows && f_ahead == {LEVEL_BITS{1'b0}}) assert (out_valid && out_data == f_word);
      // What is offered stays as it is until it is taken.
      if ($past(out_valid && !out_ready && !rst)) assert (out_valid && $stable(out_data));
      if ($past(rst)) assert (!out_valid && in_ready);
    end

  always @(posedge clk)
    if (f_was_reset && !rst) begin
      cover (words == FULL[LEVEL_BITS-1:0] && take);
      cover (f_done && words == {LEVEL_BITS{1'b0}});
      cover (put && take);
    end
