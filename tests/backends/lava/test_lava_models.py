"""The compiler's own programs on Lava: the chain of `verify --lava`, spike for spike."""

from __future__ import annotations

from pathlib import Path

import pytest

from snndeploy.data import load_data
from snndeploy.pipeline import compile
from snndeploy.pipeline.deploy import lava_link
from snndeploy.shelf import model_entry

pytestmark = [pytest.mark.lava, pytest.mark.torch]

CASES = [
    ("gac-digits", "compose"),  # strided membrane shortcuts, graded injections, biases everywhere
    ("gac-digits", "relay"),
    ("direct-digits", "compose"),
    ("lif-snn-3-small", "compose"),  # integer events on the chip, average pools folded
]


@pytest.mark.parametrize(("model", "shortcuts"), CASES)
def test_equal_spike_for_spike(
    model: str, shortcuts: str, tmp_path: Path, lava_python: Path
) -> None:
    program = compile(model, target="loihi2", shortcuts=shortcuts)  # type: ignore[arg-type]
    data = model_entry(model).test_data
    assert data is not None
    link = lava_link(program, load_data(data).take(2).inputs(), tmp_path)
    assert link.exact, str(link.first)
    lifs = [p for p in program.network.populations if p.neuron.name == "lif"]
    assert link.compared >= 2 * program.network.timesteps * sum(p.neurons for p in lifs)
