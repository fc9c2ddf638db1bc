"""What a user may decide about a compilation, said once."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from snndeploy.conversion.facts import MaxPool
from snndeploy.data import Binning, load_data
from snndeploy.errors import OptionError
from snndeploy.frontend.door import SpecOptions
from snndeploy.mapping import Mode, Objective
from snndeploy.quantize.scales import Weights
from snndeploy.verdict import Shortcuts

CALIBRATION_SAMPLES = 64

Reduce = Literal["off", "exact", "calibrated"]


@dataclass(frozen=True)
class Options:
    """How a network becomes a program.

    calibration: samples that set the integer scales, or what `data.load_data` takes for them;
    None: those that belong to the model.  binning: how its events become frames, if it has any.
    shortcuts: how membrane shortcuts become spike-driven; auto: what costs less.
    host_attention: where the target has no unit for attention in the body, the host computes it
    between two steps; else that is refused.
    mapping, objective: how neurons are cut into cores, and what more cores are spent for;
    max_cores: no more than these.
    core_map: a file that says both (`mapping.map_file`), so that nothing is searched for.
    reduce: remove redundant channels, 'exact' by proof, 'calibrated' also by what they do on the
    calibration data (`reduce.reduce`).  held_back: data on which that is checked.
    weights: in one part each, in two, or in two where one leaves too large an error
    (`quantize.scales`).
    convert: the model is an ANN, whose ReLUs become integrate-and-fire neurons of T steps; with it
    percentile and max_pool (`conversion.facts`).
    dump: a folder for every stage as text (`pipeline.stages`).
    """

    calibration: Any = None
    binning: Binning | None = None
    shortcuts: Shortcuts = "auto"
    host_attention: bool = False
    mapping: Mode = "anneal"
    objective: Objective = "balanced"
    core_map: str | Path | None = None
    max_cores: int | None = None
    reduce: Reduce = "off"
    held_back: str | Path | None = None
    weights: Weights = "auto"
    convert: bool = False
    percentile: float | None = None
    max_pool: MaxPool | None = None
    dump: str | Path | None = None

    def __post_init__(self) -> None:
        if self.held_back and self.reduce == "off":
            raise OptionError("--held-back is what --reduce is checked on: give --reduce as well")
        if not self.convert and (self.percentile is not None or self.max_pool is not None):
            given = "--max-pool" if self.percentile is None else "--percentile"
            raise OptionError(f"{given} is about how an ANN is converted: give --convert as well")
        if self.core_map is not None:
            self._check_alone()
        if self.binning and self.calibration is None:
            raise OptionError(
                "--bin-us and --frames say how events become frames: give events with --calibration"
            )

    def _check_alone(self) -> None:
        """A map leaves nothing to be mapped, and holds the channels that --reduce would remove."""
        plain = Options()
        for name in ("mapping", "objective", "max_cores", "reduce"):
            if getattr(self, name) != getattr(plain, name):
                option = name.replace("_", "-")
                raise OptionError(f"--map says where every neuron lies: leave out --{option}")

    def with_frames(self) -> Options:
        """Its calibration as samples, where it was more than a file of them.

        Raises:
            DataError: it cannot be read.
            OptionError: a binning of what is no events.
        """
        if self.calibration is None or (self.binning is None and _is_file(self.calibration)):
            return self
        most = None if self.reduce != "off" else CALIBRATION_SAMPLES
        data = load_data(self.calibration, self.binning, most)
        if self.binning and not data.binning:
            raise OptionError(f"{data.name} has frames already: leave out --bin-us and --frames")
        return replace(self, calibration=data, binning=None)


def _is_file(source: Any) -> bool:
    return isinstance(source, str | Path) and Path(source).is_file()


OF_REAL_NUMBERS = (
    "calibration", "binning", "shortcuts", "host_attention", "reduce", "held_back", "weights",
    "convert",
)  # fmt: skip
"""The options that say nothing about a network that is integers already."""


def given_of_real_numbers(options: Options) -> tuple[str, ...]:
    """Those of them that are not as they are without being given."""
    plain = Options()
    return tuple(n for n in OF_REAL_NUMBERS if getattr(options, n) != getattr(plain, n))


def split(given: dict[str, Any]) -> tuple[SpecOptions, Options]:
    """Keyword arguments as what belongs to the SPEC and what to the compilation.

    Raises:
        TypeError: a name that is neither.
    """
    of_spec = {field.name for field in fields(SpecOptions)}
    spec = {name: value for name, value in given.items() if name in of_spec}
    return SpecOptions(**spec), Options(**{n: v for n, v in given.items() if n not in of_spec})
