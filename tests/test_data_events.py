"""Recordings of event cameras: what is read, how events become frames, what is refused."""

import h5py
import numpy as np
import pytest

from snndeploy.data import Binning, load_data
from snndeploy.errors import DataError

COLUMNS = {
    "x": np.array([0, 2, 2, 1, 0, 0], np.uint8), "y": np.array([1, 0, 0, 1, 0, 0], np.uint8),
    "p": np.array([0, 1, 1, 0, 1, 1], np.uint8),
    "t": np.array([100, 100, 1099, 2100, 50, 60], np.uint32),
    "offset": np.array([0, 4, 6]), "label": np.array([3, 1]),
}  # fmt: skip
SENSOR = {"height": 2, "width": 3}


def saved(path, **changes):
    columns = {key: value for key, value in {**COLUMNS, **changes}.items() if value is not None}
    if path.suffix == ".npz":
        np.savez(path, **columns)
        return path
    with h5py.File(path, "w") as file:
        for key, value in columns.items():
            file[key] = value
    return path


def refused(path, binning=None):
    with pytest.raises(DataError) as caught:
        load_data(path, binning)
    return str(caught.value)


@pytest.mark.parametrize("name", ["e.npz", "e.h5"])
def test_bins_of_a_fixed_length(tmp_path, name):
    """Events 0, 1 and 2 of the first recording lie within 1000 us of its first, the last behind."""
    data = load_data(saved(tmp_path / name), Binning(bin_us=1000, **SENSOR))
    due = np.zeros((2, 3, 2, 2, 3), np.uint8)
    due[0, 0, 0, 1, 0] = due[0, 2, 0, 1, 1] = 1
    due[0, 0, 1, 0, 2] = 2
    due[1, 0, 1, 0, 0] = 2
    np.testing.assert_array_equal(data.x, due)
    assert data.y.tolist() == [3, 1] and data.signal == "integer"
    assert data.binning == Binning(1000, 3, "counts", "split", 2, 3)
    assert str(data.binning) == (
        "3 bins of 1,000 us from the first event on, counts, polarity split, 2x3 pixels"
    )


def test_as_many_bins_for_every_recording(tmp_path):
    """Times 0, 0, 999, 2000 of 0..2000 in 2 bins; 0 and 10 of 0..10."""
    data = load_data(saved(tmp_path / "e.npz"), Binning(frames=2, **SENSOR))
    assert data.x.sum(axis=(2, 3, 4)).tolist() == [[3, 1], [1, 1]]
    assert data.binning.frames == 2 and data.binning.bin_us is None


def test_what_lies_behind_the_last_frame_is_left_out(tmp_path):
    data = load_data(saved(tmp_path / "e.npz"), Binning(1000, 2, **SENSOR))
    assert data.x.shape == (2, 2, 2, 2, 3) and data.x.sum() == 5


@pytest.mark.parametrize(
    ("polarity", "values", "channels", "total", "most"),
    [
        ("merged", "counts", 1, 6, 2), ("on", "counts", 1, 4, 2),
        ("split", "binary", 2, 4, 1), ("merged", "binary", 1, 4, 1),
    ],
)  # fmt: skip
def test_polarity_and_values(tmp_path, polarity, values, channels, total, most):
    binning = Binning(1000, None, values, polarity, 2, 3)
    x = load_data(saved(tmp_path / "e.npz"), binning).x
    assert (x.shape[2], x.sum(), x.max()) == (channels, total, most)


def test_more_than_a_byte_holds(tmp_path):
    many = {key: np.zeros(300, np.int64) for key in "xypt"}
    path = saved(tmp_path / "e.npz", **many, offset=np.array([0, 300]), label=None)
    assert load_data(path, Binning(frames=1, **SENSOR)).x.max() == 300


def test_recordings_without_events_and_the_first_ones(tmp_path):
    path = saved(tmp_path / "e.npz", offset=np.array([0, 4, 4, 6]), label=None)
    data = load_data(path, Binning(1000, 3, **SENSOR))
    assert data.x.sum(axis=(1, 2, 3, 4)).tolist() == [4, 0, 2] and data.y is None
    assert len(load_data(path, Binning(1000, 3, **SENSOR), most=1).x) == 1


def test_one_recording_a_file_and_a_folder_a_class(tmp_path):
    for label, name in (("10", "a"), ("2", "b"), ("2", "c")):
        folder = tmp_path / "set" / label
        folder.mkdir(parents=True, exist_ok=True)
        with h5py.File(folder / f"{name}.hdf5", "w") as file:
            group = file.create_group("events")
            for key in "xypt":
                group[key] = COLUMNS[key][: 4 if name == "b" else 2]
    data = load_data(tmp_path / "set", Binning(1000, 3, **SENSOR))
    assert data.y.tolist() == [0, 1, 0]  # folders by number, classes in turn
    assert data.x.sum(axis=(1, 2, 3, 4)).tolist() == [4, 2, 2]
    assert data.name == "set"


def test_the_sensor_of_the_file(tmp_path):
    path = saved(tmp_path / "e.h5", sensor=np.array([2, 3]))
    assert load_data(path, Binning(frames=1)).x.shape == (2, 1, 2, 2, 3)
    assert refused(path, Binning(frames=1, height=4, width=4)) == (
        "e.h5 is of a sensor of (2, 3) pixels, not (4, 4)"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"p": None}, "{path}: events need the arrays x, y, p, t; p missing"),
        ({"t": np.arange(5)},
         "{path}: columns of different lengths (x 6, y 6, p 6, t 5)"),
        ({"offset": np.array([0, 7])}, "{path}: offset must rise from 0 to the 6 events"),
        ({"offset": np.array([4, 0, 6])}, "{path}: offset must rise from 0 to the 6 events"),
        ({"label": np.array([1])}, "{path}: 1 labels for 2 recordings"),
        ({"x": np.full(6, 9, np.uint8)},
         "e.npz: 6 events lie outside of the 2x3 sensor (rows up to 1, columns up to 9)"),
        ({"t": np.full(6, 0.5)},
         "{path}: t has shape (6,) and type float64; a row of whole numbers is due"),
    ],
)  # fmt: skip
def test_columns_that_do_not_belong_together(tmp_path, changes, said):
    path = saved(tmp_path / "e.npz", **changes)
    assert refused(path, Binning(frames=2, **SENSOR)) == said.format(path=path)


def test_what_must_be_said(tmp_path):
    path = saved(tmp_path / "e.npz")
    assert refused(path) == (
        f"{path} holds events: say how they become frames, --bin-us MICROSECONDS or --frames T"
        " (a compiled program keeps what was said with --calibration)"
    )
    assert refused(path, Binning(frames=2)) == (
        "e.npz does not say how large the sensor is; give --sensor HEIGHT,WIDTH (its events reach"
        " row 1 and column 2)"
    )
    with pytest.raises(DataError) as caught:
        Binning()
    assert str(caught.value) == (
        "events need --bin-us (length of a bin) or --frames (number of bins)"
    )


def test_too_many_frames_are_refused_before_they_are_made(tmp_path):
    path = saved(tmp_path / "e.npz", t=np.array([0, 0, 0, 4 << 30, 0, 0], np.int64))
    assert refused(path, Binning(bin_us=1, **SENSOR)).startswith(
        "e.npz: 2 recordings of 4294967297x2x2x3 values; at most 1,048,576 frames of "
    )


def test_folders_without_recordings(tmp_path):
    assert refused(tmp_path) == f"data file {tmp_path} does not exist"
    (tmp_path / "notes.txt").write_text("x")
    assert refused(tmp_path, Binning(frames=2)) == (
        f"{tmp_path} has no recordings (.bin, .aedat, .h5, .hdf5), nor folders of them, one a class"
    )


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tonic.io", None)
    monkeypatch.setitem(__import__("sys").modules, "tonic", None)
    (tmp_path / "a.bin").write_bytes(bytes(10))
    assert refused(tmp_path / "a.bin", Binning(frames=2)) == (
        "reading .bin and .aedat recordings needs tonic: pip install 'snndeploy[events]'"
    )


def test_files_that_are_damaged(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(11))
    assert refused(tmp_path / "a.bin", Binning(frames=2)) == (
        f"{tmp_path / 'a.bin'} has 11 bytes, not five for each event"
    )
    (tmp_path / "a.aedat").write_bytes(b"text")
    assert refused(tmp_path / "a.aedat", Binning(frames=2)) == (
        f"{tmp_path / 'a.aedat'} does not begin with #!AER-DAT: no AEDAT file"
    )
    (tmp_path / "a.h5").write_bytes(b"text")
    assert refused(tmp_path / "a.h5", Binning(frames=2)).startswith(
        f"{tmp_path / 'a.h5'} cannot be read as events: OSError: "
    )
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["t"] = h5py.SoftLink("/x")
    assert refused(tmp_path / "b.h5", Binning(frames=2)) == (
        f"{tmp_path / 'b.h5'} 't' is a link out of its place; refused"
    )
