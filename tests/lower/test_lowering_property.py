"""Random models: the lowered network fires exactly as the model; so do engine and reference."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from lowering_checks import check_model
from random_models import models

from snndeploy.errors import UnsupportedError
from snndeploy.target import Target

pytestmark = pytest.mark.torch

FEW = settings(max_examples=25, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=300, suppress_health_check=list(HealthCheck))


@FEW
@given(models())
def test_lowered_networks_fire_as_the_model_does(model):
    check_model(model, Target.load("loihi2"))


@pytest.mark.slow
@MANY
@given(models())
def test_many_lowered_networks_fire_as_the_model_does(model):
    check_model(model, Target.load("loihi2"))


@settings(FEW, max_examples=8)
@given(models())
def test_lowered_networks_without_graded_spikes(model):
    try:
        check_model(model, Target.load("loihi1"))
    except UnsupportedError as error:
        assert error.reason == "graded spikes"
