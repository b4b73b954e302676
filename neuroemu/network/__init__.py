"""The logical spiking network: what the user wants, before any chip is chosen."""

from neuroemu.network.model import Network, Neuron, Population, Projection

__all__ = ["Network", "Neuron", "Population", "Projection"]
