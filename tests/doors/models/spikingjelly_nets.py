"""SpikingJelly's own model zoo, as its examples build it: both step modes, norms calibrated.

Mode m takes (time, batch, ...) at once; mode s takes one step a call, the loop is the user's.
Weights are random; norm statistics are those of random images, so that neurons fire.
"""

import sys
from types import ModuleType

import torch

try:
    import torchvision  # noqa: F401
except (ImportError, RuntimeError):  # absent, or of another build: one function of it is imported
    for name in ("torchvision", "torchvision._internally_replaced_utils"):
        sys.modules[name] = ModuleType(name)
    sys.modules[name].load_state_dict_from_url = torch.hub.load_state_dict_from_url

from spikingjelly.activation_based import functional, neuron, surrogate
from spikingjelly.activation_based.model import (
    masnn,
    ms_resnet,
    parametric_lif_net,
    sew_resnet,
    spiking_resnet,
    spiking_vgg,
)
from torch import nn

STEPS = 4


def ready(net, shape, mode, steps=STEPS):
    """Norm statistics from passes in train mode; `reset_net` behind every one, as users do."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.momentum = None  # the mean of all passes
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.uniform_(module.bias, 0.0, 0.4)
    functional.set_step_mode(net, "m")
    net.train()
    with torch.no_grad():
        for _ in range(2):
            functional.reset_net(net)
            net(torch.rand(steps, 4, *shape))
    functional.reset_net(net)
    if mode == "s":
        functional.set_step_mode(net, "s")
    return net.eval()


def common(kind=neuron.IFNode):
    return dict(spiking_neuron=kind, surrogate_function=surrogate.ATan(), detach_reset=True)


def resnet18(family="spiking", mode="m"):
    """spiking, sew (ADD) or ms ResNet-18, 10 classes, made for 224 pixels and used at 32."""
    if family == "spiking":
        net = spiking_resnet.spiking_resnet18(num_classes=10, **common())
    elif family == "sew":
        net = sew_resnet.sew_resnet18(num_classes=10, cnf="ADD", **common())
    else:
        net = ms_resnet.ms_resnet18(num_classes=10, T=STEPS)
    return ready(net, (3, 32, 32), mode)


def vgg11_bn(mode="m"):
    net = spiking_vgg.spiking_vgg11_bn(num_classes=10, **common(neuron.LIFNode))
    for module in net.classifier:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 2.0 * module.in_features**-0.5)
    return ready(net, (3, 32, 32), mode)


def _plif(make, mode, shape, channels):
    net = make(channels=channels, **common(neuron.ParametricLIFNode), init_tau=2.0)
    for module in net.modules():
        if isinstance(module, nn.Linear):
            deviation = 4 * module.in_features**-0.5
            nn.init.normal_(module.weight, 0.01 * deviation, deviation)
            nn.init.uniform_(module.bias, 0.0, 0.5)
    return ready(net, shape, mode)


def cifar10net(mode="m", channels=256):
    return _plif(parametric_lif_net.CIFAR10Net, mode, (3, 32, 32), channels)


def dvsgesturenet(mode="m", channels=128):
    return _plif(parametric_lif_net.DVSGestureNet, mode, (2, 128, 128), channels)


def masnn_dvs(T=STEPS):
    """The attention of the paper over time, channels and space, in front of each neuron."""
    net = masnn.MASNN(T=T, reduction_t=2)
    return ready(net, (2, 32, 32), "m", T)
