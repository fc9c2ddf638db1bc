"""What a file declares is held against the budget before memory is taken."""

import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from snndeploy.data.npz import read_npz
from snndeploy.errors import DataError, TargetError
from snndeploy.files import tables
from snndeploy.files.budget import GIB, check_budget, memory_of

PEAK = """
import resource
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from snndeploy.errors import DeployError
from snndeploy.data import load_data
from snndeploy.target import Target
try:
    {0}
except DeployError as error:
    print(error)
status = Path("/proc/self/status").read_text()  # ru_maxrss would begin with our own
print(int(status.partition("VmHWM:")[2].split()[0]) >> 10)
"""


def peak_mib(statement):
    """What a statement says when it is refused, and the most that its process held."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK.format(statement)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    *said, peak = done.stdout.splitlines()
    return "".join(said), int(peak)


def header(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


@pytest.fixture
def bomb(tmp_path):
    """1.4 MB that unpack to 1.4 GiB."""
    path = tmp_path / "bomb.npz"
    rows = 1500
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as member,
    ):
        member.write(header((rows, 1 << 20)))
        for _ in range(rows):
            member.write(bytes(1 << 20))
    return path


def test_a_small_file_that_unpacks_to_more_than_the_budget(bomb):
    said, peak = peak_mib(f"load_data({str(bomb)!r})")
    assert said == (
        f"{bomb}, unpacked, takes 1.5 GiB of memory and 1.0 GiB are allowed: raise that with"
        " --memory 2, or use fewer --samples"
    )
    assert peak < 400


def test_a_few_samples_of_it_take_the_memory_of_a_few(bomb):
    said, peak = peak_mib(f"print(load_data({str(bomb)!r}, None, 2).x.shape)")
    assert said == "(2, 1048576)" and peak < 400


def test_the_first_samples_are_those_of_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 2, 3)).astype(np.float32), np.arange(7)
    np.savez_compressed(tmp_path / "c.npz", x=x, y=y)
    np.savez(tmp_path / "f.npz", x=np.asfortranarray(x), y=y)
    for name in ("c.npz", "f.npz"):
        for most in (1, 6, 7, 9, None):
            found = read_npz(tmp_path / name, most).take(most)
            assert np.array_equal(found.x, x[:most]) and np.array_equal(found.y, y[:most])


def test_the_budget_is_raised_as_the_message_says():
    with pytest.raises(DataError, match=r"^x takes 2\.5 GiB of memory .* with --memory 3$"):
        check_budget(5 * GIB // 2, "x", DataError)
    with memory_of(3):
        check_budget(5 * GIB // 2, "x", DataError)


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 50_000 + " = 1",
        "[" + "a." * 50_000 + "a]",
        "x = {" + "a . " * 50_000 + "a = 1}",
        "x." + '"a".' * 50_000 + "a = 1",
    ],
    ids=["key", "header", "inline", "quoted"],
)
def test_a_long_dotted_key_takes_no_memory(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    said, peak = peak_mib(f"Target.load({str(path)!r})")
    assert said == f"{path} is refused: a key of it has more than 17 parts" and peak < 300


def test_dots_in_texts_are_no_keys():
    dots = "a." * 100
    assert tables.toml(f"x = \"{dots}\"\ny = '{dots}'", "t") == {"x": dots, "y": dots}


def test_files_that_are_no_small_documents(tmp_path):
    (tmp_path / "large.toml").write_bytes(b"#" * ((1 << 20) + 1))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for name, words in (
        ("large.toml", "has 1,048,577 bytes; at most 1,048,576 are read"),
        ("deep.json", "is not readable as JSON: RecursionError"),
        ("binary.toml", "cannot read t"),
        ("none.json", "does not exist"),
    ):
        with pytest.raises(TargetError, match=words):
            tables.table(tmp_path / name, "t", TargetError)
