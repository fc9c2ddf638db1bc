import os
import stat
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from privileges import without_privileges

from snndeploy.errors import DeployError
from snndeploy.files.ownership import MARK
from snndeploy.files.writing import check_folder, check_writable, replacing, write_json


def refused(function, path):
    with pytest.raises(DeployError) as caught:
        function(path)
    return str(caught.value)


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1})
    release = version("snndeploy")
    assert path.read_text() == f'{{\n "{MARK}": "{release}",\n "b": 1\n}}\n'
    assert os.listdir(tmp_path) == ["a.json"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write_json(tmp_path / "ours", {})
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_what_fails_half_way_leaves_the_older_file(tmp_path, error):
    path = tmp_path / "a"
    write_json(path, {"older": 1})
    older = path.read_bytes()
    with pytest.raises(error), replacing(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == older
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_is_one_line(tmp_path):
    def write(path):
        with replacing(path) as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    said = refused(write, tmp_path / "a")
    assert said == f"cannot write {tmp_path}/a: No space left on device; choose another folder"
    assert os.listdir(tmp_path) == []


def test_a_link_is_followed_and_a_device_is_left_in_place(tmp_path):
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_json(tmp_path / "link", {"one": 1})
    assert (tmp_path / "link").is_symlink()
    assert '"one": 1' in (tmp_path / "real").read_text()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    write_json(pipe, {"two": 2})
    assert b'"two": 2' in reader.communicate(timeout=10)[0]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_refusals_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    assert refused(check_writable, tmp_path) == (
        f"cannot write {tmp_path}: it is a folder; name a file"
    )
    assert refused(check_writable, tmp_path / "no" / "a") == (
        f"cannot write {tmp_path}/no/a: folder {tmp_path}/no does not exist; create it first"
    )
    assert refused(check_writable, tmp_path / "file" / "a") == (
        f"cannot write {tmp_path}/file/a: folder {tmp_path}/file is a file"
    )
    assert refused(check_folder, tmp_path / "file") == (
        f"cannot write into {tmp_path}/file: it is a file; name a folder"
    )
    assert refused(check_folder, tmp_path / "file" / "run") == (
        f"cannot write {tmp_path}/file/run: folder {tmp_path}/file is a file"
    )
    check_writable(tmp_path / "good")
    check_folder(tmp_path / "several" / "new" / "folders")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc, which nobody can write to")
def test_a_file_system_that_takes_no_files():
    assert refused(check_writable, Path("/proc/a.snnp")) == (
        "cannot write /proc/a.snnp: No such file or directory; choose another folder"
    )


def test_a_folder_without_permission(closed_folder):
    path = closed_folder / "a"
    with without_privileges():
        said = refused(check_writable, path)
        also = refused(lambda path: write_json(path, {}), path)
    expected = f"cannot write {path}: no permission in folder {closed_folder}; choose another"
    assert (said, also) == (expected, expected)
