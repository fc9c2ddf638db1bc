"""erf: the error function, of each value.

The whole file that a new function is, but for its line in `snndeploy/ops/__init__.py`.
"""

from __future__ import annotations

import torch

from snndeploy.ops import common
from snndeploy.ops.call import plain
from snndeploy.ops.functions import function
from snndeploy.ops.kind import Trait
from snndeploy.ops.record import EACH

ERF = function(
    "erf", lambda node, x: torch.erf(x), "applies erf to", common.real,
    Trait.SQUASHES, common.ROUNDED, EACH, plain("erf"),
)  # fmt: skip
