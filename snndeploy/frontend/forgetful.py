"""Models whose factory ran them: what a run left in their layers is forgotten.

sinabs' layers keep states in buffers, empty until the first run, and draw at random among them when
the next batch has another size; its `from_model` runs the network once.
"""

from __future__ import annotations

from typing import Any

SINABS = ("is_state_initialised", "state_has_shape", "reset_states")  # what its layers answer to


def forgetful(module: Any) -> Any:
    """The module, its states as they were before any run."""
    for child in module.modules():
        if all(callable(getattr(child, name, None)) for name in SINABS):
            for name, buffer in list(child.named_buffers(recurse=False)):
                child.register_buffer(name, buffer.new_zeros(0))
    return module
