"""Rate, phase and temporal coding and event frames: the papers' rules on small numbers."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import gac  # noqa: E402
from codings import Coded, Phase, Rate, Temporal, coding, event_frames  # noqa: E402

pytestmark = pytest.mark.torch


def pixel(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), value)


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        (192 / 256, "11000000"),
        (1 / 256, "00000001"),
        (0.0, "00000000"),
        (1.0, "11111111"),
        (0.9 / 256, "00000000"),
        (170 / 256, "10101010"),
    ],
)
def test_phase_coding(value: float, bits: str) -> None:
    encoder = Phase(16, 8)
    spikes = encoder.spikes(pixel(value)).flatten().tolist()
    assert spikes == [float(bit) for bit in bits] * 2
    weighted = encoder(pixel(value)).flatten()
    assert weighted.tolist() == [s * 2.0 ** -(1 + t % 8) for t, s in enumerate(spikes)]
    assert weighted[:8].sum() == min(int(value * 256), 255) / 256


def test_phase_coding_needs_whole_periods() -> None:
    with pytest.raises(ValueError, match="12 steps are not a multiple of the 8 phases"):
        Phase(12, 8)


@pytest.mark.parametrize(
    ("value", "step"), [(1.0, 0), (0.0, 9), (0.5, 4), (0.9, 1), (0.94, 1), (0.95, 0)]
)
def test_temporal_coding(value: float, step: int) -> None:
    spikes = Temporal(10)(pixel(value)).flatten().tolist()
    assert spikes == [float(t == step) for t in range(10)]


def test_rate_coding() -> None:
    encoder = Rate(4_000, (1, 1, 4), seed=0)
    image = torch.tensor([0.0, 0.2, 0.7, 1.0]).view(1, 1, 1, 4)
    spikes = encoder(image)
    rates = spikes.mean(dim=0).flatten()
    assert (rates[0], rates[3]) == (0, 1)
    assert rates[1:3].tolist() == pytest.approx([0.2, 0.7], abs=0.02)
    assert torch.equal(encoder(torch.cat([image, image]))[:, 1:], spikes)
    assert torch.equal(Rate(4_000, (1, 1, 4), seed=0)(image), spikes)
    assert not torch.equal(Rate(4_000, (1, 1, 4), seed=1)(image), spikes)
    assert not list(encoder.state_dict())


def test_event_frames() -> None:
    columns, rows = torch.tensor([0, 2, 2, 1, 0]), torch.tensor([0, 1, 1, 0, 1])
    polarities = torch.tensor([0, 1, 1, 0, 1])
    times = torch.tensor([0, 10, 19, 20, 40])
    frames = event_frames(
        columns, rows, polarities, times, timesteps=2, frame_time=20, height=2, width=3
    )
    assert frames.shape == (2, 2, 2, 3)
    assert frames[0, 0, 0, 0] == 1
    assert frames[0, 1, 1, 2] == 2
    assert frames[1, 0, 0, 1] == 1
    assert frames.sum() == 4  # the event at 40 is behind the last frame


@pytest.mark.parametrize("name", ["rate", "phase", "temporal"])
def test_coded_networks(name: str) -> None:
    torch.manual_seed(0)
    module = getattr(gac, f"{name}_digits")(8).eval()
    sample = gac.example(module)
    assert isinstance(module.encoder, Coded)
    assert module(sample).shape == (1, 10)
    assert torch.equal(module(sample), module(sample))


def test_unknown_coding() -> None:
    with pytest.raises(ValueError, match="coding is 'burst'; use 'rate', 'phase' or 'temporal'"):
        coding("burst", 4, (1, 2, 2))  # type: ignore[arg-type]
