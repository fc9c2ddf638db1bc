"""The papers' costs on the command line: `inspect --energy` and `compare`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import click

from snndeploy.commands.console import (
    FILE,
    Command,
    Progress,
    check_json,
    clear_step,
    json_option,
    show,
    show_step,
)
from snndeploy.commands.model_options import samples_said, spec_options
from snndeploy.errors import DataError, DeployError
from snndeploy.files.tables import table

CONVENTION_HELP = (
    "default, s1, gac, no-encoder, exact, or KEY=VALUE,...: how the papers' formula is read"
    " (docs/costs.md)."
)


NO_LAYERS = "names no layers that the papers' formula counts"


class Share(click.FloatRange):
    """A number from 0 to 1; NaN, which no comparison finds outside, is none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = float(super().convert(value, param, ctx))
        if isnan(found):
            self.fail(f"{found} is not in the range 0<=x<=1.", param, ctx)
        return found


RATE = Share(0, 1)


def activity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where firing rates come from, and how the formula is read."""
    for option in reversed(
        (
            click.option("--rate", type=RATE, metavar="R",
                         help="One firing rate for every neuron (spikes a neuron and step)."),
            click.option("--input-rate", type=RATE, metavar="PHI0",
                         help="Share of the first layer's input that is not zero, for events."),
            click.option("--rates", type=FILE, metavar="FILE",
                         help='A rate for every layer of neurons, and "input" for PHI0: JSON, or'
                              " TOML."),
            click.option("--data", type=FILE, metavar="DATA.npz",
                         help="Measure the rates: run the float model on this."),
            click.option("--samples", type=click.IntRange(1), help="The first N of --data only."),
            click.option("--convention", metavar="NAME", help=CONVENTION_HELP),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True)
class Asked:
    """One network's activity as the options have it; at most one of rate, rates and data."""

    rate: float | None
    input_rate: float | None
    rates: Path | None
    data: Path | None
    samples: int | None

    def check(self) -> Asked:
        """Itself, or a usage error."""
        given = [name for name in ("rate", "rates", "data") if getattr(self, name) is not None]
        if len(given) > 1:
            raise click.UsageError(f"give one of --{' and --'.join(given)}: each says the rates")
        if self.samples is not None and self.data is None:
            raise click.UsageError("--samples belongs to --data")
        if self.input_rate is not None and self.data is not None:
            raise click.UsageError("--data measures the input's rate: leave --input-rate out")
        return self

    @property
    def given(self) -> bool:
        return any(value is not None for value in vars(self).values())


def taken_activity(options: dict[str, Any], energy: bool) -> tuple[Asked, str | None]:
    """The options of `activity_options`, taken out of the others."""
    names = ("rate", "input_rate", "rates", "data", "samples")
    asked = Asked(**{name: options.pop(name) for name in names}).check()
    convention = options.pop("convention")
    if not energy and (asked.given or convention):
        raise click.UsageError("rates, data and conventions belong to --energy")
    return asked, convention


def energy_facts(
    graph: Any,
    name: str,
    trainable: int,
    asked: Asked,
    convention: str | None,
    host: Sequence[Mapping[str, Any]],
) -> tuple[str, dict[str, Any]]:
    """What `inspect --energy` prints of a partitioned graph, and the same for programs.

    host: of the plan, what the host computes.
    """
    from snndeploy.costs.convention import parse_convention
    from snndeploy.report.costs import energy_text

    read = parse_convention(convention or "default")
    costed = _price(graph, name, trainable, asked, read)
    behind = [layer for layer in host if layer["why"] != "encoder"]
    record = {"schema": "snndeploy.costs/1", **costed.as_json(), "host_behind_neurons": behind}
    return energy_text(costed, behind), record


def program_graph(path: str) -> tuple[Any, str, int]:
    """A program's model without the nodes that lowering added, its name and parameters.

    Raises:
        DeployError: the program was imported, so that it has no model.
    """
    from snndeploy.program import load

    return graph_of(load(path), path)


def graph_of(made: Any, path: str) -> tuple[Any, str, int]:
    """As `program_graph`, of a loaded program."""
    if not made.facts.layers:
        raise DeployError(f"{path} was imported as integers: it {NO_LAYERS}")
    graph = made.model.select(made.model.outputs)
    return graph, made.name, made.facts.model.parameters


def _price(graph: Any, name: str, trainable: int, asked: Asked, convention: Any) -> Any:
    from snndeploy.costs.comparison import network_costs, price

    network = network_costs(graph, name, trainable)
    return price(network, _activity(graph, network, asked), convention)


def _activity(graph: Any, network: Any, asked: Asked) -> Any:
    from snndeploy.costs.activity import from_table, uniform

    if not network.spiking and asked.data is None:
        return None
    if asked.rate is not None:
        return uniform(network.neurons, asked.rate, asked.input_rate)
    if asked.rates is not None:
        rates = table(asked.rates, "rates file", DataError)
        return from_table(network.neurons, rates, asked.rates.name, asked.input_rate)
    return None if asked.data is None else _measured(graph, asked)


def _measured(graph: Any, asked: Asked) -> Any:
    from snndeploy.costs.activity import measure
    from snndeploy.data import load_data
    from snndeploy.ops.answer import head_of

    assert asked.data is not None
    found = load_data(asked.data).take(asked.samples)
    head, entry = head_of(graph, graph.outputs[0]), graph.input
    found.fit(entry.shape[1:], entry.attributes["signal"], head.shape, head.meaning)
    clear_step()
    with Progress("measure", len(found.x)) as progress:
        return measure(graph, found.inputs(), found.y, found.name, progress=progress)


@click.command(cls=Command)
@click.argument("a")
@click.argument("b")
@activity_options
@click.option("--rate-b", type=RATE, metavar="R", help="Another rate for B.")
@click.option("--rates-b", type=FILE, metavar="FILE", help="Other rates for B.")
@click.option("--convention-b", metavar="NAME", help="Another convention for B.")
@click.option("--checkpoint-b", type=FILE, metavar="FILE", help="Weights of B.")
@spec_options
@json_option("both")
def compare(
    a: str,
    b: str,
    rate: float | None,
    input_rate: float | None,
    rates: Path | None,
    data: Path | None,
    samples: int | None,
    convention: str | None,
    rate_b: float | None,
    rates_b: Path | None,
    convention_b: str | None,
    checkpoint_b: Path | None,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Two networks, or one by two conventions, side by side in the papers' figures.

    A and B are SPECs or program files; options of a model are for both, but those of --checkpoint,
    which is A's.  Without --data no weights are needed: the formula knows none.
    r_EE above 1 and r_REC below 0 mean that B takes less energy than A.
    """
    check_json(json_file)
    first = Asked(rate, input_rate, rates, data, samples).check()
    second = first
    if rate_b is not None or rates_b is not None:
        if data is not None:
            raise click.UsageError("--data measures both networks: leave --rate-b, --rates-b out")
        if rate is None and rates is None:
            raise click.UsageError(
                "rates of B alone compare it with a bound: give --rate or --rates"
            )
        second = Asked(rate_b, input_rate, rates_b, None, None).check()
    from snndeploy.costs.comparison import Comparison
    from snndeploy.costs.convention import parse_convention
    from snndeploy.report.costs import comparison_text

    read = parse_convention(convention or "default")
    read_b = parse_convention(convention_b) if convention_b else read
    options = samples_said(options, data)
    of_b = {**options, "checkpoint": checkpoint_b}
    if checkpoint_b is None:
        of_b |= {"key": None, "strip_prefix": None, "allow_unexpected": False}
    found = Comparison(
        _price(*_open(a, options, data is not None), first, read),
        _price(*_open(b, of_b, data is not None), second, read_b),
    )
    clear_step()
    show(comparison_text(found), found.as_json(), json_file)


def _open(spec: str, options: dict[str, Any], measured: bool) -> tuple[Any, str, int]:
    """Partitioned graph, name and parameters."""
    if spec.endswith(".snnp"):
        return program_graph(spec)
    from snndeploy import pipeline
    from snndeploy.frontend.door import TO_COST, TO_COUNT

    opened, graph = pipeline.load_graph(
        spec, need=TO_COST if measured else TO_COUNT, lacks=NO_LAYERS, step=show_step, **options
    )
    return pipeline.inspect(graph)[0], opened.facts.name, opened.facts.parameters
