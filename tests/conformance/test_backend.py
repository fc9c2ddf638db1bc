"""A backend that only this test adds; each name it allows is needed, all else refused by name."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from pathlib import Path

import numpy as np
import pytest
import toy_door
from cli_runner import refused, run
from populations import make_population
from program_builder import program_of

from snndeploy import pipeline, program
from snndeploy.backends import table
from snndeploy.backends.backend import FEATURES, Allowed, Backend, Written
from snndeploy.connections import Conv, Dense
from snndeploy.errors import OptionError, UnsupportedError
from snndeploy.frontend import doors
from snndeploy.graph import Graph, Node
from snndeploy.network import Attention, Injection, Network, Projection
from snndeploy.neurons import NEURONS

pytestmark = pytest.mark.torch


def emit(made, x, output, options):
    text = "".join(f"{p.name} {p.neurons}\n" for p in made.network.populations)
    output.write_text(text * (2 if options.get("round_biases") else 1))
    return Written(f"{len(text.splitlines())} lines", ("a note",), "next: read it")


ALLOWED = Allowed(
    title="Toy",
    neurons={
        "lif": ("threshold", "membrane_decay", "current_decay", "reset", "reset_amount"),
        "integrator": ("membrane_decay", "current_decay"),
        "input": ("payload_bound",),
    },
    connections=frozenset({"dense"}),
    features=frozenset(),
)
OF_INTEGERS = [backend for backend in table.BACKENDS if backend.allowed is not None]
TOY = Backend("toy", "a text", "export", "file", ALLOWED, emit)


@pytest.fixture
def toys(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "BACKENDS", (*table.BACKENDS, TOY))
    monkeypatch.setattr(doors, "DOORS", (*doors.DOORS, toy_door.DOOR))
    monkeypatch.chdir(tmp_path)
    toy_door.write_toys(tmp_path)
    for name in ("chain", "plane"):
        made = pipeline.compile(f"{name}.toy", calibration=f"{name}.npz", mapping="naive")
        program.save(made, f"{name}.snnp")
    return tmp_path


def offered(monkeypatch, **changes):
    monkeypatch.setattr(table, "BACKENDS", (*table.BACKENDS[:-1], replace(TOY, **changes)))


@pytest.mark.parametrize(("command", "option"), [("export", "--format"), ("deploy", "--backend")])
def test_the_toy_writes(toys, monkeypatch, command, option):
    offered(monkeypatch, command=command)
    result = run(command, "chain.snnp", option, "toy", "-o", "out.txt")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:2] == ["written: out.txt (3 lines)", "  - a note"]
    assert Path("out.txt").read_text() == "input 3\nneuron1 5\nreadout 2\n"
    assert ("next: read it" in result.stdout) == (command == "deploy")


@pytest.mark.parametrize(("command", "option"), [("export", "--format"), ("deploy", "--backend")])
def test_what_it_does_not_allow_is_named_before_anything_is_written(
    toys, monkeypatch, command, option
):
    few = replace(ALLOWED, neurons={"lif": ALLOWED.neurons["lif"]})
    offered(monkeypatch, command=command, allowed=few)
    assert refused(toys, command, "plane.snnp", option, "toy", "-o", "out.txt") == (
        "3 reasons: (1) merged0: Toy has no input; (2) readout: Toy has no integrator;"
        " (3) merged0->neuron1, neuron1->neuron3: Toy has no conv"
    )


def test_a_backend_is_offered_by_its_own_command(toys):
    result = run("deploy", "chain.snnp", "--backend", "toy", "-o", "out.txt")
    assert result.exit_code == 2
    assert "'toy' is not one of lava." in result.stderr
    assert "toy" in run("export", "--help").stdout


def test_what_cannot_run_is_not_run(toys, monkeypatch):
    offered(monkeypatch, command="deploy")
    result = run("deploy", "chain.snnp", "--backend", "toy", "-o", "out.txt", "--run")
    assert result.exit_code == 2
    assert "--run: toy writes a text, which does not run" in result.stderr
    assert not Path("out.txt").exists()


def test_its_options_arrive_and_others_are_refused(toys, monkeypatch):
    arguments = ("export", "chain.snnp", "--format", "toy", "--round-biases", "-o", "out.txt")
    result = run(*arguments)
    assert result.exit_code == 2
    assert "toy writes a text: --round-biases cannot be used with it" in result.stderr
    offered(monkeypatch, options=frozenset({"round_biases"}))
    assert run(*arguments).exit_code == 0
    assert len(Path("out.txt").read_text().splitlines()) == 6


def test_the_form_of_its_output_is_checked_first(toys, monkeypatch):
    Path("folder").mkdir()
    arguments = ("export", "chain.snnp", "--format", "toy", "-o")
    assert refused(toys, *arguments, "folder") == "cannot write folder: it is a folder; name a file"
    offered(monkeypatch, form="folder")
    assert refused(toys, *arguments, "chain.npz") == (
        "cannot write into chain.npz: it is a file; name a folder"
    )


def test_numbers_that_no_list_says(toys, monkeypatch):
    offered(
        monkeypatch, refusals=lambda made, options: [UnsupportedError("5 neurons are too many")]
    )
    said = refused(toys, "export", "chain.snnp", "--format", "toy", "-o", "out.txt")
    assert said == "5 neurons are too many"


@pytest.mark.parametrize("kind", [Allowed, Backend], ids=lambda kind: kind.__name__)
def test_every_part_must_be_said(kind):
    needed = [f.name for f in fields(kind) if f.default is f.default_factory is MISSING]
    assert len(needed) >= 4
    for dropped in needed:
        with pytest.raises(TypeError, match=f"'{dropped}'"):
            kind(**{name: None for name in needed if name != dropped})


# every name there is


def everything() -> Network:
    """One network that needs every kind of neuron, connection and feature."""
    shape, axes = (2, 1, 1), ((("batch", 1),), (("feature", 2),))
    refine = Attention(Graph((Node("m", "input", axes=axes),), ("m",), 1), "membrane")
    ones, kernel = np.ones((2, 2, 1, 1), np.int8), Conv(np.ones((2, 2, 1, 1), np.int8))
    return Network(
        2,
        (
            make_population("input", shape, "input"),
            make_population("soft", shape, reset="soft", reset_amount=3, attention=(refine,)),
            make_population("current", shape, current_decay=9, bias=np.int32([1, 2])),
            make_population("program", shape, "programmed"),
            make_population("relay", shape, "relay", payload_bound=5),
            make_population("answer", shape, "integrator"),
        ),
        (
            Projection("a", "input", "soft", Dense(ones), delay=1),
            Projection("b", "soft", "current", kernel, axonal_delay=np.int16([0, 1])),
            Projection("c", "current", "current", Dense(ones)),
            Projection("d", "current", "relay", Dense(ones)),
            Projection("e", "relay", "answer", Dense(ones)),
        ),
        (
            Injection("input", "x", "spikes"),
            Injection("current", "x", "bias"),
            Injection("relay", "x", "graded"),
        ),
    )


ALL = Allowed(
    "Toy",
    {kind: tuple(f.name for f in fields(neuron)) for kind, neuron in NEURONS.items()},
    frozenset({"conv", "dense"}),
    frozenset(FEATURES),
)
PLACES = {
    "lif": "soft, current", "programmed": "program", "integrator": "answer", "relay": "relay",
    "input": "input",
    "conv": "b", "dense": "a, c, d and 1 more", "attention": "soft", "soft reset": "soft",
    "graded spikes": "relay", "current memory": "current", "bias": "current",
    "host bias": "current", "host values": "relay", "delays": "a", "axonal delays": "b",
    "recurrence": "c",
}  # fmt: skip


def test_a_backend_that_allows_all_refuses_nothing():
    assert ALL.refusals(everything()) == ()
    assert {*ALL.neurons, *ALL.connections, *ALL.features} == set(PLACES)


@pytest.mark.parametrize("name", PLACES)
def test_a_name_that_is_dropped_is_refused(name):
    kind = next(k for k in ("neurons", "connections", "features") if name in getattr(ALL, k))
    names = getattr(ALL, kind)
    fewer = {k: v for k, v in names.items() if k != name} if kind == "neurons" else names - {name}
    few = replace(ALL, **{kind: fewer})
    (found,) = few.refusals(everything())
    assert str(found) == f"{PLACES[name]}: Toy has no {name}" and found.reason == name


def test_a_feature_that_nobody_knows_is_our_mistake():
    with pytest.raises(AssertionError, match="telepathy"):
        replace(ALL, features=frozenset({"telepathy"}))


@pytest.mark.parametrize("backend", OF_INTEGERS, ids=lambda backend: backend.name)
def test_the_shipped_ones_refuse_what_they_do_not_list(backend, tmp_path):
    """Each unlisted name that the network needs is one of the reasons, with its place."""
    made = program_of(everything(), {})
    with pytest.raises(UnsupportedError) as caught:
        table.emit(backend, made, np.zeros((1, 2)), tmp_path / "out")
    allowed = backend.allowed
    listed = {*allowed.neurons, *allowed.connections, *allowed.features}
    missing = set(PLACES) - listed
    assert "attention" in missing
    for refusal in allowed.refusals(made.network):
        missing.remove(refusal.reason)
        assert PLACES[refusal.reason] in str(refusal) and str(refusal) in str(caught.value)
    assert missing == set() and list(tmp_path.iterdir()) == []


def test_an_option_of_another_backend(tmp_path):
    with pytest.raises(OptionError, match="--mode and --round-biases cannot be used with it"):
        options = {"round_biases": True, "mode": "sim", "timeout": None}
        made = program_of(everything(), {})
        table.emit(table.named("lava"), made, np.zeros((1, 2)), tmp_path / "out", options)
