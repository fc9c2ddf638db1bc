"""The door of lava-dl's `.net` files: integers, as they were trained."""

from __future__ import annotations

from snndeploy.frontend.door import Door, Need, OpenedNetwork, SpecOptions, Step


def _open(spec: str, options: SpecOptions, need: Need, step: Step) -> OpenedNetwork:
    from snndeploy.frontend.integers import opened_network
    from snndeploy.frontend.netx.reader import InputNeuron, load_netx

    step("read the network")
    names = ("threshold", "weight", "membrane_decay")
    given = dict(zip(names, options.input_neuron or (), strict=False))
    neuron = InputNeuron(**given) if given else None
    return opened_network(load_netx(spec, options.timesteps, input_neuron=neuron), spec)


DOOR = Door(
    kind="a lava-dl .net file, in integers already",
    form="a lava-dl NET.net",
    takes=lambda spec: spec.endswith(".net"),
    gives="network",
    options=frozenset({"timesteps", "input_neuron"}),
    open=_open,
)
