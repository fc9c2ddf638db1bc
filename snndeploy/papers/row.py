"""One printed number of the papers, how it is computed here, and how the two agree.

How they agree is found by comparing, never stated: see `agreement`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any, Literal

from snndeploy.papers.shown import Shown

Unit = Literal["count", "ratio", "mJ", "percent"]
PRINTED = re.compile(r"([−-]?[\d,]*\.?\d+) ?(M|mJ|×|%)?")
SCALES = {"M": Decimal(1_000_000), "%": Decimal("0.01")}
DECIMALS: dict[Unit, int] = {"count": 0, "ratio": 4, "mJ": 6, "percent": 2}
SUFFIXES: dict[Unit, str] = {"count": "", "ratio": "", "mJ": " mJ", "percent": " %"}


def itself(value: Any) -> float:
    """What a row takes when that which shows it is the number."""
    return float(value)


@dataclass(frozen=True)
class Row:
    """A number that a paper prints ('' when none does: it follows from the text).

    source: where it is printed.  shown: the command whose result holds it.  take: finds the
    number in that result, percentages as parts of one.  note: what has to be assumed.
    unreproduced: why the printed number does not come out.  awaits: what is not at hand to
    compute it.
    """

    id: str
    quantity: str
    source: str
    printed: str
    unit: Unit
    shown: Shown
    take: Callable[[Any], float] = itself
    note: str = ""
    unreproduced: str = ""
    awaits: str = ""

    @property
    def command(self) -> str:
        """What shows the number; arithmetic is shown by this package alone."""
        return self.shown.command or f"snndeploy reproduce {self.id}"


@dataclass(frozen=True)
class Result:
    """What was computed of a row.

    value: ours, None where the papers leave something open and only the range is known.
    low, high: the range, over all that rounds to the printed rates.
    """

    row: Row
    value: float | None
    low: float | None
    high: float | None

    @property
    def agreement(self) -> str:
        return agreement(self.row.printed, self.value, self.low, self.high)

    @property
    def ours(self) -> str:
        """As a person reads it, the range where it matters."""
        if self.value is None or self.low is None or self.high is None:
            return "–" if self.low is None or self.high is None else self._range()
        if self.agreement == WITHIN:
            return f"{self._number(self.value)} ({self._range()})"
        return self._number(self.value)

    def _range(self) -> str:
        assert self.low is not None and self.high is not None
        return f"{self._number(self.low)} to {self._number(self.high)}"

    def _number(self, value: float) -> str:
        unit = self.row.unit
        shown = 100 * value if unit == "percent" else value
        decimals = DECIMALS[unit] if unit == "mJ" else max(DECIMALS[unit], self._printed_decimals())
        return f"{shown:,.{decimals if unit != 'count' else 0}f}{SUFFIXES[unit]}".replace("-", "−")

    def _printed_decimals(self) -> int:
        return len(self.row.printed.rstrip("×% mJM").partition(".")[2])

    def as_json(self) -> dict[str, Any]:
        """What was not computed, and what a paper does not print, is absent."""
        row = self.row
        found: dict[str, Any] = {
            "row": row.id,
            "quantity": row.quantity,
            "source": row.source or None,
            "printed": row.printed or None,
            "unit": row.unit,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "agreement": self.agreement,
            "convention": row.shown.reading or None,
            "note": row.note or None,
            "unreproduced": row.unreproduced or None,
            "awaits": row.awaits or None,
            "command": row.command,
        }
        return {key: value for key, value in found.items() if value is not None}


def compute(row: Row) -> Result:
    """The number by the row's command, and its range over what rounds to the rates behind it."""
    nominal = row.shown.nominal()
    value = None if nominal is None else row.take(nominal)
    around = [row.take(found) for found in row.shown.corners()]
    if value is not None:
        around.append(value)
    if not around:
        return Result(row, None, None, None)
    return Result(row, value, min(around), max(around))


EXACT, TRUNCATED, DERIVED = "exact", "truncated", "not printed"
WITHIN = "within the rounding of the rates"
POSSIBLE, IMPOSSIBLE = "inside the range", "outside the range"
UNKNOWN = "not computed"


def agreement(printed: str, value: float | None, low: float | None, high: float | None) -> str:
    """How ours agrees with a printed number.

    exact: it rounds to the printed digits.  truncated: cut off, it gives them.  within the rounding
    of the rates: rates that round to the printed ones give them.  Else our deviation in percent.

    Raises:
        ValueError: what is printed is no number.
    """
    if low is None or high is None:
        return UNKNOWN
    if not printed:
        return DERIVED
    wanted, scale = _parsed(printed)
    step = Decimal(1).scaleb(int(wanted.as_tuple().exponent))
    half = step / 2
    reached = _scaled(low, scale) <= wanted + half and _scaled(high, scale) >= wanted - half
    if value is None:
        return POSSIBLE if reached else IMPOSSIBLE
    ours = _scaled(value, scale)
    if wanted in (ours.quantize(step, ROUND_HALF_UP), ours.quantize(step, ROUND_HALF_EVEN)):
        return EXACT
    if ours.quantize(step, ROUND_DOWN) == wanted:
        return TRUNCATED
    return WITHIN if reached else f"{100 * (ours / wanted - 1):+.1f} %".replace("-", "−")


def _scaled(value: float, scale: Decimal) -> Decimal:
    return Decimal(repr(value)) / scale


def _parsed(printed: str) -> tuple[Decimal, Decimal]:
    found = PRINTED.fullmatch(printed)
    if found is None:
        raise ValueError(f"{printed!r} is no printed number")
    number, unit = found.groups()
    plain = number.replace(",", "").replace("−", "-")
    return Decimal(plain), SCALES.get(unit or "", Decimal(1))
