"""Models that take time last, (batch, ..., time), as lava-dl's and the STBP repositories' do.

While such a model is traced and compared, it is given (batch, time, ...) and turns that itself; the
graph, and data, have time first of a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from snndeploy.ops.axes import SEQUENCE_RANKS

TIME_LAST = "the model takes time last; samples of data have it first: (time, ...)"


def time_is_last(example: Any, timesteps: int) -> bool:
    """Of a sequence, (batch, ..., T) where no other dimension in front is time."""
    shape = tuple(example.shape)
    if len(shape) not in SEQUENCE_RANKS or timesteps == 1:
        return False
    return shape[-1] == timesteps and timesteps not in shape[:2]


@contextmanager
def time_second(module: Any) -> Iterator[None]:
    """The module takes (batch, time, ...)."""
    hook = module.register_forward_pre_hook(lambda _, given: (given[0].movedim(1, -1), *given[1:]))
    try:
        yield
    finally:
        hook.remove()
