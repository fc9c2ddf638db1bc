"""Weight lists: Loihi 1's blocks as nengo-loihi packs them, Loihi 2's words as Intel's compiler.

The words are printed in lava-dl's tutorials (pilotnet_snn, pilotnet_sdnn, mnist, oxford); see
`targets/README.md`.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from snndeploy.connections import Conv, Dense
from snndeploy.target import Target
from snndeploy.target.lists import pieces, weight_lists

LOIHI1, LOIHI2 = Target.load("loihi1"), Target.load("loihi2")
WORD = 64


def test_blocks_as_nengo_loihi_packs_them():
    lists = weight_lists(LOIHI1)
    found = [lists.list_bits(n, None, sparse=False) for n in (0, 16, 64, 80)]
    assert found == [0, 16 * 12, 64 * 9, 64 * 9 + 16 * 12]
    assert lists.list_bits(64, None, sparse=True) == 64 * 19
    assert lists.list_bits(64, 3, sparse=False) == 64 * 9  # whatever the weights
    assert lists.kernel_bits(9, 16, None) == lists.list_bits(144, None, sparse=False)


def test_crossbars_take_whole_rows():
    rows = [("truenorth", 3, 256), ("paicore", 65, 1024)]
    for name, targets, bits in rows:
        assert weight_lists(Target.load(name)).list_bits(targets, None, sparse=False) == bits


@pytest.mark.parametrize("header", range(2, 9))
@pytest.mark.parametrize(
    ("targets", "bits", "words"),
    [(100, 3, 24), (100, 4, 26), (100, 8, 32), (9, 3, 3), (1, 3, 1), (50, 4, 13), (10, 5, 3),
     (1, 6, 1), (48, 8, 16)],
)  # fmt: skip
def test_a_dense_list_names_its_targets(header, targets, bits, words):
    """ceil((n * (b + 12) + h) / 64), with every header that is possible."""
    lists = weight_lists(replace(LOIHI2, synapse_header_bits=header))
    assert words == ceil((targets * (bits + 12) + header) / WORD)
    assert lists.list_bits(targets, bits, sparse=False) == words * WORD


@pytest.mark.parametrize("header", range(2, 9))
@pytest.mark.parametrize(("channels", "words"), [(24, 3), (36, 4), (48, 5), (64, 5)])
def test_a_kernel_has_a_list_for_each_tap_and_piece(header, channels, words):
    lists = weight_lists(replace(LOIHI2, synapse_header_bits=header))
    assert lists.kernel_bits(9, channels, 4) == 9 * words * WORD


def test_widths_go_from_6_bits_to_8():
    lists = weight_lists(LOIHI2)
    words = [lists.list_bits(64, bits, sparse=False) // WORD for bits in (0, 1, 6, 7, 8, 9, None)]
    assert words == [13, 14, 19, 21, 21, 21, 21]
    narrow = weight_lists(replace(LOIHI2, bits_per_synapse=4))
    assert narrow.list_bits(64, 8, sparse=False) == narrow.list_bits(64, 4, sparse=False)


def test_pieces_are_powers_of_two():
    assert {n: pieces(n) for n in (0, 1, 3, 4, 24, 36, 48, 63, 64)} == {
        0: (), 1: (1,), 3: (3,), 4: (4,), 24: (16, 8), 36: (32, 4), 48: (32, 16),
        63: (32, 16, 8, 4, 3), 64: (64,),
    }  # fmt: skip
    assert all(sum(pieces(n)) == n for n in range(200))


@pytest.mark.parametrize(
    ("weights", "bits"),
    [
        ([-20, 18], 5), ([-10, 8], 4), ([-8, 6], 3), ([-8, 8], 2), ([-6, 6], 3), ([-24, 42], 6),
        ([-98, 130], 8), ([-128, 126], 7), ([-256, 254], 8), ([-128, 127], 8), ([0, 255], 8),
        ([0, 254], 7), ([-4, 0], 1), ([4, 4], 1), ([0, 0], None),
    ],
)  # fmt: skip
def test_bits_of_the_weights_real_range(weights, bits):
    """Of w/2 in two's complement where signs mix and all are even, as SLAYER exports them."""
    kernel = Conv(np.array(weights, dtype=np.int16).reshape(2, 1, 1, 1))
    assert kernel.significant_bits == bits
    assert Dense(kernel.weight.astype(float)).significant_bits is None
