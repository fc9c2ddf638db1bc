"""Parameters, neurons and multiply-accumulates of the whole zoo against the papers' numbers."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import ann  # noqa: E402
import asa_snn  # noqa: E402
import att_res_snn  # noqa: E402
import lif_snn_5  # noqa: E402
import ma_snn  # noqa: E402
import ms_resnet  # noqa: E402
import sew_resnet  # noqa: E402
import spiking_resnet  # noqa: E402
import vgg_snn  # noqa: E402
from zoo import Factory, macs, neuron_sizes, on_meta, parameters  # noqa: E402

pytestmark = pytest.mark.torch

IF = "integrate_and_fire"
MS_18, MS_34 = 11_693_736, 21_801_896
LIF_3, LIF_5 = 2_323_531, 1_698_933

# Printed: P1-P8, A1-A6, and section 4 of the papers. The others are derived.
PARAMETERS: list[tuple[str, Factory, int]] = [
    ("LIF-SNN-5", lambda: lif_snn_5.lif_snn_5(20, 11, "max"), LIF_5),
    ("LIF-SNN-5 with LIF", lambda: lif_snn_5.lif_snn_5(20, 11, "max", "ma_events"), LIF_5 - 7),
    # 512C3-BN in place of 512FC: its own weights and norm, and an output that reads 512 planes
    (
        "LIF-SNN-5 512C3",
        lambda: lif_snn_5.lif_snn_5(20, 11, "max", head="convolution"),
        LIF_5 - (2048 * 512 + 512 + 512 * 110) + 128 * 512 * 9 + 2 * 512 + 8192 * 110,
    ),
    ("VGG-7", lambda: vgg_snn.vgg_snn_7(1, 10), 8_808_650),
    ("VGG-11", lambda: vgg_snn.vgg_snn_11(1, 10), 42_791_690),
    ("VGG-13", lambda: vgg_snn.vgg_snn_13(1, 100), 43_068_836),
    ("MS-104", lambda: ms_resnet.ms_resnet104(1), 77_350_504),
    ("Spiking-18", lambda: spiking_resnet.spiking_resnet18(4, IF), 11_689_512),
    ("Spiking-34", lambda: spiking_resnet.spiking_resnet34(4, IF), 21_797_672),
    ("Spiking-34 GAC", lambda: spiking_resnet.gac_spiking_resnet34(4), 21_797_672 + 131_088),
    ("SEW-18", lambda: sew_resnet.sew_resnet18(4, IF), 11_689_512),
    ("SEW-34", lambda: sew_resnet.sew_resnet34(4, IF), 21_797_672),
    ("7B", lambda: sew_resnet.seven_b_net(16, 11, IF), 130_923),
    ("Res-SNN-18", lambda: sew_resnet.res_snn_18(), 11_327_276),
    ("P8", lambda: att_res_snn.att_ms_resnet18(1), MS_18 + 277_136),
    ("P9", lambda: att_res_snn.att_ms_resnet34(1), MS_34 + 500_512),
    ("Att-18 r16", lambda: att_res_snn.att_res_snn_18(1, 1, "CS", "ma_text"), MS_18 + 87_824),
    ("Att-18 r8", lambda: att_res_snn.att_res_snn_18(1, 2, "CS", "att_res_code"), MS_18 + 174_224),
    ("Att-34", lambda: att_res_snn.att_res_snn_34(1, 1, "CS", "ma_text"), MS_34 + 158_752),
]


@pytest.mark.parametrize(
    ("factory", "expected"), [row[1:] for row in PARAMETERS], ids=[row[0] for row in PARAMETERS]
)
def test_parameters(factory: Factory, expected: int) -> None:
    assert parameters(on_meta(factory)) == expected


# Attention's own parameters on LIF-SNN-3 with T = 60: A1-A6.
ATTENTION = [
    ("C", "ma_text", 4_608),
    ("T", "ma_text", 1_080),
    ("T", "ma_printed", 5_400),
    ("S", "ma_text", 294),
    ("S", "ma_code_gesture", 54),
    ("TC", "ma_text", 1_080 + 4_608),
    ("TS", "ma_text", 1_080 + 294),
    ("CS", "ma_text", 4_608 + 294),
    ("TCS", "ma_text", 5_982),
    ("TCS", "ma_printed", 24_126),
    ("C", "ma_eca", 12),
    ("C", "ma_eca_printed", 48),
    ("C", "ma_simam", 0),
]


@pytest.mark.parametrize(("attention", "setting", "expected"), ATTENTION)
def test_attention_parameters(attention: str, setting: str, expected: int) -> None:
    module = on_meta(lambda: ma_snn.ma_snn_3(60, 11, attention, setting))
    assert parameters(module) - LIF_3 == expected


@pytest.mark.parametrize(
    ("variant", "setting", "expected"),
    [(1, "asa_text", 10_914), (1, "asa_code_script", 5_514), (2, "asa_text", 114)],
)
def test_asa_parameters(variant: asa_snn.Variant, setting: str, expected: int) -> None:
    module = on_meta(lambda: asa_snn.asa_snn_3(60, 11, variant, setting))
    assert parameters(module) - LIF_3 == expected


@pytest.mark.parametrize(("attention", "expected"), [("T", 200), ("C", 10_240), ("S", 490)])
def test_attention_parameters_of_the_5_layer_network(attention: str, expected: int) -> None:
    module = on_meta(lambda: ma_snn.ma_snn_5(20, 11, "average", attention, "ma_text"))
    assert parameters(module) - LIF_5 == expected


NEURONS: list[tuple[str, Factory, int]] = [
    ("LIF-SNN-5", lambda: lif_snn_5.lif_snn_5(1, 11, "max"), 2_793_472 + 512 + 110),
    (
        "LIF-SNN-5 512C3",
        lambda: lif_snn_5.lif_snn_5(1, 11, "max", head="convolution"),
        2_793_472 + 512 * 4 * 4 + 110,
    ),
    ("VGG-7", lambda: vgg_snn.vgg_snn_7(1, 10), 230_400),
    ("VGG-11", lambda: vgg_snn.vgg_snn_11(1, 10), 1_246_208),
    ("VGG-13", lambda: vgg_snn.vgg_snn_13(1, 100), 1_442_816),
    ("MS-104", lambda: ms_resnet.ms_resnet104(1), 7_225_344),
    ("Spiking-18", lambda: spiking_resnet.spiking_resnet18(1, IF), 2_308_096),
    ("SEW-18", lambda: sew_resnet.sew_resnet18(1, IF), 2_308_096 + 175_616),
    ("7B", lambda: sew_resnet.seven_b_net(1, 11, IF), 1_922_304),
    ("Res-SNN-18", lambda: sew_resnet.res_snn_18(1), 4_548_480),
    ("MA-3 on U", lambda: ma_snn.ma_snn_3(2, 11, "CS", "ma_text"), 106_763),
    ("MA-3 on X", lambda: ma_snn.ma_snn_3(2, 11, "CS", "ma_text", "conv_post"), 106_763),
    ("Att-18", lambda: att_res_snn.att_ms_resnet18(1), 2_308_096),
]


@pytest.mark.parametrize(
    ("factory", "expected"), [row[1:] for row in NEURONS], ids=[row[0] for row in NEURONS]
)
def test_neurons(factory: Factory, expected: int) -> None:
    assert sum(neuron_sizes(on_meta(factory)).values()) == expected


def test_neurons_per_convolution() -> None:
    five = neuron_sizes(on_meta(lambda: lif_snn_5.lif_snn_5(1, 11, "max")))
    assert list(five.values())[:5] == [2_097_152, 524_288, 131_072, 32_768, 8_192]
    seven = neuron_sizes(on_meta(lambda: vgg_snn.vgg_snn_7(1, 10)))
    assert list(seven.values()) == [65_536] * 2 + [32_768] * 3 + [1_024]


# Multiply-accumulates of one step, zero padding not taken off: the papers' FL.
FLOPS: list[tuple[str, Factory, list[int]]] = [
    (
        "LIF-3",
        lambda: ann.ann_lif_3(11),
        [1_179_648, 75_497_472, 37_748_736, 2_097_152, 2_816],
    ),
    (
        "LIF-5",
        lambda: ann.ann_lif_5(11, "max"),
        [37_748_736, 603_979_776, 150_994_944, 37_748_736, 9_437_184, 1_048_576, 56_320],
    ),
    (
        "VGG-13",
        lambda: ann.ann_vgg_13(100),
        [1_769_472, 37_748_736, 75_497_472, 150_994_944, 301_989_888, 603_979_776, 301_989_888]
        + [603_979_776] * 3
        + [33_554_432, 102_400],
    ),
]


@pytest.mark.parametrize(
    ("factory", "expected"), [row[1:] for row in FLOPS], ids=[row[0] for row in FLOPS]
)
def test_macs_of_every_layer(factory: Factory, expected: list[int]) -> None:
    assert list(macs(on_meta(factory)).values()) == expected


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (ann.ann_ms_resnet34, 118_013_952 + 3_525_967_872 + 32_112_640 + 512_000),
        (ann.ann_ms_resnet18, 118_013_952 + 1_676_279_808 + 32_112_640 + 512_000),
        (lambda: ann.ann_ms_resnet18_cifar(10), 1_769_472 + 2_189_426_688 + 25_165_824 + 5_120),
        (ann.ann_resnet18, 1_814_073_344),
        (ann.ann_resnet34, 3_663_761_408),
    ],
)
def test_macs_of_ann_counterparts(factory: Factory, expected: int) -> None:
    module = on_meta(factory)
    assert sum(macs(module).values()) == expected
    assert not neuron_sizes(module)


def test_ann_energies() -> None:
    # E2: 4.6 pJ for each multiply-accumulate, in mJ.
    for factory, expected in ((lambda: ann.ann_vgg_13(100), 15.270), (ann.ann_ms_resnet34, 16.912)):
        assert round(sum(macs(on_meta(factory)).values()) * 4.6e-9, 3) == expected
