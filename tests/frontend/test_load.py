"""From a specification and a checkpoint to a module: what is read, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from snndeploy.errors import ModelError
from snndeploy.frontend.checkpoint_file import read_state
from snndeploy.frontend.load import load, load_adapters
from snndeploy.frontend.spec import parse_spec

pytestmark = pytest.mark.torch

MODEL = """
import torch
from torch import nn
from helper import WIDTH

class Tiny(nn.Module):
    input_shape = (3,)
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(3, width)

def tiny(width=WIDTH):
    return Tiny(width)

def not_a_module():
    return 3

def stops():
    raise SystemExit("no data here")
"""


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text("WIDTH = 4\n")
    (tmp_path / "tiny_net.py").write_text(MODEL)
    return tmp_path / "tiny_net.py"


def refused(*arguments, **options):
    with pytest.raises(ModelError) as caught:
        load(*arguments, **options)
    return str(caught.value)


def test_a_users_file_with_a_sibling(model_file):
    loaded = load(f"{model_file}:tiny", random_weights=True)
    assert loaded.module.linear.out_features == 4
    assert loaded.name == "tiny_net:tiny"
    assert loaded.weights == ""
    assert tuple(loaded.example.shape) == (1, 3)
    assert "helper" not in sys.modules
    again = load(f"{model_file}:tiny(width=2)", random_weights=True, input_shape=(5,))
    assert again.module.linear.out_features == 2
    assert tuple(again.example.shape) == (1, 5)


def test_random_weights_are_always_the_same(model_file):
    first, second = (load(f"{model_file}:tiny", random_weights=True) for _ in range(2))
    assert torch.equal(first.module.linear.weight, second.module.linear.weight)


def test_packages_below_the_folder_stay_imported(tmp_path):
    site = tmp_path / ".venv" / "site"
    site.mkdir(parents=True)
    (site / "installed_thing.py").write_text("VALUE = 1\n")
    file = tmp_path / "model.py"
    file.write_text(
        f"import sys; sys.path.append({str(site)!r})\nimport installed_thing\n" + MODEL.replace(
            "from helper import WIDTH", "WIDTH = 4")
    )  # fmt: skip
    try:
        load(f"{file}:tiny", random_weights=True)
        assert "installed_thing" in sys.modules
    finally:
        sys.path.remove(str(site))
        sys.modules.pop("installed_thing", None)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_checkpoints(model_file, tmp_path, suffix):
    state = {"linear.weight": torch.ones(4, 3), "linear.bias": torch.zeros(4)}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        wrapped = {f"module.{key}": value for key, value in state.items()}
        torch.save({"state_dict": wrapped, "epoch": 3}, path)
    else:
        save_file(state, path)
    loaded = load(f"{model_file}:tiny", path)
    assert loaded.weights == path.name
    assert torch.equal(loaded.module.linear.weight, torch.ones(4, 3))


@pytest.mark.parametrize(
    "state, message",
    [
        ({"linear.weight": torch.ones(4, 3), "fc.bias": torch.zeros(4)},
         "checkpoint {path} does not belong to this model: 1 missing (linear.bias), 1 unknown"
         " (fc.bias)"),
        ({"linear.weight": torch.ones(4, 2), "linear.bias": torch.zeros(4)},
         "checkpoint {path}: linear.weight has shape (4, 2), the model needs (4, 3)"),
        ({"linear.weight": torch.full((4, 3), float("nan")), "linear.bias": torch.zeros(4)},
         "{path}: linear.weight has 12 of 12 values that are NaN or infinite; the training diverged"
         " or the file is damaged"),
    ],
)  # fmt: skip
def test_checkpoints_that_do_not_fit(model_file, tmp_path, state, message):
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    assert refused(f"{model_file}:tiny", path) == message.format(path=path)


class Dangerous:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_nothing_is_unpickled(tmp_path, capsys):
    path = tmp_path / "evil.pt"
    torch.save({"linear.weight": Dangerous()}, path)
    with pytest.raises(ModelError, match="needs unpickling of print"):
        read_state(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [[1, 2], {"weight": 3}, {3: torch.zeros(1)}])
def test_files_without_a_state_dict(tmp_path, content):
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(ModelError) as caught:
        read_state(path)
    assert str(caught.value) == f"checkpoint {path} holds no state_dict (names to tensors)"


def test_what_is_refused_in_one_line(model_file, tmp_path):
    assert refused("nowhere.py:tiny") == "model file nowhere.py does not exist"
    assert refused(f"{model_file}:tiny") == (
        f"model {model_file}:tiny has no shipped weights; give --checkpoint FILE, or"
        " --random-weights to look at its structure and costs"
    )
    assert refused(f"{model_file}:tinny") == (
        f"{model_file} has no factory 'tinny', did you mean 'Tiny' or 'tiny'?"
    )
    assert refused(f"{model_file}:not_a_module", random_weights=True) == (
        f"{model_file}:not_a_module returns int, not a torch module"
    )
    assert refused(f"{model_file}:stops", random_weights=True) == (
        f"{model_file}:stops raises: SystemExit: no data here"
    )
    missing = tmp_path / "no.safetensors"
    assert refused(f"{model_file}:tiny", missing) == f"checkpoint {missing} does not exist"
    broken = tmp_path / "broken.py"
    broken.write_text("import sys\nsys.exit(3)\n")
    assert refused(f"{broken}:tiny") == f"model file {broken} raises: SystemExit: 3"


@pytest.mark.parametrize("call", ["tiny(", "tiny(width=[open])", "a.tiny()", "tiny(**{'a': 1})"])
def test_only_calls_with_literals(model_file, call):
    with pytest.raises(ModelError) as caught:
        parse_spec(f"{model_file}:{call}")
    assert str(caught.value) == (
        f"{call!r} is not FACTORY(arguments) with arguments that are literals or names, for example"
        " gac.py:gac_digits(timesteps=4)"
    )


def test_adapters_of_a_file(tmp_path):
    path = tmp_path / "adapters.py"
    path.write_text("def one(module): return None\nADAPTERS = [one]\n")
    assert [adapter.__name__ for adapter in load_adapters(path)] == ["one"]
    path.write_text("ADAPTERS = 3\n")
    with pytest.raises(ModelError) as caught:
        load_adapters(path)
    assert str(caught.value) == f"adapters file {path} has no list ADAPTERS of functions"
