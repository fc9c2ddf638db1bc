"""The papers' printed numbers, each beside ours: `snndeploy reproduce`, docs/reproduction.md.

row          one printed number, how it is computed here, and how the two agree
shown        the commands that show a number; networks: the shipped models behind them
rates        the firing rates that the papers print (models/rates)
parameters, attention, spikes, energies, ratios, unreproduced, awaited   the rows, by subject
rows         all of them, and those that a user asks for
text         the page, and the lines of a few rows
"""

from snndeploy.papers.row import Result, Row
from snndeploy.papers.rows import SECTIONS, asked, computed

__all__ = ["SECTIONS", "Result", "Row", "asked", "computed"]
