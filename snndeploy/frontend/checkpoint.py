"""Weights from a file: safetensors, or a state_dict that `torch.load(weights_only=True)` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from snndeploy.errors import ModelError, one_line


def load_weights(module: Any, path: Path) -> tuple[str, ...]:
    """Load a state_dict strictly; mismatches name the keys and shapes."""
    state = read_state(path)
    own = module.state_dict()
    missing, unknown = sorted(set(own) - set(state)), sorted(set(state) - set(own))
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or unknown:
        parts = []
        if missing:
            parts.append(f"{len(missing)} missing ({_few(missing)})")
        if unknown:
            parts.append(f"{len(unknown)} unknown ({_few(unknown)})")
        raise ModelError(f"checkpoint {path} does not belong to this model: {', '.join(parts)}")
    for key, value in own.items():
        if key in state and tuple(state[key].shape) != tuple(value.shape):
            raise ModelError(
                f"checkpoint {path}: {key} has shape {tuple(state[key].shape)}, the model needs"
                f" {tuple(value.shape)}"
            )
    module.load_state_dict(state, strict=False)
    return ()


def read_state(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file or of a pickle-free torch file."""
    if not path.is_file():
        raise ModelError(f"checkpoint {path} does not exist")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"checkpoint {path} cannot be read as safetensors or as a plain state_dict:"
            f" {one_line(error)}"
        ) from None
    for key in ("state_dict", "model", "net"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    plain = isinstance(state, dict) and all(isinstance(key, str) for key in state)
    if not plain or not all(torch.is_tensor(value) for value in state.values()):
        raise ModelError(f"checkpoint {path} holds no state_dict (names to tensors)")
    return {key.removeprefix("module."): value for key, value in state.items()}


def _few(names: list[str], most: int = 3) -> str:
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed}, and {len(names) - most} more"
