"""Target: a chip as the compiler and the simulator see it, read from a TOML file.

Sizes and number formats are plain attributes named as in the file (`neurons_per_core`);
costs are looked up by key (`target.number("energy.hop_east_west_pj")`), so that a cost the
file does not state is refused by name and never taken for zero. A chip that programs are not
compiled for (`not_compiled`) may leave out sizes and formats too; they are refused the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snndeploy import shelf
from snndeploy.errors import TargetError, UnsupportedError, near_names
from snndeploy.files.tables import read_text
from snndeploy.target.file import MARKS, SCHEMA, Key, Quantity, parse, resolve

__all__ = ["MARKS", "Quantity", "Target"]

ATTRIBUTES: dict[str, tuple[str, Key]] = {  # attribute: "section.key" and its rule
    key: (f"{section}.{key}", rule)
    for section in ("board", "cores", "formats", "synapses")
    for key, rule in SCHEMA[section].items()
}
# The neuron that every engine computes (network.py); chips with another one are not compiled for.
NEURON_WIDTHS = {"input_shift": 6, "decay_bits": 12, "membrane_bits": 24, "current_bits": 24}
# So that a << 6 stays within 24 bits, and one weight within a.
WIDEST = {"threshold_bits": 17, "accumulator_bits": 18, "weight_bits": 18}
SYNAPTIC_COSTS = ("synaptic_operation_pj", "synaptic_operation_sparse_pj",
                  "synaptic_operation_conv_pj", "mac_pj")  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Target:
    """One chip. Limits that nobody has published are None; costs live in `quantities`."""

    name: str
    description: str
    not_compiled: str
    """Why no program is compiled for this chip; "" for the chips that programs are compiled for."""
    text: str
    """The whole TOML file, bases written out, as the program file embeds it."""
    origin: str
    """Where the text came from: a path, or "<text>"."""
    quantities: Mapping[str, Quantity]
    """Every number with its unit, mark and source, by "section.key"."""

    # board: how many chips one program may use, and the grid they stand in
    board_name: str
    max_chips: int
    chip_grid_width: int
    chip_grid_height: int

    # cores: cores_per_tile of them share a router; a chip is a mesh of tiles
    cores_per_chip: int
    cores_per_tile: int
    mesh_width: int
    mesh_height: int
    neurons_per_core: int
    synapse_memory_bytes: int
    input_axons_per_core: int | None
    output_axons_per_core: int | None
    neuron_groups_per_core: int | None
    neuron_entry_bytes: int | None
    axon_entry_bytes: int | None
    core_memory_bytes: int | None
    neuron_state_bytes_max: int | None
    synapses_per_chip_max: int | None
    fan_in_max: int | None
    destination_cores_max: int | None
    topology: str
    idle_neurons: str

    # formats: widths in bits; weights and exponents in their own units; delays in steps
    weight_bits: int
    weight_min: int
    weight_max: int
    weight_step_mixed: int
    weight_exponent_min: int
    weight_exponent_max: int
    bias_mantissa_bits: int
    bias_exponent_bits: int
    decay_bits: int
    threshold_bits: int
    membrane_bits: int
    current_bits: int
    accumulator_bits: int
    input_shift: int
    delay_max: int
    payload_bits: int
    payload_bits_default: int | None
    message_bits: int | None
    graded_spikes: bool
    soft_reset: bool
    neuron_program: bool
    dynamic_multiply: bool
    threshold_per: str
    decay_per: str
    mac_unit: bool
    full_window: bool
    time_stepped: bool

    # synapses: how lists of weights are stored (`target/lists.py`)
    encoding: str
    bits_per_synapse: int
    weight_widths: tuple[float, ...] | None
    synapse_index_bits: int
    synapse_header_bits: int
    synapses_per_block: int | None
    synapse_word_bits: int
    shared_convolution: bool
    zero_weights: str

    @classmethod
    def load(cls, name_or_path: str | Path) -> Target:
        """A shipped chip by its name, or any chip file by its path."""
        path = shelf.target_path(name_or_path)
        return cls.from_text(_read(path), origin=str(path), folder=path.parent)

    @classmethod
    def from_text(cls, text: str, origin: str = "<text>", folder: Path | None = None) -> Target:
        """A chip from TOML text, fully checked; `origin` is named in every message.

        What the chip is `based_on` is a shipped chip, or a file beside it where `folder` is given.
        """
        full = resolve(text, origin, folder, _base)
        names, quantities = parse(full, origin)
        attributes: dict[str, Any] = {**names}
        for name, (key, rule) in ATTRIBUTES.items():
            attributes[name] = quantities[key].value if key in quantities else rule.default
        target = cls(text=full, origin=origin, quantities=quantities, **attributes)
        target._check()
        return target

    def __post_init__(self) -> None:
        """A required attribute that the file leaves out does not exist: reading it says so."""
        for name, (_, rule) in ATTRIBUTES.items():
            if rule.required and rule.where is None and vars(self)[name] is None:
                del vars(self)[name]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name not in ATTRIBUTES:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise self._absent(ATTRIBUTES[name][0])

    def __repr__(self) -> str:
        return f"Target({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Target) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((self.name, self.text))

    def _compared(self) -> dict[str, Any]:
        apart = ("origin", "quantities")
        return {name: value for name, value in vars(self).items() if name not in apart}

    def require_compiled(self) -> None:
        """Refuse a chip that programs are not compiled for, with the file's reason."""
        if self.not_compiled:
            raise UnsupportedError(
                f"no program is compiled for {self.name}: {self.not_compiled}", reason="target"
            )

    # costs and provenance

    def quantity(self, key: str) -> Quantity:
        """The quantity under "section.key"; a TargetError where the file does not state it."""
        found = self.quantities.get(key)
        if found is not None:
            return found
        known = [f"{section}.{name}" for section, keys in SCHEMA.items() for name in keys]
        if key in known:
            raise self._absent(key)
        raise TargetError(f"no target states {key!r}{near_names(key, known)}")

    def has(self, key: str) -> bool:
        """Whether the file states "section.key"."""
        return key in self.quantities

    def number(self, key: str) -> float:
        """The number under "section.key", in the unit its name carries."""
        value = self.quantity(key).value
        if isinstance(value, (str, tuple, bool)):
            raise TargetError(f"target {self.name}: {key} is not a number but {value!r}")
        return float(value)

    def includes(self, key: str) -> bool:
        """Whether the cost under "energy.key" is part of the cost of a synaptic operation.

        So it is with every event's cost and with static power where that figure is "all-in":
        charging them beside it would count them twice.
        """
        section, _, name = key.partition(".")
        all_in = self.synaptic_operation_scope == "all-in"
        return all_in and section == "energy" and name not in SYNAPTIC_COSTS

    def section(self, name: str) -> dict[str, Quantity]:
        """The quantities of one section, by their bare key."""
        prefix = f"{name}."
        return {
            key.removeprefix(prefix): quantity
            for key, quantity in self.quantities.items()
            if key.startswith(prefix)
        }

    @property
    def energy(self) -> dict[str, Quantity]:
        """Energy an event in pJ, and static power a chip in W."""
        return self.section("energy")

    @property
    def synaptic_operation_scope(self) -> str:
        """What `synaptic_operation_pj` holds: "incremental", the operation alone, or "all-in"."""
        key = "energy.synaptic_operation_scope"
        return str(self.quantity(key).value) if self.has(key) else "incremental"

    @property
    def timing(self) -> dict[str, Quantity]:
        """Time an event in ns, and the barrier tables."""
        return self.section("timing")

    @property
    def host(self) -> dict[str, Quantity]:
        """What the encoder's arithmetic and the host link cost."""
        return self.section("host")

    def provenance(self) -> dict[str, list[str]]:
        """The keys under each mark, from published to assumed; marks without keys are left out."""
        marked: dict[str, list[str]] = {mark: [] for mark in MARKS}
        for key, quantity in self.quantities.items():
            marked[quantity.mark].append(key)
        return {mark: keys for mark, keys in marked.items() if keys}

    def weakest_mark(self, keys: Iterable[str]) -> str:
        """The least trustworthy mark among the keys: what a total made of them must say.

        Of no key at all it is the last one.
        """
        return max((self.quantity(key).mark for key in keys), key=MARKS.index, default=MARKS[-1])

    def barrier_ns(self, mapped_tiles: int, chips: int = 1) -> float:
        """Time in ns to synchronise a step; 0 where the file states none.

        On one chip: the table entry of the largest tile count not above `mapped_tiles`.
        Over several chips the published points are few: between them the barrier is taken to
        grow linearly with log2(chips), starting from one chip with the same tiles (assumed).
        """
        if not self.has("timing.barrier_ns"):
            return 0.0
        tiles, times = self._table("barrier_tiles"), self._table("barrier_ns")
        one_chip = times[0]
        for least, time in zip(tiles, times, strict=True):
            if mapped_tiles >= least:
                one_chip = time
        if chips <= 1 or not self.has("timing.board_barrier_chips"):
            return one_chip
        points = [(1.0, one_chip)]
        counts, board_times = self._table("board_barrier_chips"), self._table("board_barrier_ns")
        points += [pair for pair in zip(counts, board_times, strict=True) if pair[0] > 1]
        return _interpolate_log2(points, chips)

    # derived limits

    @property
    def tiles_per_chip(self) -> int:
        return self.mesh_width * self.mesh_height

    @property
    def mantissa_max(self) -> int:
        """Largest weight mantissa; the smallest is one below its negative."""
        return 2 ** (self.weight_bits - 1) - 1

    @property
    def bias_mantissa_max(self) -> int:
        """Largest mantissa of a bias, likewise."""
        return 2 ** (self.bias_mantissa_bits - 1) - 1

    @property
    def threshold_max(self) -> int:
        """Largest threshold register; a neuron fires when V > threshold << input_shift."""
        return 2**self.threshold_bits - 1

    @property
    def accumulator_max(self) -> int:
        """Largest magnitude a step's synaptic sum may have, before the input shift."""
        return 2 ** (self.accumulator_bits - 1) - 1

    @property
    def membrane_max(self) -> int:
        """Largest magnitude of a membrane value."""
        return 2 ** (self.membrane_bits - 1) - 1

    @property
    def decay_one(self) -> int:
        """The decay register's unit: a register d keeps (decay_one - d) / decay_one a step."""
        return 2**self.decay_bits

    def _table(self, key: str) -> tuple[float, ...]:
        value = self.quantity(f"timing.{key}").value
        assert isinstance(value, tuple)
        return value

    def _absent(self, key: str) -> TargetError:
        way_out = f"no program is compiled for it: {self.not_compiled}" if self.not_compiled else ""
        return TargetError(
            f"target {self.name} does not state {key}; {way_out or f'add it to {self.origin}'}"
        )

    def _check(self) -> None:
        """Rules that hold between keys, where all of them are stated."""
        self._at_most(
            "cores.cores_per_chip", ("mesh_width", "mesh_height", "cores_per_tile"),
            "cores in the mesh",
        )  # fmt: skip
        self._at_most(
            "board.max_chips", ("chip_grid_width", "chip_grid_height"), "places in the chip grid"
        )
        self._at_most("formats.payload_bits_default", ("payload_bits",), "bits of payload_bits")
        stated = vars(self)
        if stated.get("graded_spikes") and stated.get("payload_bits") == 0:
            raise TargetError(f"{self.origin}: graded_spikes is true but payload_bits is 0")
        if not self.not_compiled:
            self._check_neuron()

    def _check_neuron(self) -> None:
        """A chip that programs are compiled for has the neuron that snndeploy computes."""
        way_out = "say why no program is compiled for this chip under chip.not_compiled"
        if not self.time_stepped:
            said = "time_stepped is false, but snndeploy computes in time steps"
            raise TargetError(f"{self.origin}: {said}; {way_out}")
        for key, width in {**NEURON_WIDTHS, **WIDEST}.items():
            value = getattr(self, key)
            if value > width or (value < width and key in NEURON_WIDTHS):
                limit = "" if key in NEURON_WIDTHS else "at most "
                said = f"formats.{key} is {value}, but snndeploy's neuron has {limit}{width}"
                raise TargetError(f"{self.origin}: {said}; {way_out}")
        self._check_weights()

    def _check_weights(self) -> None:
        """Mantissas of both signs, all of them within what the file says a weight may be."""
        bits, low, high = self.weight_bits, self.weight_min, self.weight_max
        if bits < 2:
            raise TargetError(f"{self.origin}: formats.weight_bits is {bits}; a sign needs 2 bits")
        if low > -self.mantissa_max - 1 or high < self.mantissa_max:
            raise TargetError(
                f"{self.origin}: formats.weight_bits is {bits}, sign included, which reaches from"
                f" {-self.mantissa_max - 1} to {self.mantissa_max}, but weight_min and weight_max"
                f" are {low} and {high}"
            )

    def _at_most(self, key: str, factors: tuple[str, ...], limit_name: str) -> None:
        """The value under the key is at most the product of these attributes."""
        stated = vars(self)
        value = stated.get(key.partition(".")[2])
        if value is None or any(factor not in stated for factor in factors):
            return
        limit = math.prod(stated[factor] for factor in factors)
        if value > limit:
            message = f"{key} is {value}, more than the {limit} {limit_name}"
            raise TargetError(f"{self.origin}: {message}")


def _base(name: str, folder: Path | None) -> tuple[str, str, Path]:
    """Text, origin and folder of the chip that another one is based on."""
    if name.endswith(".toml") or "/" in name or "\\" in name:
        if folder is None:
            raise TargetError(f"{name} is a file, which a text cannot name; name a shipped chip")
        path = shelf.target_path(folder / name)
    else:
        path = shelf.target_path(name)
    return _read(path), str(path), path.parent


def _read(path: Path) -> str:
    return read_text(path, "target file", TargetError)


def _interpolate_log2(points: list[tuple[float, float]], at: float) -> float:
    """Piecewise linear in log2 of the first coordinate; the last segment goes on beyond its end."""
    if len(points) == 1:
        return points[0][1]
    last = len(points) - 2
    index = next((i for i in range(last) if at <= points[i + 1][0]), last)
    (low, start), (high, end) = points[index], points[index + 1]
    share = math.log2(at / low) / math.log2(high / low)
    return start + share * (end - start)
