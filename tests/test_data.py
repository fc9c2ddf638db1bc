import io
import pickle
import zipfile

import numpy as np
import pytest

from snndeploy.data import load_data
from snndeploy.errors import DataError
from snndeploy.files.budget import memory_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.npz"


def refused(path):
    with pytest.raises(DataError) as caught:
        load_data(path)
    return str(caught.value)


def test_bytes_labels_and_scale(path):
    np.savez(path, x=np.uint8([[0, 255], [51, 0]]), y=[3, 1], scale=1 / 255)
    data = load_data(path)
    expected = np.float32([[0, 255], [51, 0]]) * np.float32(1 / 255)
    np.testing.assert_array_equal(data.inputs(), expected)
    assert data.inputs().dtype == np.float32
    assert (data.y.tolist(), data.name) == ([3, 1], "data.npz")
    first = data.take(1)
    assert (first.x.tolist(), first.y.tolist()) == ([[0, 255]], [3])
    assert data.take(5) is data and data.take(None) is data


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_layout_of_numbers(path, save):
    x = np.asfortranarray(np.arange(12.0).reshape(2, 2, 3))
    save(path, x=x, other="ignored")
    assert load_data(path).x.tolist() == x.tolist()
    assert load_data(path).y is None


def test_a_missing_file(path):
    assert refused(path) == f"data file {path} does not exist"
    assert refused(path.parent) == f"data file {path.parent} does not exist"


def test_files_of_another_kind(path):
    for write in (lambda f: f.write(b"text"), lambda f: np.save(f, np.zeros(3)), pickle_something):
        with path.open("wb") as file:
            write(file)
        assert refused(path) == (
            f"{path} is not a readable .npz file: BadZipFile: File is not a zip file"
        )


def pickle_something(file):
    pickle.dump([1], file)


def test_every_truncation_is_refused(path):
    np.savez(path, x=np.zeros((2, 3)), y=np.zeros(2, int))
    content = path.read_bytes()
    for length in range(0, len(content), 11):
        path.write_bytes(content[:length])
        assert refused(path).startswith(f"{path} is not a readable .npz file: ")


def test_a_damaged_member(path):
    np.savez_compressed(path, x=np.random.default_rng(0).random((2, 2000)))
    content = bytearray(path.read_bytes())
    content[9000:9060] = bytes(60)
    path.write_bytes(content)
    assert refused(path).startswith(f"{path} is not a readable .npz file: ")


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"images": np.zeros((2, 3)), "y": [1, 2]}, "has no array x (it has images, y)"),
        ({}, "has no array x (it has nothing)"),
        ({"x": np.zeros(3)}, "x has shape (3,); samples first are needed"),
        ({"x": np.zeros((0, 3))}, "x has shape (0, 3); samples first are needed"),
        ({"x": np.zeros((2, 0))}, "x has shape (2, 0); samples first are needed"),
        ({"x": [[1.0, np.nan], [np.inf, 2]]}, "x has 2 values that are NaN or infinite"),
        ({"x": [["a"]]}, "array x cannot be used: it has type <U1; numbers of at most 8 bytes"
         " are needed"),
        ({"x": [[1j]]}, "array x cannot be used: it has type complex128; numbers of at most 8"
         " bytes are needed"),
        ({"x": np.zeros((2, 3)), "y": [1]}, "y has shape (1,) and type int64; an integer"
         " class or a target for each of the 2 samples is needed"),
        ({"x": np.zeros((2, 3)), "y": [True, False]}, "y has shape (2,) and type bool; an integer"
         " class or a target for each of the 2 samples is needed"),
        ({"x": np.zeros((2, 3)), "y": [0.0, np.inf]}, "y has 1 values that are NaN or infinite"),
        ({"x": np.zeros((2, 3)), "scale": [1, 2]}, "scale must be one finite number other than"
         " zero"),
        ({"x": np.zeros((2, 3)), "scale": np.nan}, "scale must be one finite number other than"
         " zero"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_belong_together(path, arrays, reason):
    np.savez(path, **arrays)
    joint = " " if reason.startswith("has") else ": "
    assert refused(path) == f"{path}{joint}{reason}"


def test_objects_are_never_unpickled(path):
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    assert refused(path) == (
        f"{path}: array x cannot be used: it holds Python objects, which only unpickling could read"
    )


def npz(path, content, size=None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    if size is not None:
        data = bytearray(path.read_bytes())
        place = data.index(b"PK\x01\x02")
        data[place + 24 : place + 28] = size.to_bytes(4, "little")
        path.write_bytes(data)


def npy_header(shape):
    buffer = io.BytesIO()
    form = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, form)
    return buffer.getvalue()


def test_a_header_that_promises_more_than_there_is(path):
    npz(path, npy_header((10**12, 10)) + bytes(4))
    assert refused(path) == (
        f"{path}: array x cannot be used: its header promises shape (1000000000000, 10) of uint8,"
        " but it holds 132 bytes"
    )


def test_a_zip_bomb(path):
    content = npy_header((10, 5_000_000)) + bytes(50_000_000)
    npz(path, content, size=len(content) + 1000)
    assert "its header promises shape" in refused(path)
    npz(path, content)
    assert path.stat().st_size < 100_000
    assert load_data(path).x.shape == (10, 5_000_000)
    with memory_of(1 / 64):
        assert refused(path).startswith(f"{path}, unpacked, takes 0.0 GiB of memory and 0.0 GiB")


# what a model takes


def fits(path, x, signal, answer=(10,), **more):
    np.savez(path, x=x, **more)
    return load_data(path).fit((2,), signal, answer)


def test_data_that_fits(path):
    fits(path, [[0.5, -3.0]], "real")
    fits(path, [[0, 3]], "integer")
    fits(path, [[2, 4]], "integer", scale=0.5, y=[9])
    fits(path, np.array([[True, False]]), "binary")
    fits(path, [[1, 2]], "real", y=np.zeros((1, 10)))  # a target of each value
    fits(path, [[1, 2]], "real", (1,), y=[0.25])
    fits(path, [[1, 2]], "real", (1,), y=[7])  # of one value, whole numbers are targets too
    fits(path, [[1, 2]], "real", (3, 2, 4), y=np.full((1, 2, 4), 2))  # a class of each position


@pytest.mark.parametrize(
    ("x", "signal", "more", "reason"),
    [
        ([[1, 2, 3]], "real", {}, "samples have shape (3,), the model takes (2,); reshape or"
         " resize the data"),
        ([[1e300, 2]], "real", {}, "x has 1 values that are NaN or infinite (as 32-bit floats)"),
        ([[1, 0.5]], "integer", {}, "1 values of x * scale are not whole numbers (the first is"
         " 0.5), which the model's integer input needs"),
        ([[1, 2]], "binary", {}, "1 values of x * scale are not 0 or 1 (the first is 2), which"
         " the model's binary input needs"),
        ([[1, 2]], "real", {"y": [10]}, "y has classes 10..10, the model answers 10 (0..9)"),
        ([[1, 2]], "real", {"y": [-1]}, "y has classes -1..-1, the model answers 10 (0..9)"),
        ([[1, 2]], "real", {"y": [0.5]}, "y has shape (1,) and type float64, the model answers 10 a"
         " sample; give integer classes (one a sample, or one a position of a map), or targets of"
         " the answers' shape"),
        ([[1, 2]], "real", {"y": np.full((1, 2, 4), 3), "answer": (3, 2, 4)},
         "y has classes 3..3, the model answers 3 (0..2)"),
        ([[1, 2]], "real", {"y": [1], "answer": (3, 2, 4)}, "y has shape (1,) and type int64, the"
         " model answers 3 x 2 x 4 a sample; give integer classes (one a sample, or one a position"
         " of a map), or targets of the answers' shape"),
    ],
)  # fmt: skip
def test_data_that_does_not_fit(path, x, signal, more, reason):
    with pytest.raises(DataError) as caught:
        fits(path, x, signal, **more)
    assert str(caught.value) == f"data.npz: {reason}"
