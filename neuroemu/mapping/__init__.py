"""Where a network runs: partition into cores, packing, placement and routes; one prototype per stage, swappable."""
