"""A door: what a format must say of itself, so that every command takes its networks.

A door is one file that makes a `Door`, and one line in `frontend.doors.DOORS`.  Behind it nothing
depends on the format: it gives a traced graph, or a network of integers, and facts about either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from snndeploy.data import Data
    from snndeploy.graph import Graph
    from snndeploy.network import Network

Step = Callable[[str], None]


@dataclass(frozen=True)
class Need:
    """What a command needs of a network: its trained weights; spiking neurons; the proof that what
    was read computes what the network does."""

    weights: bool = True
    spikes: bool = True
    proof: bool = True


TO_COMPILE = Need()
TO_COST = Need(spikes=False)
TO_COUNT = Need(weights=False, spikes=False)
TO_FIT = Need(weights=False, proof=False)


def silent(step: str) -> None:
    """The default progress report."""


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a network before a chip is chosen.

    spec, weights: as typed, without folders.  parameters: how many numbers were trained, and
    parameters_sha256 the hash of them.  input_shape: of one sample, time included where it has it.
    """

    name: str
    spec: str
    weights: str
    parameters: int
    parameters_sha256: str
    timesteps: int
    input_shape: tuple[int, ...]
    input_signal: Literal["binary", "integer", "real"]


@dataclass(frozen=True)
class SpecOptions:
    """What a user may say about a SPEC besides; a door refuses by name what it cannot use.

    key, strip_prefix, allow_unexpected: of the checkpoint (`frontend.checkpoint.Naming`).
    path: folders whose modules the model's code may import.
    data: samples, or their file, that say shape and signal where the model does not.
    adapters: functions that recognise neurons (`frontend.adapters`), or the file that lists them.
    input_neuron: threshold, weight and decay of input neurons (the last two may be left out).
    dt: seconds of a time step.  reset: 'hard' or 'soft', what a spike does to the membrane.
    lower_bound: of membranes.  answer: what of an output over time, 'mean', 'sum', 'last', 'all'.
    """

    checkpoint: str | Path | None = None
    key: str | None = None
    strip_prefix: str | None = None
    allow_unexpected: bool = False
    random_weights: bool = False
    path: Sequence[str | Path] = ()
    data: str | Path | Data | None = None
    adapters: Path | Iterable[Any] | None = None
    input_shape: tuple[int, ...] | None = None
    input_signal: str | None = None
    timesteps: int | None = None
    input_neuron: tuple[int, ...] | None = None
    dt: float | None = None
    reset: str | None = None
    lower_bound: float | None = None
    answer: str | None = None

    def given(self) -> tuple[str, ...]:
        """The names of the options that say something; samples are there for more than this."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        del values["data"]
        return tuple(name for name, value in values.items() if value or _is_number(value))


def _is_number(value: object) -> bool:
    """Also zero says something; an absent flag does not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A network in real numbers: the graph as it was traced, without signals.

    calibration: samples that belong to it, for when the user gives none.
    """

    facts: ModelFacts
    graph: Graph
    calibration: Path | None = None


@dataclass(frozen=True, eq=False)
class OpenedNetwork:
    """A network in integers: nothing is left to lower or quantize."""

    facts: ModelFacts
    network: Network


Opened = OpenedModel | OpenedNetwork


@dataclass(frozen=True)
class Door:
    """The declaration of a format.

    kind: what its SPECs are, in words.  form: what one looks like.  takes: is this SPEC one?
    gives: 'model' a graph in real numbers, 'network' integers.  options: those of `SpecOptions`
    that it uses.  open: reads a SPEC with options; imports what it needs when it is called.

    Raises from `open`:
        DeployError: one line, whatever is wrong with the SPEC.
    """

    kind: str
    form: str
    takes: Callable[[str], bool]
    gives: Literal["model", "network"]
    options: frozenset[str]
    open: Callable[[str, SpecOptions, Need, Step], Opened]
