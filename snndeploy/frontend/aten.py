"""From torch's own operators to ours: each operation declares those that it stands for."""

from __future__ import annotations

from snndeploy.ops import KINDS
from snndeploy.ops.call import UNCHANGED, Call, Translated

UNCHANGING = (
    "aten.clone.default",
    "aten.dropout.default",
    "aten.alias.default",
    "aten.contiguous.default",
    "aten.detach.default",
    "aten.detach_.default",
    "aten.lift_fresh_copy.default",
    "aten._to_copy.default",
    "aten.to.dtype",
)


def translate_call(call: Call) -> Translated:
    """Raises ValueError, with the reason, for a call that no operation stands for."""
    if call.target in UNCHANGING:
        return _identity(call)
    found = [kind for kind in KINDS.values() if call.target in kind.torch]
    if not found:
        raise ValueError("the compiler does not know it")
    assert len(found) == 1, f"{call.target} is declared by {[kind.name for kind in found]}"
    return found[0].torch[call.target](call)


def _identity(call: Call) -> Translated:
    dtype = str(call.get("dtype", "torch.float32"))
    if not dtype.startswith(("torch.float", "torch.bfloat", "torch.double", "torch.half")):
        raise ValueError(f"it converts values to {dtype.removeprefix('torch.')}")
    return UNCHANGED
