"""Why a model could not be traced, in words of its author: where it stops, and what to write."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from snndeploy.errors import ModelError, one_line
from snndeploy.frontend.copying import copied
from snndeploy.ops.axes import TRACE_BATCH

CURES = (
    (
        r"missing \d+ required positional argument",
        "its forward needs more than one tensor; wrap it in a module whose forward takes one, of"
        " the inputs put together, and takes them apart for it",
    ),
    (
        r"with support for cuda|compiled with CUDA|NVIDIA driver|No CUDA",
        "it asks for a GPU, and the compiler runs it on the CPU; make tensors on x.device instead"
        " of .cuda() or 'cuda'",
    ),
    (
        r"data-dependent|DataDependent|dynamic control flow|vmap.*item",
        "what it does depends on the values that it computes (if, while, .item()); do the same at"
        " every input, for example with torch.where and a fixed number of steps",
    ),
    (
        r"\.numpy\(\)|numpy",
        "it leaves torch for numpy; compute this with torch, or before the model",
    ),
)
OURS = (Path(torch.__file__).parent, Path(__file__).parents[1])


@contextmanager
def quietly() -> Iterator[None]:
    """Without what torch logs and prints about a model that cannot be traced."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(before)


def stumble(error: Exception, module: Any, example: Any) -> ModelError:
    """The refusal of a module that raised while it was traced on `example`."""
    said, where = one_line(error), _place(error)
    fixed = _fixed_batch(module, example)
    cure = fixed or next((cure for found, cure in CURES if re.search(found, said)), "")
    if cure:
        return ModelError(f"the model cannot be traced: {where}{cure}")
    shape = tuple(example.shape[1:])
    return ModelError(
        f"the model cannot be traced: {where}{said}; run it on one input of shape {shape} to see"
        " where it stops"
    )


def _place(error: BaseException) -> str:
    """FILE:LINE of the author's code where it stopped."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_ours(frame.filename)]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}: " if own else ""


def _is_ours(file: str) -> bool:
    path = Path(file)
    return file.startswith("<") or any(path.is_relative_to(folder) for folder in OURS)


def _fixed_batch(module: Any, example: Any) -> str:
    """Said of a module that takes one number of samples alone."""
    batch_axis = example.shape.index(TRACE_BATCH)
    one = _answer(module, example.narrow(batch_axis, 0, 1))
    if one is None or _answer(module, example) is not None:
        return ""
    return (
        f"it fixes its batch size: one sample gives {tuple(one.shape)}, {TRACE_BATCH} samples an"
        " error; take the size from the input, x.shape[0]"
    )


def _answer(module: Any, x: Any) -> Any:
    """What the module returns, where it returns one tensor, else None."""
    try:
        with torch.no_grad(), quietly():
            found = copied(module)(x.clone())
    except Exception:
        return None
    return found if isinstance(found, torch.Tensor) else None
