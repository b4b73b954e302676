"""The only reader of chip files: typed, strict, every number with unit, source and kind."""

from neuroemu.spec.chip import ChipSpec, Comparison, Costs, Static, Validation, Workload, source_ids
from neuroemu.spec.facts import Fact, Measurement, Quantity
from neuroemu.spec.load import ListedChip, chip_search_path, find_chip, list_chips, load_chip, validate_file
from neuroemu.spec.loihi import LoihiChip, LoihiCostSet
from neuroemu.spec.schema import json_schema
from neuroemu.spec.show import Row, describe

Chip = ChipSpec
"""The public name: ``neuroemu.Chip.load("loihi1")``."""

__all__ = [
    "Chip",
    "ChipSpec",
    "Comparison",
    "Costs",
    "Fact",
    "ListedChip",
    "LoihiChip",
    "LoihiCostSet",
    "Measurement",
    "Quantity",
    "Row",
    "Static",
    "Validation",
    "Workload",
    "chip_search_path",
    "describe",
    "find_chip",
    "json_schema",
    "list_chips",
    "load_chip",
    "source_ids",
    "validate_file",
]
