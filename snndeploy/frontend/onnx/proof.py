"""Proof that the module is the file: the same answers as onnx's own reference evaluator.

Both compute in float32, in another order: answers may differ by rounding.  In a network with
comparisons a rounding may move a spike, so that one of the inputs must agree, not all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from onnx.reference import ReferenceEvaluator

from snndeploy.errors import DeployError, ModelError, one_line
from snndeploy.frontend.onnx.network import OnnxNetwork
from snndeploy.frontend.onnx.reader import OnnxModel

TOLERANCE = 1e-4  # of the largest answer; float32 sums of some thousand terms stay below it
SEEDS = (0, 1, 2)
FREE_BATCH = 2
COMPARES = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Floor", "Round", "ArgMax")


def prove_module(model: OnnxModel, module: OnnxNetwork) -> None:
    """Compare the module with the file on random inputs.

    Raises:
        ModelError: they differ, or one of them cannot be run.
    """
    steps = any(node.operator in COMPARES for node, _ in module.live)
    worst = [_difference(model, module, seed) for seed in SEEDS]
    if (min(worst) if steps else max(worst)) <= TOLERANCE:
        return
    raise ModelError(
        f"{model.path}: its nodes, read as torch operations, differ from onnx's reference evaluator"
        f" by {max(worst):.3g} of the largest answer ({TOLERANCE:g} is rounding): please report it"
    )


def _difference(model: OnnxModel, module: OnnxNetwork, seed: int) -> float:
    generator = np.random.default_rng(seed)
    x = _random(generator, (model.batch or FREE_BATCH, *model.sample), model.input_signal)
    wanted = _reference(model, x)
    found = _ours(model, module, x)
    away = 0.0
    for ours, theirs in zip(found, wanted, strict=True):
        if ours.shape != theirs.shape:
            raise ModelError(
                f"{model.path}: an answer has shape {ours.shape}, onnx's reference {theirs.shape}"
            )
        scale = max(float(np.abs(theirs).max(initial=0.0)), 1e-6)
        away = max(away, float(np.abs(ours - theirs).max(initial=0.0)) / scale)
    return away


def _random(
    generator: np.random.Generator, shape: tuple[int, ...], signal: str | None
) -> np.ndarray:
    if signal == "binary":
        return (generator.random(shape) < 0.3).astype(np.float32)
    if signal == "integer":
        return generator.poisson(0.5, shape).astype(np.float32)
    return generator.normal(size=shape).astype(np.float32)


def _reference(model: OnnxModel, x: np.ndarray) -> list[np.ndarray]:
    try:
        with np.errstate(all="ignore"):  # its sigmoid overflows on the way to 0
            found = ReferenceEvaluator(model.proto).run(None, {model.input: x})
    except Exception as error:  # whatever numpy raises
        raise ModelError(
            f"{model.path}: onnx's reference cannot run it: {one_line(error)}"
        ) from None
    return [np.asarray(value, np.float64) for value in found]


def _ours(model: OnnxModel, module: OnnxNetwork, x: np.ndarray) -> list[np.ndarray]:
    try:
        with torch.no_grad():
            made: Any = module(torch.from_numpy(x))
    except DeployError:
        raise
    except Exception as error:  # whatever torch raises
        raise ModelError(f"{model.path} cannot be run: {one_line(error)}") from None
    values = made if isinstance(made, tuple) else (made,)
    return [value.double().numpy() for value in values]
