"""Runs one `.net` file in lava-dl's own loader (NetX) and stores the spikes of every layer.

    python netx_runner.py NETWORK.net JOB.npz RESULT.npz

Needs Python 3.10 with lava-nc 0.10.0, h5py and lava-dl 0.6.0, and nothing of snndeploy.
lava-dl imports torch for training only; NetX itself uses none of it.  A stand-in for torch and for
lava-dl's training package (`slayer`, imported for resonate-and-fire parameters) therefore spares a
multi-gigabyte install.  This is the one place where that is done.

JOB: `steps` to run; `bias` (W, H, C) mantissas of the input neurons and `bias_exponent`; or
`spikes` (W, H, C, T) or (neurons, T) sent into the first layer, `message_bits` of them.
RESULT: `spikes0`, `spikes1`, ... one per layer, last axis the chip step; `final_v` of the last.
"""

import sys
import types

import numpy as np


def install_stand_ins():
    torch = types.ModuleType("torch")
    torch.tensor = torch.Tensor = object
    torch.is_tensor = lambda value: False
    sys.modules["torch"] = torch
    for name in ("lava.lib.dl.slayer", "lava.lib.dl.slayer.neuron", "lava.lib.dl.slayer.neuron.rf"):
        package = types.ModuleType(name)
        package.__path__ = []
        sys.modules[name] = package
    sys.modules["lava.lib.dl.slayer.neuron.rf"].neuron_params = None


def run(network_path, job):
    from lava.lib.dl import netx
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    steps = int(job["steps"])
    network = netx.hdf5.Network(
        net_config=network_path,
        input_message_bits=int(job["message_bits"]) if "message_bits" in job else 0,
        reset_interval=steps + 100,  # once, at the beginning: one sample
        # without a spiking input layer the first layer works one step later (NetX counts from it)
        reset_offset=1 if "spikes" in job else 0,
    )
    if "bias" in job:
        network.in_layer.neuron.bias_mant.init = job["bias"]
        network.in_layer.neuron.bias_exp.init = int(job["bias_exponent"])
    sinks = []
    for layer in network.layers:
        sink = Sink(shape=layer.out.shape, buffer=steps)
        layer.out.connect(sink.a_in)
        sinks.append(sink)
    source = None
    if "spikes" in job:
        source = Source(data=job["spikes"])
        source.s_out.connect(network.inp)
    try:
        network.run(
            condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt")
        )
        result = {f"spikes{index}": sink.data.get() for index, sink in enumerate(sinks)}
        result["final_v"] = network.out_layer.neuron.v.get()
    finally:
        network.stop()
    return result


if __name__ == "__main__":
    install_stand_ins()
    np.savez(sys.argv[3], **run(sys.argv[1], dict(np.load(sys.argv[2]))))
