"""A twin of a module for the trace: tracing leaves its marks in attributes, the model has none."""

from __future__ import annotations

import copy
from typing import Any

from snndeploy.errors import ModelError, one_line


def twin(module: Any) -> Any:
    """A copy that shares the parameters; flags and counts in buffers are numbers of Python.

    Raises:
        ModelError: it keeps something that cannot be copied, as what a run left behind.
    """
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    try:
        found = copy.deepcopy(module, shared)
    except Exception as error:
        raise ModelError(
            f"the model cannot be copied: {one_line(error)}; reset the state that it keeps between"
            " calls before compiling it"
        ) from None
    for child in found.modules():
        for name, buffer in list(child.named_buffers(recurse=False)):
            if buffer.dim() == 0 and not buffer.is_floating_point():
                delattr(child, name)
                setattr(child, name, buffer.item())
    return found
