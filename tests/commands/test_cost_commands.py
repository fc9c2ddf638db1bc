"""`inspect --energy` and `compare` as a user meets them."""

from __future__ import annotations

import json

import pytest
from cli_runner import refused, run

pytestmark = pytest.mark.torch

TEXT = """\
tiny_model:net: 383 parameters, T=2, 128 neurons (128 behind convolutions)
  rates: 0.25 for every neuron, given
  convention: first layer every step, driving rates, operations by formula,
    membrane shortcuts as MAC, encoder included, encoder attention included,
    attention as the papers count it, 4.6 pJ a MAC and 0.9 pJ an AC

  layer        FL    rate  operations  kind      uJ
  stem        576  1.0000       1,152   MAC  0.0053
  conv      2,304  0.2500       1,152    AC  0.0010
  classify    192  0.2500          96    AC  0.0001

  multiply-accumulates                             1,152           0.0053 uJ
  accumulates                                      1,248           0.0011 uJ
  total                                                            0.0064 uJ
  ANN counterpart (all MAC)                                        0.0141 uJ
    times the total                                                   2.2003
  spikes a sample, NASAR                              64            0.250000

  - the input is the same at every step: 0.0038 uJ in all with --convention
    first-layer=once
"""
LINES = [(576, 2, 4.6), (2304, 2 * 0.25, 0.9), (192, 2 * 0.25, 0.9)]


def spec(folder):
    return f"{folder}/tiny_model.py:net()"


def weights(folder):
    return ("--checkpoint", folder / "net.safetensors")


def test_the_whole_table(bench):
    result = run("inspect", spec(bench), *weights(bench), "--energy", "--rate", 0.25)
    assert result.exit_code == 0, result.output
    assert result.stdout == TEXT
    total = sum(flops * steps * price for flops, steps, price in LINES) * 1e-6
    assert f"{total:.4f} uJ" in TEXT


def test_without_rates_an_upper_bound(bench):
    result = run("inspect", spec(bench), *weights(bench), "--energy")
    text = result.stdout
    assert "  rates: none were given; every neuron at every step: an upper bound\n" in text
    assert "uJ, at most\n" in text and "\n  total, at most " in text
    assert "NASAR" not in text
    assert text.endswith("  - give --rate, --rates or --data for the energy itself\n")


def test_a_program_costs_what_its_model_costs(made):
    arguments = ("--energy", "--data", made / "data.npz", "--json", "-")
    program = json.loads(run("inspect", made / "net.snnp", *arguments).stdout)
    model = json.loads(run("inspect", spec(made), *weights(made), *arguments).stdout)
    assert program["layers"] == model["layers"]
    assert program["totals"] == model["totals"]
    assert program["model"] == model["model"]
    assert (program["schema"], program["activity"]["samples"]) == ("snndeploy.costs/1", 6)
    assert 0 <= program["activity"]["accuracy"] <= 1


def test_rates_from_a_file(bench):
    (bench / "rates.json").write_text('{"spike1": 0.5, "spike2": 0.25}')
    arguments = ("inspect", spec(bench), *weights(bench), "--energy", "--json", "-")
    found = json.loads(run(*arguments, "--rates", bench / "rates.json").stdout)
    assert [line["rate"] for line in found["layers"]] == [1.0, 0.5, 0.25]
    own = json.loads(
        run(*arguments, "--rates", bench / "rates.json", "--convention", "rate=own").stdout
    )
    assert [line["rate"] for line in own["layers"]] == [1.0, 0.25, 0.25]
    (bench / "rates.json").write_text("{")
    said = refused(bench, *arguments[:-2], "--rates", bench / "rates.json")
    head = f"rates file {bench}/rates.json is not readable as JSON: JSONDecodeError: "
    assert said.startswith(head)
    assert refused(bench, *arguments[:-2], "--rates", bench / "gone.json") == (
        f"rates file {bench}/gone.json does not exist"
    )


def test_rates_from_toml_are_those_from_json(bench):
    (bench / "rates.toml").write_text("# a table\nspike1 = 0.5\nspike2 = 0.25\n")
    arguments = ("inspect", spec(bench), *weights(bench), "--energy")
    found = run(*arguments, "--rates", bench / "rates.toml", "--json", "-")
    assert [line["rate"] for line in json.loads(found.stdout)["layers"]] == [1.0, 0.5, 0.25]
    (bench / "rates.toml").write_text("spike1 = 0.5 =")
    said = refused(bench, *arguments, "--rates", bench / "rates.toml")
    assert said.startswith(f"rates file {bench}/rates.toml is not valid TOML: ")


def test_compare_two_conventions_of_one_network(bench):
    arguments = ("compare", spec(bench), spec(bench), "--rate", 0.25)
    result = run(*arguments, "--convention-b", "gac", "--json", bench / "both.json")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "convention: first layer every step, driving rates" in result.stdout
    assert "convention: first layer once, driving rates" in result.stdout
    found = json.loads((bench / "both.json").read_text())
    assert found["change"]["delta_mac"] == -576
    assert found["change"]["delta_ac"] == 0
    assert found["change"]["delta_mj"] == pytest.approx(-576 * 4.6e-9)
    assert "r_EE = E_A / E_B" in result.stdout


def test_compare_with_another_rate_and_a_program(made):
    result = run("compare", made / "net.snnp", spec(made), "--rate", 0.5, "--rate-b", 0.25,
                 "--json", "-")  # fmt: skip
    found = json.loads(result.stdout)
    assert found["a"]["totals"]["nasar"] == 0.5 and found["b"]["totals"]["nasar"] == 0.25
    assert found["change"]["delta_ac"] == pytest.approx((2304 + 192) * 2 * 0.25)


def test_text_fits_a_terminal(made):
    for arguments in (
        ("inspect", "gac-digits", "--energy", "--rate", 0.2),
        ("compare", "lif-snn-3-small", "lif-snn-3-small-tcsa"),
    ):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    "options, said",
    [
        (("--rate", 0.1), "rates, data and conventions belong to --energy"),
        (("--energy", "--rate", 0.1, "--data", "x.npz"),
         "give one of --rate and --data: each says the rates"),
        (("--energy", "--samples", 3), "--samples belongs to --data"),
        (("--energy", "--data", "x.npz", "--input-rate", 0.1),
         "--data measures the input's rate: leave --input-rate out"),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other(bench, options, said):
    result = run("inspect", spec(bench), *weights(bench), *options)
    assert result.exit_code == 2
    assert f"Error: {said}\n" in result.stderr


def test_compare_refuses(bench):
    two = ("compare", spec(bench), spec(bench))
    assert refused(bench, *two, "--convention", "gca").startswith(
        "there is no convention 'gca', did you mean 'gac'?"
    )
    result = run(*two, "--data", bench / "data.npz", "--rate-b", 0.1)
    assert result.exit_code == 2
    assert "--data measures both networks: leave --rate-b, --rates-b out" in result.stderr
    said = refused(bench, *two, "--data", bench / "data.npz")
    assert "give --checkpoint FILE, or --random-weights" in said


@pytest.mark.parametrize("option", ["--rate", "--input-rate"])
def test_nan_is_no_rate(bench, option):
    result = run("inspect", spec(bench), *weights(bench), "--energy", option, "nan")
    assert result.exit_code == 2
    assert f"Invalid value for '{option}': nan is not in the range 0<=x<=1." in result.stderr


def test_rates_of_b_alone_are_no_comparison(bench):
    result = run("compare", spec(bench), spec(bench), "--rate-b", 0.2)
    assert result.exit_code == 2
    assert "rates of B alone compare it with a bound: give --rate or --rates" in result.stderr
