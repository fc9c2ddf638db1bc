"""What every convolution receives, by running the networks with random weights (papers, 7); the
tool's own audit says the same."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

import ann  # noqa: E402
import asa_snn  # noqa: E402
import att_res_snn  # noqa: E402
import gac  # noqa: E402
import lif_snn  # noqa: E402
import lif_snn_5  # noqa: E402
import ma_snn  # noqa: E402
import ms_resnet  # noqa: E402
import sew_resnet  # noqa: E402
import spiking_resnet  # noqa: E402
import vgg_snn  # noqa: E402
from zoo import Factory, input_kinds  # noqa: E402

from snndeploy.frontend.torch import trace  # noqa: E402
from snndeploy.passes.audit import Audit, Flags, audit  # noqa: E402
from snndeploy.passes.partition import partition  # noqa: E402
from snndeploy.passes.signals import infer_signals  # noqa: E402
from snndeploy.verdict import flags_of  # noqa: E402

pytestmark = pytest.mark.torch

LIF = "ma_imagenet"
SHORTCUTS = [f"body.stage{stage}.0.shortcut.0" for stage in (1, 2, 3, 4)]
STEM = ["encoder.stem.0"]


def first_convs(*places: str) -> list[str]:
    return [f"body.stage{place}.conv1.0" for place in places]


# name, network, plane (None: its own), binary convolutions, integer ones, real ones
NETWORKS: list[tuple[str, Factory, int | None, int, list[str], list[str]]] = [
    ("LIF-3", lambda: lif_snn.lif_snn_3(2, 11), None, 2, ["conv1.0"], []),
    ("LIF-5", lambda: lif_snn_5.lif_snn_5(1, 11, "max"), 64, 4, ["convs.0.conv"], []),
    (
        "LIF-5 AP2",
        lambda: lif_snn_5.lif_snn_5(1, 11, "average"),
        64,
        0,
        ["convs.0.conv"],
        [f"convs.{index}.conv" for index in (1, 2, 3, 4)],
    ),
    ("VGG-7", lambda: vgg_snn.vgg_snn_7(1, 10), None, 4, [], ["body.0.conv"]),
    ("VGG-11", lambda: vgg_snn.vgg_snn_11(1, 10), None, 7, [], ["body.0.conv"]),
    ("MS-18", lambda: ms_resnet.ms_resnet18(2), 64, 16, [], STEM + SHORTCUTS),
    ("MS-34", lambda: ms_resnet.ms_resnet34(2), 64, 32, [], STEM + SHORTCUTS),
    ("CIFAR", lambda: ms_resnet.ms_resnet18_cifar(2, 10), 16, 16, [], STEM + SHORTCUTS[:3]),
    (
        "MS-104",
        lambda: ms_resnet.ms_resnet104(1),
        64,
        102,
        [],
        ["encoder.stem.0", "encoder.stem.1", "encoder.stem.2"]
        + [f"body.stage{stage}.0.shortcut.1" for stage in (1, 2, 3, 4)],
    ),
    ("Spiking-18", lambda: spiking_resnet.spiking_resnet18(2, LIF), 64, 19, [], STEM),
    (
        "Spiking-18 GAC",
        lambda: spiking_resnet.gac_spiking_resnet18(2),
        64,
        18,
        [],
        [*STEM, "encoder.spatial.layers.1", "encoder.spatial.layers.4", *first_convs("1.0")],
    ),
    (
        "SEW-18",
        lambda: sew_resnet.sew_resnet18(2, LIF),
        64,
        9,
        first_convs("1.1", "2.0", "2.1", "3.0", "3.1", "4.0", "4.1") + SHORTCUTS[1:],
        STEM,
    ),
    (
        "SEW-18 GAC",
        lambda: sew_resnet.sew_resnet18(2, LIF, encoder="gac"),
        64,
        8,
        first_convs("2.1", "3.0", "3.1", "4.0", "4.1") + SHORTCUTS[2:],
        [*STEM, "encoder.spatial.layers.1", "encoder.spatial.layers.4"]
        + first_convs("1.0", "1.1", "2.0")
        + SHORTCUTS[1:2],
    ),
    (
        "7B",
        lambda: sew_resnet.seven_b_net(2, 11, LIF),
        None,
        8,
        ["stem.conv"] + [f"body.{index}.conv1.0" for index in range(1, 7)],
        [],
    ),
    (
        "MA on X",
        lambda: ma_snn.ma_snn_3_small(8, "TC", "small", "conv_post"),
        None,
        2,
        ["conv1.0"],
        [],
    ),
    ("MA on U", lambda: ma_snn.ma_snn_3_small(8, "TC", "small"), None, 2, ["conv1.0"], []),
    (
        "MA before",
        lambda: ma_snn.ma_snn_3_small(8, "TC", "small", "conv_pre", skip_first=True),
        None,
        0,
        ["conv1.0"],
        ["conv2.0", "conv3.0"],
    ),
    (
        "ASA",
        lambda: asa_snn.asa_snn_3_small(8, 1, "asa_text"),
        None,
        2,
        ["conv1.0"],
        [f"after.{i}.0.{name}" for i in range(3) for name in ("important", "unimportant")],
    ),
    ("rate", lambda: gac.rate_digits(8), None, 7, [], SHORTCUTS[1:3]),
    ("phase", lambda: gac.phase_digits(8), None, 6, [], STEM + SHORTCUTS[1:3]),
    ("temporal", lambda: gac.temporal_digits(8), None, 7, [], SHORTCUTS[1:3]),
]


def sample_of(module: torch.nn.Module, plane: int | None) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    *outer, height, width = module.input_shape  # type: ignore[misc]
    shape = (1, *outer, plane or height, plane or width)
    if module.input_signal == "real":
        return torch.rand(shape, generator=generator)
    counts = torch.randint(1, 4, shape, generator=generator)
    return (counts * (torch.rand(shape, generator=generator) < 0.3)).float()


def made(factory: Factory, plane: int | None) -> torch.nn.Module:
    torch.manual_seed(0)
    module = factory()
    if isinstance(module, lif_snn.LIFSNN3):
        module.conv3[1].weight.data.mul_(4.0)  # untrained gates would silence the last layers
    if plane is not None and isinstance(module, lif_snn_5.LIFSNN5):
        module.linear1 = torch.nn.Linear(128 * (plane // 32) ** 2, 512)
        module.linear1.weight.data.mul_(20.0)  # untrained, it would silence its neurons
    return module


@pytest.mark.parametrize(
    ("factory", "plane", "binary", "integer", "real"),
    [row[1:] for row in NETWORKS],
    ids=[row[0] for row in NETWORKS],
)
def test_what_convolutions_receive(
    factory: Factory, plane: int | None, binary: int, integer: list[str], real: list[str]
) -> None:
    module = made(factory, plane)
    kinds = input_kinds(module, sample_of(module, plane))
    convolutions = {
        name: kind
        for name, kind in kinds.items()
        if isinstance(module.get_submodule(name), torch.nn.Conv2d)
    }
    found = {
        kind: sorted(name for name, of in convolutions.items() if of == kind)
        for kind in ("integer", "real", "binary", "silent")
    }
    assert found["silent"] == []
    assert found["integer"] == sorted(integer)
    assert found["real"] == sorted(real)
    assert len(found["binary"]) == binary


def test_ann_counterparts_multiply_everywhere() -> None:
    torch.manual_seed(0)
    module = ann.ann_ms_resnet18()
    assert set(input_kinds(module, sample_of(module, 64)).values()) == {"real"}


def small(attention: str, setting: str = "small", location: Any = None) -> Factory:
    pre = location == "conv_pre"
    return lambda: ma_snn.ma_snn_3_small(4, attention, setting, location, skip_first=pre, size=16)


def att_res_2() -> torch.nn.Module:
    """Its gates halve the stream twice a block: norms that make up for it, untrained."""
    found = att_res_snn.att_res_snn_18(1, 2, "CS", "ma_text")
    for layer in found.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.mul_(4.0)
    return found


# Section 7, linear layers included: binary, integer and real layers but for attention's own, and
# the flags: synapses binary after rewriting, products at run time, whole window.
# FC1 of VGG and every readout read averages: real, and foldable. Event counts enter the first.
SPIKE_DRIVEN, BASE = (True, False, False), (4, 1, 0)
GATED, WINDOW = (True, True, False), (True, True, True)
SECTION_7: list[Any] = [
    ("LIF-3", lambda: lif_snn.lif_snn_3(2, 11), None, BASE, SPIKE_DRIVEN),
    ("LIF-5", lambda: lif_snn_5.lif_snn_5(1, 11, "max"), 64, (6, 1, 0), SPIKE_DRIVEN),
    ("LIF-5 AP2", lambda: lif_snn_5.lif_snn_5(1, 11, "average"), 64, (1, 1, 5), SPIKE_DRIVEN),
    ("VGG-7", lambda: vgg_snn.vgg_snn_7(2, 10), None, (4, 0, 3), SPIKE_DRIVEN),
    ("VGG-11", lambda: vgg_snn.vgg_snn_11(2, 10), None, (7, 0, 3), SPIKE_DRIVEN),
    ("VGG-13", lambda: vgg_snn.vgg_snn_13(2, 10), None, (9, 0, 3), SPIKE_DRIVEN),
    ("MS-18", lambda: ms_resnet.ms_resnet18(2), 64, (16, 0, 6), SPIKE_DRIVEN),
    ("MS-34", lambda: ms_resnet.ms_resnet34(2), 64, (32, 0, 6), SPIKE_DRIVEN),
    ("MS-104", lambda: ms_resnet.ms_resnet104(1), 64, (102, 0, 8), SPIKE_DRIVEN),
    ("CIFAR", lambda: ms_resnet.ms_resnet18_cifar(2, 10), 16, (16, 0, 5), SPIKE_DRIVEN),
    ("GAC CIFAR", lambda: gac.gac_ms_resnet_cifar(2, 10), 16, (16, 0, 5), SPIKE_DRIVEN),
    ("Spiking-18", lambda: spiking_resnet.spiking_resnet18(2, LIF), 64, (19, 0, 2), SPIKE_DRIVEN),
    ("Spiking-34", lambda: spiking_resnet.spiking_resnet34(2, LIF), 64, (35, 0, 2), SPIKE_DRIVEN),
    (
        "Spiking-18 GAC",
        lambda: spiking_resnet.gac_spiking_resnet18(2),
        64,
        (18, 0, 3),
        SPIKE_DRIVEN,
    ),
    ("SEW-18", lambda: sew_resnet.sew_resnet18(2, LIF), 64, (9, 10, 2), SPIKE_DRIVEN),
    (
        "SEW-18 GAC",
        lambda: sew_resnet.sew_resnet18(2, LIF, encoder="gac"),
        64,
        (8, 7, 6),
        SPIKE_DRIVEN,
    ),
    ("7B", lambda: sew_resnet.seven_b_net(2, 11, LIF), None, (8, 7, 1), SPIKE_DRIVEN),
    ("TA post", small("T", location="conv_post"), None, BASE, WINDOW),
    ("CA post", small("C", location="conv_post"), None, BASE, GATED),
    ("SA post", small("S", location="conv_post"), None, BASE, GATED),
    ("TCSA post", small("TCS", location="conv_post"), None, BASE, WINDOW),
    ("TCSA code", small("TCS", "ma_code_gait"), None, BASE, WINDOW),
    ("CSA loop", small("CS"), None, BASE, GATED),
    ("TCSA", small("TCS"), None, BASE, WINDOW),
    ("ECA", small("C", "ma_eca"), None, BASE, GATED),
    ("SimAM", small("C", "ma_simam", "activate_pre"), None, BASE, GATED),
    ("ASA-1", lambda: asa_snn.asa_snn_3_small(4, 1, "asa_text", size=16), None, BASE, WINDOW),
    ("ASA-2", lambda: asa_snn.asa_snn_3_small(4, 2, "asa_text", size=16), None, BASE, WINDOW),
    ("TA pre", small("T", location="conv_pre"), None, (2, 1, 2), (False, True, True)),
    ("CSA pre", small("CS", location="conv_pre"), None, (2, 1, 2), (False, True, False)),
    (
        "Att-VGG-7",
        lambda: vgg_snn.att_vgg_snn(7, 2, 10, "CS", "ma_text", "before_norm"),
        None,
        (4, 0, 3),
        GATED,
    ),
    (  # attention refines what the shortcuts' convolutions read: nothing folds them
        "Att-Res-1",
        lambda: att_res_snn.att_res_snn_18(1, 1, "CS", "ma_text"),
        64,
        (16, 0, 6),
        (False, True, False),
    ),
    (
        "Att-Res-2",
        att_res_2,
        64,
        (16, 0, 6),
        (False, True, False),
    ),
    ("GAC", lambda: gac.gac_digits(4), None, (6, 0, 4), SPIKE_DRIVEN),
    ("rate", lambda: gac.rate_digits(8), None, (7, 0, 3), SPIKE_DRIVEN),
    ("phase", lambda: gac.phase_digits(8), None, (6, 0, 4), SPIKE_DRIVEN),
    ("temporal", lambda: gac.temporal_digits(8), None, (7, 0, 3), SPIKE_DRIVEN),
    ("ANN LIF-3", lambda: ann.ann_lif_3(11), None, (0, 1, 4), (False,) * 3),
    ("ANN VGG-7", lambda: ann.ann_vgg_7(10), None, (0, 0, 7), (False,) * 3),
    ("ANN MS-18", ann.ann_ms_resnet18, 64, (0, 0, 22), (False,) * 3),
]
FAST = (
    "VGG-7", "CIFAR", "Spiking-18 GAC", "SEW-18 GAC", "7B", "TCSA post", "CSA loop", "ASA-1",
    "CSA pre", "Att-VGG-7", "GAC", "phase", "ANN VGG-7",
)  # fmt: skip


def audited(module: torch.nn.Module, sample: torch.Tensor) -> tuple[Audit, Flags]:
    graph = partition(infer_signals(trace(module, sample, verify=False, spiking=False)))
    return audit(graph), flags_of(graph)


@pytest.mark.parametrize(
    ("factory", "plane", "counts", "flags"),
    [
        pytest.param(*row[1:], id=row[0], marks=[pytest.mark.slow] * (row[0] not in FAST))
        for row in SECTION_7
    ],
)
def test_the_audit_says_what_a_run_shows(
    factory: Factory, plane: int | None, counts: tuple[int, ...], flags: tuple[bool, ...]
) -> None:
    module = made(factory, plane)
    sample = sample_of(module, plane)
    found, whole = audited(module, sample)
    told = {row.layer: row.input_signal for row in found.rows if row.is_layer}
    scores = {row.layer for row in found.rows if row.work == "attention"}
    seen = input_kinds(module, sample)
    assert told.keys() == seen.keys()
    synaptic = seen.keys() - scores
    assert {name: told[name] for name in synaptic} == {name: seen[name] for name in synaptic}
    binary, integer, real = counts
    expected = {"binary": binary, "integer": integer, "real": real}
    assert {kind: found.convolutions()[kind] for kind in expected} == expected
    assert flags == (
        whole.synapses_binary,
        whole.needs_dynamic_multiply,
        whole.needs_full_window,
    )
