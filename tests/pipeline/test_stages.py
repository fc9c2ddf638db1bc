"""Every stage as text: whole texts of two small nets, and what `compile --dump` writes.

SNNDEPLOY_REWRITE_GOLDEN=1 rewrites the texts; read the difference before it is committed.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_door
from cli_runner import refused, run

from snndeploy import pipeline, program
from snndeploy.frontend import doors
from snndeploy.graph import Graph, Node, array_text, to_text
from snndeploy.network import Network, Population
from snndeploy.neurons import Lif
from snndeploy.pipeline import walk
from snndeploy.pipeline.stages import to_text as stage_text

pytestmark = pytest.mark.torch
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "stages"
STAGES = ["1_traced", "2_partitioned", "3_lowered", "4_integers", "5_layout"]


@pytest.fixture
def toys(tmp_path, monkeypatch):
    monkeypatch.setattr(doors, "DOORS", (*doors.DOORS, toy_door.DOOR))
    monkeypatch.chdir(tmp_path)
    toy_door.write_toys(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["chain", "plane"])
def test_golden_texts(toys, name):
    result = run(
        "compile", f"{name}.toy", "--calibration", f"{name}.npz", "--mapping", "tiles",
        "--objective", "cores", "-o", "net.snnp", "--dump", "stages",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = {path.stem: path.read_text() for path in sorted(Path("stages").glob("*.txt"))}
    assert list(found) == STAGES
    if os.environ.get("SNNDEPLOY_REWRITE_GOLDEN"):
        (GOLDEN / name).mkdir(parents=True, exist_ok=True)
        for stage, text in found.items():
            (GOLDEN / name / f"{stage}.txt").write_text(text)
    expected = {path.stem: path.read_text() for path in sorted((GOLDEN / name).iterdir())}
    assert found == expected


def test_the_file_holds_the_stages_that_were_written(toys):
    made = pipeline.compile("plane.toy", mapping="tiles", dump="stages")
    program.save(made, "net.snnp")
    loaded = program.load("net.snnp")
    assert stage_text(loaded.network) == Path("stages/4_integers.txt").read_text()
    assert stage_text(loaded.layout) == Path("stages/5_layout.txt").read_text()


def test_an_array_is_known_by_its_values():
    assert array_text(np.int8([[1, 2]])) == array_text(np.array([[1, 2]], "i1"))
    assert array_text(np.int8([[1, 2]])).startswith("int8[1,2]#")
    assert array_text(np.array([0.0])) == array_text(np.array([-0.0]))
    texts = [array_text(np.array(v, t)) for v, t in (([1], "i8"), ([2], "i8"), ([[1]], "i8"))]
    assert len(set(texts)) == 3


def test_a_changed_field_is_seen_and_a_default_is_not():
    network = Network(2, (Population("a", (1, 1, 1), Lif(threshold=3)),), ())
    text = stage_text(network)
    assert (
        text == "Network timesteps=2\n  Population name=a shape=(1, 1, 1) neuron=Lif(threshold=3)\n"
    )
    (first,) = network.populations
    other = replace(network, populations=(replace(first, depth=2),))
    assert stage_text(other) == text.replace("(threshold=3)", "(threshold=3) depth=2")


def test_bodies_of_neurons_are_shown_with_the_arrays():
    axes = ((("batch", 1),), (("feature", 2),))
    body = Graph((Node("m", "input", axes=axes),), ("m",), 1, "body")
    neuron = Node("n", "neuron", ("x",), axes=axes, body=body)
    graph = Graph((Node("x", "input", axes=axes), neuron), ("n",), 1, "net")
    assert "body" not in to_text(graph)
    assert "  graph body timesteps=1 outputs=m\n  m = input() [1x2]\n" in stage_text(graph)


def test_a_folder_that_cannot_be_written(toys):
    Path("mine").write_text("")
    said = refused(toys, "compile", "chain.toy", "-o", "net.snnp", "--dump", "mine")
    assert said == "cannot write into mine: it is a file; name a folder"


# the program is read back before it is written


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda p: replace(p, network=replace(p.network, timesteps=0)),
         "network.json of the new program cannot be read back: "),
        (lambda p: replace(p, layout=replace(p.layout, tiles=p.layout.tiles[1:])),
         "layout.json of the new program cannot be read back: "),
        (lambda p: replace(p, model=replace(p.model, outputs=())),
         "graph.json of the new program cannot be read back: the graph has no output"),
        (lambda p: replace(p, facts=replace(p.facts, notes=(1,))),
         "manifest.json of the new program cannot be read back: the facts: notes is 1, not of type"
         " str"),
    ],
)  # fmt: skip
def test_a_program_that_no_loader_would_read_is_our_fault(toys, monkeypatch, damage, said):
    monkeypatch.setattr(walk, "golden", lambda made, x: None)
    check = walk.check_own
    monkeypatch.setattr(walk, "check_own", lambda made: check(damage(made)))
    result = run("compile", "chain.toy", "--mapping", "naive", "-o", "net.snnp")
    assert result.exit_code == 3
    assert said in result.stderr and "please report it" in result.stderr
    assert not Path("net.snnp").exists()
