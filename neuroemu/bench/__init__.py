"""Benchmarks: named networks through the whole way from arrays to a measured run, and other simulators on the same networks."""
