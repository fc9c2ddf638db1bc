"""What models/ ships: the catalog, the digits, the trained weights and their stated accuracy."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors")

import digits  # noqa: E402
import train  # noqa: E402
from saccade import PATH, event_frames  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

pytestmark = pytest.mark.torch

CATALOG = Path(__file__).resolve().parents[2] / "models" / "catalog.toml"
MODELS: list[dict[str, Any]] = tomllib.loads(CATALOG.read_text(encoding="utf-8"))["model"]
TRAINED = [entry for entry in MODELS if "weights" in entry]
KEYS = {"name", "spec", "paper", "description", "input_shape", "input_signal"}
FILES = {"weights", "test", "calibration"}


def shipped(path: Path) -> digits.Digits:
    with np.load(path) as archive:
        return digits.Digits(archive["x"], archive["y"])


@pytest.fixture(scope="module")
def held_back(models_folder: Path) -> digits.Digits:
    return shipped(models_folder / "data" / "mnist_test.npz")


def test_catalog_names_differ_and_digits_are_there() -> None:
    names = [entry["name"] for entry in MODELS]
    assert len(set(names)) == len(names)
    assert {"gac-digits", "direct-digits"} <= {entry["name"] for entry in TRAINED}


@pytest.mark.parametrize("entry", MODELS, ids=[entry["name"] for entry in MODELS])
def test_catalog_entry_is_true(entry: dict[str, Any], models_folder: Path) -> None:
    assert set(entry) >= KEYS
    assert set(entry) <= KEYS | FILES
    for key in FILES & set(entry):
        assert (models_folder / entry[key]).is_file()
    with torch.device("meta"):
        module = train.build(entry["spec"])
    assert list(module.input_shape) == entry["input_shape"]  # type: ignore[arg-type]
    assert module.input_signal == entry["input_signal"]
    file = importlib.import_module(entry["spec"].partition(".py:")[0])
    sample = file.example(module)
    assert sample.shape == (1, *entry["input_shape"])
    assert sample.dtype == torch.float32
    if entry["input_signal"] == "integer":
        assert torch.equal(sample, sample.round())


@pytest.mark.parametrize("entry", TRAINED, ids=[entry["name"] for entry in TRAINED])
def test_weights_reach_their_accuracy(
    entry: dict[str, Any], models_folder: Path, held_back: digits.Digits
) -> None:
    weights = models_folder / entry["weights"]
    facts = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    with safetensors.safe_open(weights, framework="pt") as file:
        assert file.metadata() == {"training": json.dumps(facts)}
    module = train.build(entry["spec"])
    module.load_state_dict(load_file(weights), strict=True)
    reached = train.accuracy(module, train.Feed(module), held_back)
    # A digit at the decision boundary may fall differently with another processor's rounding.
    assert abs(reached - facts["accuracy"]) <= 0.002
    assert reached >= 0.96
    assert weights.stat().st_size < 600_000


SPIKING = [entry for entry in TRAINED if entry["input_signal"] == "integer"]


@pytest.mark.parametrize("entry", SPIKING, ids=[entry["name"] for entry in SPIKING])
def test_stated_firing_rates(
    entry: dict[str, Any], models_folder: Path, held_back: digits.Digits
) -> None:
    weights = models_folder / entry["weights"]
    facts = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    module = train.build(entry["spec"])
    module.load_state_dict(load_file(weights), strict=True)
    some = digits.Digits(held_back.x[::5], held_back.y[::5])
    nasar, layers = train.firing_rates(module, train.Feed(module), some)
    assert nasar == pytest.approx(facts["nasar"], abs=0.02)  # on a fifth of the digits
    assert list(layers) == list(facts["layer_rates"])
    # NASAR is the mean of the layers' rates, weighted by their neurons (papers' section 1).
    neurons = dict(zip(layers, (3136, 1568, 288, 64, 10), strict=True))
    for total, rates in ((nasar, layers), (facts["nasar"], facts["layer_rates"])):
        weighted = sum(neurons[name] * rate for name, rate in rates.items())
        assert total == pytest.approx(weighted / sum(neurons.values()), abs=2e-6)


def test_shipped_digits(models_folder: Path, held_back: digits.Digits) -> None:
    calibration = shipped(models_folder / "data" / "mnist_calibration.npz")
    for data, count in ((held_back, 100), (calibration, 20)):
        assert data.x.dtype == np.uint8
        assert data.x.shape == (10 * count, 1, 28, 28)
        assert np.bincount(data.y).tolist() == [count] * 10
    known = {image.tobytes() for image in held_back.x}
    assert not any(image.tobytes() in known for image in calibration.x)
    assert (models_folder / "data" / "mnist_test.npz").stat().st_size < 190_000


@pytest.mark.parametrize(("name", "every", "count"), [("test", 5, 20), ("calibration", 2, 10)])
def test_shipped_event_frames(models_folder: Path, name: str, every: int, count: int) -> None:
    images = shipped(models_folder / "data" / f"mnist_{name}.npz")
    frames = shipped(models_folder / "data" / f"mnist_events_{name}.npz")
    assert np.bincount(frames.y).tolist() == [count] * 10
    assert np.array_equal(frames.y, images.y[::every])
    assert np.array_equal(frames.x, event_frames(images.x[::every], 8))


@pytest.mark.parametrize("file", sorted((CATALOG.parent / "data").glob("*.npz")))
def test_shipped_scale(file: Path) -> None:
    with np.load(file) as archive:
        assert sorted(archive) == ["scale", "x", "y"]
        assert archive["scale"] == np.float32(1 if "events" in file.name else 1 / 255)


def test_split_is_stratified_and_disjoint() -> None:
    labels = np.repeat(np.arange(10, dtype=np.uint8), 500)
    images = np.arange(5000, dtype=np.uint16).view(np.uint8).reshape(5000, 2)
    everything = digits.Digits(images, labels)
    training, calibration, held_back = digits.split(everything)
    assert [len(part.y) for part in (training, calibration, held_back)] == [4000, 200, 1000]
    numbers = [set(map(bytes, part.x)) for part in (training, calibration, held_back)]
    assert numbers[1] <= numbers[0]
    assert not numbers[0] & numbers[2]


def test_saccade_of_one_dot() -> None:
    image = np.zeros((1, 1, 9, 9), np.uint8)
    image[0, 0, 4, 4] = 255
    frames = event_frames(image, len(PATH))[0]
    assert np.sum(PATH, axis=0).tolist() == [0, 0]
    # The dot starts at row 2, column 0, and each move leaves one pixel and lights another.
    assert np.argwhere(frames[0, 0]).tolist() == [[3, 1]]
    assert np.argwhere(frames[0, 1]).tolist() == [[2, 0]]
    assert np.argwhere(frames[-1, 0]).tolist() == [[2, 0]]
    assert frames.sum() == 2 * len(PATH)
    assert event_frames(image, 4).sum() == 2 * len(PATH)
    with pytest.raises(ValueError, match="5 frames do not divide the 16 moves evenly"):
        event_frames(image, 5)
