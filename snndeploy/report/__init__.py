"""Reports: JSON (`summarize`), text (`render`)."""

from snndeploy.report.report import summarize
from snndeploy.report.terminal import render

__all__ = ["render", "summarize"]
