"""An ANN's SPEC, opened as the spiking network that it is converted to."""

from __future__ import annotations

from dataclasses import replace

from snndeploy.conversion.convert import PERCENTILE, convert
from snndeploy.conversion.facts import Conversion
from snndeploy.data import Data, load_data
from snndeploy.errors import OptionError
from snndeploy.frontend.door import TO_COST, OpenedModel, SpecOptions, Step
from snndeploy.frontend.doors import open_model
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline.options import Options


def open_converted(
    spec: str, of_spec: SpecOptions, options: Options, step: Step
) -> tuple[OpenedModel, Conversion]:
    """The converted network, and what is known of the conversion.

    Raises:
        OptionError: no number of steps, or no data to balance on.
        DeployError: one line, whatever cannot be converted.
    """
    if of_spec.timesteps is None:
        raise OptionError("--convert needs the number of steps: give --timesteps T, for example 32")
    percentile = PERCENTILE if options.percentile is None else options.percentile
    if not 0 < percentile <= 100:
        raise OptionError(f"--percentile is {percentile:g}; above 0 and up to 100 is needed")
    ann = open_model(spec, replace(of_spec, timesteps=1), TO_COST, step)
    source = options.calibration or ann.calibration
    if source is None:
        raise OptionError(
            "--convert balances thresholds on data: give --calibration DATA.npz, with labels y if"
            " the accuracy is to be said"
        )
    step("balance thresholds, and measure the converted network")
    data = source if isinstance(source, Data) else load_data(source)
    entry = ann.graph.input
    data = data.fit(entry.shape[1:], entry.attributes["signal"])
    made, conversion = convert(
        infer_signals(ann.graph), data, of_spec.timesteps, percentile, options.max_pool
    )
    facts = replace(ann.facts, timesteps=made.timesteps)
    return OpenedModel(facts, made, ann.calibration), conversion
