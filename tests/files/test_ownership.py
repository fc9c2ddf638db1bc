"""What is ours is replaced, what is somebody else's never is, unless forced."""

import json
import os
import zipfile

import h5py
import numpy as np
import pytest

from snndeploy.errors import DeployError
from snndeploy.files.ownership import MARK, RECORD, check_ours, forced, is_ours, recorded
from snndeploy.files.writing import check_folder, replacing_folder, write_json, write_text

STRANGERS = {
    "model.py": b"import snndeploy\nfrom torch import nn\n",
    "notes.json": b'{"snndeploy": "a note about it"}',
    "empty_list.json": b"[]",
    "page.html": b"<!DOCTYPE html>\n<html>about snndeploy</html>",
    "other.onnx": b"\x08\x09\x12\x07pytorch",
    "other.h5": b"\x89HDF\r\n\x1a\nweights",
    "digits.npz": b"PK\x03\x04 no archive",
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_strangers_file_is_refused_and_stays(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(STRANGERS[name])
    with pytest.raises(DeployError) as caught:
        write_json(path, {})
    assert str(caught.value) == (
        f"{path} exists, and snndeploy did not write it: name another file, or replace it with"
        " --force"
    )
    assert path.read_bytes() == STRANGERS[name] and os.listdir(tmp_path) == [name]
    with forced():
        write_json(path, {})
    assert is_ours(path)


def test_a_mark_behind_many_numbers_is_found(tmp_path):
    """As `export --format nir` adds it to a file that is there already."""
    path = tmp_path / "large.nir"
    with h5py.File(path, "w") as file:
        for layer in range(40):
            file[f"layer{layer}/weight"] = np.zeros((100, 100))
    assert not is_ours(path)
    with h5py.File(path, "r+") as file:
        file.attrs[MARK] = "nir"
    assert path.read_bytes().find(MARK.encode()) > 1 << 20 and is_ours(path)


def test_a_zip_that_is_no_program(tmp_path):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"")
    assert not is_ours(path)


def test_what_does_not_exist_and_what_is_empty_may_be_written(tmp_path):
    check_ours(tmp_path / "new")
    (tmp_path / "empty").touch()
    check_ours(tmp_path / "empty")


def fill(folder, **texts):
    with replacing_folder(folder) as part:
        for name, text in texts.items():
            write_text(part / f"{name}.txt", text)


def held(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECORD
    }


def test_a_folder_is_replaced_and_the_users_files_are_kept(tmp_path):
    folder = tmp_path / "run"
    fill(folder, a="1", b="2")
    (folder / "mine").mkdir()
    (folder / "mine" / "notes.txt").write_text("important")
    (folder / "results.npz").write_text("long computed")
    os.symlink("results.npz", folder / "latest")
    fill(folder, a="3", c="4")
    assert held(folder) == {
        "a.txt": "3", "c.txt": "4", "mine/notes.txt": "important", "results.npz": "long computed",
        "latest": "long computed",
    }  # fmt: skip
    assert set(recorded(folder)) == {"a.txt", "c.txt"}
    assert os.listdir(tmp_path) == ["run"]


def test_a_file_of_ours_that_was_changed_is_the_users(tmp_path):
    folder = tmp_path / "run"
    fill(folder, a="1")
    (folder / "a.txt").write_text("annotated")
    with pytest.raises(DeployError, match=r"a\.txt was changed since snndeploy wrote it: name"):
        fill(folder, a="2")
    assert held(folder) == {"a.txt": "annotated"}
    with forced():
        fill(folder, a="2")
    assert held(folder) == {"a.txt": "2"}


@pytest.mark.parametrize(
    "record",
    [
        None,
        "{",
        "[]",
        '{"snndeploy": "1"}',
        '{"snndeploy": "1", "files": {"../outside": "0"}}',
        '{"snndeploy": "1", "files": {"/etc/passwd": "0"}}',
        '{"snndeploy": "1", "files": 3}',
        "[" * 100_000,
    ],
)
def test_a_folder_with_a_record_that_is_none_loses_nothing(tmp_path, record):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "one.jpg").write_text("holiday")
    if record is not None:
        (folder / RECORD).write_text(record)
    with pytest.raises(DeployError, match="is not empty, and snndeploy did not write it"):
        check_folder(folder)
    with pytest.raises(DeployError):
        fill(folder, a="1")
    assert (folder / "one.jpg").read_text() == "holiday" and os.listdir(tmp_path) == ["photos"]


def test_a_look_alike_record_lists_only_what_has_the_listed_contents(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "one.jpg").write_text("holiday")
    (folder / RECORD).write_text(json.dumps({"snndeploy": "1", "files": {"one.jpg": "0" * 64}}))
    with pytest.raises(DeployError, match=r"one\.jpg was changed since"):
        fill(folder, a="1")
    assert (folder / "one.jpg").read_text() == "holiday"


def test_an_empty_folder_and_a_link_to_a_folder_are_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    fill(tmp_path / "link", a="1")
    assert (tmp_path / "link").is_symlink() and held(tmp_path / "empty") == {"a.txt": "1"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_what_fails_half_way_leaves_the_older_folder(tmp_path, error):
    folder = tmp_path / "run"
    fill(folder, a="1")
    with pytest.raises(error), replacing_folder(folder) as part:
        write_text(part / "a.txt", "half")
        raise error
    assert held(folder) == {"a.txt": "1"} and os.listdir(tmp_path) == ["run"]


def test_forcing_into_a_strangers_folder_keeps_its_files(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.txt").write_text("theirs")
    (folder / "b.txt").write_text("theirs")
    with forced():
        fill(folder, a="ours")
    assert held(folder) == {"a.txt": "ours", "b.txt": "theirs"}
