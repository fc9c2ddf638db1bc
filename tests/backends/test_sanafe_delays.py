"""What SANA-FE's `detailed` adds to walking, flight and service, and what `cycle` does."""

from __future__ import annotations

import numpy as np
import pytest
from sanafe_compare import observe, on_chip, run_sample, run_sanafe, stating
from sanafe_delays import durations, read_messages
from test_sanafe import LOIHI1, mlp, sanafe, small_conv

from snndeploy.backends.sanafe.export import export_sanafe
from snndeploy.mapping import place
from snndeploy.timing.cycle import cycle_timing

__all__ = ["sanafe"]  # the fixture

UNLIMITED = 60_000  # messages in a buffer, more than any step has on a link
# detailed without both estimates, over detailed: what they are worth (docs/sanafe.md)
WITHOUT = {"MLP A": 0.68, "small conv": 0.92}


@pytest.mark.sanafe
@pytest.mark.parametrize("name", WITHOUT)
def test_both_agree_but_for_the_estimates_of_queueing(sanafe, tmp_path, name):
    network, injected = {"MLP A": lambda: mlp(20), "small conv": lambda: small_conv(20)}[name]()
    network, sample = on_chip(network, run_sample(network, injected))
    layout = place(network, LOIHI1, seed=0)
    recorder, _ = observe(network, layout, sample, LOIHI1)
    export = export_sanafe(network, layout, LOIHI1, tmp_path, recorder)
    detailed = run_sanafe(sanafe, tmp_path, export.steps)["sim_time"][export.skip :]
    steps = read_messages(tmp_path / "messages.csv")[export.skip :]
    barrier = 1e-9 * LOIHI1.barrier_ns(layout.mapped_routers)
    whole = durations(steps, blocking=True, queueing=True) + barrier
    np.testing.assert_allclose(whole, detailed, rtol=1e-5)  # the trace has six digits
    plain = durations(steps, blocking=False, queueing=False) + barrier
    assert plain.sum() / detailed.sum() == pytest.approx(WITHOUT[name], abs=0.03)
    unlimited = stating(LOIHI1, link_buffer_messages=UNLIMITED)
    ours = cycle_timing(network, layout, unlimited, recorder, pipelined=True).step_seconds
    assert ours.sum() == pytest.approx(plain.sum(), rel=0.02)
