"""Segments images: windows, ensembles, labels on the input's own grid, files."""

from .ensemble import EnsembleInferer
from .exported_network import OnnxNetwork, TorchScriptNetwork
from .largest_component import LargestComponentd
from .network_to_export import NetworkToExport
from .outputs import OutputNames, list_images
from .probability_writer import ProbabilityWriter
from .resample_to_input import ResampleToInputd
from .sliding_window import BodyWindowInferer

__all__ = [
    "BodyWindowInferer",
    "EnsembleInferer",
    "LargestComponentd",
    "NetworkToExport",
    "OnnxNetwork",
    "OutputNames",
    "ProbabilityWriter",
    "ResampleToInputd",
    "TorchScriptNetwork",
    "list_images",
]
