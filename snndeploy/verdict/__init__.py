"""What stands against a network on a target, all at once, and the plan that `compile` follows."""

from snndeploy.verdict.plan import Plan, plan_of
from snndeploy.verdict.verdict import (
    Shortcuts,
    Verdict,
    attention_unit,
    flags_of,
    judge,
    plan_before,
)

__all__ = [
    "Plan", "Shortcuts", "Verdict", "attention_unit", "flags_of", "judge", "plan_before", "plan_of",
]  # fmt: skip
