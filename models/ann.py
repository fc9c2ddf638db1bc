"""ANN counterparts: the same layers with ReLU in place of every neuron, one step (papers' E2).

They have no time, no spikes, and a multiply-accumulate for every connection: the yardstick of
the papers' energy tables. They are for costing, not for spiking hardware. Image networks take
[B, 3, H, W]; event networks one frame, [B, 1, 2, H, W]. The output is real everywhere: an output
neuron becomes the identity.
"""

from __future__ import annotations

from lif_snn import lif_snn_3
from lif_snn_5 import Pool, lif_snn_5
from ms_resnet import ms_resnet18, ms_resnet18_cifar, ms_resnet34, ms_resnet104
from neurons import Neuron
from sew_resnet import res_snn_18, seven_b_net
from spiking_resnet import example, spiking_resnet18, spiking_resnet34
from torch import nn
from vgg_snn import vgg_snn_7, vgg_snn_11, vgg_snn_13

__all__ = ["example"]

_ANY = "ma_imagenet"  # replaced: no neuron is left


def counterpart(network: nn.Module) -> nn.Module:
    """The network with ReLU for every neuron, changed in place."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Neuron):
                setattr(parent, name, nn.ReLU())
    return network


def ann_lif_3(classes: int) -> nn.Module:
    """ANN counterpart of LIF-SNN-3."""
    network = counterpart(lif_snn_3(1, classes))
    network.spike5 = nn.Identity()
    return network


def ann_lif_5(classes: int, pool: Pool) -> nn.Module:
    """ANN counterpart of LIF-SNN-5; the learned time constants go with the neurons."""
    network = counterpart(lif_snn_5(1, classes, pool))
    network.spike2 = nn.Identity()
    return network


def ann_vgg_7(classes: int) -> nn.Module:
    """ANN counterpart of VGG-SNN-7."""
    return counterpart(vgg_snn_7(1, classes))


def ann_vgg_11(classes: int) -> nn.Module:
    """ANN counterpart of VGG-SNN-11."""
    return counterpart(vgg_snn_11(1, classes))


def ann_vgg_13(classes: int) -> nn.Module:
    """ANN counterpart of VGG-SNN-13: 15.270 mJ with 100 classes."""
    return counterpart(vgg_snn_13(1, classes))


def ann_ms_resnet18(classes: int = 1000) -> nn.Module:
    """ANN counterpart of MS-ResNet-18 (a pre-activation ResNet)."""
    return counterpart(ms_resnet18(1, classes))


def ann_ms_resnet34(classes: int = 1000) -> nn.Module:
    """ANN counterpart of MS-ResNet-34: 16.912 mJ."""
    return counterpart(ms_resnet34(1, classes))


def ann_ms_resnet104(classes: int = 1000) -> nn.Module:
    """ANN counterpart of MS-ResNet-104."""
    return counterpart(ms_resnet104(1, classes))


def ann_ms_resnet18_cifar(classes: int) -> nn.Module:
    """ANN counterpart of MS-ResNet-18 for CIFAR."""
    return counterpart(ms_resnet18_cifar(1, classes))


def ann_resnet18(classes: int = 1000) -> nn.Module:
    """ANN counterpart of Spiking-ResNet-18: ResNet-18."""
    return counterpart(spiking_resnet18(1, _ANY, classes))


def ann_resnet34(classes: int = 1000) -> nn.Module:
    """ANN counterpart of Spiking-ResNet-34: ResNet-34."""
    return counterpart(spiking_resnet34(1, _ANY, classes))


def ann_seven_b_net(classes: int) -> nn.Module:
    """ANN counterpart of the SEW 7B-Net."""
    return counterpart(seven_b_net(1, classes, _ANY))


def ann_res_snn_18(classes: int = 300) -> nn.Module:
    """ANN counterpart of Res-SNN-18 (HAR-DVS)."""
    return counterpart(res_snn_18(1, classes))
