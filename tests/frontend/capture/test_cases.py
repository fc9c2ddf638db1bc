"""Networks that users had trouble with, without the descriptions of their neurons."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch
from loop_nets import stated
from torch import nn

from snndeploy.frontend.torch import trace

pytestmark = pytest.mark.torch

PLAIN = dict(threshold=1.0, fires_at="ge", decay=0.5, v_reset=0.0, reset="hard")
CASES = {
    "49_step_mode": [PLAIN | dict(decay=0.9, fires_at="gt")] * 2,
    "04_recurrent": [PLAIN] * 2,
    "10_synaptic": [PLAIN | dict(decay=0.8, current_decay=0.9)] * 2,
    "09_vmin": [PLAIN | dict(decay=1.0, lower_bound=-1.0)] * 2,
    "76_soft": [PLAIN | dict(decay=0.9, reset="soft")],
    "12_thr_vector": [PLAIN | dict(threshold=float(torch.tensor(0.3))), PLAIN],
    "75b_mV_shift": [PLAIN | dict(threshold=13.0, decay=0.9, v_reset=4.5)],
}


@pytest.fixture
def case(shared_data, monkeypatch):
    """A case's file, by name; none of its modules describes itself."""
    folder = shared_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"NOT TESTED: no {folder}")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "lib", raising=False)

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        file = importlib.import_module(name)
        for kind in vars(file).values():
            if isinstance(kind, type) and issubclass(kind, nn.Module):
                if "neuron_parameters" in vars(kind):
                    monkeypatch.delattr(kind, "neuron_parameters")
        return file

    return load


@pytest.mark.parametrize("name", CASES)
def test_a_case_rolls_with_its_parameters(case, name):
    net = case(name).net()
    graph = trace(net, torch.zeros(1, *net.input_shape))
    assert [stated(node) for node in graph.neurons()] == CASES[name]
    assert (graph.neurons()[0].feedback is not None) == (name == "04_recurrent")


def test_the_shifted_description_makes_no_difference(case):
    file = case("75b_mV_shift")
    found = [
        stated(node)
        for shifted in (True, False)
        for node in trace(file.net(shifted), torch.zeros(1, 12, 40)).neurons()
    ]
    assert found == CASES["75b_mV_shift"] * 2
