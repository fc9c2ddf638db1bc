"""Proof that a graph is the model: every neuron alone, then all together, and what is left open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snndeploy.frontend.equality import verify_equal
from snndeploy.frontend.neuron_probe import verify_at_traced_size, verify_neurons
from snndeploy.graph import Graph


def prove(graph: Graph, module: Any, example: Any) -> tuple[str, ...]:
    """Notes on what the comparison could not show.

    Raises:
        ModelError: graph and module differ, or a neuron does not do what it states.
    """
    undecided = verify_neurons(graph, module)
    lively = verify_equal(graph, module, example)
    silent, always = lively.silent(), lively.always_firing()
    verify_at_traced_size(graph, module, {*silent, *always})
    notes = [
        _note("no input of the proof makes {} fire: verified alone, not inside the model", silent),
        _note("{} fired throughout the proof: verified alone, not inside the model", always),
        _note("whether a membrane that just equals the threshold fires is taken as stated of {}:"
              " the model's own rounding decides it", undecided),
    ]  # fmt: skip
    return tuple(note for note in notes if note)


def _note(text: str, labels: Sequence[str]) -> str:
    return text.format(", ".join(map(repr, labels))) if labels else ""
