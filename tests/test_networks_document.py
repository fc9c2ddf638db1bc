"""docs/networks.md is what the tool says today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from snndeploy.shelf import catalog

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

ROOT = Path(__file__).resolve().parents[1]
FAST = (
    "gac-digits", "temporal-digits", "lif-snn-3-small", "lif-snn-3-small-tcsa",
    "lif-snn-3-csa-conv-pre", "vgg-snn-7", "sew-7b", "ann-lif-3",
)  # fmt: skip


def script():
    spec = importlib.util.spec_from_file_location("networks_page", ROOT / "benchmarks/networks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NETWORKS = script()
ROWS = {
    line.split("`")[1]: line
    for line in NETWORKS.DOCUMENT.read_text().splitlines()
    if line.startswith("| `")
}


def test_the_page_holds_every_network_once():
    assert list(ROWS) == [entry.name for entry in catalog()]
    assert NETWORKS.DOCUMENT.read_text() == NETWORKS.page(list(ROWS.values()))


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n not in FAST)) for n in ROWS],
)
def test_a_row_is_true(name):
    assert NETWORKS.table_row(name) == ROWS[name]
