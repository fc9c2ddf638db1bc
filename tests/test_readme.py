"""The README's code runs, its commands exist, and its report is what the demo prints."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runner import run

from snndeploy.cli import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
DIGITS = ROOT / "models" / "data" / "mnist_test.npz"
pytestmark = pytest.mark.torch


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with np.load(DIGITS) as digits:
        few = {"x": digits["x"][:20], "y": digits["y"][:20], "scale": digits["scale"]}
    for name in ("train.npz", "test.npz"):
        np.savez(tmp_path / name, **few)
    return tmp_path


def accuracy_trained(net):
    """Of the digits that it is trained on, as a user would train it."""
    torch.manual_seed(0)
    with np.load(DIGITS) as digits:
        x = torch.from_numpy(digits["x"][:300] * digits["scale"]).float()
        y = torch.from_numpy(digits["y"][:300]).long()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(8):
        for batch in torch.randperm(len(x)).split(50):
            loss = torch.nn.functional.cross_entropy(net(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return float((net.eval()(x).argmax(1) == y).float().mean())


def test_your_own_model(desk):
    (desk / "my_net.py").write_text(blocks("python")[0])
    net = runpy.run_path(str(desk / "my_net.py"))["Net"]()
    assert accuracy_trained(net) > 0.9
    torch.save(net.state_dict(), "my_net.pt")
    commands = [line for line in blocks("sh")[1].splitlines() if line]
    assert [line.split()[1] for line in commands] == ["inspect", "compile", "simulate"]
    for line in commands:
        arguments = re.findall(r'"[^"]*"|\S+', line)[1:]
        result = run(*(argument.strip('"') for argument in arguments))
        assert result.exit_code == 0, (line, result.output)
    report = json.loads((desk / "run" / "report.json").read_text())
    assert report["accuracy"]["chip"] > 0.85


@pytest.mark.slow
def test_from_python(desk, capsys):
    exec(compile(blocks("python")[1], "README.md", "exec"), {})
    assert "gac-digits on loihi2: 20 samples" in capsys.readouterr().out


@pytest.mark.slow
def test_the_report_is_what_the_demo_prints(tmp_path):
    made = run("compile", "gac-digits", "--target", "loihi2", "-o", tmp_path / "net.snnp")
    assert made.exit_code == 0, made.output
    result = run("simulate", tmp_path / "net.snnp", "--data", DIGITS, "--samples", 300)
    assert result.stdout.startswith(blocks("text")[0])


def test_the_table_of_commands_is_complete():
    section = README.split("## Commands")[1].split("##")[0]
    named = re.findall(r"^\| `(\w+)", section, flags=re.MULTILINE)
    assert sorted(named) == sorted(main.commands)


def test_links_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
