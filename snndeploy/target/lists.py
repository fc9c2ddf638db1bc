"""Weight lists: the memory that one list of a core takes, in each of the two ways that chips have.

blocks  (Loihi 1)  entries of `bits_per_synapse`, in blocks of `synapses_per_block`; every block
        has a header and is rounded up to words.  A list of a kernel holds all its taps.  Entries
        of sparse lists name their targets.
words   (Loihi 2)  one header a list, rounded up to words; entries as wide as the weights need.
        A kernel has a list for each tap and piece of the channels (48 are 32 + 16), without
        indices; every other entry names its target.

    list = ceil((n * (bits + index) + header) / word) words,  n weights
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from snndeploy.target.chip import Target

SMALLEST_PIECE = 4  # channels; inferred: 3 channels take one entry of Loihi 2's axon map, 36 two


@dataclass(frozen=True)
class WeightLists(ABC):
    """Bits that lists of weights take on the target, headers and padding included."""

    target: Target

    @abstractmethod
    def kernel_bits(self, taps: int, channels: int, weight_bits: int | None) -> int:
        """Of one source channel's kernel: its taps into so many target channels.

        weight_bits: what the projection's weights need (`Connection.significant_bits`); None where
        they are not known yet.
        """

    @abstractmethod
    def list_bits(self, targets: int, weight_bits: int | None, *, sparse: bool) -> int:
        """Of one list into single neurons; sparse: it reaches some of the part's alone."""

    def _words(self, payload: int) -> int:
        """The bits of whole words that hold a header and a payload."""
        target = self.target
        words = -(-(payload + target.synapse_header_bits) // target.synapse_word_bits)
        return words * target.synapse_word_bits


class Blocks(WeightLists):
    """Loihi 1's lists, as nengo-loihi's block.py sizes them."""

    def kernel_bits(self, taps: int, channels: int, weight_bits: int | None) -> int:
        return self.list_bits(taps * channels, weight_bits, sparse=False)

    def list_bits(self, targets: int, weight_bits: int | None, *, sparse: bool) -> int:
        target = self.target
        each = target.bits_per_synapse + (target.synapse_index_bits if sparse else 0)
        assert target.synapses_per_block is not None, "a file with blocks states their length"
        full, rest = divmod(targets, target.synapses_per_block)
        whole = full * self._words(target.synapses_per_block * each)
        return whole + (self._words(rest * each) if rest else 0)


class Words(WeightLists):
    """Loihi 2's lists, as Intel's compiler was seen to size them."""

    def kernel_bits(self, taps: int, channels: int, weight_bits: int | None) -> int:
        each = self._width(weight_bits)
        return taps * sum(self._words(piece * each) for piece in pieces(channels))

    def list_bits(self, targets: int, weight_bits: int | None, *, sparse: bool) -> int:
        each = self._width(weight_bits) + self.target.synapse_index_bits
        return self._words(targets * each) if targets else 0

    def _width(self, weight_bits: int | None) -> int:
        """The narrowest width there is for a weight; the widest for weights not known."""
        most = self.target.bits_per_synapse
        if weight_bits is None or weight_bits >= most:
            return most
        widths = self.target.weight_widths or (most,)
        return min((int(width) for width in widths if weight_bits <= width), default=most)


def weight_lists(target: Target) -> WeightLists:
    """The way that the target states (`synapses.encoding`)."""
    return {"blocks": Blocks, "words": Words}[target.encoding](target)


def pieces(channels: int) -> tuple[int, ...]:
    """Channels as powers of two, the largest first, and the rest below the smallest piece."""
    bits = range(channels.bit_length() - 1, -1, -1)
    found = [1 << bit for bit in bits if channels >> bit & 1 and 1 << bit >= SMALLEST_PIECE]
    rest = channels % SMALLEST_PIECE
    return (*found, rest) if rest else tuple(found)
