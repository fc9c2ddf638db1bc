"""Target: a chip as the compiler and the simulator see it, read from a TOML file.

Sizes and number formats are plain attributes named as in the file (`neurons_per_core`);
costs are looked up by key (`target.number("energy.hop_east_west_pj")`), so that a cost the
file does not state is refused by name and never taken for zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snndeploy import shelf
from snndeploy.errors import TargetError, near_names, one_line
from snndeploy.target_file import MARKS, SCHEMA, Quantity, parse

__all__ = ["MARKS", "Quantity", "Target"]

LARGEST_FILE_BYTES = 1 << 20
ATTRIBUTE_SECTIONS = ("board", "cores", "formats", "synapses")


@dataclass(frozen=True)
class Target:
    """One chip. Limits that nobody has published are None; costs live in `quantities`."""

    name: str
    description: str
    text: str = field(repr=False)
    """The whole TOML file, as the program file embeds it."""
    origin: str = field(repr=False, compare=False)
    """Where the text came from: a path, or "<text>"."""
    quantities: Mapping[str, Quantity] = field(repr=False, compare=False)
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
    graded_spikes: bool
    soft_reset: bool
    dynamic_multiply: bool
    threshold_per: str
    decay_per: str

    # synapses: how one axon's list of weights is stored
    bits_per_synapse: int
    synapse_index_bits: int
    synapse_header_bits: int
    synapses_per_block: int
    synapse_word_bits: int
    shared_convolution: bool

    @classmethod
    def load(cls, name_or_path: str | Path) -> Target:
        """A shipped chip by its name, or any chip file by its path."""
        path = shelf.target_path(name_or_path)
        try:
            if path.stat().st_size > LARGEST_FILE_BYTES:
                raise TargetError(f"{path} is larger than 1 MiB; a chip file is a few kilobytes")
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TargetError(f"cannot read target file {path}: {one_line(error)}") from None
        return cls.from_text(text, origin=str(path))

    @classmethod
    def from_text(cls, text: str, origin: str = "<text>") -> Target:
        """A chip from TOML text, fully checked; `origin` is named in every message."""
        names, quantities = parse(text, origin)
        attributes: dict[str, Any] = {**names}
        for section in ATTRIBUTE_SECTIONS:
            for key in SCHEMA[section]:
                quantity = quantities.get(f"{section}.{key}")
                attributes[key] = quantity.value if quantity else None
        target = cls(text=text, origin=origin, quantities=quantities, **attributes)
        target._check()
        return target

    # costs and provenance

    def quantity(self, key: str) -> Quantity:
        """The quantity under "section.key"; a TargetError where the file does not state it."""
        found = self.quantities.get(key)
        if found is not None:
            return found
        known = [f"{section}.{name}" for section, keys in SCHEMA.items() for name in keys]
        if key in known:
            raise TargetError(f"target {self.name} does not state {key}; add it to {self.origin}")
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
        """The least trustworthy mark among the keys: what a total made of them must say."""
        return max((self.quantity(key).mark for key in keys), key=MARKS.index)

    def barrier_ns(self, mapped_tiles: int, chips: int = 1) -> float:
        """Time in ns to synchronise a step.

        On one chip: the table entry of the largest tile count not above `mapped_tiles`.
        Over several chips the published points are few: between them the barrier is taken to
        grow linearly with log2(chips), starting from one chip with the same tiles (assumed).
        """
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

    def synapse_bits(self, targets: int, *, sparse: bool = False) -> int:
        """Bits of memory for one axon's list of `targets` weights, headers and padding included."""
        if targets <= 0:
            return 0
        each = self.bits_per_synapse + (self.synapse_index_bits if sparse else 0)
        full, rest = divmod(targets, self.synapses_per_block)
        sizes = [(full, self.synapses_per_block), (1 if rest else 0, rest)]
        return sum(count * self._block_bits(size * each) for count, size in sizes)

    def _block_bits(self, payload: int) -> int:
        words = math.ceil((payload + self.synapse_header_bits) / self.synapse_word_bits)
        return words * self.synapse_word_bits

    def _table(self, key: str) -> tuple[float, ...]:
        value = self.quantity(f"timing.{key}").value
        assert isinstance(value, tuple)
        return value

    def _check(self) -> None:
        """Rules that hold between keys."""
        room = self.tiles_per_chip * self.cores_per_tile
        self._at_most("cores.cores_per_chip", self.cores_per_chip, "cores in the mesh", room)
        grid = self.chip_grid_width * self.chip_grid_height
        self._at_most("board.max_chips", self.max_chips, "places in the chip grid", grid)
        default = self.payload_bits_default or 0
        self._at_most(
            "formats.payload_bits_default", default, "bits of payload_bits", self.payload_bits
        )
        if self.graded_spikes and not self.payload_bits:
            raise TargetError(f"{self.origin}: graded_spikes is true but payload_bits is 0")

    def _at_most(self, key: str, value: int, limit_name: str, limit: int) -> None:
        if value > limit:
            message = f"{key} is {value}, more than the {limit} {limit_name}"
            raise TargetError(f"{self.origin}: {message}")


def _interpolate_log2(points: list[tuple[float, float]], at: float) -> float:
    """Piecewise linear in log2 of the first coordinate; the last segment goes on beyond its end."""
    if len(points) == 1:
        return points[0][1]
    last = len(points) - 2
    index = next((i for i in range(last) if at <= points[i + 1][0]), last)
    (low, start), (high, end) = points[index], points[index + 1]
    share = math.log2(at / low) / math.log2(high / low)
    return start + share * (end - start)
