"""Spiking response analysis: rates, membranes, patterns and coding, streamed over a data set."""

from snndeploy.analysis.analyze import analyze_chip, analyze_model
from snndeploy.analysis.beside import Beside, beside_json
from snndeploy.analysis.beside_text import beside_text
from snndeploy.analysis.document import as_json, maps, maps_file
from snndeploy.analysis.result import Analysis, Settings
from snndeploy.analysis.summary import summary

__all__ = [
    "Analysis",
    "Beside",
    "Settings",
    "analyze_chip",
    "analyze_model",
    "as_json",
    "beside_json",
    "beside_text",
    "maps",
    "maps_file",
    "summary",
]
