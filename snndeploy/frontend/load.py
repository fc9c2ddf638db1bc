"""From what a user types to a module and an example input.

SPEC is a shipped model's name, or FILE.py:FACTORY(arguments) with literal arguments.  Weights are
safetensors, or a state_dict that `torch.load(weights_only=True)` accepts: nothing is unpickled.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from snndeploy.errors import ModelError, near_names, one_line
from snndeploy.shelf import ModelEntry, model_entry

RANDOM_WEIGHTS_SEED = 0


@dataclass(frozen=True, eq=False)
class Loaded:
    """A module ready to trace; `entry` when it is a shipped model; `weights` '' when random."""

    module: Any
    example: Any
    name: str
    spec: str
    weights: str
    entry: ModelEntry | None = None


def load(
    spec: str,
    checkpoint: str | Path | None = None,
    *,
    random_weights: bool = False,
    input_shape: tuple[int, ...] | None = None,
) -> Loaded:
    """Build the model and load its weights.

    Without a checkpoint a shipped model takes its shipped weights; other models have random ones
    (seed 0) when `random_weights` says so, else they are refused.

    Raises:
        ModelError: in one line, whatever is wrong with file, factory, arguments or checkpoint.
    """
    if spec.endswith(".py"):
        raise ModelError(f"{spec} names a file but no factory; write {spec}:FACTORY(arguments)")
    entry = None if ".py:" in spec else model_entry(spec)
    full = entry.file_spec if entry else spec
    path, factory, arguments, keywords = parse_spec(full)
    torch.manual_seed(RANDOM_WEIGHTS_SEED)
    file_module = _run_file(path)
    module = _call_factory(file_module, path, factory, arguments, keywords)
    weights = Path(checkpoint) if checkpoint else (entry.weights if entry else None)
    if random_weights and checkpoint is None:
        weights = None
    elif weights is None:
        raise ModelError(
            f"model {spec} has no shipped weights; give --checkpoint FILE, or --random-weights"
            " to look at its structure and costs"
        )
    if weights is not None:
        load_weights(module, weights)
    _refuse_not_finite(module, str(weights or spec))
    example = _example(file_module, module, path, input_shape)
    name = entry.name if entry else f"{path.stem}:{factory}"
    return Loaded(module.eval(), example, name, spec, weights.name if weights else "", entry)


def parse_spec(spec: str) -> tuple[Path, str, list[Any], dict[str, Any]]:
    """FILE.py:FACTORY(arguments) -> path, factory name, positional and keyword values."""
    file_name, _, call = spec.rpartition(".py:")
    path = Path(file_name + ".py")
    if not path.is_file():
        raise ModelError(f"model file {path} does not exist")
    try:
        return path, *_parse_call(call if "(" in call else f"{call}()")
    except (SyntaxError, ValueError, TypeError):
        raise ModelError(
            f"{call!r} is not FACTORY(arguments) with literal arguments, for example"
            " gac.py:gac_digits(timesteps=4)"
        ) from None


def _parse_call(call: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Name, positional and keyword values; ValueError for anything but a call with literals."""
    expression = ast.parse(call, mode="eval").body
    if not isinstance(expression, ast.Call) or not isinstance(expression.func, ast.Name):
        raise ValueError(call)
    if any(keyword.arg is None for keyword in expression.keywords):
        raise ValueError(call)
    arguments = [ast.literal_eval(value) for value in expression.args]
    keywords = {str(k.arg): ast.literal_eval(k.value) for k in expression.keywords}
    return expression.func.id, arguments, keywords


def _run_file(path: Path) -> Any:
    """Run a model file as a script of its folder would: siblings are importable while it loads."""
    folder = str(path.resolve().parent)
    before = set(sys.modules)
    module_spec = importlib.util.spec_from_file_location(f"_model_{path.stem}", path)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module  # dataclasses look themselves up there
    sys.path.insert(0, folder)
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ModelError(f"model file {path} raises: {one_line(error)}") from None
    finally:
        sys.path.remove(folder)
        _forget_siblings(before, folder)
    return module


def _forget_siblings(before: set[str], folder: str) -> None:
    """Drop the folder's own modules, so that two folders with equal file names do not meet.

    Only what stands in the folder itself: a virtual environment below it is left alone.
    """
    new = set(sys.modules) - before
    for name in [name for name in new if _stands_in(folder, name.partition(".")[0])]:
        del sys.modules[name]


def _stands_in(folder: str, name: str) -> bool:
    origin = getattr(sys.modules.get(name), "__file__", None)
    if not origin or name == "snndeploy":
        return False
    file = Path(origin).resolve()
    return str(file.parent.parent if file.name == "__init__.py" else file.parent) == folder


def _call_factory(
    file_module: Any, path: Path, factory: str, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    function = getattr(file_module, factory, None)
    if not callable(function):
        names = [name for name, value in vars(file_module).items() if callable(value)]
        raise ModelError(f"{path} has no factory {factory!r}{near_names(factory, names)}")
    try:
        module = function(*arguments, **keywords)
    except (Exception, SystemExit) as error:
        raise ModelError(f"{path}:{factory} raises: {one_line(error)}") from None
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"{path}:{factory} returns {type(module).__name__}, not a torch module")
    return module


def load_adapters(path: Path) -> tuple[Any, ...]:
    """The list ADAPTERS of a user's file (see `frontend.adapters`)."""
    if not path.is_file():
        raise ModelError(f"adapters file {path} does not exist")
    found = getattr(_run_file(path), "ADAPTERS", None)
    if not isinstance(found, (list, tuple)) or not all(callable(adapter) for adapter in found):
        raise ModelError(f"adapters file {path} has no list ADAPTERS of functions")
    return tuple(found)


def load_weights(module: Any, path: Path) -> None:
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


def _refuse_not_finite(module: Any, where: str) -> None:
    for key, value in module.state_dict().items():
        bad = int((~torch.isfinite(value)).sum()) if value.is_floating_point() else 0
        if bad:
            raise ModelError(
                f"{where}: {key} has {bad} of {value.numel()} values that are NaN or infinite;"
                " the training diverged or the file is damaged"
            )


def _example(file_module: Any, module: Any, path: Path, shape: tuple[int, ...] | None) -> Any:
    if shape is not None:
        return torch.zeros((1, *shape))
    maker = getattr(file_module, "example", None)
    if callable(maker):
        return _made_example(maker, module, path)
    own = getattr(module, "input_shape", None)
    if own is None:
        raise ModelError(
            f"{path} has no example(module) and the model no input_shape; give --input-shape"
        )
    return torch.zeros((1, *own))


def _made_example(maker: Any, module: Any, path: Path) -> Any:
    try:
        found = maker(module)
    except (Exception, SystemExit) as error:
        raise ModelError(f"{path}: example() raises: {one_line(error)}") from None
    if not torch.is_tensor(found):
        raise ModelError(f"{path}: example() returns {type(found).__name__}, not a tensor")
    return found


def _few(names: list[str], most: int = 3) -> str:
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed}, and {len(names) - most} more"
