import pickle

import pytest

from snndeploy import errors
from snndeploy.errors import DeployError, UnsupportedError, near_names, one_line


def test_a_message_is_always_one_line():
    assert str(DeployError("stage1 is\n   too large;\tsplit it")) == "stage1 is too large; split it"


@pytest.mark.parametrize(
    "child",
    ["ModelError", "DataError", "UnsupportedError", "FitError", "ProgramError", "TargetError"],
)
def test_children_are_deploy_errors(child):
    assert issubclass(getattr(errors, child), DeployError)


def test_unsupported_carries_node_and_reason():
    message = "stage2.lif: soft reset is not in loihi2; train with hard reset"
    error = UnsupportedError(message, node="stage2.lif", reason="soft reset")
    assert (str(error), error.node, error.reason) == (message, "stage2.lif", "soft reset")


def test_unsupported_without_reason_repeats_its_message():
    error = UnsupportedError("no soft reset")
    assert (error.node, error.reason) == ("", "no soft reset")


def test_unsupported_survives_pickling():
    error = pickle.loads(pickle.dumps(UnsupportedError("a: b", node="a", reason="b")))
    assert (str(error), error.node, error.reason) == ("a: b", "a", "b")


def test_near_names():
    assert near_names("loihi3", ["loihi2", "speck"]) == ", did you mean 'loihi2'?"
    assert near_names("LOIHI2", ["loihi2", "speck"]) == ", did you mean 'loihi2'?"
    both = near_names("loihi", ["loihi1", "loihi2", "speck"])
    assert both == ", did you mean 'loihi1' or 'loihi2'?"
    assert near_names("truenorth", ["loihi1", "loihi2"]) == ""
    assert near_names("anything", []) == ""


def test_one_line():
    assert one_line(ValueError("bad\nvalue")) == "ValueError: bad value"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_one_line_shortens_a_long_text():
    assert one_line(ValueError("x" * 500)) == "ValueError: " + "x" * 239 + "…"


def test_a_message_cannot_control_a_terminal_or_fill_it():
    assert str(DeployError("key '\x1b[2J\x07' is odd")) == "key '\\x1b[2J\\x07' is odd"
    assert (
        str(DeployError("caf\u00e9 \u2265 1, 300 \u00d7 300"))
        == "caf\u00e9 \u2265 1, 300 \u00d7 300"
    )
    assert str(DeployError("file \udcff")) == "file \\udcff"
    assert str(DeployError("x" * 5000)) == "x" * 1999 + "…"


def test_near_names_of_a_very_long_name():
    assert near_names("loihi2" * 10_000, ["loihi2"]) == ""
