"""What the tests of the networks share: building without memory, counting, and one small run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from layers import AttentionLIF
from neurons import Neuron
from torch import nn

Factory = Callable[[], nn.Module]


def on_meta(factory: Factory) -> nn.Module:
    """The network without memory for its values."""
    with torch.device("meta"):
        return factory().eval()


def parameters(module: nn.Module) -> int:
    """Every trainable number, biases and norms included."""
    return sum(value.numel() for value in module.parameters())


def neuron_sizes(module: nn.Module) -> dict[str, int]:
    """Neurons of every firing module for one sample and step, from a run on the meta device."""
    sizes: dict[str, int] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, spikes: sizes.update({name: spikes[0, 0].numel()})

    for name, layer in module.named_modules():
        if isinstance(layer, (Neuron, AttentionLIF)):
            layer.register_forward_hook(keep(name))
    module(torch.empty((1, *module.input_shape), device="meta"))  # type: ignore[misc]
    return sizes


def macs(module: nn.Module) -> dict[str, int]:
    """Multiply-accumulates of every convolution and linear layer, one step, from a meta run."""
    counts: dict[str, int] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            counts[name] = output[0].numel() * layer.weight[0].numel()  # type: ignore[index]

        return hook

    for name, layer in module.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(keep(name))
    module(torch.empty((1, *module.input_shape), device="meta"))  # type: ignore[misc]
    return counts


def input_kinds(module: nn.Module, sample: torch.Tensor) -> dict[str, str]:
    """What convolutions and linear layers receive in a run: binary, integer, real or silent."""
    kinds: dict[str, str] = {}

    def look(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            value = inputs[0]
            if not value.any():
                kinds[name] = "silent"
            elif ((value == 0) | (value == 1)).all():
                kinds[name] = "binary"
            else:
                kinds[name] = "integer" if torch.equal(value, value.round()) else "real"

        return hook

    for name, layer in module.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_pre_hook(look(name))
    with torch.no_grad():
        module.eval()(sample)
    return kinds
