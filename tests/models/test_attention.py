"""Attention against its formulas written out with loops, its locations, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

import att_res_snn  # noqa: E402
import ma_snn  # noqa: E402
import vgg_snn  # noqa: E402
from asa_snn import ASA, SETTINGS  # noqa: E402
from attention import CA, ECA, SA, TA, SimAM, attend, modules, setting  # noqa: E402
from layers import AttentionLIF, SpikingConv  # noqa: E402
from neurons import LIF, preset  # noqa: E402

pytestmark = pytest.mark.torch

T, B, C, H, W = 6, 2, 8, 5, 4


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn((T, B, C, H, W), generator=torch.Generator().manual_seed(3))


def mlp(layers: torch.nn.Sequential, value: torch.Tensor) -> torch.Tensor:
    return torch.relu(value @ layers[0].weight.T) @ layers[2].weight.T


def test_temporal_attention(x: torch.Tensor) -> None:
    module = TA(T, 2)
    found = module(x)
    for b in range(B):
        average = torch.stack([x[t, b].mean() for t in range(T)])
        largest = torch.stack([x[t, b].max() for t in range(T)])
        gate = torch.sigmoid(mlp(module.score.mlp, average) + mlp(module.score.mlp, largest))
        for t in range(T):
            torch.testing.assert_close(found[t, b], gate[t] * x[t, b])


@pytest.mark.parametrize("pool_time", [False, True])
def test_channel_attention(x: torch.Tensor, pool_time: bool) -> None:
    module = CA(C, 4, pool_time)
    found = module(x)
    for t in range(T):
        for b in range(B):
            seen = x[:, b].transpose(0, 1).flatten(1) if pool_time else x[t, b].flatten(1)
            score = mlp(module.mlp, seen.mean(dim=1)) + mlp(module.mlp, seen.amax(dim=1))
            gate = torch.sigmoid(score)[:, None, None]
            torch.testing.assert_close(found[t, b], gate * x[t, b])


@pytest.mark.parametrize("pool_time", [False, True])
@pytest.mark.parametrize("kernel", [3, 7])
def test_spatial_attention(x: torch.Tensor, kernel: int, pool_time: bool) -> None:
    module = SA(kernel, pool_time)
    found = module(x)
    for t in range(T):
        for b in range(B):
            seen = x[:, b].flatten(0, 1) if pool_time else x[t, b]
            planes = torch.stack([seen.mean(dim=0), seen.amax(dim=0)])
            score = torch.nn.functional.conv2d(
                planes[None], module.conv.weight, padding=kernel // 2
            )
            torch.testing.assert_close(found[t, b], torch.sigmoid(score[0, 0]) * x[t, b])


@pytest.mark.parametrize("kernel", [3, 4])
def test_efficient_channel_attention(x: torch.Tensor, kernel: int) -> None:
    module = ECA(kernel, square=False, pool_time=False)
    found = module(x)
    weight = module.conv[1].weight.view(1, 1, kernel)

    def along(value: torch.Tensor) -> torch.Tensor:
        padded = torch.nn.functional.pad(value, ((kernel - 1) // 2, kernel // 2))
        return torch.nn.functional.conv1d(padded[None, None], weight)[0, 0]

    for t in range(T):
        for b in range(B):
            score = along(x[t, b].mean(dim=(1, 2))) + along(x[t, b].amax(dim=(1, 2)))
            torch.testing.assert_close(found[t, b], torch.sigmoid(score)[:, None, None] * x[t, b])
    square = ECA(kernel, square=True, pool_time=False)
    with torch.no_grad():  # only the column that meets the channels matters
        square.conv[1].weight.zero_()
        square.conv[1].weight[:, :, :, (kernel - 1) // 2] = weight
    torch.testing.assert_close(square(x), found)


def test_simam(x: torch.Tensor) -> None:
    found = SimAM(1e-4)(x)
    for t in range(T):
        for c in range(C):
            plane = x[t, 1, c]
            energy = (plane - plane.mean()) ** 2 / (4 * (plane.var() + 1e-4)) + 0.5
            torch.testing.assert_close(found[t, 1, c], torch.sigmoid(energy) * plane)


def test_attention_inside_the_membrane_loop() -> None:
    torch.manual_seed(0)
    gate = torch.nn.Sequential(CA(C, 4, False), SA(3, False))
    module = AttentionLIF(gate, preset("ma_events"))
    current = torch.randn(T, B, C, H, W)
    found = module(current)
    carried = torch.zeros(B, C, H, W)
    for t in range(T):
        membrane = gate((carried + current[t])[None])[0]
        spike = (membrane >= 0.3).float()
        assert torch.equal(found[t], spike)
        carried = 0.3 * membrane * (1 - spike)
    assert 0.05 < found.mean() < 0.95
    assert not torch.equal(found, preset("ma_events")(current))


def test_attention_lif_cannot_be_taken_for_a_lif() -> None:
    module = AttentionLIF(SA(3, False), preset("ma_events"))
    assert not isinstance(module, LIF)
    assert not hasattr(module, "neuron_parameters")
    described = module.step_parameters()
    assert described["kind"] == "lif"
    assert (described["threshold"], described["decay"]) == (0.3, 0.3)
    assert module.get_submodule(str(described["attention"])) is module.attention


def kinds(entry: torch.nn.Module | None) -> list[str]:
    return [] if entry is None else [type(child).__name__ for child in entry]  # type: ignore[union-attr]


LOCATIONS = [
    # attention, setting, location, before, between, after, inside
    ("TCS", "small", None, [], [], ["TA"], ["CA", "SA"]),
    ("T", "small", None, [], [], ["TA"], []),
    ("CS", "small", None, [], [], [], ["CA", "SA"]),
    ("CS", "small", "activate_pre", [], [], [], ["CA", "SA"]),
    ("TCS", "small", "conv_post", [], [], ["TA", "CA", "SA"], []),
    ("TCS", "small", "conv_pre", ["TA", "CA", "SA"], [], [], []),
    ("CS", "small", "before_norm", [], ["CA", "SA"], [], []),
    ("TCS", "ma_code_gesture", None, [], [], ["TA", "CA", "SA", "ReLU"], []),
    ("TS", "ma_simam", None, [], [], ["TA"], ["SA"]),
    ("C", "ma_simam", "conv_post", [], [], ["SimAM"], []),
    ("C", "ma_eca", "conv_post", [], [], ["ECA"], []),
]


@pytest.mark.parametrize(
    ("attention", "name", "location", "before", "between", "after", "inside"), LOCATIONS
)
def test_locations(
    attention: str,
    name: str,
    location: str | None,
    before: list[str],
    between: list[str],
    after: list[str],
    inside: list[str],
) -> None:
    placed = attend(attention, setting(name, location), 60)(64, 32)  # type: ignore[arg-type]
    assert [kinds(entry) for entry in placed] == [before, between, after, inside]
    if before:
        assert placed.before is not None
        assert placed.before[1].mlp[0].in_features == 64  # type: ignore[index, union-attr]


@pytest.mark.parametrize(("location", "index"), [("conv_pre", 0), ("before_norm", 1)])
def test_attention_around_the_convolution(x: torch.Tensor, location: str, index: int) -> None:
    torch.manual_seed(0)
    placed = attend("CS", setting("small", location), T)(C, C)  # type: ignore[arg-type]
    layer = SpikingConv(C, C, bias=False, neuron="ma_events", placement=placed).eval()
    expected = []
    for step in x:
        seen = placed[0](step[None])[0] if index == 0 else step
        current = layer.conv(seen)
        current = placed[1](current[None])[0] if index == 1 else current
        expected.append(layer.norm(current))
    assert torch.equal(layer(x), preset("ma_events")(torch.stack(expected)))


@pytest.mark.parametrize("variant", [1, 2])
def test_att_res_block(variant: int) -> None:
    torch.manual_seed(0)
    network = att_res_snn.att_res_snn_18(2, variant, "CS", "gac_printed").eval()
    block = network.body.stage2[0]
    membrane = torch.randn(2, 1, 64, 6, 6)
    with torch.no_grad():
        branch = block.spike1(membrane)
        branch = block.spike2(torch.stack([block.conv1(step) for step in branch]))
        branch = torch.stack([block.conv2(step) for step in branch])
        kept = torch.stack([block.shortcut(step) for step in membrane])
        csa = block.refine_branch if variant == 1 else block.refine_sum
        expected = csa(branch) + kept if variant == 1 else csa(branch + kept)
        torch.testing.assert_close(block(membrane), expected)


Planes = Callable[[torch.Tensor], list[torch.Tensor]]


def asa_by_loops(module: ASA, x: torch.Tensor, b: int, planes_of: Planes) -> torch.Tensor:
    """The docstring's equations for one sample, with numbers instead of tensors where possible."""
    sample = x[:, b]
    steps, channels = sample.shape[:2]
    average, largest = sample.mean(dim=(2, 3)), sample.amax(dim=(2, 3))
    score = 0.5 * (average + largest) + module.alpha * average + module.gamma * largest
    if isinstance(module.mlp, torch.nn.Sequential):
        score = torch.sigmoid(mlp(module.mlp, score.T)).T
    mask = torch.zeros(steps, channels)
    for t in range(steps):
        last_channel = sorted(score[t].tolist(), reverse=True)[channels // 2 - 1]
        for c in range(channels):
            last_step = sorted(score[:, c].tolist(), reverse=True)[steps // 2 - 1]
            mask[t, c] = bool(score[t, c] >= last_channel) != bool(score[t, c] >= last_step)
    result = torch.zeros_like(sample)
    for chosen, conv in ((mask, module.important), (1 - mask, module.unimportant)):
        group = chosen[:, :, None, None] * sample
        planes = torch.stack(planes_of(group))
        result = result + torch.sigmoid(conv(planes[None])[0, 0]) * group
    return result


# ASA Eq. 10 prints [Max; Avg]; the code reads [Avg, Max] and divides Avg by lambda = 0.5.
PLANES = {
    "asa_text": lambda group: [group.amax(dim=(0, 1)), group.mean(dim=(0, 1))],
    "asa_straight_through": lambda group: [group.amax(dim=(0, 1)), group.mean(dim=(0, 1))],
    "asa_average_first": lambda group: [group.mean(dim=(0, 1)), group.amax(dim=(0, 1))],
    "asa_code_script": lambda group: [group.mean(dim=(0, 1)) / 0.5, group.amax(dim=(0, 1))],
}


@pytest.mark.parametrize("name", PLANES)
@pytest.mark.parametrize("variant", [1, 2])
@pytest.mark.parametrize("steps", [6, 5])
def test_asa(variant: int, steps: int, name: str) -> None:
    torch.manual_seed(0)
    module = ASA(steps, variant, SETTINGS[name]).eval()  # type: ignore[arg-type]
    x = torch.randn(steps, B, C, H, W)
    with torch.no_grad():
        found = module(x)
        for b in range(B):
            torch.testing.assert_close(found[:, b], asa_by_loops(module, x, b, PLANES[name]))


def test_every_asa_setting_is_tested() -> None:
    assert set(PLANES) == set(SETTINGS)


def masks_of_a_batch(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores [B, T, C] to the channels' and the steps' choices of the published code, [T, C].

    It writes the top half of every sample into all of them: the batch has one mask.
    """
    choices = []
    for sample in scores:
        channels, steps = torch.zeros(sample.shape), torch.zeros(sample.shape)
        channels.scatter_(1, sample.topk(sample.shape[1] // 2, dim=1).indices, 1.0)
        steps.scatter_(0, sample.topk(sample.shape[0] // 2, dim=0).indices, 1.0)
        choices.append(torch.stack([channels, steps]))
    channels, steps = torch.stack(choices).amax(dim=0)
    return channels, steps


@pytest.mark.parametrize(
    ("batch", "differ", "channels"), [(1, 0.0, 0.5), (4, 0.41, 0.93), (40, 0.46, 1.0)]
)
def test_asa_of_the_code_chooses_for_its_batch(batch: int, differ: float, channels: float) -> None:
    """docs/attention.md: random currents of the first layer, T = 60, r = 4."""
    torch.manual_seed(0)
    module = ASA(60, 1, SETTINGS["asa_code_script"]).eval()
    x = torch.randn(60, batch, 64, 8, 8)
    with torch.no_grad():
        scores = module.importance(x)
        own = module.mask(scores).transpose(0, 1)
    by_channel, by_step = masks_of_a_batch(scores.transpose(0, 1))
    mask = (by_channel != by_step).float()
    assert (own != mask).float().mean().item() == pytest.approx(differ, abs=0.02)
    assert by_channel.mean().item() == pytest.approx(channels, abs=0.01)


def test_asa_masks_take_all_ties() -> None:
    module = ASA(4, 2, SETTINGS["asa_text"]).eval()
    scores = torch.tensor([[3.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 2.0]])[:, None]
    # Along T the top two of column 0 are 3 and one of three equal 0: all four are chosen.
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    columns = torch.tensor([[1.0, 1.0]] * 4)
    assert torch.equal(module.mask(scores)[:, 0], (rows != columns).float())


@pytest.mark.parametrize("straight_through", [False, True])
def test_asa_importance_learns_only_straight_through(straight_through: bool) -> None:
    torch.manual_seed(0)
    chosen = SETTINGS["asa_straight_through" if straight_through else "asa_text"]
    module = ASA(6, 1, chosen).train()
    x = torch.randn(6, B, C, H, W)
    found = module(x)
    found.square().sum().backward()
    assert (module.alpha.grad is not None) == straight_through
    assert module.important.weight.grad is not None
    assert torch.equal(found, module.eval()(x))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="no hidden unit; use timesteps >= 16"):
        modules("T", setting("ma_text"), 8, 64)
    with pytest.raises(ValueError, match="has no hidden unit; use a reduction of at most 2"):
        ma_snn.ma_snn_3_small(8, "C", "small", "conv_pre")
    ma_snn.ma_snn_3_small(8, "C", "small", "conv_pre", skip_first=True)
    with pytest.raises(ValueError, match="cannot be at Activate-PRE; use Conv-POST"):
        ma_snn.ma_snn_3_small(8, "T", "small", "activate_pre")
    with pytest.raises(ValueError, match="cannot be at Activate-PRE; use Conv-POST"):
        ma_snn.ma_snn_3(60, 11, "C", "ma_code_gesture", "recommended")
    with pytest.raises(ValueError, match="attention is 'CT'; use one of T, C, S, TC"):
        ma_snn.ma_snn_3_small(8, "CT", "small")
    with pytest.raises(ValueError, match="no attention setting 'ma'; known: ma_text"):
        ma_snn.ma_snn_3_small(8, "C", "ma")
    with pytest.raises(ValueError, match="no location 'post'; known: recommended, conv_pre"):
        ma_snn.ma_snn_3_small(8, "C", "small", "post")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ASA has variants 1 and 2, not 3"):
        ASA(8, 3, SETTINGS["asa_text"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Att-Res-SNN has variants 1 and 2, not 3"):
        att_res_snn.att_res_snn_18(1, 3, "CS", "ma_text")
    with pytest.raises(ValueError, match="VGG-SNN has 7, 11 or 13 layers, not 16"):
        vgg_snn.att_vgg_snn(16, 1, 10, "CS", "ma_text", "before_norm")
