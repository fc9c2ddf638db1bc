"""ANNs as both of torch's exporters write them, converted and simulated."""

from __future__ import annotations

import warnings
from importlib.metadata import version

import numpy as np
import pytest
import torch
from journey import journey
from models.anns import SHAPES

from snndeploy.data import Data
from snndeploy.frontend.door import TO_COST, SpecOptions
from snndeploy.frontend.doors import open_spec
from snndeploy.ops.evaluate import evaluate
from snndeploy.pipeline.options import Options

pytestmark = pytest.mark.doors
EXPORTERS = {"TorchScript": False, "dynamo": True}


def exported(kind, exporter, free, path):
    """The module, and its file; free: the number of samples is."""
    torch.manual_seed(0)
    module = kind().eval()
    shape = SHAPES[kind]
    example = torch.rand(2 if free and EXPORTERS[exporter] else 1, *shape)
    given = {"dynamic_axes": {"x": {0: "n"}}} if free else {}
    if free and EXPORTERS[exporter]:
        given = {"dynamic_shapes": ({0: torch.export.Dim("n")},)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (example,), str(path), dynamo=EXPORTERS[exporter], input_names=["x"],
            verbose=False, **given,
        )  # fmt: skip
    return module, str(path)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.__name__)
def test_the_graph_is_the_module(kind, exporter, free, tmp_path):
    module, spec = exported(kind, exporter, free, tmp_path / "net.onnx")
    graph = open_spec(spec, SpecOptions(), TO_COST).graph
    x = torch.rand(7, *SHAPES[kind])
    (found,) = evaluate(graph, x.numpy(), hoist=False).values()
    torch.testing.assert_close(found, module(x).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.__name__)
def test_converted_and_simulated(kind, exporter, tmp_path):
    module, spec = exported(kind, exporter, True, tmp_path / "net.onnx")
    x = np.random.default_rng(0).random((80, *SHAPES[kind])).astype(np.float32)
    found = journey(
        "torch.onnx", version("torch").partition("+")[0], f"{kind.__name__} ({exporter})", spec,
        Data(x, None, 1.0, "random"), door="onnx", samples=20,
        options=Options(convert=True), timesteps=64,
    )  # fmt: skip
    assert found.row.reached == "simulated", found.row.said
    answers, wanted = found.simulation.logits, module(torch.from_numpy(x[:20])).detach().numpy()
    assert np.corrcoef(answers.reshape(-1), wanted.reshape(-1))[0, 1] > 0.99
