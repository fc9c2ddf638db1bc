"""Classes and distances, by hand."""

import numpy as np
import pytest

from snndeploy.metrics import Meaning, classes, difference, labels_are, scores

PLAIN = Meaning()


@pytest.mark.parametrize(
    "y, shape, meaning, expected",
    [
        ([0, 2], (3,), PLAIN, "classes"),
        ([0, 1], (1,), PLAIN, "sign"),
        ([[0], [1]], (1,), PLAIN, "sign"),
        ([0, 7], (1,), PLAIN, "targets"),
        ([0.0, 1.0], (1,), PLAIN, "targets"),  # real labels are targets, whatever they are
        ([[0.5, 2.0, 1.0]], (3,), PLAIN, "targets"),
        ([[1, 2, 3]], (3,), PLAIN, "targets"),
        ([0.5, 2.0], (3,), PLAIN, None),
        (np.zeros((2, 4, 4), int), (3, 4, 4), PLAIN, "classes"),
        (np.zeros((2, 4, 4), int), (1, 4, 4), PLAIN, "sign"),
        (np.zeros((2, 3, 4, 4)), (3, 4, 4), PLAIN, "targets"),
        ([0, 1], (3, 4, 4), PLAIN, None),
        ([0, 9], (), Meaning(is_class=True), "classes"),
        ([0.0, 9.0], (), Meaning(is_class=True), None),
    ],
)
def test_what_labels_are(y, shape, meaning, expected):
    assert labels_are(np.asarray(y), shape, meaning) == expected


def test_classes_of_scores_signs_and_maps():
    assert classes(np.array([[0.1, 0.3, 0.2]]), (3,), PLAIN).tolist() == [1]
    assert classes(np.array([[-0.1], [0.1]]), (1,), PLAIN).tolist() == [0, 1]
    assert classes(np.array([[0.4], [0.6]]), (1,), Meaning(level=0.5)).tolist() == [0, 1]
    assert classes(np.array([[2.0], [1.0]]), (), Meaning(is_class=True)).tolist() == [2, 1]
    two = np.array([[[[1, 0]], [[0, 5]]]])  # (1, 2, 1, 2): class 0 at the left, 1 at the right
    assert classes(two.reshape(1, -1), (2, 1, 2), PLAIN).tolist() == [[[0, 1]]]


def test_distances_by_hand():
    found = difference(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]))
    assert found["mse"] == pytest.approx((0 + 1 + 4) / 3)
    assert (found["mae"], found["largest"]) == (1.0, 2.0)
    # deviations -4/3 -1/3 5/3 and -1 1 0:  r = 1 / sqrt(42/9 * 2)
    assert found["correlation"] == pytest.approx(1 / np.sqrt(42 / 9 * 2))
    assert difference(np.ones(3), np.arange(3.0))["correlation"] is None


def test_one_output_is_never_right_by_itself():
    found = scores(np.array([[1.0], [2.0]]), np.array([[-1.0], [2.5]]), None, (1,), PLAIN)
    assert found["accuracy"] == {"reference": None, "chip": None, "agreement": None}
    assert found["accuracy_of"] is None
    assert found["error"]["agreement"]["largest"] == 2.0


def test_the_sign_is_a_class_where_labels_say_so():
    chip, reference = np.array([[1.0], [-2.0], [0.5]]), np.array([[1.0], [-2.0], [-0.5]])
    found = scores(chip, reference, np.array([1, 0, 0]), (1,), PLAIN)
    assert found["accuracy"] == {"reference": 1.0, "chip": 2 / 3, "agreement": 2 / 3}
    assert found["accuracy_of"] == "sign of the output"


def test_targets_have_errors_and_no_accuracy():
    chip, reference = np.array([[1.0, 2.0]]), np.array([[1.0, 1.0]])
    found = scores(chip, reference, np.array([[0.0, 2.0]]), (2,), PLAIN)
    assert set(found["accuracy"].values()) == {None}
    assert found["error"]["chip"]["mae"] == 0.5 and found["error"]["reference"]["mae"] == 1.0
    assert found["error"]["agreement"]["mse"] == 0.5


def test_maps_are_right_position_by_position():
    chip = np.array([[[[1, 0]], [[0, 5]]]]).reshape(1, -1)
    found = scores(chip, None, np.array([[[0, 0]]]), (2, 1, 2), PLAIN)
    assert found["accuracy"] == {"reference": None, "chip": 0.5, "agreement": None}
    assert found["accuracy_of"] == "class at every position"
