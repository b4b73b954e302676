"""Counters times constants: joules and seconds with an error band, every line traceable to its sources."""
