"""A backend: what it writes, and which neurons, connections and features it allows.

A backend is one file that makes a `Backend`, and one line in `backends.table.BACKENDS`.  What its
lists do not name is refused by name before anything is written, all reasons at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from snndeploy.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np

    from snndeploy.network import Network, Projection
    from snndeploy.program import Program

FEATURES = (
    "attention", "soft reset", "graded spikes", "current memory", "bias", "host bias",
    "host values", "delays", "axonal delays", "recurrence",
)  # fmt: skip
"""What a network may need besides its kinds of neurons and connections (`features_of`)."""
MOST_PLACES = 3  # named one by one when they share a reason


@dataclass(frozen=True)
class Allowed:
    """The names that a backend allows: kinds of neurons and connections, and of `FEATURES`.

    neurons: with each kind the registers that the backend knows; another one is refused.
    lacks: what is said of a name that is not allowed, or of all such "neurons", "registers",
    "connections" or "features", with {name} and the places as {where} or {quoted}; else a plain
    sentence.
    """

    title: str
    neurons: Mapping[str, tuple[str, ...]]
    connections: frozenset[str]
    features: frozenset[str]
    lacks: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.features <= set(FEATURES), self.features - set(FEATURES)

    def refusals(
        self, network: Network, others: Iterable[UnsupportedError] = ()
    ) -> tuple[UnsupportedError, ...]:
        """One for every name that is not allowed, with the places that need it; then the others."""
        places: dict[tuple[str, str], list[str]] = {}
        for where, kind, name in (*features_of(network), *self._unknown_registers(network)):
            if kind == "registers" or name not in getattr(self, kind):
                places.setdefault((kind, name), []).append(where)
        found = [self.refusal(kind, name, where) for (kind, name), where in places.items()]
        named = {name for _, name in places}
        return (*found, *(error for error in others if error.reason not in named))

    def _unknown_registers(self, network: Network) -> Iterator[tuple[str, str, str]]:
        """What a kind that the backend knows holds besides."""
        from snndeploy.neurons import unsaid

        for population in network.populations:
            known = self.neurons.get(population.neuron.name)
            if known is not None and (more := unsaid(population.neuron, known)):
                yield population.name, "registers", more

    def refused_connection(self, projection: Projection) -> UnsupportedError:
        """For those who match connections: what no case takes is not allowed."""
        return self.refusal("connections", projection.connection.kind, [projection.name])

    def refusal(self, kind: str, name: str, places: Sequence[str]) -> UnsupportedError:
        plain = "{where}: {title} has no {name}"
        if kind == "registers":
            plain = "{where}: it has {name}, which {title} does not know"
        said = self.lacks.get(name) or self.lacks.get(kind) or plain
        named = list(dict.fromkeys(places))
        more = f" and {len(named) - MOST_PLACES} more" if len(named) > MOST_PLACES else ""
        where = ", ".join(named[:MOST_PLACES]) + more
        quoted = ", ".join(map(repr, named[:MOST_PLACES])) + more
        said = said.format(where=where, quoted=quoted, title=self.title, name=name)
        return UnsupportedError(said, node=places[0], reason=name)


@dataclass(frozen=True)
class Written:
    """What was written: in brackets behind the path, lines below it, and how to go on."""

    summary: str = ""
    notes: tuple[str, ...] = ()
    go_on: str = ""


@dataclass(frozen=True)
class Backend:
    """The declaration.

    writes: in words.  command: 'deploy' what runs elsewhere and is told what it must answer,
    'export' another tool's format.  form: of the output.  options: those that `emit` takes.
    emit: (program, inputs (samples, ...), output, options); imports what it needs when called.
    run: runs what was emitted: (program, folder, samples, mode, timeout in seconds, progress).
    allowed: of what a chip's integers may be; None: the float model is written.
    refusals: what lists of names cannot say, as numbers that are too large.
    """

    name: str
    writes: str
    command: Literal["deploy", "export"]
    form: Literal["file", "folder"]
    allowed: Allowed | None
    emit: Callable[[Program, np.ndarray, Path, Mapping[str, Any]], Written]
    options: frozenset[str] = frozenset()
    refusals: Callable[[Program, Mapping[str, Any]], Iterable[UnsupportedError]] = lambda *_: ()
    run: Callable[..., Any] | None = None


def features_of(network: Network) -> Iterator[tuple[str, str, str]]:
    """What a network needs: (where, 'neurons', 'connections' or 'features', name)."""
    from snndeploy.neurons import NO_CURRENT_MEMORY, Lif, Reset

    place = {population.name: index for index, population in enumerate(network.populations)}
    for population in network.populations:
        neuron = population.neuron
        yield population.name, "neurons", neuron.name
        found = {
            "attention": bool(population.attention),
            "soft reset": isinstance(neuron, Lif) and neuron.reset is Reset.SOFT,
            "graded spikes": neuron.sends_integers,
            "current memory": neuron.current_decay != NO_CURRENT_MEMORY,
            "bias": population.bias is not None and bool(population.bias.any()),
        }
        yield from ((population.name, "features", name) for name, holds in found.items() if holds)
    for injection in network.injections:
        if injection.mode != "spikes":
            name = "host bias" if injection.mode == "bias" else "host values"
            yield injection.target, "features", name
    for projection in network.projections:
        yield projection.name, "connections", projection.connection.kind
        found = {
            "delays": bool(projection.delay),
            "axonal delays": projection.axonal_delay is not None
            and bool(projection.axonal_delay.any()),
            "recurrence": place[projection.source] >= place[projection.target],
        }
        yield from ((projection.name, "features", name) for name, holds in found.items() if holds)


def refuse(found: Sequence[UnsupportedError]) -> None:
    """Raise what was found, if anything was, as one error.

    Raises:
        UnsupportedError: one line with every reason.
    """
    if len(found) == 1:
        raise found[0]
    if found:
        listed = "; ".join(f"({number}) {error}" for number, error in enumerate(found, start=1))
        said = f"{len(found)} reasons: {listed}"
        raise UnsupportedError(said, node=found[0].node, reason=found[0].reason)
