"""What `inspect --target`, `fit`, `compile` and `deploy` print: the verdict, in the same words."""

from __future__ import annotations

import json
import shutil

import pytest
import tiny_model
from cli_runner import run

from snndeploy.program import load
from snndeploy.report.verdict import plan_text

pytestmark = pytest.mark.torch

PLAN = """\
As compiled
  layers on the chip: 2 read binary spikes, 0 counts, 0 graded values
  the host: 576 MAC a sample, 576 in front of the first spikes
  - it sends values once a sample into spike1
"""  # stem: 4 outputs x 9 taps x 4 x 4 places, once a sample
TILES = """
Notes
  - a convolution's kernel is stored once a core; weight lists that a tile's
    border cuts short are taken to be part of the full lists
"""
SILENT = """
Notes
  - no input of the proof makes 'spike2' fire: verified alone, not inside the
    model
"""
VERDICT = """\
loihi2: compiles
  - spike1: whether bias registers hold the encoder's values depends on
    calibration
"""
REASONS = (
    "odd (tanh) cannot run on the chip: it applies tanh to values that are not spikes; move it into"
    " the encoder, fold a static scaling into the weights, or drop it and fine-tune",
    "spike1: loihi1 has no soft reset; fine-tune with a hard reset, or choose a target that has it",
)
REFUSED = """\
loihi1: does not compile, 2 reasons
  - odd (tanh) cannot run on the chip: it applies tanh to values that are not
    spikes; move it into the encoder, fold a static scaling into the weights, or
    drop it and fine-tune
  - spike1: loihi1 has no soft reset; fine-tune with a hard reset, or choose a
    target that has it
"""
AUDIT = """\
NAME:net: 383 parameters, T=2, input 1x8x8 (real), weights random (seedSPLIT0)

  layer         op     side   reads  work  operations    share
  stem        conv  encoder    real   MAC         576  10.34 %
  spike1    neuron     body    real     -         128
  conv        conv     body  binary    AC       4,608  82.75 %
  spike2    neuron     body    real     -         128
  classify  linear  readout  binary    AC         384   6.89 %

  - layers by what they read: 2 binary, 0 integer, 1 real
  - operations are a sample's, at rate 1 and with zero padding, as the papers
    count them; neurons and products count elements

Is it spike-driven?
  every layer on the chip reads spikes (after rewriting)     yes
  needs a product of two signals on the chip                  no
  needs the whole time window on the chip                     no
"""
FITS = """\
loihi2: fits on 1 core of 1 chip (1,152 available); 131 neurons
  what binds: neurons: 131 of 4,095 on the fullest core (spike2); every
  population fits one core
  neurons                mean   3.20% of a core, fullest   3.20%
  neuron groups          mean  37.50% of a core, fullest  37.50%
  synapse memory bytes   mean   1.03% of a core, fullest   1.03%
  input axons            mean   0.41% of a core, fullest   0.41%
  output axons           mean   0.52% of a core, fullest   0.52%
  core memory bytes      mean   2.22% of a core, fullest   2.22%
  - spike1: whether bias registers hold the encoder's values depends on
    calibration
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from pathlib import Path

    found = tmp_path_factory.mktemp("verdicts")
    for source in (tiny_model.__file__, Path(__file__).parent / "refused_model.py"):
        shutil.copy(source, found)
    return found


def test_a_network_that_compiles(folder):
    spec = f"{folder}/tiny_model.py:net()"
    inspected = run("inspect", spec, "--random-weights", "--target", "loihi2")
    audit = AUDIT.replace("NAME", "tiny_model").replace("SPLIT", " ")
    assert inspected.output == f"{audit}\n{PLAN}\n{VERDICT}"
    assert run("fit", spec).output == FITS + PLAN + TILES


def test_a_network_that_does_not(folder):
    spec = f"{folder}/refused_model.py:net()"
    inspected = run("inspect", spec, "--random-weights", "--target", "loihi1", "--json", "-")
    record = json.loads(inspected.output)
    assert record["compiles"] is False
    assert tuple(v["text"] for v in record["violations"]) == REASONS
    audit = AUDIT.replace("NAME", "refused_model").replace("SPLIT", "\n  ")
    audit += "  - odd: applies tanh to values that are not spikes\n"
    plan = PLAN.replace("As compiled", "As compiled if nothing stood against it")
    inspected = run("inspect", spec, "--random-weights", "--target", "loihi1")
    assert inspected.output == f"{audit}\n{plan}{SILENT}\n{REFUSED}"
    assert run("fit", spec, "--target", "loihi1").output == REFUSED
    compiled = run(
        "compile", spec, "--random-weights", "--target", "loihi1", "-o", folder / "no.snnp"
    )
    assert compiled.exit_code == 1
    said = f"2 reasons: (1) {REASONS[0]}; (2) {REASONS[1]}"
    assert said in " ".join(compiled.output.split())
    assert not (folder / "no.snnp").exists()


def test_what_compile_and_deploy_say_is_the_programs_plan(made, tmp_path):
    program = load(made / "net.snnp")
    said = plan_text(program.facts.plan.as_json())
    assert said + "\n" == PLAN
    shutil.copy(made / "tiny_model.py", tmp_path)
    compiled = run(
        "compile", f"{tmp_path}/tiny_model.py:net()", "--random-weights", "-o", tmp_path / "a.snnp"
    )
    assert said in compiled.output
    assert said in run("deploy", made / "net.snnp", "-o", tmp_path / "bundle").output
    assert said in run("inspect", made / "net.snnp").output


def test_the_lowering_is_asked_of_a_target(folder):
    spec = f"{folder}/tiny_model.py:net()"
    refused = run("inspect", spec, "--random-weights", "--shortcuts", "relay")
    assert refused.exit_code == 2
    assert "--host-attention and --shortcuts belong to --target" in refused.output
