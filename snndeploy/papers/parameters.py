"""Parameters and neurons that the papers print."""

from __future__ import annotations

from snndeploy.papers import take
from snndeploy.papers.row import Row
from snndeploy.papers.shown import Inspect, Parameters, Worked

CIFAR = "needs stages of 3, 3 and 2 blocks, not the text's ResNet-18 (11.17 M)"
VGG_13 = "vgg_snn.py:vgg_snn_13(timesteps=1, classes=100)"
SCA = "two SCA convolutions, where GAC Eq. 3 has one"

ROWS = (
    Row("P1", "LIF-SNN-3, 11 classes: parameters", "ASA Table 3", "2,323,531", "count",
        Parameters("lif-snn-3"), note="biases in convolutions, no norm behind linear layers"),
    Row("P2", "LIF-SNN-3, 11 classes: neurons", "MA Table 1", "106,763", "count",
        Inspect("lif-snn-3"), take.neurons, note="all firing functions, the output too"),
    Row("P3", "LIF-SNN-5: neurons", "MA Table 1", "2,793,472", "count",
        Inspect("lif-snn-5"), take.convolution_neurons,
        note="behind convolutions alone, before pooling; 2,794,094 in all"),
    Row("P4.1", "MS-ResNet-18, ImageNet: parameters", "GAC Table 2", "11.69 M", "count",
        Parameters("ms-resnet18"), note="stage 1 has a shortcut convolution"),
    Row("P4.2", "MS-ResNet-34, ImageNet: parameters", "GAC Table 2", "21.80 M", "count",
        Parameters("ms-resnet34"),
        note="stage conv2 has three blocks; GAC Table 6 prints two, which would be less"),
    Row("P5.1", "MS-ResNet-18, CIFAR-10: parameters", "GAC Table 3", "12.50 M", "count",
        Parameters("ms-resnet18-cifar10"), note=CIFAR),
    Row("P5.2", "MS-ResNet-18, CIFAR-100: parameters", "GAC Table 3", "12.54 M", "count",
        Parameters("ms-resnet18-cifar100"), note=CIFAR),
    Row("P6.1", "GAC MS-ResNet-18, CIFAR-10, T=6: parameters", "GAC Table 3", "12.63 M", "count",
        Parameters("gac-ms-resnet18-cifar10"), note=SCA),
    Row("P6.2", "GAC MS-ResNet-18, CIFAR-100, T=6: parameters", "GAC Table 3", "12.67 M", "count",
        Parameters("gac-ms-resnet18-cifar100"), note=SCA),
    Row("P7", "GAC MS-ResNet-18, ImageNet, T=6: parameters", "GAC Table 2", "11.82 M", "count",
        Parameters("gac-ms-resnet18"), note=SCA),
    Row("P8.1", "Att-MS-ResNet-18: parameters of attention", "GAC Table 2", "0.27 M", "count",
        Parameters("att-ms-resnet18", "ms-resnet18"),
        note="needs r = 5 and a 3x3 SA"),
    Row("P8.2", "the same with the text's r = 16 and 7x7", "", "", "count",
        Parameters("att-res-snn-1-18", "ms-resnet18")),
    Row("P9", "Att-MS-ResNet-34: parameters", "GAC Table 2", "22.30 M", "count",
        Parameters("att_res_snn.py:att_ms_resnet34(timesteps=1)"),
        note="needs r = 5 and a 3x3 SA, as Att-MS-ResNet-18 does"),
    Row("P10", "GAC MS-ResNet-34, ImageNet: parameters", "GAC Table 2", "21.93 M", "count",
        Parameters("gac-ms-resnet34"), note=SCA),
    Row("P11", "Spiking-ResNet-34, ImageNet: parameters", "MA and GAC Table 2", "21.79 M", "count",
        Parameters("spiking-resnet34")),
    Row("P12", "SEW 7B-Net, Gesture: neurons", "", "", "count",
        Inspect("sew-7b"), take.neurons,
        note="MA Table 1 takes the network from the SEW paper; its printed number is not at hand"),
    Row("P13.1", "VGG-SNN-7: neurons", "", "", "count",
        Inspect("vgg-snn-7"), take.neurons,
        note="what the spike counts of MA-S Table S8 divided by the rates need"),
    Row("P13.2", "VGG-SNN-11: neurons", "", "", "count", Inspect("vgg-snn-11"), take.neurons),
    Row("P13.3", "VGG-SNN-13: neurons", "", "", "count", Inspect(VGG_13), take.neurons,
        note="what MA-S Table S9 needs, layer by layer"),
    Row("P14", "LIF-SNN-3 for Gait, 20 classes: neurons", "", "", "count",
        Inspect("lif_snn.py:lif_snn_3(timesteps=60, classes=20)"), take.neurons,
        note="Gait has 21 volunteers, but the printed neurons need 20 outputs"),
    Row("P15", "row \"Zheng 2021\", ResNet-17: neurons", "MA Table 1", "229,376", "count",
        Worked("64·32² + 3·2·64·16² + 4·2·128·8²", 64 * 32**2 + 6 * 64 * 16**2 + 8 * 128 * 8**2),
        note="printed in thousands; the architecture is a guess that fits"),
    Row("P16", "LIF-SNN-5 with 512C3-BN: neurons behind convolutions", "", "", "count",
        Inspect("lif_snn_5.py:lif_snn_5(timesteps=20, classes=11, pool='max', head='convolution')"),
        take.convolution_neurons,
        note="the supplements have 512FC or 512C3-BN; the printed neurons (P3) speak for 512FC"),
)  # fmt: skip
