"""Every operator of the table computes what onnxruntime does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from onnx_files import floats, saved, whole

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.onnx.network import OnnxNetwork
from snndeploy.frontend.onnx.operators import OPERATORS
from snndeploy.frontend.onnx.proof import prove_module
from snndeploy.frontend.onnx.reader import read

pytestmark = pytest.mark.torch

W, VECTOR = floats(4, 2, 3, 3), floats(2, 1, 1, seed=1)
PLANE = (2, 6, 6)


def one(operator, *names, arrays=None, sample=PLANE, opset=17, **attributes):
    return [(operator, ("x", *names), ("y",), attributes)], arrays or {}, sample, opset


def ended(*nodes, arrays=None, sample=PLANE, opset=17):
    """Nodes in a chain: (operator, further inputs, attributes)."""
    names = ["x", *(f"h{index}" for index in range(1, len(nodes))), "y"]
    made = [
        (operator, (before, *more), (behind,), attributes)
        for (operator, more, attributes), (before, behind) in zip(
            nodes, pairwise(names), strict=True
        )
    ]
    return made, arrays or {}, sample, opset


BATCH_NORM = {name: floats(2, seed=i) ** 2 + 0.1 for i, name in enumerate("abcd")}
CASES = {
    "Conv": one("Conv", "w", "b", arrays={"w": W, "b": floats(4)}, pads=[1, 1, 1, 1]),
    "Conv strided, uneven pads": one("Conv", "w", arrays={"w": W}, strides=[2, 1],
                                     pads=[0, 1, 2, 1]),
    "Conv dilated, grouped": one("Conv", "w", arrays={"w": floats(4, 1, 2, 2)}, group=2,
                                 dilations=[2, 2]),
    "Conv same": one("Conv", "w", arrays={"w": floats(4, 2, 2, 2)}, auto_pad="SAME_UPPER"),
    "Conv same lower": one("Conv", "w", arrays={"w": floats(4, 2, 2, 2)}, auto_pad="SAME_LOWER"),
    "Conv 1d": one("Conv", "w", arrays={"w": floats(4, 2, 3)}, sample=(2, 8)),
    "ConvTranspose": one("ConvTranspose", "w", arrays={"w": floats(2, 3, 2, 2)}, strides=[2, 2],
                         output_padding=[1, 0]),
    "Gemm": one("Gemm", "w", "b", arrays={"w": floats(6, 3), "b": floats(3)}, sample=(6,),
                alpha=0.5, beta=2.0),
    "Gemm transposed": one("Gemm", "w", arrays={"w": floats(3, 6)}, sample=(6,), transB=1),
    "MatMul": one("MatMul", "w", arrays={"w": floats(6, 3)}, sample=(4, 6)),
    "MatMul of two": ended(("MatMul", ("x",), {}), sample=(3, 3)),
    "BatchNormalization": one("BatchNormalization", *"abcd", arrays=BATCH_NORM, epsilon=1e-3),
    "Relu": one("Relu"), "Sigmoid": one("Sigmoid"), "Tanh": one("Tanh"), "Neg": one("Neg"),
    "Floor": one("Floor"), "Round": one("Round"), "Identity": one("Identity"),
    "Clip": one("Clip", "l", "h", arrays={"l": np.float32(-0.5), "h": np.float32(0.5)}),
    "Clip above": one("Clip", "", "h", arrays={"h": np.float32(0.5)}),
    "Clip of old": one("Clip", opset=10, min=-0.2, max=0.7),
    "Dropout": one("Dropout"),
    "Softmax": one("Softmax", axis=1), "LogSoftmax": one("LogSoftmax", axis=-1),
    "ArgMax": ended(("ArgMax", (), {"axis": 1, "keepdims": 0}),
                    ("Cast", (), {"to": TensorProto.FLOAT})),
    "MaxPool": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "MaxPool uneven pads": one("MaxPool", kernel_shape=[2, 2], pads=[0, 1, 1, 0]),
    "MaxPool ceil": one("MaxPool", kernel_shape=[4, 4], strides=[4, 4], ceil_mode=1),
    "AveragePool": one("AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
    "AveragePool padded": one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "AveragePool, pads count": one("AveragePool", kernel_shape=[3, 3], pads=[1, 0, 1, 1],
                                   count_include_pad=1),
    "GlobalAveragePool": one("GlobalAveragePool"), "GlobalMaxPool": one("GlobalMaxPool"),
    "Add": one("Add", "v", arrays={"v": VECTOR}), "Sub": one("Sub", "v", arrays={"v": VECTOR}),
    "Mul": one("Mul", "v", arrays={"v": VECTOR}), "Div": one("Div", "v", arrays={"v": VECTOR}),
    "Sub from": ([("Sub", ("v", "x"), ("y",), {})], {"v": VECTOR}, PLANE, 17),
    "Add along columns": one("Add", "v", arrays={"v": floats(6)}),
    "Add to features": one("Add", "v", arrays={"v": floats(6)}, sample=(6,)),
    "Sum": one("Sum", "x", "x"), "Max": one("Max", "v", arrays={"v": VECTOR}),
    "Min": one("Min", "v", arrays={"v": VECTOR}),
    **{
        name: ended((name, ("v",), {}), ("Cast", (), {"to": TensorProto.FLOAT}),
                    arrays={"v": np.float32(0.3)})
        for name in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    },
    "Where": ([("Greater", ("x", "v"), ("c",), {}), ("Where", ("c", "x", "v"), ("y",), {})],
              {"v": np.float32(0.3)}, PLANE, 17),
    "Flatten": one("Flatten"),
    "Reshape": one("Reshape", "s", arrays={"s": whole(0, -1, 6)}),
    "Transpose": one("Transpose", perm=[0, 2, 3, 1]),
    "Squeeze": ended(("Unsqueeze", ("a",), {}), ("Squeeze", ("a",), {}),
                     arrays={"a": whole(1)}),
    "Unsqueeze": one("Unsqueeze", "a", arrays={"a": whole(-1, 1)}),
    "Unsqueeze of old": one("Unsqueeze", opset=11, axes=[2]),
    "Concat": one("Concat", "x", axis=1),
    "Gather": one("Gather", "i", arrays={"i": np.array(1)}, axis=1),
    "Gather several": one("Gather", "i", arrays={"i": whole(1, 0, -1)}, axis=1),
    "Slice": one("Slice", "s", "e", "a", "t", axis=None, arrays={
        "s": whole(1, -5), "e": whole(9, -1), "a": whole(2, 3), "t": whole(2, 1)}),
    "Split": ([("Split", ("x", "s"), ("p", "q"), {"axis": 2}), ("Sub", ("p", "p"), ("z",), {}),
               ("Concat", ("z", "q"), ("y",), {"axis": 2})], {"s": whole(2, 4)}, PLANE, 17),
    "Expand": one("Expand", "s", arrays={"s": whole(3, 1, 2, 1, 1)}),
    "Pad": one("Pad", "p", "v", arrays={"p": whole(0, 0, 1, 2, 0, 0, 0, 1), "v": np.float32(2)}),
    "ReduceMean": one("ReduceMean", axes=[2, 3], keepdims=0),
    "ReduceMean of new": one("ReduceMean", "a", arrays={"a": whole(1)}, opset=18),
    "ReduceSum": one("ReduceSum", "a", arrays={"a": whole(-1)}, keepdims=0),
    "ReduceMax": one("ReduceMax", axes=[1]), "ReduceMin": one("ReduceMin", axes=[1]),
    "Cast": one("Cast", to=TensorProto.FLOAT),
    "Shape": ([("Shape", ("x",), ("s",), {}), ("Gather", ("s", "zero"), ("n",), {"axis": 0}),
               ("Unsqueeze", ("n", "first"), ("m",), {}),
               ("Concat", ("m", "rest"), ("t",), {"axis": 0}),
               ("Reshape", ("x", "t"), ("y",), {})],
              {"zero": np.array(0), "first": whole(0), "rest": whole(-1)}, PLANE, 17),
    "Constant folded": ([("Sqrt", ("v",), ("r",), {}), ("Mul", ("x", "r"), ("y",), {})],
                        {"v": VECTOR**2}, PLANE, 17),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_as_onnxruntime(case, tmp_path):
    nodes, arrays, sample, opset = CASES[case]
    nodes = [(o, i, w, {k: v for k, v in a.items() if v is not None}) for o, i, w, a in nodes]
    batch = None if case == "Expand" else "n"
    path = saved(tmp_path / "net.onnx", nodes, arrays, sample, opset=opset, batch=batch)
    read_model = read(path)
    module = OnnxNetwork(read_model)
    x = floats(3, *sample, seed=7)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": x})
    found = module(torch.from_numpy(x)).numpy()
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    if case != "Expand":  # whose file has three samples, and the proof two
        prove_module(read_model, module)


def test_every_operator_has_a_case():
    used = {node[0] for nodes, *_ in CASES.values() for node in nodes}
    assert set(OPERATORS) - used == set()


LOOSE = floats(3, 2)
REFUSED = {
    "Slice backwards": (
        one("Slice", "s", "e", "a", "t", arrays={
            "s": whole(4), "e": whole(1), "a": whole(2), "t": whole(-1)}),
        "its step is -1; forward steps are needed",
    ),
    "Flatten": (one("Flatten", axis=2), "its axis is 2; only 1 keeps the samples"),
    "Gemm": (one("Gemm", "w", arrays={"w": LOOSE}, sample=(2,), transA=1), "first input"),
    "AveragePool": (
        one("AveragePool", kernel_shape=[3, 3], pads=[1, 0, 1, 1]), "pads differ on the two sides"
    ),
    "Pad": (one("Pad", "p", arrays={"p": whole(0, 0, 1, 1, 0, 0, 1, 1)}, mode="reflect"),
            "its mode is b'reflect'; 'constant' is needed"),
    "Cast": (
        ended(("Cast", (), {"to": TensorProto.INT64}), ("Cast", (), {"to": TensorProto.FLOAT})),
        "it casts to type 7; only floats are computed with",
    ),
    "Sqrt": (one("Sqrt"), "it is known for constants alone"),
    "ConstantOfShape": (
        ([("ConstantOfShape", ("s",), ("y",), {})], {"s": whole(1 << 20, 1 << 20)}, PLANE, 17),
        "it makes over 268,435,456 values of none",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_form_that_is_not_read_names_its_node(case, tmp_path):
    (nodes, arrays, sample, opset), said = REFUSED[case]
    path = saved(tmp_path / "net.onnx", nodes, arrays, sample, opset=opset)
    with pytest.raises(UnsupportedError) as caught:
        OnnxNetwork(read(path))(torch.zeros(2, *sample))
    place = f"{path}: node '{nodes[0][0]}_0', operator {nodes[0][0]} of opset 17: "
    assert str(caught.value).startswith(place)
    assert said.replace("b'", "'") in str(caught.value)
