"""What a model says of itself, and what is read from it or from data where it does not say.

Whatever was not declared is a note: the value, and where it was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch

from snndeploy.data import Data, load_data
from snndeploy.errors import ModelError, one_line
from snndeploy.frontend.factory import Made
from snndeploy.frontend.user_code import UserCode

TIME_NAMES = ("timesteps", "time_steps", "num_steps", "T", "time_window", "num_timesteps")
LONGEST_WINDOW = 100_000  # steps; an attribute above is no number of steps


NO_SHAPE = (
    "{source} has no example(module) and the model no input_shape; give --input-shape, or"
    " --calibration DATA.npz, whose samples have it"
)
NO_STEPS = "the model does not say its number of time steps; give --timesteps T"


@dataclass(frozen=True, eq=False)
class Declared:
    """Steps (None: nobody says), an example input (None: no shape), and the kind of its values.

    lacks: what a user must say, in words.
    """

    timesteps: int | None
    example: Any
    signal: str | None
    notes: tuple[str, ...]
    lacks: tuple[str, ...] = ()


def declared(
    made: Made,
    code: UserCode,
    *,
    timesteps: int | None,
    input_shape: tuple[int, ...] | None,
    input_signal: str | None,
    data: str | Path | Data | None,
) -> Declared:
    """Given comes before said, said before found.

    Raises:
        ModelError: numbers of steps that contradict each other.
    """
    steps, notes = _timesteps(made, code, timesteps)
    example = _said_example(made, input_shape)
    signal = input_signal or getattr(made.module, "input_signal", None)
    samples = _samples(data) if example is None or signal is None else None
    if example is None:
        if samples is None:
            lacks = (NO_SHAPE.format(source=made.spec.source), *(() if steps else (NO_STEPS,)))
            return Declared(steps, None, signal, notes, lacks)
        shape = samples.x.shape[1:]
        example = torch.zeros((1, *shape))
        notes += (f"input shape {'x'.join(map(str, shape))}: from {samples.name}",)
    if signal is None and samples is not None:
        signal, values = _signal(samples)
        notes += (f"input signal {signal}: {samples.name} has {values}",)
    return Declared(steps, example, signal, notes)


def _samples(data: str | Path | Data | None) -> Data | None:
    return data if data is None or isinstance(data, Data) else load_data(data)


def _signal(samples: Data) -> tuple[str, str]:
    """The kind of signal that all samples are, and their range in words."""
    x = samples.inputs()
    least, most = float(x.min()), float(x.max())
    if ((x == 0) | (x == 1)).all():
        return "binary", "only 0 and 1"
    if (x == np.rint(x)).all():
        return "integer", f"whole numbers in {least:g}..{most:g}"
    return "real", f"values in {least:g}..{most:g}"


# steps


def _timesteps(made: Made, code: UserCode, given: int | None) -> tuple[int | None, tuple[str, ...]]:
    module = made.module
    own = getattr(module, "timesteps", None)
    if given is not None:
        return given, _told(module, given)
    if own is not None:
        return own, ()
    for places in (
        dict(_of_attributes(module, "the model's")),
        dict(_of_arguments(made)),
        dict(_of_parts(module)),
        dict(_of_globals(made, code)),
    ):
        values = dict.fromkeys(places.values())
        if len(values) > 1:
            listed = ", ".join(f"{place} is {value}" for place, value in list(places.items())[:4])
            raise ModelError(
                f"the model does not say one number of time steps: {listed}; give --timesteps T"
            )
        if values:
            [steps] = values
            return steps, (f"time steps {steps}: from {next(iter(places))}",)
    return None, ()


def _told(module: Any, given: int) -> tuple[str, ...]:
    """Tell a model the number of steps, where it keeps it in an attribute of its own."""
    notes = []
    for name in TIME_NAMES:
        own = vars(module).get(name)
        if _is_count(own) and own != given:
            setattr(module, name, given)
            notes.append(
                f"time steps {given}: given, and set as the model's {name}, which was {own}"
            )
    return tuple(notes)


def _of_attributes(holder: Any, whose: str) -> Iterator[tuple[str, int]]:
    for name in TIME_NAMES:
        value = getattr(holder, name, None)
        if _is_count(value):
            yield f"{whose} {name}", value


def _of_arguments(made: Made) -> Iterator[tuple[str, int]]:
    """The factory's arguments by name, and a configuration's attributes or keys."""
    factory = made.spec.factory
    for name, value in made.arguments.items():
        if name in TIME_NAMES and _is_count(value):
            yield f"the argument {name} of {factory}", value
    for name, value in made.arguments.items():
        if isinstance(value, dict):
            found = ((key, value.get(key)) for key in TIME_NAMES)
            yield from ((f"{name}[{k!r}] of {factory}", v) for k, v in found if _is_count(v))
        elif hasattr(value, "__dict__") and not isinstance(value, type | torch.nn.Module):
            yield from _of_attributes(value, f"the argument {name}'s")


def _of_parts(module: Any) -> Iterator[tuple[str, int]]:
    for path, part in module.named_modules():
        if path:
            yield from _of_attributes(part, f"{path}'s")


def _of_globals(made: Made, code: UserCode) -> Iterator[tuple[str, int]]:
    """Of the user's files that define the model's classes, and of the factory's own."""
    homes = {type(part).__module__ for part in made.module.modules()}
    loaded = {**code.loaded(), made.code.__name__: made.code}
    for name in dict.fromkeys([made.code.__name__, *sorted(homes)]):
        found = loaded.get(name)
        if found is not None and code.wrote(found):
            yield from _of_attributes(found, f"{name.removeprefix('_model_')}'s")


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= LONGEST_WINDOW


# the example


def _said_example(made: Made, shape: tuple[int, ...] | None) -> Any:
    if shape is not None:
        return torch.zeros((1, *shape))
    maker = getattr(made.code, "example", None)
    if callable(maker):
        return _made_example(maker, made)
    own = getattr(made.module, "input_shape", None)
    return None if own is None else torch.zeros((1, *own))


def _made_example(maker: Any, made: Made) -> Any:
    where = made.spec.source
    try:
        found = maker(made.module)
    except (Exception, SystemExit) as error:
        raise ModelError(f"{where}: example() raises: {one_line(error)}") from None
    if not torch.is_tensor(found):
        raise ModelError(f"{where}: example() returns {type(found).__name__}, not a tensor")
    return found
