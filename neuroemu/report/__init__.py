"""What to show: one plain document (``neuroemu.report/1``) rendered as JSON, HTML or terminal text."""

from neuroemu.report.document import SCHEMA_ID, from_json, json_schema, to_json

__all__ = ["SCHEMA_ID", "from_json", "json_schema", "to_json"]
