"""Samples and labels: files, recordings of event cameras, and what Python holds."""

from snndeploy.data.binning import Binning
from snndeploy.data.events import Events, framed
from snndeploy.data.load import load_data
from snndeploy.data.samples import Data

__all__ = ["Binning", "Data", "Events", "framed", "load_data"]
