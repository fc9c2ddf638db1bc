"""How the events of a recording become frames: said once, and kept with what was made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from snndeploy.errors import DataError

Values = Literal["counts", "binary"]
Polarity = Literal["split", "merged", "on"]


@dataclass(frozen=True)
class Binning:
    """How events become frames; said by the user, kept in a program, and used again with it.

    bin_us: length of a bin; None: each recording is cut into `frames` of equal length.
    frames: how many; None: as many as the longest recording fills.
    values: 'counts', or 'binary' for at least one event.  polarity: 'split' into two channels (OFF,
    ON), 'merged' into one, or 'on' events alone.  height, width: of the sensor; None: as the file
    says.
    """

    bin_us: int | None = None
    frames: int | None = None
    values: Values = "counts"
    polarity: Polarity = "split"
    height: int | None = None
    width: int | None = None

    def __post_init__(self) -> None:
        if self.bin_us is None and self.frames is None:
            raise DataError("events need --bin-us (length of a bin) or --frames (number of bins)")

    def __str__(self) -> str:
        each = f"bins of {self.bin_us:,} us" if self.bin_us else "bins of equal length"
        sensor = f", {self.height}x{self.width} pixels" if self.height else ""
        many = f"{self.frames} " if self.frames else ""
        return (
            f"{many}{each} from the first event on, {self.values}, polarity {self.polarity}{sensor}"
        )
