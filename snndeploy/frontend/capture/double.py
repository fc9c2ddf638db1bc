"""A module run in double precision, also where it makes float32 tensors of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from snndeploy.frontend.copying import copied


class _Doubled(TorchDispatchMode):
    """Whoever asks for float32 gets float64."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Any = (), kwargs: Any = None
    ) -> Any:
        named = dict(kwargs or {})
        if named.get("dtype") is torch.float32:
            named["dtype"] = torch.float64
        return func(*args, **named)


def in_double(module: Any, x: Any) -> Any:
    """What the module gives on x, both in float64."""
    model = copied(module).double()
    with _doubles(), torch.no_grad():
        return model(x.double())


@contextmanager
def _doubles() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Doubled():
            yield
    finally:
        torch.set_default_dtype(before)
