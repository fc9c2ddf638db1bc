"""The doors, and which of them a SPEC goes through: decided here, for every command."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from snndeploy.errors import ModelError, OptionError
from snndeploy.frontend import torch_door
from snndeploy.frontend.door import (
    TO_COMPILE,
    Door,
    Need,
    Opened,
    OpenedModel,
    SpecOptions,
    Step,
    silent,
)
from snndeploy.frontend.netx import door as netx_door
from snndeploy.frontend.nir import door as nir_door
from snndeploy.frontend.onnx import door as onnx_door
from snndeploy.shelf import model_entry

DOORS: tuple[Door, ...] = (torch_door.DOOR, netx_door.DOOR, nir_door.DOOR, onnx_door.DOOR)

NO_SPEC = {
    ".snnp": "is a compiled program, and a model is needed; compile again from the model, or use a"
    " command that takes programs (simulate, verify, inspect)",
    ".safetensors": "is a checkpoint: give the model, then --checkpoint {spec}",
    ".npz": "holds data, not a network; give the model, then --data or --calibration",
    ".toml": "is a chip file; give the model, then --target {spec}",
}
NO_SPEC[".pt2"] = (
    "is an exported program, which torch reads by unpickling and evaluating what is in it, so it is"
    " not read; give the model, or export it to ONNX; where you trust it, one line keeps its"
    " weights: torch.save(torch.export.load('{spec}').state_dict, 'weights.pt')"
)
NO_SPEC |= dict.fromkeys((".pt", ".pth", ".ckpt", ".tar"), NO_SPEC[".safetensors"])

MODULE_CLASS = re.compile(r"^class \w+\(.*\bModule\b.*\):", re.MULTILINE)
MOST_FILES, MOST_LISTED = 1000, 5


def open_spec(
    spec: str,
    options: SpecOptions | None = None,
    need: Need = TO_COMPILE,
    step: Step = silent,
) -> Opened:
    """The network that a SPEC names.

    Raises:
        ModelError: no door takes it, or what it names cannot be read.
        OptionError: an option that says nothing about what it names.
    """
    options = options or SpecOptions()
    door = door_of(spec)
    refuse_options(door, spec, *(set(options.given()) - door.options))
    opened = door.open(spec, options, need, step)
    assert isinstance(opened, OpenedModel) == (door.gives == "model"), f"{door.kind}: {door.gives}"
    return opened


def open_model(
    spec: str,
    options: SpecOptions,
    need: Need = TO_COMPILE,
    step: Step = silent,
    *,
    lacks: str = "has no graph in real numbers",
) -> OpenedModel:
    """`open_spec` for what needs a model in real numbers; lacks: what integers lack for it.

    Raises:
        OptionError: the SPEC gives integers.
    """
    door = door_of(spec)
    if door.gives == "network":
        raise OptionError(f"{spec} is {door.kind}: it {lacks}")
    opened = open_spec(spec, options, need, step)
    assert isinstance(opened, OpenedModel)
    return opened


def door_of(spec: str) -> Door:
    """The first door that takes a SPEC.

    Raises:
        ModelError: what the SPEC is instead.
    """
    for door in DOORS:
        if door.takes(spec):
            return door
    raise _no_spec(spec)


def refuse_options(door: Door, spec: str, *names: str) -> None:
    """Refuse options of these names, which say nothing about what a door gives."""
    if names:
        listed = " and ".join(f"--{name.replace('_', '-')}" for name in sorted(names))
        raise OptionError(f"{spec} is {door.kind}: {listed} cannot be used with it")


def _no_spec(spec: str) -> ModelError:
    """What a SPEC that no door takes is."""
    what = NO_SPEC.get(os.path.splitext(spec)[1].lower())
    forms = ", ".join(door.form for door in DOORS)
    if os.path.isdir(spec):
        return ModelError(f"{spec} is a folder; {_code_in(spec)}a SPEC is one of: {forms}")
    if what:
        return ModelError(f"{spec} {what.format(spec=spec)}")
    if os.path.exists(spec):
        return ModelError(f"{spec} is no network that is known; a SPEC is one of: {forms}")
    if os.sep in spec or Path(spec).suffix[1:].isalnum():
        return ModelError(f"{spec} does not exist; a SPEC is one of: {forms}")
    try:
        model_entry(spec)
    except ModelError as error:
        return error
    raise AssertionError(f"no door takes the shipped model {spec}")


def _code_in(folder: str) -> str:
    """How to name a network whose code is in a folder: its files that define torch modules."""
    root, found = Path(folder), []
    for path in sorted(root.rglob("*.py"))[:MOST_FILES]:
        with suppress(OSError):
            if MODULE_CLASS.search(path.read_text(encoding="utf-8", errors="replace")):
                found.append(".".join(path.relative_to(root).with_suffix("").parts))
    if not found:
        return ""
    listed = ", ".join(f"{name}:FACTORY(arguments)" for name in found[:MOST_LISTED])
    more = f" and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else ""
    return f"give --path {folder} and, of the modules in it, {listed}{more}; "
