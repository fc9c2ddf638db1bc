"""The one sequence or tensor that is a model's answer, of all that it returns.

Models return their spikes with their membranes, in tuples, dictionaries and lists of steps:

  a list of T tensors of one shape     the steps of one sequence, put together
  any other collection                 its first member that holds a tensor
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch


def answer_of(
    returned: Any, timesteps: int, stack: Callable[[list[Any]], Any] = torch.stack
) -> tuple[Any, str]:
    """The answer, and where it lies in what is returned ('' where it is all of it).

    A member is a tensor, or whatever stands for one and has a shape.
    """
    if not isinstance(returned, (Mapping, list, tuple)):
        return (returned, "") if hasattr(returned, "shape") else (None, "")
    if _is_sequence(returned, timesteps):
        return stack(list(returned)), ""
    for key, part in _members(returned):
        found, inner = answer_of(part, timesteps, stack)
        if found is not None:
            return found, f"[{key!r}]{inner}" if len(returned) > 1 else inner
    return None, ""


def _is_sequence(returned: Any, timesteps: int) -> bool:
    if not isinstance(returned, list) or len(returned) != timesteps or timesteps < 2:
        return False
    shapes = {tuple(part.shape) if hasattr(part, "shape") else None for part in returned}
    return len(shapes) == 1 and shapes != {None}


def _members(returned: Mapping[Any, Any] | Sequence[Any]) -> Any:
    return returned.items() if isinstance(returned, Mapping) else enumerate(returned)
