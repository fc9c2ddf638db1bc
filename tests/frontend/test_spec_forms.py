"""Where a model's code is found, which of its factories is meant, and what it says of itself."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from snndeploy import pipeline
from snndeploy.errors import ModelError
from snndeploy.frontend.door import TO_COUNT
from snndeploy.frontend.load import load

pytestmark = pytest.mark.torch

LAYERS = """
import torch
from torch import nn

class LIF(nn.Module):
    def forward(self, x):
        v, out = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            v = 0.5 * v + x[:, t]
            s = (v > 1.0).to(x.dtype)
            v = v * (1 - s)
            out.append(s)
        return torch.stack(out, 1)
"""
NET = """
import torch
from torch import nn
from stages.layers import *

class Net(nn.Module):
    def __init__(self, width=WIDTH, T=3):
        super().__init__()
        self.fc = nn.Linear(4, width)
        self.spike = LIF()

    def forward(self, x):
        from stages import late
        return self.spike(self.fc(x)).mean(1) * late.ONE

def net(width=WIDTH):
    return Net(width)
"""


def repository(folder, width, late=1.0):
    """A paper's code: a package without __init__, whose files import each other from its top."""
    stages = folder / "stages"
    stages.mkdir(parents=True)
    (stages / "layers.py").write_text(f"WIDTH = {width}\ntime_window = 3\n" + LAYERS)
    (stages / "net.py").write_text(NET)
    (stages / "late.py").write_text(f"ONE = {late}\n")
    (folder / "settings.py").write_text(
        "class Configs:\n    width = 7\n    T = 3\n    model = None\n"
    )
    return folder


@pytest.fixture
def repositories(tmp_path):
    return repository(tmp_path / "one", 5), repository(tmp_path / "two", 6, late=2.0)


def width(loaded):
    return loaded.module.fc.out_features


def loads(spec, **given):
    given = {"random_weights": True, "input_shape": (3, 4)} | given
    return load(spec, **given)


def refused(spec, **given):
    with pytest.raises(ModelError) as caught:
        loads(spec, **given)
    return str(caught.value)


def test_two_folders_with_equal_names_do_not_meet(repositories):
    """Also where the second is loaded and run while the first is still used."""
    one, two = (loads("stages.net:net()", path=[folder]) for folder in repositories)
    assert (width(one), width(two)) == (5, 6)
    assert not [name for name in sys.modules if name.partition(".")[0] == "stages"]
    x = torch.ones(1, 3, 4)
    for loaded, late in ((one, 1.0), (two, 2.0), (one, 1.0)):
        loaded.module.fc.bias.data.fill_(100.0)
        with loaded.code:
            assert (loaded.module(x) == late).all()
        assert "stages.late" not in sys.modules


def test_a_module_of_that_name_elsewhere_is_out_of_sight_and_comes_back(repositories, monkeypatch):
    other = type(sys)("stages")
    monkeypatch.setitem(sys.modules, "stages", other)
    assert width(loads("stages.net:net()", path=[repositories[0]])) == 5
    assert sys.modules["stages"] is other


def test_late_imports_work_from_a_spec_to_a_graph(repositories):
    opened, graph = pipeline.load_graph(
        "stages.net:net()", need=TO_COUNT, path=[repositories[1]], input_shape=(3, 4)
    )
    assert opened.facts.spec == "stages.net:net()"
    assert "time steps 3: from stages.net's time_window" in graph.notes
    assert len(graph.neurons()) == 1


def test_an_installed_package():
    loaded = load("torch.nn:Linear(2, 3)", random_weights=True, input_shape=(2,))
    assert (loaded.name, loaded.module.out_features) == ("nn:Linear", 3)


def test_arguments_may_name_what_the_code_has(repositories):
    [one, _] = repositories
    for call, wide in (
        ("stages.net:Net(settings.Configs.width)", 7),
        ("stages.net:Net(width=WIDTH)", 5),
        ("stages.net:Net(WIDTH, T=settings.Configs.T)", 5),
    ):
        assert width(loads(call, path=[one])) == wide
    (one / "stages" / "net.py").write_text(NET + "\ndef of(c):\n    return Net(c.width)\n")
    call = "stages.net:of(replace(settings.Configs(), width=9))"
    assert width(loads(call, path=[one])) == 9
    said = refused("stages.net:of(replace(settings.Configs(), wide=9))", path=[one])
    assert said == "replace(): Configs has no attribute 'wide'"


def test_a_factory_that_leaves_the_module_in_its_argument(repositories):
    [one, _] = repositories
    made = "\ndef create(c):\n    c.model = nn.DataParallel(Net(c.width))\n"
    (one / "stages" / "net.py").write_text(NET + made)
    loaded = loads("stages.net:create(settings.Configs())", path=[one])
    assert width(loaded) == 7
    where = "the module that it left in c.model is used"
    assert loaded.notes[0] == f"stages.net:create returns nothing: {where}"
    (one / "stages" / "net.py").write_text(NET + made + "    raise TypeError('verbose')\n")
    loaded = loads("stages.net:create(settings.Configs())", path=[one])
    assert width(loaded) == 7 and "raises TypeError: verbose" in loaded.notes[0]


def test_what_to_do_where_a_neighbour_is_missing(repositories):
    [one, _] = repositories
    assert refused(f"{one}/stages/net.py:net()") == (
        f"model file {one}/stages/net.py raises: ModuleNotFoundError: No module named 'stages';"
        f" install it, or give --path FOLDER, the folder that holds it: --path {one}"
    )
    assert width(loads(f"{one}/stages/net.py:net()", path=[one])) == 5
    assert refused("stages.net:net()", path=[one / "stages"]) == (
        f"module stages.net is not installed and not in {one}/stages; give --path FOLDER, the"
        " folder that holds stages"
    )
    assert refused("stages.net:nett()", path=[one]).startswith(
        "stages.net has no factory 'nett', did you mean 'Net' or 'net'?"
    )
    assert refused("a.b:c()", path=[one / "no"]) == (
        f"--path {one}/no does not exist; give the folder that holds the modules"
    )


LONELY = """
import torch
from torch import nn

class LIF(nn.Module):
    def forward(self, x): return x

class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.fc, self.lif = nn.Linear(4, width), LIF()

def loss(): return nn.MSELoss()
def main(): Net()(torch.zeros(1, 4))
"""


@pytest.mark.parametrize(
    ("more", "factory"),
    [
        ("", "Net"),
        ("def net(): return Net(3)", "net"),
        ("def wrapped(): return net()\ndef net(w=3): return Net(w)", "wrapped"),
        ("model = nn.Sequential(Net())", "model"),
        ("def tall(): return nn.Sequential(Net(), nn.ReLU())", "tall"),
    ],
)
def test_a_file_alone_means_its_only_factory(tmp_path, more, factory):
    """Parts of the model, losses and main() are none."""
    file = tmp_path / "alone.py"
    file.write_text(LONELY + more + "\n")
    assert loads(str(file)).spec == f"alone.py:{factory}()"


def test_several_factories_are_listed_ready_to_paste(tmp_path):
    file = tmp_path / "alone.py"
    file.write_text(LONELY + "def small(): return Net(2)\ndef large(): return Net(9)\n")
    assert refused(str(file)) == (
        f"{file} names a file but no factory, and 2 may be meant; write one of these:"
        f" {file}:small, {file}:large"
    )
    file.write_text(LONELY.replace("width=2", "width"))
    assert refused(str(file)) == (
        f"{file} names a file but no factory, and nothing in it makes a torch module without"
        f" arguments (its classes need arguments: LIF, Net); write {file}:FACTORY(arguments)"
    )


STEPS = """
from torch import nn

class Cell(nn.Module):
    pass

class Net(nn.Module):
    def __init__(self, num_steps=None):
        super().__init__()
        self.a, self.b = Cell(), Cell()

class Config:
    def __init__(self, **given):
        vars(self).update(given)

def with_(own=None, a=None, b=None, num_steps=None, config=None):
    net = Net()
    for holder, value in ((net, own), (net.a, a), (net.b, b)):
        if value is not None:
            holder.T = value
    return net
"""


@pytest.mark.parametrize(
    ("arguments", "steps", "note"),
    [
        ("own=5, a=3", 5, "time steps 5: from the model's T"),
        ("num_steps=7, a=3", 7, "time steps 7: from the argument num_steps of with_"),
        ("config={'T': 6}", 6, "time steps 6: from config['T'] of with_"),
        ("config=Config(time_steps=8)", 8, "time steps 8: from the argument config's time_steps"),
        ("a=3, b=3", 3, "time steps 3: from a's T"),
        ("", 9, "time steps 9: from net's time_window"),
    ],
)
def test_steps_are_found_and_said(tmp_path, arguments, steps, note):
    file = tmp_path / "net.py"
    file.write_text("time_window = 9\n" + STEPS)
    loaded = loads(f"{file}:with_({arguments})")
    assert (loaded.timesteps, loaded.notes) == (steps, (note,))


def test_steps_that_disagree_are_asked_for_and_given_ones_are_set(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(STEPS)
    assert loads(f"{file}:with_()").timesteps is None
    assert refused(f"{file}:with_(a=3, b=4)") == (
        "the model does not say one number of time steps: a's T is 3, b's T is 4; give"
        " --timesteps T"
    )
    loaded = loads(f"{file}:with_(own=5)", timesteps=4)
    assert loaded.timesteps == loaded.module.T == 4
    assert loaded.notes == ("time steps 4: given, and set as the model's T, which was 5",)


@pytest.mark.parametrize(
    ("x", "scale", "signal", "said"),
    [
        (np.array([[0, 1], [1, 1]], np.uint8), 1, "binary", "only 0 and 1"),
        (np.array([[0, 3], [1, 1]], np.uint8), 1, "integer", "whole numbers in 0..3"),
        (np.array([[0, 255], [9, 1]], np.uint8), 1 / 255, "real", "values in 0..1"),
        (np.array([[-0.5, 2], [0, 1]], np.float32), 1, "real", "values in -0.5..2"),
    ],
)
def test_data_say_shape_and_signal(tmp_path, x, scale, signal, said):
    (tmp_path / "net.py").write_text(STEPS)
    np.savez(tmp_path / "d.npz", x=x, scale=scale)
    spec = f"{tmp_path}/net.py:with_(own=2)"
    loaded = loads(spec, input_shape=None, data=tmp_path / "d.npz")
    assert (loaded.signal, tuple(loaded.example.shape)) == (signal, (1, 2))
    assert loaded.notes[1:] == (
        "input shape 2: from d.npz", f"input signal {signal}: d.npz has {said}",
    )  # fmt: skip
    assert loads(spec, input_signal="real", data=tmp_path / "d.npz").signal == "real"
    assert refused(spec, input_shape=None) == (
        f"{tmp_path}/net.py has no example(module) and the model no input_shape; give"
        " --input-shape, or --calibration DATA.npz, whose samples have it"
    )


OWN_WEIGHTS = """
import torch
from torch import nn

class Net(nn.Module):
    T = 2
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 3), nn.Linear(3, 2)

def whole():
    net = Net()
    net.load_state_dict(torch.load(__file__[:-3] + ".pt"))
    return net

def part():
    net = Net()
    state = torch.load(__file__[:-3] + ".pt")
    net.load_state_dict({k: v for k, v in state.items() if "body" in k}, strict=False)
    return net

def inside():
    net = Net()
    net.body.load_state_dict({"weight": torch.ones(3, 3), "bias": torch.ones(3)})
    net.head.load_state_dict({"weight": torch.ones(2, 3), "bias": torch.ones(2)})
    return nn.Sequential(net)
"""


def test_a_factory_that_loads_its_own_weights_counts_as_trained(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN_WEIGHTS)
    torch.manual_seed(5)
    state = {"body.weight": torch.rand(3, 3), "body.bias": torch.rand(3),
             "head.weight": torch.rand(2, 3), "head.bias": torch.rand(2)}  # fmt: skip
    torch.save(state, tmp_path / "own.pt")
    loaded = load(f"{file}:whole", input_shape=(3,))
    assert loaded.weights == "loaded by the factory"
    assert loaded.notes[0] == "weights: whole loads them itself"
    assert torch.equal(loaded.module.head.weight, state["head.weight"])
    assert load(f"{file}:inside", input_shape=(3,)).weights == "loaded by the factory"
    assert refused(f"{file}:part", random_weights=False, input_shape=(3,)) == (
        f"{file}:part loads 50% of its weights itself and leaves the others random; give"
        " --checkpoint FILE with all of them, or --random-weights"
    )
    assert refused(f"{file}:Net", random_weights=False).startswith(
        f"model {file}:Net has no shipped"
    )
    other = {name: torch.zeros_like(value) for name, value in state.items()}
    torch.save(other, tmp_path / "other.pt")
    loaded = load(f"{file}:whole", tmp_path / "other.pt", input_shape=(3,))
    assert loaded.weights == "other.pt" and not loaded.module.head.weight.any()


def test_all_that_is_missing_is_asked_for_at_once(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(STEPS)
    with pytest.raises(ModelError) as caught:
        load(f"{file}:Net()")
    assert str(caught.value) == (
        f"3 things are not known: (1) model {file}:Net() has no shipped weights; give --checkpoint"
        " FILE, or --random-weights to look at its structure and costs;"
        f" (2) {file} has no example(module) and the model no input_shape; give --input-shape, or"
        " --calibration DATA.npz, whose samples have it; (3) the model does not say its number of"
        " time steps; give --timesteps T"
    )
