"""The door of ONNX files: a torch module is built of the nodes, and takes the road of any other."""

from __future__ import annotations

import importlib.util

from snndeploy.errors import ModelError
from snndeploy.frontend.door import Door, ModelFacts, Need, OpenedModel, SpecOptions, Step

NOT_INSTALLED = "{spec} needs the package onnx: pip install 'snndeploy[onnx]'"


def _open(spec: str, options: SpecOptions, need: Need, step: Step) -> OpenedModel:
    if importlib.util.find_spec("onnx") is None:
        raise ModelError(NOT_INSTALLED.format(spec=spec))
    from snndeploy.frontend.onnx.network import OnnxNetwork
    from snndeploy.frontend.onnx.proof import prove_module
    from snndeploy.frontend.onnx.reader import read
    from snndeploy.frontend.torch import trace
    from snndeploy.frontend.torch_door import state_hash

    step("read the ONNX file")
    read_model = read(spec, options.input_shape, options.data)
    module = OnnxNetwork(read_model)
    step("compare the module with onnx's reference evaluator")
    if need.proof:
        prove_module(read_model, module)
    step("trace it and compare the graph with the model")
    graph = trace(
        module,
        module.example(),
        timesteps=options.timesteps or read_model.timesteps,
        input_signal=options.input_signal or read_model.input_signal,
        name=read_model.path.stem,
        verify=need.proof,
        spiking=need.spikes,
    )
    facts = ModelFacts(
        name=read_model.path.stem,
        spec=read_model.path.name,
        weights=read_model.path.name,
        parameters=read_model.parameters,
        parameters_sha256=state_hash(module),
        timesteps=graph.timesteps,
        input_shape=graph.input.shape[1:],
        input_signal=graph.input.attributes["signal"],
    )
    return OpenedModel(facts, graph)


DOOR = Door(
    kind="an ONNX file, with its weights",
    form="NET.onnx",
    takes=lambda spec: spec.endswith(".onnx"),
    gives="model",
    options=frozenset({"input_shape", "input_signal", "timesteps"}),
    open=_open,
)
