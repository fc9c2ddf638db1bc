"""The walk from a SPEC to a program, and the questions asked before and after it."""

from snndeploy.pipeline.facts import audit_facts, inspect, opened_facts
from snndeploy.pipeline.golden import golden
from snndeploy.pipeline.options import Options
from snndeploy.pipeline.stages import to_text
from snndeploy.pipeline.walk import compile, compile_opened, fix_scales, load_graph

__all__ = [
    "Options", "audit_facts", "compile", "compile_opened", "fix_scales", "golden", "inspect",
    "load_graph", "opened_facts", "to_text",
]  # fmt: skip
