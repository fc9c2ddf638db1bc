"""What `inspect` says, as JSON and as text."""

from __future__ import annotations

from dataclasses import asdict

from snndeploy.passes.audit import AuditRow
from snndeploy.report.audit import audit_json, audit_text

ROWS = (
    AuditRow("stem", "conv", "encoder", "real", "mac", 1000, 0.5, True, "reads reals", ""),
    AuditRow("conv", "conv", "body", "binary", "accumulate", 750, 0.375, False, "", ""),
    AuditRow("shortcut", "conv", "body", "real", "mac", 200, 0.1, False, "", "by linearity"),
    AuditRow("events", "linear", "body", "integer", "integer", 50, 0.025, False, "", ""),
    AuditRow("", "neuron", "body", "real", "other", 16, 0.0, False, "", ""),
)
FACTS = {
    "model": {"name": "small", "parameters": 1234, "timesteps": 4, "input_shape": [1, 28, 28],
              "input_signal": "real", "weights": "small.safetensors"},
    "audit": [row.as_json() for row in ROWS],
    "flags": {"synapses_binary": False, "needs_dynamic_multiply": False,
              "needs_full_window": True, "reasons": ["mlp: mixes time steps"] * 2},
    "notes": ["time steps 4: from the model's T"],
}  # fmt: skip

WHOLE = """\
small: 1,234 parameters, T=4, input 1x28x28 (real), weights small.safetensors

  layer         op     side    reads     work  operations    share
  stem        conv  encoder     real      MAC       1,000  50.00 %
  conv        conv     body   binary       AC         750  37.50 %
  shortcut    conv     body     real  MAC->AC         200  10.00 %
  events    linear     body  integer  integer          50   2.50 %
  (model)   neuron     body     real        -          16

  - layers by what they read: 1 binary, 1 integer, 2 real
  - operations are a sample's, at rate 1 and with zero padding, as the papers
    count them; neurons and products count elements
  - constant over T, so computed once a sample: stem

Is it spike-driven?
  every layer on the chip reads spikes (after rewriting)      no
  needs a product of two signals on the chip                  no
  needs the whole time window on the chip                    yes
  - mlp: mixes time steps

Notes
  - time steps 4: from the model's T
"""


def test_json_counts_what_layers_read():
    found = audit_json(FACTS)
    assert found["schema"] == "snndeploy.audit/1"
    assert found["layers_by_input"] == {"binary": 1, "integer": 1, "real": 2, "attention": 0}
    assert found["layers"] == [asdict(row) for row in ROWS]
    assert found["partition"]["needs_full_window"] is True
    assert found["notes"] == FACTS["notes"]


def test_whole_text():
    assert audit_text(audit_json(FACTS)) == WHOLE


def test_attention_is_counted_apart():
    score = AuditRow("mlp", "linear", "body", "real", "attention", 100, 0.05, False, "scores", "")
    found = audit_json({**FACTS, "audit": [*FACTS["audit"], score.as_json()] * 2})
    assert found["layers_by_input"] == {"binary": 2, "integer": 2, "real": 4, "attention": 2}
    text = audit_text(found)
    assert "  - layers by what they read: 2 binary, 2 integer, 4 real; 2 more find" in text
    assert "  mlp       linear     body     real      MAC         100   5.00 %" in text


def test_text_fits_with_long_names():
    long = [{**row.as_json(), "layer": f"{row.layer}.{'block.' * 30}"} for row in ROWS]
    model = {**FACTS["model"], "name": "model" * 30, "weights": "w" * 120}
    flags = {**FACTS["flags"], "reasons": ["x" * 200]}
    text = audit_text(audit_json({"model": model, "audit": long, "flags": flags, "notes": []}))
    assert max(map(len, text.splitlines())) <= 90
