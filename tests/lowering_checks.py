"""Does a lowered network fire as its model does, in real numbers and in integers?"""

from __future__ import annotations

import copy

import numpy as np
import torch
from random_models import Neuron
from real_evaluator import run_real

from snndeploy.engines.engine import run_network
from snndeploy.engines.reference import run_reference
from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.lower.lower import lower
from snndeploy.neurons import Leaky, Lif
from snndeploy.ops.evaluate import evaluate
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.quantize.calibration import calibrate
from snndeploy.quantize.quantize import quantize
from snndeploy.simulator.run import injections_of

SAMPLES = 3


def answer(model, x):
    """Output and spikes of every neuron module, float64, (samples, steps, ...)."""
    double, spikes = copy.deepcopy(model).double(), {}
    for path, module in double.named_modules():
        if isinstance(module, Neuron):
            module.register_forward_hook(lambda m, i, out, path=path: spikes.update({path: out}))
    with torch.no_grad():
        output = double(x.double())
    return output.numpy(), {path: out.transpose(0, 1).numpy() for path, out in spikes.items()}


def lowered(graph, mode):
    """The network, or None where the stream has no single kernel (then only a relay can do it)."""
    try:
        return lower(graph, mode)
    except UnsupportedError as error:
        assert mode == "compose" and "no single spike-driven kernel" in str(error)
        return None


def check_model(model, target):
    graph = infer_signals(trace(model, model.example()))
    parted = partition(graph, integer_input_on_chip=target.graded_spikes)
    x = model.example(SAMPLES, seed=1)
    output, spikes = answer(model, x)
    time_first = model.time_first and len(model.input_shape) == 4
    samples_first = x.numpy().swapaxes(0, 1) if time_first else x.numpy()
    steps = model.readout == "steps"
    found = [lowered(parted, mode) for mode in ("compose", "relay")]
    assert found[1] is not None
    for network in filter(None, found):
        check_real(network, samples_first, spikes, output.mean(0) if steps else output)
        if not any(p.kind == "relay" for p in network.populations) or target.graded_spikes:
            check_integers(parted, network, samples_first, target)


def check_real(network, x, spikes, output):
    sent, logits = run_real(network, x)
    for population in network.populations:
        if population.kind == "lif":
            wanted = spikes[population.name]
            ours = sent[population.name].reshape(wanted.shape)
            assert np.array_equal(ours, wanted), population.name
    np.testing.assert_allclose(logits, output, rtol=1e-9, atol=1e-9)


def check_integers(parted, network, x, target):
    nodes = {node.name: node for node in (*parted.nodes, *network.encoder.nodes)}
    whole = parted.with_nodes(nodes.values())
    wanted = [n for p in network.populations for n in (p.node, p.current, p.host) if n]
    quantized = quantize(network, target, calibrate(whole, x, wanted))
    chip = quantized.network
    outputs = list(dict.fromkeys(i.encoder_output for i in chip.injections))
    values = evaluate(whole, x, outputs) if outputs else {}
    injected, _ = injections_of(chip, whole, values, len(x))
    names = [p.name for p in chip.populations]
    slow = run_reference(chip, injected, samples=len(x))
    fast = run_network(chip, injected, record=names, samples=len(x))
    for name in names:
        assert np.array_equal(fast.spikes[name], slow.spikes[name]), name
    assert np.array_equal(fast.outputs, slow.outputs)
    assert fast.warnings == slow.warnings
    proved = [layer.population for layer in quantized.layers if layer.proved]
    overflows = [w for w in slow.warnings if "declared 16 bits" in w]
    assert not [w for w in overflows if w.split(":")[0] in proved]
    check_registers(chip, target)


def check_registers(chip, target):
    bias_limit = 1 << (target.bias_mantissa_bits - 1)
    for population in chip.populations:
        if isinstance(population.neuron, Leaky):
            assert 0 <= population.neuron.membrane_decay < target.decay_one
        if isinstance(population.neuron, Lif):
            assert 0 <= population.neuron.threshold <= target.threshold_max
        assert 0 <= population.bias_exponent < 1 << target.bias_exponent_bits
        if population.bias is not None:
            assert np.abs(population.bias).max() < bias_limit
    for projection in chip.projections:
        assert projection.connection.weight.dtype == np.int8
        assert 0 <= projection.exponent <= target.weight_exponent_max
        assert 0 <= projection.delay <= target.delay_max
