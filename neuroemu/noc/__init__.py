"""The wires between cores: topologies, dimension-order routes and exact link loads."""
