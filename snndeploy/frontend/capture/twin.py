"""A twin of a module for the trace: tracing leaves its marks in attributes, the model has none."""

from __future__ import annotations

from typing import Any

from snndeploy.frontend.copying import copied


def twin(module: Any) -> Any:
    """A copy that shares the parameters; flags and counts in buffers are numbers of Python.

    Raises:
        ModelError: it keeps something that cannot be copied, as what a run left behind.
    """
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    found = copied(module, shared)
    for child in found.modules():
        for name, buffer in list(child.named_buffers(recurse=False)):
            if buffer.dim() == 0 and not buffer.is_floating_point():
                delattr(child, name)
                setattr(child, name, buffer.item())
    return found
