"""From what a user types to a module and an example input.

The SPEC's code is run and its factory called (`factory`), weights are loaded (`checkpoint`), and
what the model does not say of itself is found (`declared`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from snndeploy.data import Data
from snndeploy.errors import ModelError
from snndeploy.frontend.checkpoint import Naming, load_weights
from snndeploy.frontend.declared import declared
from snndeploy.frontend.factory import Made, make
from snndeploy.frontend.forgetful import forgetful
from snndeploy.frontend.spec import parse_spec
from snndeploy.frontend.user_code import UserCode
from snndeploy.shelf import ModelEntry, catalog, models_folder

RANDOM_WEIGHTS_SEED = 0
BY_FACTORY = "loaded by the factory"
NO_WEIGHTS = (
    "model {spec} has no shipped weights; give --checkpoint FILE, or --random-weights to look at"
    " its structure and costs"
)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A module ready to trace.

    spec: without folders, with its factory.  weights: '' when random.  entry: when it is a shipped
    model.  code: to be entered while the module runs, which may import then.  timesteps, signal:
    None when nobody says.  notes: what was found, and where.
    """

    module: Any
    example: Any
    name: str
    spec: str
    weights: str
    code: UserCode
    timesteps: int | None
    signal: str | None
    notes: tuple[str, ...]
    entry: ModelEntry | None = None


def load(
    spec: str,
    checkpoint: str | Path | None = None,
    *,
    naming: Naming | None = None,
    random_weights: bool = False,
    input_shape: tuple[int, ...] | None = None,
    input_signal: str | None = None,
    timesteps: int | None = None,
    path: Sequence[str | Path] = (),
    data: str | Path | Data | None = None,
) -> Loaded:
    """Build the model and load its weights.

    Without a checkpoint a shipped model takes its shipped weights, and a factory may load its own;
    other models have random ones (seed 0) when `random_weights` says so, else they are refused.

    naming: which tensors of the checkpoint are meant.
    path: folders whose modules the code may import.  data: samples that say what shape and signal
    the input has, where the model does not.

    Raises:
        ModelError: in one line, whatever is wrong with file, factory, arguments or checkpoint.
    """
    entry = next((entry for entry in catalog() if entry.name == spec), None)
    parsed = parse_spec(entry.file_spec if entry else spec)
    beside = [parsed.source.parent] if isinstance(parsed.source, Path) else []
    code = UserCode([*beside, *path])
    with code:
        torch.manual_seed(RANDOM_WEIGHTS_SEED)
        made = make(parsed, code)
        weights, notes = _weights(made, spec, entry, checkpoint, naming, random_weights)
        _refuse_not_finite(made.module, weights or spec)
        found = declared(
            made, code, timesteps=timesteps, input_shape=input_shape, input_signal=input_signal,
            data=data,
        )  # fmt: skip
    lacks = found.lacks if weights is not None else (NO_WEIGHTS.format(spec=spec), *found.lacks)
    if lacks or weights is None:
        raise ModelError(_all_of(lacks))
    return Loaded(
        module=forgetful(made.module.eval()),
        example=found.example,
        name=entry.name if entry else made.spec.name,
        spec=entry.name if entry else made.spec.without_folders,
        weights=Path(weights).name,
        code=code,
        timesteps=found.timesteps,
        signal=found.signal,
        notes=(*made.notes, *notes, *found.notes),
        entry=entry,
    )


def _all_of(lacks: Sequence[str]) -> str:
    """What a user must say, all in one line."""
    if len(lacks) == 1:
        return lacks[0]
    listed = "; ".join(f"({index}) {text}" for index, text in enumerate(lacks, start=1))
    return f"{len(lacks)} things are not known: {listed}"


def _weights(
    made: Made,
    spec: str,
    entry: ModelEntry | None,
    checkpoint: str | Path | None,
    naming: Naming | None,
    random_weights: bool,
) -> tuple[str | None, tuple[str, ...]]:
    """Load them; what they are called, '' when random, None when there are none, and notes."""
    if checkpoint is not None:
        twin = str(made.code.__file__).startswith(f"{models_folder()}/")
        return str(checkpoint), load_weights(made.module, Path(checkpoint), naming, twin=twin)
    own = _loaded_by_factory(made)
    if random_weights:
        return "", ()
    if entry and entry.weights:
        return str(entry.weights), load_weights(made.module, entry.weights)
    if own == 1:
        return BY_FACTORY, (f"weights: {made.spec.factory} loads them itself",)
    if own:
        raise ModelError(
            f"{spec} loads {own:.0%} of its weights itself and leaves the others random; give"
            " --checkpoint FILE with all of them, or --random-weights"
        )
    return None, ()


def _loaded_by_factory(made: Made) -> float:
    """The share of the model's tensors that were taken from a state dict while it was made."""
    taken = {id(tensor) for tensor in made.taken}
    state = made.module.state_dict(keep_vars=True)
    needed = [value for key, value in state.items() if not key.endswith("num_batches_tracked")]
    return sum(id(value) in taken for value in needed) / len(needed) if needed else 0.0


def load_adapters(path: Path) -> tuple[Any, ...]:
    """The list ADAPTERS of a user's file (see `frontend.adapters`)."""
    if not path.is_file():
        raise ModelError(f"adapters file {path} does not exist")
    with UserCode([path.parent]) as code:
        found = getattr(code.run_file(path), "ADAPTERS", None)
    if not isinstance(found, (list, tuple)) or not all(callable(adapter) for adapter in found):
        raise ModelError(f"adapters file {path} has no list ADAPTERS of functions")
    return tuple(found)


def _refuse_not_finite(module: Any, where: str) -> None:
    for key, value in module.state_dict().items():
        bad = int((~torch.isfinite(value)).sum()) if value.is_floating_point() else 0
        if bad:
            raise ModelError(
                f"{where}: {key} has {bad} of {value.numel()} values that are NaN or infinite;"
                " the training diverged or the file is damaged"
            )
