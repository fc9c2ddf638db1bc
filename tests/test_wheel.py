"""A wheel holds everything that a run from another folder needs, and nothing at the top besides."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("snndeploy", "models", "targets", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", *options, "-w", folder, source], check=True)
    return next(folder.glob("*.whl"))


def test_it_holds_what_ships(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"snndeploy"}
    shipped = [
        (folder, path)
        for folder, endings in (("models", (".py", ".toml", ".npz", ".safetensors")),
                                ("targets", (".toml",)), ("snndeploy", (".py", ".lock")))
        for path in (ROOT / folder).rglob("*") if path.suffix in endings
    ]  # fmt: skip
    for folder, path in shipped:
        inside = path.relative_to(ROOT).as_posix()
        assert (inside if folder == "snndeploy" else f"snndeploy/{inside}") in names
    assert "snndeploy/py.typed" in names


def test_it_runs_from_another_folder(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys, snndeploy\nprint(snndeploy.__file__)\n"
        "from snndeploy.cli import main\nmain(sys.argv[1:])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    told = {
        ("models", "list"): "gac-digits",
        ("inspect", "gac-digits"): "gac-digits",
        ("reproduce", "S1.1"): "1,108,200",
    }
    for arguments, words in told.items():
        run = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        assert run.stdout.startswith(f"{tmp_path}/site/snndeploy/__init__.py\n")
        assert words in run.stdout
