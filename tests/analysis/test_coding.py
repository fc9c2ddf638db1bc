"""T_p and dynamics duration: the golden values of section 6, and the recurrence in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snndeploy.analysis.coding import firing_period, gac_duration

NEVER = np.inf


@pytest.mark.parametrize(
    ("x", "at_or_above", "above"),
    [
        (0.55, 1, 1),
        (0.5, 1, 2),
        (0.49, 2, 2),
        (0.45, 2, 2),
        (0.41, 2, 2),
        (0.4, 2, 3),  # U^2 = .5 exactly
        (0.38, 4, 4),
        (0.37, NEVER, NEVER),
        (0.375, NEVER, NEVER),  # V_th (1 - tau): approached, never met
        (0.0, NEVER, NEVER),
        (-1.0, NEVER, NEVER),
    ],
)
def test_golden_periods(x, at_or_above, above):
    """V_th .5, tau .25: GAC Eq. 10 for the >= neuron; with > an exact tie takes a step more."""
    assert firing_period(np.array(x), 0.5, 0.25, "ge") == at_or_above
    assert firing_period(np.array(x), 0.5, 0.25, "gt") == above


def test_the_period_falls_as_the_current_grows():
    """C26: the text says that it increases."""
    periods = firing_period(np.linspace(0.376, 1.0, 200), 0.5, 0.25)
    assert (np.diff(periods) <= 0).all() and periods[0] > periods[-1] == 1


def first_spike(x, threshold, decay, fires_at, steps):
    u = Fraction(0)
    for step in range(1, steps + 1):
        u = decay * u + x
        if u > threshold or (u == threshold and fires_at == "ge"):
            return step
    return None


fractions = st.fractions(min_value=Fraction(1, 64), max_value=4, max_denominator=64)


@given(fractions, fractions, st.fractions(0, 1, max_denominator=16), st.sampled_from(["ge", "gt"]))
def test_the_closed_form_is_the_recurrence(x, threshold, decay, fires_at):
    found = float(firing_period(np.array(float(x)), float(threshold), float(decay), fires_at))
    expected = first_spike(x, threshold, decay, fires_at, 40)
    assert (found if found <= 40 else None) == expected


@given(st.integers(1, 6), st.sampled_from([Fraction(1, 4), Fraction(1, 2), Fraction(3, 10)]))
def test_exact_ties(steps, decay):
    """The current that meets the threshold exactly after so many steps."""
    threshold = Fraction(1, 2)
    x = float(threshold / sum(decay**i for i in range(steps)))
    assert firing_period(np.array(x), 0.5, float(decay), "ge") == steps
    assert firing_period(np.array(x), 0.5, float(decay), "gt") == steps + 1


@pytest.mark.parametrize(("threshold", "decay"), [(0.0, 0.5), (-1.0, 0.5), (1.0, 1.5), (1.0, -0.1)])
def test_where_there_is_no_period(threshold, decay):
    with pytest.raises(ValueError) as error:
        firing_period(np.array(1.0), threshold, decay)
    assert str(error.value) == "T_p needs a positive threshold and a decay in 0..1"


def test_durations_of_gac():
    assert [gac_duration(6, period) for period in (1, 2, 4, 5, 6, 7)] == [6, 6, 4, 5, 6, 0]
