"""Verify: is what the chip computes what the model means, and if not, where first and why."""

from snndeploy.verify.chain import Link, Verification, compare, verify

__all__ = ["Link", "Verification", "compare", "verify"]
