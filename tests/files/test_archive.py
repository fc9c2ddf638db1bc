"""The sealed zip: equal contents are equal bytes, and whatever is not as written is refused."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from tampering import SEAL, pack, unpack

from snndeploy.errors import ProgramError
from snndeploy.files.archive import ArrayStore, SealedFile, write

VALUES = {"b": [1, 2.5, None], "a": "text"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.snnp"
    arrays = ArrayStore()
    reference = arrays.put(np.arange(6, dtype=np.int16).reshape(2, 3))
    write(path, {"values.json": {**VALUES, "array": reference}, "text.toml": "a = 1\n"}, arrays)
    return path


def array_name(path):
    return next(name for name in unpack(path) if name.startswith("arrays/"))


def read_all(path):
    with SealedFile(path) as sealed:
        sealed.only({"values.json", "text.toml"})
        values = sealed.document("values.json")
        return values, sealed.text("text.toml"), sealed.array(values["array"])


def refused(path):
    with pytest.raises(ProgramError) as caught:
        read_all(path)
    return str(caught.value)


def damaged(path, reason):
    assert refused(path) == f"{path} is damaged or was altered: {reason}; compile it again"


def test_what_is_written_is_read(path):
    values, text, array = read_all(path)
    assert values.items() >= VALUES.items()
    assert text == "a = 1\n"
    assert array.dtype == np.int16 and array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not array.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.array(2.5), np.zeros((0, 3), np.float32), np.zeros((2, 0), bool),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(9)[::3],
        np.array([True, False]), np.float32([np.nan, -0.0]), np.array([], dtype=np.int64),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)  # fmt: skip
def test_every_plain_array_comes_back(tmp_path, array):
    arrays = ArrayStore()
    reference = arrays.put(array)
    write(tmp_path / "a", {}, arrays)
    with SealedFile(tmp_path / "a") as sealed:
        found = sealed.array(reference)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()


def test_equal_contents_are_equal_bytes_and_arrays_are_shared(tmp_path):
    files = []
    for order in (1, -1):
        arrays = ArrayStore()
        first, second = (arrays.put(np.arange(4)) for _ in range(2))
        assert first == second and arrays.put(None) is None
        documents = list({"a.json": {"x": 1, "y": first}, "b.toml": "text"}.items())[::order]
        write(tmp_path / "file", dict(documents), arrays)
        files.append((tmp_path / "file").read_bytes())
    assert files[0] == files[1]
    with zipfile.ZipFile(io.BytesIO(files[0])) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert len(archive.namelist()) == 4
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_numbers_that_json_cannot_hold(tmp_path):
    with pytest.raises(ProgramError) as caught:
        write(tmp_path / "a", {"a.json": float("nan")}, ArrayStore())
    assert str(caught.value) == "a.json would hold a number that is NaN or infinite"
    write(tmp_path / "a", {"a.json": [np.int64(3), np.float32(0.5)]}, ArrayStore())
    assert json.loads(unpack(tmp_path / "a")["a.json"]) == [3, 0.5]


def test_a_missing_file(tmp_path):
    for path in (tmp_path / "no.snnp", tmp_path):
        assert refused(path) == f"program file {path} does not exist"


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "a.snnp"
    for content in (b"", b"no zip"):
        path.write_bytes(content)
        assert refused(path) == (
            f"{path} is not a whole program file (BadZipFile: File is not a zip file);"
            " it may be truncated: compile it again or copy it once more"
        )
    damaged(pack(path, {}, seal=False), "its seal is missing")
    damaged(pack(path, {SEAL: b"["}, seal=False), "seal.json is not JSON (JSONDecodeError:"
            " Expecting value: line 1 column 2 (char 1))")  # fmt: skip
    damaged(pack(path, {SEAL: b"[]"}, seal=False), "its seal has another form")


def test_every_truncation_is_refused(path):
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        assert refused(path).startswith(f"{path} is not a whole program file (BadZipFile: ")


def test_an_altered_member(path):
    members = unpack(path)
    members["text.toml"] = b"a = 2\n"
    damaged(pack(path, members, seal=False), "text.toml does not match its seal")


def test_an_altered_byte(path):
    content = path.read_bytes()
    path.write_bytes(content.replace(b"a = 1", b"a = 2"))
    damaged(path, "text.toml cannot be read (BadZipFile: Bad CRC-32 for file 'text.toml')")


def test_members_that_are_added_missing_or_twice(path):
    members = unpack(path)
    damaged(pack(path, {**members, "more.json": b"1"}, seal=False), "member 'more.json' was added")
    outside = {**members, "../../outside": b"1"}
    damaged(pack(path, outside, seal=False), "member '../../outside' was added")
    damaged(pack(path, outside), "unexpected member '../../outside'")
    rest = {name: data for name, data in members.items() if name != "text.toml"}
    damaged(pack(path, rest, seal=False), "member 'text.toml' is missing")
    damaged(pack(path, rest | {SEAL: b"{}"}), "member text.toml is missing")
    with zipfile.ZipFile(pack(path, members), "a") as archive, pytest.warns(UserWarning):
        archive.writestr("text.toml", "again")
    damaged(path, "a member appears twice")


def test_a_zip_bomb_takes_no_memory(path):
    members = {**unpack(path), "text.toml": b"0" * 50_000_000}
    pack(path, members, method=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    damaged(path, f"member {next(iter(members))!r} claims a size it cannot have")


def test_members_that_claim_more_than_the_file_holds(path):
    """Overlapping members: each fits, together they do not."""
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02")
    content[place + 20 : place + 28] = struct.pack("<II", len(content), len(content))
    path.write_bytes(content)
    damaged(path, "member 'seal.json' claims a size it cannot have")


def header(text):
    text = text + " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its header cannot be read (EOF: reading magic string, expected 8 bytes got 0)"),
        (b"\x93NUMPY\x02\x00", "it is of .npy version 2"),
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"cos\nsystem",
         "it holds Python objects, which only unpickling could read"),
        (header("{'descr': '<U3', 'fortran_order': False, 'shape': (1,)}") + bytes(12),
         "it has type <U3; numbers of at most 8 bytes are needed"),
        (header("{'descr': '<c16', 'fortran_order': False, 'shape': (1,)}") + bytes(16),
         "it has type complex128; numbers of at most 8 bytes are needed"),
        (header("{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}") + bytes(8),
         "its shape is (-1,)"),
        (header("{'descr': '<i4', 'fortran_order': False, 'shape': (1000000000000,)}") + bytes(8),
         "its header promises shape (1000000000000,) of int32, but it holds 136 bytes"),
        (header("{'descr': '<i4', 'fortran_order': False, 'shape': (1,)}") + bytes(8),
         "its header promises shape (1,) of int32, but it holds 136 bytes"),
        (header("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}") + b"\x01\x02",
         "a truth value in it is neither 0 nor 1"),
    ],
    ids=["empty", "version", "objects", "text", "complex", "negative", "huge", "short", "truth"],
)  # fmt: skip
def test_arrays_that_are_not_plain(path, content, reason):
    name = array_name(path)
    pack(path, {**unpack(path), name: content})
    damaged(path, f"{name} is no plain array: {reason}")


@pytest.mark.parametrize("text", ["(" * 5000, "{'descr': 3}", "[" * 90 + "]" * 90, "\x00", "1 + "])
def test_array_headers_that_are_not_headers(path, text):
    name = array_name(path)
    pack(path, {**unpack(path), name: header(text) + bytes(8)})
    assert f"{name} is no plain array: its header cannot be read (" in refused(path)


@pytest.mark.parametrize("reference", [3, "", "../a", "A" * 32, ["a"]])
def test_references_that_are_none(path, reference):
    members = unpack(path)
    members["values.json"] = json.dumps({"array": reference}).encode()
    damaged(pack(path, members), f"{reference!r} is no reference to an array")


@pytest.mark.parametrize("document", ["[" * 100_000, '{"a": NaN}', "{", "\x80", "1" * 5000])
def test_documents_that_are_not_json(path, document):
    pack(path, {**unpack(path), "values.json": document.encode("latin-1")})
    assert "values.json is not JSON (" in refused(path)
