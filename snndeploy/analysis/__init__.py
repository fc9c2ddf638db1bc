"""Spiking response analysis: rates, membranes, patterns and coding, streamed over a data set."""

from snndeploy.analysis.analyze import analyze_chip, analyze_model
from snndeploy.analysis.document import as_json, maps, maps_file
from snndeploy.analysis.result import Analysis, Settings
from snndeploy.analysis.summary import summary

__all__ = [
    "Analysis",
    "Settings",
    "analyze_chip",
    "analyze_model",
    "as_json",
    "maps",
    "maps_file",
    "summary",
]
