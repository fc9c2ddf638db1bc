"""Bit-for-bit comparison of an engine with the reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import reject
from random_networks import Case

from snndeploy.engines.activity import Activity
from snndeploy.engines.reference import run_reference
from snndeploy.errors import DeployError
from snndeploy.network import Network


def assert_same(expected: Activity, found: Activity) -> None:
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    assert found.outputs.dtype == np.int64
    for kind in ("spike_counts", "spikes", "membranes"):
        assert getattr(found, kind).keys() == getattr(expected, kind).keys()
        for name, array in getattr(expected, kind).items():
            np.testing.assert_array_equal(getattr(found, kind)[name], array, err_msg=name)
            assert getattr(found, kind)[name].dtype == array.dtype, name
    assert found.warnings == expected.warnings


def everything(network: Network) -> tuple[list[str], list[str]]:
    """Names of all populations, and of those with membranes."""
    stateful = [p.name for p in network.populations if p.neuron.has_membrane]
    return list(network.by_name), stateful


def compare(case: Case, run: Callable[..., Activity]) -> None:
    expected = run_reference(case.network, case.injected, samples=case.samples)
    for batch in {None, 2 if case.samples > 2 else None}:
        try:
            found = run(case.network, case.injected, *everything(case.network), batch=batch)
        except DeployError as error:
            assert "needs over 32 bits" in str(error)
            reject()  # no engine can record such a payload: hypothesis draws another network
        assert_same(expected, found)
