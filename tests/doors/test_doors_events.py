"""Recordings as they are published, read through tonic: bytes that this test writes."""

import struct

import numpy as np
import pytest

from snndeploy.data import Binning, load_data

pytestmark = pytest.mark.doors
EVENTS = [(3, 5, 1, 10), (33, 0, 0, 20), (0, 33, 1, 70_000), (7, 7, 1, 100_000)]  # x, y, p, t


def nmnist(events):
    """x, y, p and 23 bits of time: five bytes."""
    return b"".join(
        bytes([x, y, (p << 7) | (t >> 16), (t >> 8) & 255, t & 255]) for x, y, p, t in events
    )


def aedat3(events):
    head = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"
    packet = struct.pack("<HHIIIIII", 1, 0, 8, 4, 0, len(events), len(events), len(events))
    words = [struct.pack("<II", (x << 17) | (y << 2) | (p << 1) | 1, t) for x, y, p, t in events]
    return head + packet + b"".join(words)


def aedat2(events):
    words = [struct.pack(">II", (x << 8) | (y << 1) | p, t) for x, y, p, t in events]
    return b"#!AER-DAT2.0\r\n# made by a test\r\n" + b"".join(words)


def frames(events, steps, bin_us, side):
    x = np.zeros((steps, 2, side, side), np.uint8)
    first = min(t for *_, t in events)
    for column, row, p, t in events:
        if (t - first) // bin_us < steps:
            x[(t - first) // bin_us, p, row, column] += 1
    return x


def test_nmnist_as_published(tmp_path):
    """Test/CLASS/NUMBER.bin"""
    for label, shift in ((0, 0), (1, 2), (10, 1)):
        folder = tmp_path / "Test" / str(label)
        folder.mkdir(parents=True)
        moved = [((x + shift) % 34, y, p, t) for x, y, p, t in EVENTS]
        (folder / "00001.bin").write_bytes(nmnist(moved))
    data = load_data(tmp_path / "Test", Binning(bin_us=50_000))
    assert data.y.tolist() == [0, 1, 2] and data.x.shape == (3, 2, 2, 34, 34)
    np.testing.assert_array_equal(data.x[0], frames(EVENTS, 2, 50_000, 34))


@pytest.mark.parametrize("written", [aedat2, aedat3])
def test_aedat(tmp_path, written):
    many = [(127, 3, 1, 5), *EVENTS]
    (tmp_path / "a.aedat").write_bytes(written(many))
    data = load_data(tmp_path / "a.aedat", Binning(bin_us=50_000))
    assert data.x.shape == (1, 2, 2, 128, 128)
    np.testing.assert_array_equal(data.x[0], frames(many, 2, 50_000, 128))


def test_dvs_gesture_as_published(tmp_path):
    """user01_led.aedat, and beside it the classes from 1 with their times."""
    (tmp_path / "user01_led.aedat").write_bytes(aedat3(EVENTS))
    table = "class,startTime_usec,endTime_usec\n3,0,60000\n1,60000,200000\n"
    (tmp_path / "user01_led_labels.csv").write_text(table)
    data = load_data(tmp_path, Binning(frames=2))
    assert data.y.tolist() == [2, 0] and data.x.shape == (2, 2, 2, 128, 128)
    assert data.x.sum(axis=(1, 2, 3, 4)).tolist() == [2, 2]
    assert data.x[0, 0, 1, 5, 3] == data.x[0, 1, 0, 0, 33] == 1
