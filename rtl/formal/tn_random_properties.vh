// What the generator promises to crossbar_core; included by tn_random.v under FORMAL_PARTS and proved by crossbar_parts.sby.
  localparam [15:0] F_STEPS = 64 / STEP;
  localparam [15:0] F_MIX = 16'd2 * F_STEPS + 16'd2;
  reg f_was_reset = 1'b0;
  reg f_running = 1'b0;
  reg [15:0] f_age;
  initial assume (rst);

  always @(posedge clk) begin
    if (rst) f_was_reset <= 1'b1;
    if (rst) f_running <= 1'b0;
    else if (start) {f_running, f_age} <= {1'b1, 16'd1};
    else f_age <= f_age + 16'd1;
    if (f_running && f_age == F_MIX && !start) f_running <= 1'b0;
  end

  always @(posedge clk)
    if (f_was_reset) begin
      // A number is there so many clocks after the last start, and at no other time.
      assert (done == (f_running && f_age == F_MIX));
      // It stays until the next start.
      if ($past(phase == Resting && !start)) assert ($stable(mixed));
      if (done) assert (phase == Resting);
      // Each factor takes its steps; all of it follows from the age.
      if (!f_running) assert (phase == Resting);
      else begin
        assert (f_age >= 16'd1 && f_age <= F_MIX);
        assert ((phase == FirstFactor) == (f_age <= F_STEPS));
        assert ((phase == Between) == (f_age == F_STEPS + 16'd1));
        assert ((phase == SecondFactor) == (f_age >= F_STEPS + 16'd2 && f_age < F_MIX));
        if (phase == FirstFactor) assert (left == F_STEPS + 16'd1 - f_age);
        if (phase == SecondFactor) assert (left == F_MIX - f_age);
      end
    end

  always @(posedge clk)
    if (f_was_reset && !rst) begin
      cover (done && start);
      cover (f_running && start && phase == SecondFactor);
    end
