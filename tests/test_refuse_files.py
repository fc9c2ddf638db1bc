"""Data, program files and places to write that cannot be used: one line, nothing written."""

import numpy as np
import pytest
from cli_runner import compiling, refused, simulating
from privileges import without_privileges
from tampering import edit_json, pack, unpack

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((2, 1, 9, 8))}, "bad.npz: samples have shape (1, 9, 8), the model takes"
         " (1, 8, 8); reshape or resize the data"),
        ({"x": np.full((2, 1, 8, 8), np.nan)}, "bad.npz: x has 128 values that are NaN or"
         " infinite"),
        ({"images": np.zeros((2, 1, 8, 8))}, "bad.npz has no array x (it has images)"),
        ({"x": np.array([None])}, "bad.npz: array x cannot be used: it holds Python objects, which"
         " only unpickling could read"),
        ({"x": np.zeros((2, 1, 8, 8)), "y": np.zeros(3, int)}, "bad.npz: y has shape (3,) and type"
         " int64; an integer class or a target for each of the 2 samples is needed"),
        ({"x": np.zeros((2, 1, 8, 8)), "y": np.array([1, 7])}, "bad.npz: y has classes 1..7, the"
         " model answers 3 (0..2)"),
    ],
)  # fmt: skip
def test_data_that_is_not_the_models(made, tmp_path, arrays, said):
    np.savez(tmp_path / "bad.npz", **arrays)
    assert simulating(tmp_path, made / "net.snnp", tmp_path / "bad.npz") == said


def test_truncated_data(made, tmp_path):
    content = (made / "data.npz").read_bytes()
    (tmp_path / "bad.npz").write_bytes(content[: len(content) // 2])
    assert simulating(tmp_path, made / "net.snnp", tmp_path / "bad.npz") == (
        "bad.npz is not a readable .npz file: BadZipFile: File is not a zip file"
    )


def test_calibration_data_of_another_shape(bench):
    np.savez(bench / "bad.npz", x=np.zeros((2, 1, 9, 8)))
    said = compiling(bench, "tiny_model.py:net()", "--calibration", bench / "bad.npz")
    assert said == (
        "bad.npz: samples have shape (1, 9, 8), the model takes (1, 8, 8); reshape or resize the"
        " data"
    )


# program files


def test_a_truncated_program(made, tmp_path, program_copy):
    program_copy.write_bytes(program_copy.read_bytes()[:-30])
    assert simulating(tmp_path, program_copy, made / "data.npz") == (
        "net.snnp is not a whole program file (BadZipFile: File is not a zip file); it may be"
        " truncated: compile it again or copy it once more"
    )


def test_an_edited_program(made, tmp_path, program_copy):
    members = unpack(program_copy)
    members["network.json"] = members["network.json"].replace(b'"hard"', b'"soft"')
    pack(program_copy, members, seal=False)
    assert simulating(tmp_path, program_copy, made / "data.npz") == (
        "net.snnp is damaged or was altered: network.json does not match its seal; compile it again"
    )
    assert refused(tmp_path, "inspect", program_copy).endswith("compile it again")


def test_an_edited_program_under_a_new_seal(made, tmp_path, program_copy):
    edit_json(program_copy, "network.json", lambda network: network.update(timesteps=-3))
    assert simulating(tmp_path, program_copy, made / "data.npz") == (
        "net.snnp is damaged or was altered: network timesteps is -3, not a whole number in"
        " 1..65536; compile it again"
    )


def test_a_newer_program(made, tmp_path, program_copy):
    edit_json(program_copy, "manifest.json", lambda m: m.update(schema="snndeploy.program/9"))
    assert simulating(tmp_path, program_copy, made / "data.npz") == (
        "net.snnp has schema 'snndeploy.program/9'; this release reads snndeploy.program/3:"
        " install the release that wrote it, or compile again"
    )


# where to write


@pytest.mark.parametrize("command", ["compile", "inspect", "simulate"])
def test_outputs_that_cannot_be_written(command, made, tmp_path, closed_folder):
    """Refused before the work: SPEC and DATA do not even exist."""
    (tmp_path / "file").write_text("")
    option = {"compile": "-o", "inspect": "--json", "simulate": "--json"}[command]
    rest = {"compile": ["gone.py:net()"], "inspect": ["gone.py:net()"],
            "simulate": ["gone.snnp", "--data", "gone.npz"]}[command]  # fmt: skip

    def said(path):
        return refused(tmp_path, command, *rest, option, path)

    assert said(tmp_path) == f"cannot write {tmp_path}: it is a folder; name a file"
    assert said(tmp_path / "no" / "a") == (
        f"cannot write {tmp_path}/no/a: folder {tmp_path}/no does not exist; create it first"
    )
    assert said(tmp_path / "file" / "a") == (
        f"cannot write {tmp_path}/file/a: folder {tmp_path}/file is a file"
    )
    with without_privileges():
        found = said(closed_folder / "a")
    assert found == (
        f"cannot write {closed_folder}/a: no permission in folder {closed_folder}; choose another"
    )


def test_verify_deploy_and_export_refuse_like_the_others(made, tmp_path, program_copy):
    (tmp_path / "file").write_text("")
    assert refused(tmp_path, "deploy", program_copy, "-o", tmp_path / "file") == (
        f"cannot write into {tmp_path}/file: it is a file; name a folder"
    )
    assert refused(tmp_path, "export", program_copy, "--format", "netx", "-o", tmp_path) == (
        f"cannot write {tmp_path}: it is a folder; name a file"
    )
    np.savez(tmp_path / "bad.npz", x=np.zeros((2, 3)))
    for command in (("verify", program_copy), ("deploy", program_copy, "-o", tmp_path / "out")):
        assert refused(tmp_path, *command, "--data", tmp_path / "bad.npz") == (
            "bad.npz: samples have shape (3,), the model takes (1, 8, 8); reshape or resize the"
            " data"
        )
    program_copy.write_bytes(program_copy.read_bytes()[:-30])
    for command in (("verify",), ("deploy", "-o", tmp_path / "out"),
                    ("export", "--format", "netx", "-o", tmp_path / "a.net")):  # fmt: skip
        said = refused(tmp_path, command[0], program_copy, *command[1:])
        assert said.startswith(f"{program_copy} is not a whole program file (BadZipFile: ")


def test_a_report_folder_that_cannot_be_made(tmp_path, closed_folder):
    (tmp_path / "file").write_text("")
    rest = ("simulate", "gone.snnp", "--data", "gone.npz", "-o")
    assert refused(tmp_path, *rest, tmp_path / "file") == (
        f"cannot write into {tmp_path}/file: it is a file; name a folder"
    )
    with without_privileges():
        said = refused(tmp_path, *rest, closed_folder / "run")
    assert said == (
        f"cannot write {closed_folder}/run: no permission in folder {closed_folder}; choose another"
    )
