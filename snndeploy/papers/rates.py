"""The firing rates that the papers' tables print, with the digits that they are printed with."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from snndeploy.shelf import models_folder

TABLES = "printed.toml"


def rate(table: str, name: str) -> Decimal:
    """One rate of `models/rates/printed.toml`.

    Raises:
        KeyError: there is none.
    """
    found = _read(TABLES)[table][name]
    assert isinstance(found, Decimal), f"{table}: {name} is no rate"
    return found


def layer_rates(file: str) -> dict[str, Decimal]:
    """A rate for every layer of neurons of one network, and "input": a file of models/rates."""
    return dict(_read(file))


def around(value: Decimal) -> tuple[float, float]:
    """The smallest and the largest rate that round to the printed one."""
    half = Decimal(5).scaleb(int(value.as_tuple().exponent) - 1)
    return float(value - half), float(value + half)


@cache
def _read(file: str) -> dict[str, Any]:
    path = Path(models_folder()) / "rates" / file
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
