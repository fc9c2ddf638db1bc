"""Finding a Python 3.10, and refusing to touch what is not ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snndeploy.backends.lava import environment
from snndeploy.errors import DeployError


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    """No interpreter on the PATH, none of pyenv's, no uv."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.delenv("SNNDEPLOY_PYTHON310", raising=False)
    return tmp_path


def script(path: Path, says: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_the_users_choice_comes_first(nothing_installed, monkeypatch):
    chosen = script(nothing_installed / "mine", "3.10")
    script(nothing_installed / "bin" / "python3.10", "3.10")
    monkeypatch.setenv("SNNDEPLOY_PYTHON310", str(chosen))
    assert environment.find_python310() == chosen


def test_a_wrong_choice_is_refused(nothing_installed, monkeypatch):
    chosen = script(nothing_installed / "mine", "3.11")
    monkeypatch.setenv("SNNDEPLOY_PYTHON310", str(chosen))
    with pytest.raises(DeployError) as caught:
        environment.find_python310()
    assert str(caught.value) == (
        f"SNNDEPLOY_PYTHON310 is {chosen}, which is not a working Python 3.10"
    )


def test_a_shim_that_does_not_run_is_passed_over(nothing_installed):
    script(nothing_installed / "bin" / "python3.10", "", code=127)
    pyenv = script(nothing_installed / ".pyenv/versions/3.10.13/bin/python", "3.10")
    assert environment.find_python310() == pyenv


def test_uv_knows_one(nothing_installed):
    python = script(nothing_installed / "uv-python", "3.10")
    script(nothing_installed / "bin" / "uv", str(python))
    assert environment.find_python310() == python


def test_without_any_the_error_says_what_to_install(nothing_installed):
    with pytest.raises(DeployError) as caught:
        environment.find_python310()
    assert str(caught.value) == (
        "Lava needs Python 3.10 and none was found: install it (`uv python install 3.10` or "
        "`pyenv install 3.10`), or set SNNDEPLOY_PYTHON310 to its path"
    )


def test_the_default_folder_follows_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment.default_folder() == tmp_path / "snndeploy" / "lava-0.10.0"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert environment.default_folder() == tmp_path / ".cache" / "snndeploy" / "lava-0.10.0"


def test_a_foreign_folder_is_left_alone(nothing_installed):
    script(nothing_installed / "bin" / "python3.10", "3.10")
    folder = nothing_installed / "project"
    folder.mkdir()
    (folder / "pyvenv.cfg").write_text("somebody's own environment")
    with pytest.raises(DeployError) as caught:
        environment.setup_environment(folder)
    assert str(caught.value) == (
        f"{folder} exists and is not Lava's environment; name another folder, or remove it"
    )
    assert (folder / "pyvenv.cfg").exists()


def test_a_failed_installation_is_one_line_and_not_taken_for_finished(nothing_installed):
    script(nothing_installed / "bin" / "python3.10", "3.10")
    folder = nothing_installed / "lava"
    make = nothing_installed / "bin" / "python3.10"
    make.write_text(
        "#!/bin/sh\n"
        'if [ "$2" = "venv" ]; then\n'
        f"  /bin/mkdir -p {folder}/bin\n"
        f'  printf "#!/bin/sh\\necho ERROR: no such wheel >&2; exit 1\\n" > {folder}/bin/python\n'
        f"  /bin/chmod 755 {folder}/bin/python\n"
        "else echo 3.10; fi\n"
    )
    for _ in range(2):  # an unfinished environment is made again
        with pytest.raises(DeployError) as caught:
            environment.setup_environment(folder)
        assert str(caught.value) == ("Lava's environment could not be filled: ERROR: no such wheel")
        assert environment.environment_python(folder) is None


def test_every_locked_package_has_hashes_and_nothing_names_a_host():
    text = environment.LOCK.read_text()
    packages = re.findall(
        r"^([a-z-]+)==\S+ \\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", text, re.M
    )
    names = [name for name, _ in packages]
    assert names == sorted(names)
    assert {"lava-nc", "numpy", "scipy", "networkx"} <= set(names)
    assert len(re.findall("==", text)) == len(packages)
    assert "://" not in text and "--index" not in text
