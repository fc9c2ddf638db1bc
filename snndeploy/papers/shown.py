"""The commands that show the papers' numbers, and what they find, without running a shell.

nominal() is what the command finds.  corners() is the same at the ends of what is known: rates
that round to the printed ones, and every share of non-zero inputs where no paper gives it.  What
rows take of them rises or falls with each rate alone, so that the ends bound it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any, Protocol

from snndeploy.costs.activity import INPUT, Activity, from_table, uniform
from snndeploy.costs.comparison import Comparison, Costed, price
from snndeploy.costs.convention import parse_convention
from snndeploy.papers.networks import network, parameters, written
from snndeploy.papers.rates import around, layer_rates


class Shown(Protocol):
    """command: '' for arithmetic alone.  reading: the convention and rates, in short."""

    @property
    def command(self) -> str: ...
    @property
    def reading(self) -> str: ...
    def nominal(self) -> Any: ...
    def corners(self) -> Iterator[Any]: ...


@dataclass(frozen=True)
class Parameters:
    """Parameters of a model, or what it has more than `base`."""

    spec: str
    base: str = ""

    @property
    def command(self) -> str:
        if not self.base:
            return f"snndeploy inspect {written(self.spec)} --random-weights"
        return f"snndeploy compare {written(self.base)} {written(self.spec)}"

    @property
    def reading(self) -> str:
        return ""

    def nominal(self) -> int:
        return parameters(self.spec) - (parameters(self.base) if self.base else 0)

    def corners(self) -> Iterator[int]:
        return iter(())


@dataclass(frozen=True)
class Inspect:
    """`snndeploy inspect SPEC --energy`: the costs of a network at some activity.

    rate: of every neuron.  rates: of every layer, a file of models/rates.  Neither: every neuron
    fires at every step.  input_rate: the papers' phi_0; several values are what it lies between.
    """

    spec: str
    rate: Decimal | None = None
    input_rate: tuple[float, ...] = ()
    rates: str = ""
    convention: str = "default"

    @property
    def command(self) -> str:
        return f"snndeploy inspect {written(self.spec)} --random-weights --energy{self.options()}"

    def options(self, side: str = "") -> str:
        """--rate and --rates (side "-b": those of a second network), --input-rate, --convention."""
        found = f" --rate{side} {self.rate}" if self.rate is not None else ""
        if self.rates:
            found += f" --rates{side} models/rates/{self.rates}"
        if side:
            return found
        if self.input_rate:
            known = len(self.input_rate) == 1
            found += f" --input-rate {self.input_rate[0]:g}" if known else " --input-rate PHI0"
        if self.convention != "default":
            found += f" --convention {self.convention}"
        return found

    @property
    def reading(self) -> str:
        phi_0 = " to ".join(f"{share:g}" for share in self.input_rate)
        return ", ".join(
            part
            for part in (
                f"rate {self.rate}" if self.rate is not None else "",
                f"rates of {self.rates}" if self.rates else "",
                f"phi_0 {phi_0}" if phi_0 else "",
                "" if self.convention == "default" else self.convention,
            )
            if part
        )

    def nominal(self) -> Costed | None:
        if len(self.input_rate) > 1:
            return None
        share = self.input_rate[0] if self.input_rate else None
        return self._at(share, 0)

    def corners(self) -> Iterator[Costed]:
        shares = self.input_rate or (None,)
        ends = (-1, 1) if self.rate is not None or self.rates else (0,)
        for share, end in product(shares, ends):
            yield self._at(share, end)

    def _at(self, share: float | None, end: int) -> Costed:
        """end: -1 and 1 for the smallest and largest rates that round to the printed ones."""
        return price(network(self.spec), self._activity(share, end), self._convention())

    def _convention(self) -> Any:
        return parse_convention(self.convention)

    def _activity(self, share: float | None, end: int) -> Activity | None:
        neurons = network(self.spec).neurons
        if self.rates:
            table = {name: _end(value, end) for name, value in layer_rates(self.rates).items()}
            if end and INPUT in table:
                table[INPUT] = float(layer_rates(self.rates)[INPUT])
            return from_table(neurons, table, self.rates, share)
        return None if self.rate is None else uniform(neurons, _end(self.rate, end), share)


def _end(value: Decimal, end: int) -> float:
    smallest, largest = around(value)
    return {-1: max(smallest, 0.0), 0: float(value), 1: min(largest, 1.0)}[end]


@dataclass(frozen=True)
class Compare:
    """`snndeploy compare A B`: two networks side by side; phi_0 and the convention are A's."""

    a: Inspect
    b: Inspect

    @property
    def command(self) -> str:
        specs = f"{written(self.a.spec)} {written(self.b.spec)}"
        rates, rest = Inspect("", self.a.rate, rates=self.a.rates).options(), self.a.options()
        return f"snndeploy compare {specs}{rates}{self.b.options('-b')}{rest[len(rates) :]}"

    @property
    def reading(self) -> str:
        second = f"rate {self.b.rate} of B" if self.b.rate is not None else self.b.rates
        return ", ".join(part for part in (self.a.reading, second) if part)

    def nominal(self) -> Comparison | None:
        a, b = self.a.nominal(), self.b.nominal()
        return None if a is None or b is None else Comparison(a, b)

    def corners(self) -> Iterator[Comparison]:
        for a, b in product(self.a.corners(), self.b.corners()):
            if _share(a) == _share(b):
                yield Comparison(a, b)


def _share(costed: Costed) -> float | None:
    return costed.activity.input_rate if costed.activity else None


def compare(a: str, b: str, **options: Any) -> Compare:
    """Two networks: `rate_b` and `rates_b` are of the second, all else of both."""
    rates_b = {"rate": options.pop("rate_b", None), "rates": options.pop("rates_b", "")}
    return Compare(Inspect(a, **options), Inspect(b, **{**options, **rates_b}))


@dataclass(frozen=True)
class Worked:
    """Arithmetic, written out.  value: what it gives, None where only its range is known.

    around: its ends, over what rounds to the printed numbers behind it.
    """

    reading: str
    value: float | None
    around: tuple[float, ...] = ()
    command: str = ""

    def nominal(self) -> float | None:
        return self.value

    def corners(self) -> Iterator[float]:
        return iter(self.around)


@dataclass(frozen=True)
class Wanted:
    """A command that gives the number once its RATEs are filled in: it is not run."""

    command: str = ""
    reading: str = ""

    def nominal(self) -> None:
        return None

    def corners(self) -> Iterator[Any]:
        return iter(())
