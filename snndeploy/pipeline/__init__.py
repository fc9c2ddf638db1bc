"""The walk from a checkpoint to a program, and the questions asked before and after it."""

from snndeploy.pipeline.walk import (
    attention_unit,
    audit_facts,
    compile,
    compile_graph,
    compile_imported,
    golden,
    inspect,
    load_graph,
    lowering_costs,
    lowerings,
)

__all__ = [
    "attention_unit", "audit_facts", "compile", "compile_graph", "compile_imported", "golden",
    "inspect", "load_graph", "lowering_costs", "lowerings",
]  # fmt: skip
