"""Write ``neuroemu/formats/network.schema.json`` from the models of the YAML network format."""

from __future__ import annotations

import json
from pathlib import Path

from neuroemu.formats.yaml_network import network_schema

TARGET = Path(__file__).resolve().parents[1] / "neuroemu" / "formats" / "network.schema.json"


def schema_text() -> str:
    """The file's exact content."""
    return json.dumps(network_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema_text(), encoding="utf-8")
    print(TARGET)
