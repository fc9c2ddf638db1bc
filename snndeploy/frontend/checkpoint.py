"""Weights into a module: names are matched, and whatever was done to match them is a note.

A prefix goes only where all names carry it and the rest fits; masks and norms of weights are folded
where the module itself has plain weights; counters and the state of neurons stay out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from snndeploy.errors import ModelError
from snndeploy.frontend.by_structure import by_structure
from snndeploy.frontend.checkpoint_file import State, read_state

COUNTERS = ("num_batches_tracked", "total_ops", "total_params", "_extra_state")
NEURON_STATE = ("v", "mem", "v_mem", "spk", "syn", "i_syn", "spike", "membrane", "state")
FOLDED = {
    "pruned": ("{0}_orig", "{0}_mask"),
    "weight norm": ("{0}_g", "{0}_v"),
    "weight norm ": ("parametrizations.{0}.original0", "parametrizations.{0}.original1"),
}


@dataclass(frozen=True)
class Naming:
    """How a user says which tensors of a file are meant: the dotted key under which they lie, a
    prefix of their names that goes, and whether others may be there besides."""

    key: str | None = None
    strip_prefix: str | None = None
    allow_unexpected: bool = False


def load_weights(
    module: Any, path: Path, naming: Naming | None = None, *, twin: bool = False
) -> tuple[str, ...]:
    """Load a checkpoint into a module, all of it or nothing; the notes say what was done.

    twin: the module is a shipped twin of published code, whose checkpoints have other names.

    Raises:
        ModelError: mismatches name the keys and shapes.
    """
    naming = naming or Naming()
    state, taken = read_state(path, naming.key)
    needed = _needed(module)
    state, renamed = _renamed(state, needed, path, naming)
    state, folded = _folded(state, needed)
    state, ignored = _without_counters(state, needed)
    notes = tuple(f"checkpoint {path.name}: {note}" for note in (*renamed, *folded, *ignored))
    if twin and not set(state) & set(needed):
        matched = by_structure(state, needed)
        if matched:
            state, said = matched
            notes += (f"checkpoint {path.name}: {said}",)
    unknown = sorted(set(state) - set(needed))
    _refuse_names(state, needed, path, naming, unknown)
    if unknown:
        notes += (f"checkpoint {path.name}: unexpected, left out: {_few(unknown)}",)
    module.load_state_dict(_fitting(state, needed, path), strict=False)
    return (*taken, *notes)


def _needed(module: Any) -> State:
    """The module's tensors that a checkpoint must bring: not counters, and no state of neurons."""
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    return {
        name: value
        for name, value in module.state_dict().items()
        if torch.is_tensor(value) and (name in parameters or not _is_left_out(name))
    }


def _is_left_out(name: str) -> bool:
    return name.rpartition(".")[2] in (*COUNTERS, *NEURON_STATE)


# names


def _renamed(
    state: State, needed: State, path: Path, naming: Naming
) -> tuple[State, tuple[str, ...]]:
    """The names as the module has them, where a common prefix is all that differs."""
    if naming.strip_prefix:
        prefix = naming.strip_prefix
        if not any(name.startswith(prefix) for name in state):
            raise ModelError(
                f"checkpoint {path}: no name begins with {prefix!r}; the first is"
                f" {next(iter(state), '')!r}"
            )
        return {name.removeprefix(prefix): value for name, value in state.items()}, ()
    for candidate, said in _candidates(state, needed):
        if _fits(candidate, needed):
            return candidate, said
    return state, ()


def _candidates(state: State, needed: State) -> Iterator[tuple[State, tuple[str, ...]]]:
    """The names as they are; without prefixes that all share; with the module's own."""
    yield state, ()
    for compiled in (state, _without_compiled(state)):
        stripped, gone = compiled, ""
        while stripped:
            firsts = {name.partition(".")[0] for name in stripped}
            if len(firsts) != 1 or not all("." in name for name in stripped):
                break
            first = firsts.pop() + "."
            gone += first
            stripped = {name.removeprefix(first): value for name, value in stripped.items()}
            yield stripped, (f"the prefix {gone!r} of all names was taken away",)
        if compiled is not state:
            yield compiled, ("'_orig_mod.' was taken out of the names",)
    own = {name.partition(".")[0] for name in needed}
    if len(own) == 1:
        first = own.pop() + "."
        more = {first + name: value for name, value in state.items()}
        yield more, (f"the model's own prefix {first!r} was put before all names",)


def _without_compiled(state: State) -> State:
    return {name.replace("_orig_mod.", ""): value for name, value in state.items()}


def _fits(state: State, needed: State) -> bool:
    folded, _ = _folded(state, needed)
    return set(needed) <= set(folded)


# tensors


def _folded(state: State, needed: State) -> tuple[State, tuple[str, ...]]:
    """Weights of their parts, where the module has the weight itself."""
    made, used = {}, set()
    said: dict[str, int] = {}
    for name in needed:
        if name in state:
            continue
        owner, _, leaf = name.rpartition(".")
        for kind, forms in FOLDED.items():
            parts = [f"{owner}.{form.format(leaf)}".lstrip(".") for form in forms]
            if all(part in state for part in parts):
                first, second = (state[part] for part in parts)
                made[name] = first * second if kind == "pruned" else _weight_norm(first, second)
                used |= set(parts)
                said[kind.strip()] = said.get(kind.strip(), 0) + 1
    kept = {name: value for name, value in state.items() if name not in used}
    return kept | made, tuple(f"{count} weights folded ({kind})" for kind, count in said.items())


def _weight_norm(magnitude: Any, direction: Any) -> Any:
    """w = g v / |v|, the norm over all dimensions but that of g."""
    kept = [axis for axis, size in enumerate(magnitude.shape) if size > 1]
    others = [axis for axis in range(direction.dim()) if axis not in kept]
    length = direction.double().square().sum(others, keepdim=True).sqrt()
    return (magnitude.double() * direction.double() / length).to(direction.dtype)


def _without_counters(state: State, needed: State) -> tuple[State, tuple[str, ...]]:
    """Without what counts, profiles or is left of a run; the module keeps its own of these."""
    gone = [name for name in state if name not in needed and _is_left_out(name)]
    kept = {name: value for name, value in state.items() if name not in gone}
    odd = [name for name in gone if not name.endswith("num_batches_tracked")]
    return kept, (f"ignored, no weights: {_few(odd)}",) if odd else ()


def _refuse_names(
    state: State, needed: State, path: Path, naming: Naming, unknown: list[str]
) -> None:
    missing = sorted(set(needed) - set(state))
    parts = []
    if missing:
        parts.append(f"{len(missing)} missing ({_few(missing)})")
    if unknown and not naming.allow_unexpected:
        parts.append(f"{len(unknown)} unknown ({_few(unknown)})")
    if not parts:
        return
    advice = ""
    if not missing:
        advice = "; --allow-unexpected leaves these out"
    elif prefix := _partial_prefix(missing, unknown):
        advice = f"; without the prefix of some names they fit: --strip-prefix {prefix}"
    raise ModelError(f"checkpoint {path} does not belong to this model: {', '.join(parts)}{advice}")


def _partial_prefix(missing: Iterable[str], unknown: Iterable[str]) -> str:
    """A prefix of some unknown names, without which all that is missing is there."""
    names = list(unknown)
    for prefix in dict.fromkeys(name.partition(".")[0] + "." for name in names):
        if set(missing) <= {name.removeprefix(prefix) for name in names}:
            return prefix
    return ""


def _fitting(state: State, needed: State, path: Path) -> State:
    """The state with the module's shapes: a single number may have any."""
    found = {}
    for name, own in needed.items():
        value = state[name]
        if value.numel() == own.numel() == 1:
            value = value.reshape(own.shape)
        if tuple(value.shape) != tuple(own.shape):
            raise ModelError(
                f"checkpoint {path}: {name} has shape {tuple(value.shape)}, the model needs"
                f" {tuple(own.shape)}"
            )
        found[name] = value
    return found


def _few(names: list[str], most: int = 3) -> str:
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed}, and {len(names) - most} more"
