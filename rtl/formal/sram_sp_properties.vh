// What a memory with one port promises to crossbar_core; included by sram_sp.v under FORMAL_PARTS, proved by crossbar_parts.sby.
//
// One word, which the solver chooses, stands for all.
  (* anyconst *) reg [ADDRESS_BITS-1:0] f_address;
  reg [WIDTH-1:0] f_word, f_read;
  reg f_shown = 1'b0;
  reg f_kept = 1'b0;
  always @* assume (f_address < WORDS && (!enable || address < WORDS));
  initial assume (f_word == memory[f_address]);

  always @(posedge clk) begin
    if (enable && write && address == f_address) f_word <= write_data;
    if (enable && !write) {f_shown, f_read} <= {address == f_address, f_word};
    f_kept <= !(enable && !write);
  end

  always @* begin
    assert (memory[f_address] == f_word);
    // What is read is what was written last, and stays until something else is read.
    if (f_shown) assert (read_data == f_read);
  end
  always @(posedge clk) begin
    if (f_kept) assert ($stable(read_data));
    cover (f_shown && f_kept && f_read == {WIDTH{1'b1}} && f_word == {WIDTH{1'b0}});
  end
