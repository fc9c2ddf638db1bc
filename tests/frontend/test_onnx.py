"""The door of ONNX files: what it gives, and every file that it refuses, in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from cli_runner import refused
from onnx import TensorProto, external_data_helper, helper
from onnx_files import floats, model, saved, whole
from torch import nn

from snndeploy.data import Data
from snndeploy.errors import DeployError, ModelError, UnsupportedError
from snndeploy.frontend.door import Need, SpecOptions
from snndeploy.frontend.doors import open_spec
from snndeploy.frontend.onnx.network import OnnxNetwork
from snndeploy.frontend.onnx.proof import prove_module
from snndeploy.frontend.onnx.reader import read
from snndeploy.ops.evaluate import evaluate

pytestmark = pytest.mark.torch

ANN = Need(spikes=False)
CHAIN = [
    ("Conv", ("x", "w"), ("a",), {}),
    ("Relu", ("a",), ("b",), {}),
    ("Flatten", ("b",), ("c",), {}),
    ("Gemm", ("c", "v"), ("y",), {}),
]
WEIGHTS = {"w": floats(3, 2, 3, 3), "v": floats(48, 4)}


@pytest.fixture
def chain(tmp_path):
    return saved(tmp_path / "chain.onnx", CHAIN, WEIGHTS)


class Twin(nn.Module):
    """What CHAIN is, in torch."""

    def forward(self, x):
        w, v = (torch.from_numpy(WEIGHTS[key]) for key in "wv")
        return torch.relu(nn.functional.conv2d(x, w)).flatten(1) @ v


def test_the_graph_is_the_model(chain):
    opened = open_spec(chain, SpecOptions(), ANN)
    x = floats(5, 2, 6, 6, seed=3)
    (found,) = evaluate(opened.graph, x, hoist=False).values()
    np.testing.assert_allclose(found, Twin()(torch.from_numpy(x)), rtol=1e-5, atol=1e-5)
    facts = opened.facts
    assert (facts.name, facts.spec, facts.parameters) == ("chain", "chain.onnx", 54 + 192)
    assert (facts.timesteps, facts.input_shape, facts.input_signal) == (1, (2, 6, 6), "real")
    assert [node.module for node in opened.graph.nodes][1:] == [
        "Conv_0", "Relu_1", "Flatten_2", "Gemm_3",
    ]  # fmt: skip


def test_another_weight_is_another_hash(chain, tmp_path):
    other = saved(tmp_path / "other.onnx", CHAIN, WEIGHTS | {"v": WEIGHTS["v"] + 1})
    first, second = (open_spec(spec, SpecOptions(), ANN).facts for spec in (chain, other))
    assert first.parameters_sha256 != second.parameters_sha256


def test_a_fixed_batch_of_one(tmp_path):
    nodes = [("Reshape", ("x", "s"), ("y",), {})]
    spec = saved(tmp_path / "one.onnx", nodes, {"s": whole(1, 72)}, batch=1)
    opened = open_spec(spec, SpecOptions(), ANN)
    assert opened.graph.by_name[opened.graph.outputs[0]].shape == (1, 72)


def test_a_shape_that_the_file_leaves_open(tmp_path):
    spec = saved(tmp_path / "open.onnx", [("Relu", ("x",), ("y",), {})], sample=(2, "h", "w"))
    with pytest.raises(ModelError, match="does not say its shape; give --input-shape"):
        read(spec)
    assert read(spec, (2, 5, 4)).sample == (2, 5, 4)
    assert read(spec, data=Data(floats(9, 2, 7, 7), None, 1.0, "x")).sample == (2, 7, 7)
    with pytest.raises(ModelError, match=r"a sample has shape 2x\?x\?, and 3x5x4 was given"):
        read(spec, (3, 5, 4))


def test_a_network_without_spikes_is_told_how_to_get_some(chain, tmp_path):
    said = refused(tmp_path, "compile", chain, "-o", tmp_path / "net.snnp")
    assert "--convert --timesteps 32 --calibration DATA.npz" in said


def test_a_module_that_is_not_the_file_is_refused(chain):
    read_model = read(chain)
    module = OnnxNetwork(read_model)
    module.get_submodule("Gemm_3").input_1.mul_(1.01)
    with pytest.raises(ModelError, match=r"differ from onnx's reference evaluator by 0\.01"):
        prove_module(read_model, module)


def branch():
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["t"])], "t", [],
        [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)],
    )  # fmt: skip
    return [("If", ("c",), ("y",), {"then_branch": graph, "else_branch": graph})]


def functions():
    made = model([("Relu", ("x",), ("y",), {})])
    made.functions.append(
        helper.make_function(
            "own",
            "Twice",
            ["a"],
            ["b"],
            [helper.make_node("Add", ["a", "a"], ["b"])],
            [helper.make_opsetid("", 17)],
        )
    )
    return made


RELU = [("Relu", ("x",), ("y",), {})]
REFUSED = {
    "operator": (
        lambda: model([("Einsum", ("x", "x"), ("y",), {"equation": "ncij,ncjk->ncik"})]),
        "node 'Einsum_0', operator Einsum of opset 17: it is not known (known: Add, ArgMax,",
    ),
    "domain": (
        lambda: model([("Relu", ("x",), ("y",), {"domain": "com.custom"})], domains=["com.custom"]),
        "node 'Relu_0', operator Relu is of the domain 'com.custom': only the operators of ai.onnx",
    ),
    "control flow": (
        lambda: model(branch(), {"c": np.array(True)}),
        "node 'If_0', operator If of opset 17: control flow cannot be compiled; export",
    ),
    "functions": (functions, "defines functions of its own (Twice): export it with them inlined"),
    "two inputs": (
        lambda: model([("Add", ("x", "z"), ("y",), {})],
                      inputs=[("x", TensorProto.FLOAT), ("z", TensorProto.FLOAT)]),
        "has 2 inputs (x, z); one is needed",
    ),
    "input type": (
        lambda: model(RELU, inputs=[("x", TensorProto.DOUBLE)]),
        "the input 'x' is of type DOUBLE; FLOAT (float32) is needed: export the model in float32",
    ),
    "old": (lambda: model(RELU, opset=6), "has opset 6 of ai.onnx; 7 to"),
    "dangling": (
        lambda: model([("Add", ("x", "gone"), ("y",), {})]),
        "is not a valid ONNX model: ValidationError: Nodes in a graph must be topologically sorted",
    ),
    "rank": (lambda: model(RELU, sample=()), "the input 'x' has 1 dimensions; samples first"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case, tmp_path):
    made, said = REFUSED[case]
    path = tmp_path / "bad.onnx"
    path.write_bytes(made().SerializeToString())
    with pytest.raises(DeployError) as caught:
        open_spec(str(path), SpecOptions(), ANN)
    assert str(caught.value).startswith(f"{path}") and said in str(caught.value)


@pytest.mark.parametrize("keep", [0, 1, 40, 0.5, 0.99])
def test_a_damaged_file(keep, chain, tmp_path):
    whole_file = Path(chain).read_bytes()
    size = keep if isinstance(keep, int) else int(keep * len(whole_file))
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole_file[:size])
    with pytest.raises(ModelError, match=r"is not a (readable|valid) ONNX"):
        open_spec(str(path), SpecOptions(), ANN)


@pytest.mark.parametrize("metadata", ["many", "-1", "0", "²", "9" * 30])
def test_metadata_that_is_no_number_of_steps(metadata, tmp_path):
    made = model(RELU)
    helper.set_model_props(made, {"snndeploy.timesteps": metadata})
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match=r"metadata snndeploy\.timesteps is .* no number of steps"):
        read(str(tmp_path / "net.onnx"))


# weights beside the file


def beside(folder, location, *, offset=0, length=None, bytes_there=96, dims=None):
    """A model whose weight lies at `location`."""
    weight = floats(48, 4)[:6]
    made = model([("Gemm", ("x", "v"), ("y",), {})], {"v": weight}, (6,))
    (tensor,) = made.graph.initializer
    entries = {"location": location, "offset": str(offset)}
    external_data_helper.set_external_data(tensor, location, offset, length)
    assert {e.key: e.value for e in tensor.external_data}["location"] == entries["location"]
    tensor.ClearField("raw_data")
    if dims:
        del tensor.dims[:]
        tensor.dims.extend(dims)
    if bytes_there is not None:
        (folder / "weights.bin").write_bytes(weight.tobytes()[:bytes_there])
    path = folder / "net.onnx"
    path.write_bytes(made.SerializeToString())
    return str(path), weight


def test_weights_in_a_file_beside(tmp_path):
    path, weight = beside(tmp_path, "weights.bin")
    assert (read(path).arrays["v"] == weight).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"location": "/etc/passwd"}, "which is not a file in the model's own folder"),
        ({"location": "../weights.bin"}, "which is not a file in the model's own folder"),
        ({"location": "a/../../weights.bin"}, "which is not a file in the model's own folder"),
        ({"location": "..\\weights.bin"}, "which is not a file in the model's own folder"),
        ({"location": "gone.bin"}, "which does not exist beside it"),
        ({"location": "link.bin"}, "which is a link: put the file itself there"),
        ({"location": "linked/weights.bin"}, "which is a link: put the file itself there"),
        ({"location": "weights.bin", "bytes_there": 95}, "96 bytes at 0 are needed, the file has"),
        ({"location": "weights.bin", "offset": 1}, "96 bytes at 1 are needed, the file has 96"),
        ({"location": "weights.bin", "length": 10}, "the file has 96 (length 10)"),
        (
            {"location": "weights.bin", "dims": (1 << 40, 1 << 10)},
            "4,503,599,627,370,496 bytes at 0 are needed",
        ),
        ({"location": "weights.bin", "dims": (-6, -4)}, "are no counts"),
    ],
)
def test_weights_in_any_other_place_are_refused(given, said, tmp_path):
    outside, folder = tmp_path / "weights.bin", tmp_path / "folder"
    folder.mkdir()
    outside.write_bytes(bytes(96))
    (folder / "link.bin").symlink_to(outside)
    (folder / "linked").symlink_to(tmp_path)
    path, _ = beside(folder, **given)
    with pytest.raises(ModelError) as caught:
        read(path)
    assert f"tensor 'v' lies in {given['location']!r}" in str(caught.value)
    assert said in str(caught.value)


def test_a_tensor_that_claims_more_than_it_holds(tmp_path):
    made = model([("Gemm", ("x", "v"), ("y",), {})], {"v": floats(6, 4)}, (6,))
    made.graph.initializer[0].dims[0] = 1 << 40
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match="is not a valid ONNX model"):
        read(str(tmp_path / "net.onnx"))


def test_without_the_package(chain, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = refused(tmp_path, "compile", chain, "-o", tmp_path / "net.snnp")
    assert said == f"{chain} needs the package onnx: pip install 'snndeploy[onnx]'"


def test_no_such_file(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.onnx does not exist"):
        read(str(tmp_path / "gone.onnx"))


def test_control_flow_by_its_name_only(tmp_path):
    """A refusal of an operator says which, with what opset: nothing of the file is run."""
    made = model([("Loop", ("", "", "x"), ("y",), {})])
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(UnsupportedError, match="node 'Loop_0', operator Loop of opset 17"):
        read(str(tmp_path / "net.onnx"))
    assert onnx.load(str(tmp_path / "net.onnx")).graph.node[0].op_type == "Loop"
