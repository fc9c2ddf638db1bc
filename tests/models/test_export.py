"""torch.export traces the networks when every neuron is one custom op, as the compiler does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

torch = pytest.importorskip("torch")

import gac  # noqa: E402
import lif_snn  # noqa: E402
from neurons import LIF  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def opaque_neurons(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    text = LIF.forward

    @torch.library.custom_op("modelstest::lif", mutates_args=())
    def lif(current: torch.Tensor, threshold: float, decay: float, strict: bool) -> torch.Tensor:
        return text(LIF(threshold, decay, "gt" if strict else "ge"), current).clone()

    lif.register_fake(lambda current, *_: torch.empty_like(current))
    monkeypatch.setattr(
        LIF,
        "forward",
        lambda self, x: lif(x, self.threshold, self.decay, self.fires_at == "gt"),
    )
    yield "modelstest.lif.default"


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("factory", "neurons"),
    [
        (gac.gac_digits, 8),
        (gac.direct_digits, 8),
        (gac.ms_digits, 7),
        (lambda: lif_snn.lif_snn_3_small(8), 5),
    ],
)
def test_export(factory: Callable[[], torch.nn.Module], neurons: int, opaque_neurons: str) -> None:
    torch.manual_seed(0)
    module = factory().eval()
    file = lif_snn if module.input_signal == "integer" else gac
    sample = torch.cat([file.example(module)] * 7)  # type: ignore[arg-type]
    with torch.no_grad():
        traced = torch.export.export(module, (sample,), strict=False).run_decompositions()
        called = [str(node.target) for node in traced.graph.nodes if node.op == "call_function"]
        assert called.count(opaque_neurons) == neurons
        torch.testing.assert_close(traced.module()(sample), module(sample))
