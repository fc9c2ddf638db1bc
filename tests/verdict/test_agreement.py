"""The verdict is yes exactly when `compile` succeeds, and else gives the same reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from odd_models import odd

from snndeploy.errors import DeployError, refusal
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline import Options, compile_opened, load_graph
from snndeploy.pipeline.fit import fit_spec
from snndeploy.shelf import target_names
from snndeploy.target import Target
from snndeploy.verdict import judge

pytestmark = pytest.mark.torch
NETWORKS, FEW, AT_ONCE = 320, 60, 20
LOIHI1, LOIHI2, HYBRID = CHIPS = [Target.load(n) for n in ("loihi1", "loihi2", "hybrid45nm")]
SMALL = [  # the same chips with little room, so that some networks do not fit
    replace(LOIHI2, max_chips=1, cores_per_chip=3, neurons_per_core=40),
    replace(LOIHI2, delay_max=0),
    replace(HYBRID, max_chips=1, cores_per_chip=1, neurons_per_core=100),
]
ALLOWS = ("graded_spikes", "soft_reset", "mac_unit", "dynamic_multiply", "full_window", "delay_max",
          "decay_bits", "bias_mantissa_bits", "bias_exponent_bits")  # fmt: skip


def answers(opened, chip, **options):
    """What the verdict and `compile` say: '' for yes."""
    violations = judge(infer_signals(opened.graph), chip, **options).violations
    try:
        compile_opened(opened, chip, Options(mapping="tiles", **options))
        compiled = ""
    except DeployError as error:
        compiled = str(error)
    return str(refusal(violations)) if violations else "", compiled


def test_boards_allow_what_their_chips_do():
    """So three targets and their sizes stand for all."""
    chips = [target for target in map(Target.load, target_names()) if not target.not_compiled]
    allowed = {tuple(getattr(chip, key) for key in ALLOWS) for chip in chips}
    assert allowed == {tuple(getattr(chip, key) for key in ALLOWS) for chip in CHIPS}


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.slow] * (first >= FEW))
        for first in range(0, NETWORKS, AT_ONCE)
    ],
)
def test_random_networks(first):
    found = []
    for seed in range(first, first + AT_ONCE):
        opened = odd(seed)
        for chip in (*CHIPS, *SMALL):
            verdict, compiled = answers(opened, chip)
            assert verdict == compiled, (seed, chip.name)
            found.append(bool(verdict))
    assert 0.1 < sum(found) / len(found) < 0.9  # both answers are tried


FAST = ("ms-digits", "lif-snn-3-small", "lif-snn-3-small-tcsa")
SHIPPED = (
    "gac-digits", "direct-digits", "rate-digits", "phase-digits", "temporal-digits",
    "gac-ta-digits", "gac-sca-digits", "lif-snn-3-small-asa", "lif-snn-3-small-nmnist", "sew-7b",
)  # fmt: skip


@pytest.mark.parametrize(
    "name, chip",
    [
        pytest.param(
            name, chip, id=f"{name} {chip.name}",
            marks=[pytest.mark.slow] * (name not in FAST or chip is not LOIHI2),
        )
        for name in (*FAST, *SHIPPED)
        for chip in CHIPS
    ],
)  # fmt: skip
def test_shipped_networks(name, chip):
    opened, _ = load_graph(name, random_weights=True)
    verdict, compiled = answers(opened, chip)
    assert verdict == compiled
    if "attention" in verdict:
        assert answers(opened, chip, host_attention=True) == ("", "")
    (fitted,) = fit_spec(name, [chip])
    assert (fitted.fits, "" if fitted.fits else fitted.binding) == (not compiled, compiled)


@pytest.mark.parametrize(
    "part", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_what_users_met(shared_data, part):
    """The small networks of users' reports, as far as they can be traced."""
    files = sorted((shared_data.parent / "cases").glob("[0-9]*.py"))[part::3]
    assert files, "NOT TESTED: no cases beside the shared data"
    for file in files:
        try:
            opened, _ = load_graph(f"{file}:net()", random_weights=True)
        except DeployError:
            continue  # inspect, fit and compile alike
        for chip in CHIPS:
            verdict, compiled = answers(opened, chip)
            assert verdict == compiled, (file.name, chip.name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, shortcuts, moved, part",
    [
        ("gac-ms-resnet18-cifar10", "relay", 50_331_648, 0),
        ("gac-spiking-resnet18", "none", 462_422_016, 0),
        ("gac-sew-resnet18", "none", 462_422_016, 719_323_136),
    ],
)
def test_one_answer_before_and_after_compiling(name, shortcuts, moved, part):
    opened, graph = load_graph(name, random_weights=True)
    verdict = judge(graph, LOIHI2, mapped=False)
    plan, flags = verdict.plan(), verdict.flags()
    facts = compile_opened(opened, LOIHI2, Options(mapping="tiles")).facts
    assert plan.shortcuts == facts.plan.shortcuts == shortcuts
    for key in ("layers", "host", "host_values", "attention"):
        assert getattr(facts.plan, key) == getattr(plan, key)
    assert facts.flags == flags
    assert flags.synapses_binary is (shortcuts != "relay")
    macs = {why: sum(h.macs for h in plan.host if h.why == why) for why in ("moved", "part")}
    assert macs == {"moved": moved, "part": part}
