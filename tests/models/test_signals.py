"""What every convolution receives, by running the networks with random weights (papers, 7)."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import ann  # noqa: E402
import asa_snn  # noqa: E402
import gac  # noqa: E402
import lif_snn  # noqa: E402
import lif_snn_5  # noqa: E402
import ma_snn  # noqa: E402
import ms_resnet  # noqa: E402
import sew_resnet  # noqa: E402
import spiking_resnet  # noqa: E402
import vgg_snn  # noqa: E402
from zoo import Factory, input_kinds  # noqa: E402

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


@pytest.mark.parametrize(
    ("factory", "plane", "binary", "integer", "real"),
    [row[1:] for row in NETWORKS],
    ids=[row[0] for row in NETWORKS],
)
def test_what_convolutions_receive(
    factory: Factory, plane: int | None, binary: int, integer: list[str], real: list[str]
) -> None:
    torch.manual_seed(0)
    module = factory()
    if plane is not None and isinstance(module, lif_snn_5.LIFSNN5):
        module.linear1 = torch.nn.Linear(128 * (plane // 32) ** 2, 512)
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
