"""A chip as the compiler and the simulator see it."""

from snndeploy.target.chip import MARKS, WIDEST, Quantity, Target

__all__ = ["MARKS", "WIDEST", "Quantity", "Target"]
