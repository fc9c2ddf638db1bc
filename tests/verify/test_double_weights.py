"""Programs whose weights take two projections: verified, reduced, saved, and faults in either part
found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import redundant_model
import torch
from cli_runner import refused, run

from snndeploy import program as program_file
from snndeploy.pipeline import compile
from snndeploy.pipeline.fit import fit_spec
from snndeploy.program import Program
from snndeploy.verify import verify
from snndeploy.verify.integers import check_integers

pytestmark = pytest.mark.torch
SPEC = f"{redundant_model.__file__}:net(timesteps=3)"
LAYERS = ("spike2", "spike3", "readout")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("double")
    torch.save(redundant_model.net().state_dict(), folder / "weights.pt")
    x = np.random.default_rng(0).random((80, 1, 8, 8)).astype(np.float32)
    np.savez(folder / "images.npz", x=x, y=np.arange(80) % 3)
    return folder


def compiled(folder: Path, **options: str) -> Program:
    return compile(
        SPEC, folder / "weights.pt", calibration=folder / "images.npz", mapping="tiles", **options
    )


@pytest.fixture(scope="module")
def double(folder: Path) -> Program:
    return compiled(folder, weights="double")


@pytest.fixture(scope="module")
def images(folder: Path) -> np.ndarray:
    with np.load(folder / "images.npz") as data:
        found: np.ndarray = data["x"][:8]
        return found


def test_every_link_is_exact(folder: Path, double: Program, images: np.ndarray) -> None:
    assert [double.facts.quantized(name).weight_precision for name in LAYERS] == ["double"] * 3
    program_file.save(double, folder / "double.snnp")
    loaded = program_file.load(folder / "double.snnp")
    assert loaded.facts == double.facts
    assert verify(loaded, images)[0].passed


def test_common_networks_take_one_part(folder: Path) -> None:
    auto, single = compiled(folder), compiled(folder, weights="single")
    assert auto.facts.quantization == single.facts.quantization
    assert {layer.weight_precision for layer in auto.facts.quantization} == {"single"}


@pytest.mark.parametrize("part", [0, 1])
def test_a_fault_in_either_part_is_found(double: Program, part: int) -> None:
    network = double.network
    names = [p.name for p in network.incoming("spike3")]
    index = [p.name for p in network.projections].index(names[part])
    projections = list(network.projections)
    weight = projections[index].connection.weight.copy()
    weight[1, 0, 1, 1] ^= 4
    connection = projections[index].connection.with_weight(weight)
    projections[index] = replace(projections[index], connection=connection)
    wrong = replace(double, network=replace(network, projections=tuple(projections)))
    (finding,) = check_integers(wrong)
    assert finding.population == "spike3" and finding.cause == "weight bit flipped"
    assert "weight [1, 0, 1, 1]" in finding.detail and "(1 of 270 weights)" in finding.detail


def test_a_dropped_part_is_found(double: Program) -> None:
    name = [p.name for p in double.network.incoming("spike3")][1]
    kept = tuple(p for p in double.network.projections if p.name != name)
    assert check_integers(replace(double, network=replace(double.network, projections=kept)))


def test_reduced_programs_are_still_proved(folder: Path, images: np.ndarray) -> None:
    found = compiled(folder, weights="double", reduce="exact")
    assert found.facts.reduction is not None and found.facts.reduction["removed"]
    assert verify(found, images)[0].passed


def test_fit_and_compile_say_the_same(double: Program) -> None:
    (one,), (two,) = (fit_spec(SPEC, ["loihi2"], weights=w) for w in ("auto", "double"))
    assert one.fits and two.fits
    assert two.use["synapse_memory_bytes"] > one.use["synapse_memory_bytes"]


def test_the_command(folder: Path) -> None:
    made = [SPEC, "--checkpoint", folder / "weights.pt", "--mapping", "tiles"]
    made += ["--calibration", folder / "images.npz", "-o", folder / "command.snnp"]
    found = run("compile", *made, "--weights", "double")
    assert "spike2: weights take two projections (exponents" in " ".join(found.output.split())
    words = refused(
        folder, "export", folder / "command.snnp", "--format", "netx", "-o", folder / "a.net"
    )
    assert "--weights single" in words
