"""Parts of runs that were killed are removed by the next one; those of living runs are not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snndeploy.errors import DeployError
from snndeploy.files import parts
from snndeploy.files.writing import replacing_folder, write_json, write_text

HOLDS = """
import sys, time
from pathlib import Path
from snndeploy.files.writing import replacing, replacing_folder
place = Path(sys.argv[2])
with (replacing if sys.argv[1] == "file" else replacing_folder)(place):
    print("open", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(request, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, request.param, str(tmp_path / "other")],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout.readline() == b"open\n"
    yield process
    process.kill()
    process.communicate()


def part_names(folder):
    return [name for name in os.listdir(folder) if name.endswith(parts.SUFFIX)]


@pytest.mark.parametrize("holder", ["file", "folder"], indirect=True)
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_only_what_nobody_holds_is_removed(tmp_path, holder, stop):
    write_json(tmp_path / "a.json", {})
    assert len(part_names(tmp_path)) == 1, "a living run's part was removed"
    holder.send_signal(stop)
    holder.wait(timeout=20)
    write_json(tmp_path / "a.json", {})
    assert os.listdir(tmp_path) == ["a.json"]


WRITES = """
import sys
from pathlib import Path
from snndeploy.files.writing import replacing_folder, write_text
for turn in range(int(sys.argv[2])):
    with replacing_folder(Path(sys.argv[1])) as part:
        for name in ("a", "b", "c"):
            write_text(part / name, f"{sys.argv[3]} {turn}")
"""


def test_writers_and_a_reader_of_one_folder(tmp_path):
    """Four writers: none fails, and who opens the folder finds it there and whole."""
    folder = tmp_path / "run"
    with replacing_folder(folder) as part:
        for name in "abc":
            write_text(part / name, "0 0")
    (folder / "notes").write_text("mine")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITES, str(folder), "25", str(number)])
        for number in range(4)
    ]
    end, reads = time.monotonic() + 120, 0
    while any(writer.poll() is None for writer in writers) and time.monotonic() < end:
        handle = os.open(folder, os.O_RDONLY)  # one of the folders that had this place
        texts = {read_at(handle, name) for name in ("a", "b", "c")}
        os.close(handle)
        assert len(texts - {None}) <= 1, texts  # None: that one is being removed
        assert (folder / "notes").read_text() == "mine"
        reads += 1
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0] and reads > 10
    assert sorted(os.listdir(tmp_path)) == ["run"]
    assert sorted(os.listdir(folder)) == ["a", "b", "c", "notes", "written.json"]


def read_at(handle, name):
    try:
        with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=handle)) as file:
            return file.read()
    except FileNotFoundError:
        return None


@pytest.fixture
def renames(monkeypatch):
    monkeypatch.setattr(parts, "_exchanged", lambda part, place: False)


def written_over(folder, monkeypatch, error):
    """Written again, with the second of the two renames stopped by an error."""
    with replacing_folder(folder) as part:
        write_text(part / "a", "1")
    (folder / "notes").write_text("mine")
    rename = Path.rename

    def stopped(self, target):
        if self.name.endswith(parts.SUFFIX) and Path(target) == folder:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stopped)
    with replacing_folder(folder) as part:
        write_text(part / "a", "2")


def test_a_rename_that_fails_puts_the_older_folder_back(tmp_path, monkeypatch, renames):
    with pytest.raises(DeployError, match="Disk quota exceeded"):
        written_over(tmp_path / "run", monkeypatch, OSError(122, "Disk quota exceeded"))
    assert os.listdir(tmp_path) == ["run"]
    assert (tmp_path / "run" / "a").read_text() == "1"
    assert (tmp_path / "run" / "notes").read_text() == "mine"


def test_killed_between_two_renames_the_users_files_are_kept(tmp_path):
    folder = tmp_path / "run"
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)])
    assert done.returncode == -signal.SIGKILL and not folder.exists()
    write_json(tmp_path / "a.json", {})  # removes parts that nobody holds
    (aside,) = tmp_path.glob("*.old")
    assert (aside / "notes").read_text() == "mine"


KILLED = """
import os, signal, sys
from pathlib import Path
from snndeploy.errors import DeployError
from snndeploy.files import parts
from snndeploy.files.writing import replacing_folder, write_text
folder = Path(sys.argv[1])
with replacing_folder(folder) as part:
    write_text(part / "a", "1")
(folder / "notes").write_text("mine")
parts._exchanged = lambda part, place: False
rename = Path.rename
def killed(self, target):
    if Path(target) == folder:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.rename = killed
with replacing_folder(folder) as part:
    write_text(part / "a", "2")
"""


def test_where_folders_cannot_be_exchanged_two_renames_do(tmp_path, renames):
    for text in ("1", "2"):
        with replacing_folder(tmp_path / "run") as part:
            write_text(part / "a", text)
    assert (tmp_path / "run" / "a").read_text() == "2" and os.listdir(tmp_path) == ["run"]
