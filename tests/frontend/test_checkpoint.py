"""Weights from files as people have them: containers, prefixes, folded weights, what is refused."""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, prune

from snndeploy.errors import ModelError
from snndeploy.frontend.checkpoint import Naming, load_weights

pytestmark = pytest.mark.torch


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)
        self.fc = nn.Linear(3, 2)


def net(seed=0):
    torch.manual_seed(seed)
    return Net()


STATE = net(1).state_dict()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "w.pt"


def loads(content, file, naming=None, state=STATE):
    """The notes; the module must hold `state` then, bit for bit."""
    if content is not None:
        torch.save(content, file)
    module = net()
    notes = load_weights(module, file, naming)
    for name, value in module.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(value, state[name]), name
    return notes


def refused(content, file, naming=None):
    if content is not None:
        torch.save(content, file)
    module = net()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ModelError) as caught:
        load_weights(module, file, naming)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    return str(caught.value).replace(f"{file.parent}/", "")


# containers


@pytest.mark.parametrize(
    "key", ["model_state_dict", "state_dict", "model_state", "model", "net", "ema", "model_ema"]
)
def test_nested_keys(file, key):
    optimizer = torch.optim.Adam(net().parameters())
    optimizer.zero_grad()
    content = {key: STATE, "optimizer": optimizer.state_dict(), "epoch": 3, "acc": torch.ones(1)}
    assert loads(content, file) == (f"checkpoint w.pt: the tensors under {key}",)


def test_deeper_and_unusual_keys(file):
    assert loads({"model_ema": {"model": STATE}, "n": 1}, file) == (
        "checkpoint w.pt: the tensors under model_ema.model",
    )
    assert loads({"weights_of_net": STATE}, file)
    two = {"model": STATE, "ema": {"a.b": net(2).state_dict()}}
    assert refused(two, file) == (
        "checkpoint w.pt holds 2 state dicts; say which with --key: model, ema.a.b"
    )
    assert loads(two, file, Naming("ema.a.b"), net(2).state_dict())
    assert refused(two, file, Naming("emma")) == (
        "checkpoint w.pt has no state dict under 'emma'; it has model, ema.a.b"
    )


def test_old_files_half_precision_and_plain_values(file):
    torch.save(STATE, file, _use_new_zipfile_serialization=False)
    assert loads(None, file) == ()
    half = {name: value.half() for name, value in STATE.items()}
    assert loads(half, file, state={name: value.float() for name, value in half.items()}) == ()
    assert loads({**STATE, "epoch": 3}, file) == ("checkpoint w.pt: ignored, no tensors: epoch",)


def test_harmless_types_beside_the_weights(file):
    beside = {
        "args": argparse.Namespace(lr=0.1, out=pathlib.PosixPath("a/b")),
        "when": datetime.datetime(2024, 1, 2),
        "best": np.float64(0.5), "epoch": np.int64(3), "kind": np.dtype("float32"),
    }  # fmt: skip
    assert loads({"state_dict": STATE, **beside}, file)


def test_sharded_safetensors(tmp_path):
    names = sorted(STATE)
    parts = {"a.safetensors": names[:4], "b.safetensors": names[4:]}
    for part, held in parts.items():
        save_file({name: STATE[name] for name in held}, tmp_path / part)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {n: p for p, held in parts.items() for n in held}}))
    assert loads(None, index) == ()
    assert refused(None, tmp_path / "").endswith(
        "give a file in it: a.safetensors, b.safetensors, model.safetensors.index.json"
    )
    index.write_text(json.dumps({"weight_map": {"fc.weight": "../a.safetensors"}}))
    assert refused(None, index).endswith("names files outside its folder")


# names


@pytest.mark.parametrize(
    ("prefix", "gone"),
    [("module.", "module."), ("_orig_mod.", "_orig_mod."), ("module._orig_mod.",) * 2,
     ("model.", "model."), ("net.", "net."), ("wrapper.inner.",) * 2],
)  # fmt: skip
def test_prefixes_that_all_names_carry(file, prefix, gone):
    content = {prefix + name: value for name, value in STATE.items()}
    said = f"checkpoint w.pt: the prefix {gone!r} of all names was taken away"
    assert loads(content, file) == (said,)


def test_compiled_parts_and_a_model_inside_a_wrapper(file):
    content = {name.replace("fc.", "fc._orig_mod."): value for name, value in STATE.items()}
    assert loads(content, file) == ("checkpoint w.pt: '_orig_mod.' was taken out of the names",)
    torch.save(STATE, file)
    wrapper = nn.Sequential(net())
    assert load_weights(wrapper, file) == (
        "checkpoint w.pt: the model's own prefix '0.' was put before all names",
    )
    assert torch.equal(wrapper[0].fc.weight, STATE["fc.weight"])


def test_a_prefix_of_some_names_is_asked_for(file):
    content = {f"model.{name}": value for name, value in STATE.items()}
    content["criterion.weight"] = torch.ones(2)
    said = refused(content, file)
    assert said.startswith("checkpoint w.pt does not belong to this model: 8 missing (conv.bias,")
    assert said.endswith("; without the prefix of some names they fit: --strip-prefix model.")
    assert refused(content, file, Naming(strip_prefix="model.")) == (
        "checkpoint w.pt does not belong to this model: 1 unknown (criterion.weight);"
        " --allow-unexpected leaves these out"
    )
    assert loads(content, file, Naming(strip_prefix="model.", allow_unexpected=True)) == (
        "checkpoint w.pt: unexpected, left out: criterion.weight",
    )
    assert refused(content, file, Naming(strip_prefix="nett.")) == (
        "checkpoint w.pt: no name begins with 'nett.'; the first is 'model.conv.weight'"
    )


def test_counters_and_the_state_of_neurons(file):
    extra = {"total_ops": torch.zeros(1), "lif.v_mem": torch.ones(4), "fc.total_params": STATE}
    extra["fc.total_params"] = torch.zeros(1)
    without = {name: value for name, value in STATE.items() if "num_batches" not in name}
    assert loads({**without, **extra}, file) == (
        "checkpoint w.pt: ignored, no weights: total_ops, lif.v_mem, fc.total_params",
    )
    missing = {name: value for name, value in STATE.items() if "running_var" not in name}
    assert refused(missing, file) == (
        "checkpoint w.pt does not belong to this model: 1 missing (norm.running_var)"
    )


# weights of parts


def test_masks_and_norms_are_folded(file):
    made = net(1)
    prune.random_unstructured(made.conv, "weight", 0.5)
    nn.utils.weight_norm(made.fc)
    masked = made.state_dict()
    assert "conv.weight_mask" in masked and "fc.weight_g" in masked
    module = net()
    torch.save(masked, file)
    assert load_weights(module, file) == (
        "checkpoint w.pt: 1 weights folded (pruned)",
        "checkpoint w.pt: 1 weights folded (weight norm)",
    )
    assert torch.equal(module.conv.weight, made.conv.weight)
    torch.testing.assert_close(module.fc.weight, made.fc.weight, rtol=1e-6, atol=0)


def test_parametrized_weight_norm(file):
    made = net(1)
    parametrizations.weight_norm(made.fc)
    made.fc.parametrizations.weight.original0.data.mul_(3)
    torch.save(made.state_dict(), file)
    module = net()
    assert load_weights(module, file) == ("checkpoint w.pt: 1 weights folded (weight norm)",)
    torch.testing.assert_close(module.fc.weight, made.fc.weight, rtol=1e-6, atol=0)
    own = net()
    parametrizations.weight_norm(own.fc)
    assert load_weights(own, file) == ()
    assert torch.equal(own.fc.weight, made.fc.weight)


# what is refused


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.zeros(2, 3, dtype=torch.complex64), "torch.complex64"),
        (torch.zeros(2, 3).to_sparse(), "not dense (torch.sparse_coo)"),
        (torch.zeros(2, 3, device="meta"), "a meta tensor, without values"),
        (torch.quantize_per_tensor(torch.zeros(2, 3), 0.1, 0, torch.qint8),
         "quantized (torch.qint8)"),
        (torch.zeros(2, 3).to(torch.float8_e4m3fn), "torch.float8_e4m3fn"),
    ],
)  # fmt: skip
def test_other_tensors_are_named(file, value, said):
    assert refused({**STATE, "fc.weight": value}, file) == (
        f"checkpoint w.pt: fc.weight is {said}; save it as a dense tensor of real numbers"
        " (.to_dense(), .dequantize(), .float())"
    )


class Run:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    ("content", "new", "named", "saved"),
    [
        (net(), True, "test_checkpoint.Net", "held.state_dict()"),
        (net(), False, "test_checkpoint.Net", "held.state_dict()"),
        ({"net": STATE, "run": Run()}, True, "print", "held['net']"),
        ({"net": STATE, "run": Run()}, False, "print", "held['net']"),
    ],
)
def test_what_needs_unpickling_is_named_with_the_lines_that_convert_it(
    file, capsys, monkeypatch, content, new, named, saved
):
    torch.save(content, file, _use_new_zipfile_serialization=new)
    said = refused(None, file)
    lines = said.rpartition("two lines of Python convert it: ")[2].split("; ")
    assert said.startswith(f"checkpoint w.pt needs unpickling of {named}, which may run any code")
    assert lines[1] == f"torch.save({saved}, 'w_weights.pt')"
    assert capsys.readouterr().out == ""
    monkeypatch.chdir(file.parent)
    exec("; ".join(lines), {"torch": torch})  # the lines that are printed must work
    saved = content.state_dict() if isinstance(content, nn.Module) else content["net"]
    loads(None, file.with_name("w_weights.pt"), state=saved)


def test_programs_are_no_weights(file):
    torch.jit.script(net().fc).save(file)
    assert "is a TorchScript program, not weights" in refused(None, file)
    exported = torch.export.export(net().fc, (torch.zeros(1, 3),))
    torch.export.save(exported, file.with_suffix(".pt2"))
    assert "is an exported program, not weights" in refused(None, file.with_suffix(".pt2"))


def test_single_numbers_may_have_any_shape(file):
    class Scaled(Net):
        def __init__(self):
            super().__init__()
            self.beta = nn.Parameter(torch.tensor(0.5))

    torch.save({**STATE, "beta": torch.tensor([0.25])}, file)
    module = Scaled()
    load_weights(module, file)
    assert module.beta.shape == () and float(module.beta) == 0.25
