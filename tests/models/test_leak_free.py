"""The leak-free network of integers: a chip computes it exactly, shown by a replay of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.numpy")

import snndeploy  # noqa: E402

pytestmark = pytest.mark.torch

STEPS, THRESHOLD = 8, 64


def fired(weight: np.ndarray, spikes: np.ndarray) -> np.ndarray:
    """Spikes [N, T, targets] of U += W s;  S = [U >= 64];  U = 0 where S."""
    membrane, found = np.zeros((len(spikes), len(weight)), np.int64), []
    for step in range(STEPS):
        membrane = membrane + spikes[:, step] @ weight.T
        found.append(membrane >= THRESHOLD)
        membrane = np.where(found[-1], 0, membrane)
    return np.stack(found, axis=1).astype(np.int64)


def replayed(weights: dict[str, np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """Output spikes a class [N, 10] of uint8 images, in integers."""
    levels = 255 * (2 * np.arange(STEPS) + 1)[None, :, None]
    spikes = (pixels.reshape(len(pixels), 1, -1).astype(np.int64) * 2 * STEPS >= levels).astype(int)
    first, second = (weights[f"linear{layer}.weight"].astype(np.int64) for layer in (1, 2))
    return fired(second, fired(first, spikes)).sum(axis=1)


@pytest.fixture(scope="module")
def weights(models_folder: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = safetensors.load_file(
        models_folder / "weights/leak_free_digits.safetensors"
    )
    return found


def test_the_weights_are_integers_of_8_bits(weights: dict[str, np.ndarray]) -> None:
    assert {name: value.shape for name, value in weights.items()} == {
        "linear1.weight": (128, 784),
        "linear2.weight": (10, 128),
    }
    for value in weights.values():
        assert np.array_equal(value, np.rint(value))
        assert np.abs(value).max() <= 127
        assert len(np.unique(value)) > 32  # not a few values in 8 bits


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_output_counts_are_those_of_a_replay_in_integers(
    target: str, weights: dict[str, np.ndarray], models_folder: Path
) -> None:
    program = snndeploy.compile("leak-free-digits", target=target, mapping="tiles")
    assert [(layer.population, layer.exact) for layer in program.facts.quantization] == [
        ("spike1", True),
        ("spike2", True),
    ]
    data = snndeploy.load_data(models_folder / "data" / "mnist_test.npz").take(None)
    pixels, labels = data.x[::2], data.y[::2]
    counts = replayed(weights, pixels)
    assert len(counts) == 500
    simulation = snndeploy.simulate(program, data.inputs()[::2], reference=False)
    assert np.array_equal(simulation.logits, counts)
    assert (counts.argmax(axis=1) == labels).mean() >= 0.96
    assert simulation.warnings == []
