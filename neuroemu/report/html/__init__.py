"""The report as one offline HTML page."""

from neuroemu.report.html.page import render

__all__ = ["render"]
