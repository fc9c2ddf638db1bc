"""Att-Res-SNN-1 and -2: attention in the blocks of MS-ResNet (MA section 6.2, Tables 2 and 3).

    Att-Res-SNN-1:  U_out = CSA(BN(Conv3(LIF(BN(Conv3(LIF(x))))))) + shortcut(x)    recommended
    Att-Res-SNN-2:  U_out = CSA(BN(Conv3(LIF(BN(Conv3(LIF(x)))))) + shortcut(x))

Att-MS-ResNet-18 of GAC Table 2 is Att-Res-SNN-1 with setting "gac_printed": its printed 0.27 M
extra parameters need r = 5 and a 3x3 SA on every block (277,136; MA's r = 16 and 7x7 give 87,824,
and the published code's r = 8 and 3x3 174,224).

Input images [B, 3, 224, 224], float32; output logits [B, classes].
"""

from __future__ import annotations

from attention import modules
from attention import setting as named
from ms_resnet import MSResNet, Refine, example, imagenet
from torch import nn

__all__ = [
    "att_ms_resnet18",
    "att_ms_resnet34",
    "att_res_snn_18",
    "att_res_snn_34",
    "att_res_snn_104",
    "example",
]


def _attended(
    blocks: tuple[int, int, int, int],
    variant: int,
    timesteps: int,
    classes: int,
    attention: str,
    setting: str,
    neuron: str,
    pooled: bool,
) -> MSResNet:
    """MS-ResNet, with 7x7 stem as the published Att-Res code; pooled: average-pool shortcuts."""
    if variant not in (1, 2):
        raise ValueError(f"Att-Res-SNN has variants 1 and 2, not {variant}")
    chosen = named(setting)

    def refine(channels: int) -> nn.Module:
        found = modules(attention, chosen, timesteps, channels)
        return nn.Sequential(*found, *([nn.ReLU()] if chosen.post_relu else []))

    place: Refine = refine
    return imagenet(
        blocks,
        timesteps,
        classes,
        "ms",
        neuron,
        shortcut="pooled" if pooled else "strided",
        refine_branch=place if variant == 1 else None,
        refine_sum=place if variant == 2 else None,
    )


def att_res_snn_18(
    timesteps: int,
    variant: int,
    attention: str,
    setting: str,
    classes: int = 1000,
    neuron: str = "ma_imagenet",
    pooled: bool = False,
) -> MSResNet:
    """Att-Res-SNN-18, ImageNet; MA Tables 2 and 3. variant 1 or 2, attention "C" or "CS"."""
    return _attended((2, 2, 2, 2), variant, timesteps, classes, attention, setting, neuron, pooled)


def att_res_snn_34(
    timesteps: int,
    variant: int,
    attention: str,
    setting: str,
    classes: int = 1000,
    neuron: str = "ma_imagenet",
    pooled: bool = False,
) -> MSResNet:
    """Att-Res-SNN-34, ImageNet; MA Tables 2 and 3."""
    return _attended((3, 4, 6, 3), variant, timesteps, classes, attention, setting, neuron, pooled)


def att_res_snn_104(
    timesteps: int,
    variant: int,
    attention: str,
    setting: str,
    classes: int = 1000,
    neuron: str = "ma_imagenet",
    pooled: bool = True,
) -> MSResNet:
    """Att-Res-SNN-104, ImageNet; MA Tables 2 and 3. 7x7 stem and pooled shortcuts, as published."""
    return _attended((3, 8, 32, 8), variant, timesteps, classes, attention, setting, neuron, pooled)


def att_ms_resnet18(timesteps: int, classes: int = 1000, neuron: str = "gac") -> MSResNet:
    """Att-MS-ResNet-18 of GAC Table 2: 277,136 parameters more than MS-ResNet-18."""
    return att_res_snn_18(timesteps, 1, "CS", "gac_printed", classes, neuron)


def att_ms_resnet34(timesteps: int, classes: int = 1000, neuron: str = "gac") -> MSResNet:
    """Att-MS-ResNet-34 of GAC Table 2: 500,512 parameters more than MS-ResNet-34."""
    return att_res_snn_34(timesteps, 1, "CS", "gac_printed", classes, neuron)
