"""The fast road for many steps: a module's calls recorded while it runs once on fake tensors.

`torch.export` retraces a module several times, milliseconds for every call of every step; from
FROM_STEPS on the calls are written down as torch makes them, in one run without numbers.  What is
found is what `capture.program` and `translate` read of an export: each call on values, with writes
in place turned into values by a note of whose view every tensor is:

  write to v, which is view(base)      base becomes scatter(base, v), and so on to the last base
  read of v after another such write   the view is taken anew

Nothing is taken on trust: the captured program is run against the module at all its steps, as one
from an export is.  Values that decide what the module does cannot be read on fake tensors, and
whatever else is not known here raises NotRecorded: the module is then exported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import getitem
from types import SimpleNamespace
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode, is_fake
from torch.export.graph_signature import OutputKind
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map_only

from snndeploy.frontend.capture.aliasing import (
    SAME,
    SCATTERS,
    NotRecorded,
    as_meta,
    backward,
    by_name,
    by_place,
    functional,
    is_composite_view,
    is_view,
    parts_of,
    written_by,
)

aten = torch.ops.aten
FROM_STEPS = 16


@dataclass(eq=False)
class _Value:
    """What a tensor holds by now.

    node: the call that gave it, None for a view that nobody has read.  base: the tensor that it is
    a part of; target, rest: the call that takes it, and its arguments behind the tensor.  version:
    how often it was written; seen: the version of its base that it is a view of.
    """

    tensor: Any
    node: Any = None
    base: _Value | None = None
    target: Any = None
    rest: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    seen: int = 0
    module: str = ""  # that took the view


def recorded(module: Any, example: Any, decompositions: Mapping[Any, Any]) -> Any:
    """What an exported program is to its readers.  decompositions: operators written in others.

    Raises:
        NotRecorded: the module has to be exported.
    """
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    recorder = _Recorder(decompositions, fake)
    try:
        with torch.inference_mode(), fake:
            x = fake.from_tensor(example)
            recorder.given(x)
            with recorder.paths(module), recorder:
                returned = module(x)
    except Exception as error:  # the export says it in words of the module's author
        raise NotRecorded(f"{type(error).__name__}: {error}") from None
    return recorder.exported(returned)


class _Recorder(TorchDispatchMode):
    def __init__(self, decompositions: Mapping[Any, Any], fake: Any) -> None:
        super().__init__()
        self.decompositions, self.fake = decompositions, fake
        self.fakes: dict[int, tuple[Any, Any]] = {}
        self.graph = torch.fx.Graph()
        self.values: dict[int, _Value] = {}
        self.stored: dict[str, Any] = {}
        self.path: list[str] = []

    # what the module does

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self.decompositions or is_composite_view(func):
            instead = self._instead(func, args, kwargs)
            if instead is not NotImplemented:
                return instead
        result = func(*self._fakes(args), **self._fakes(kwargs))
        if written := written_by(func):
            return self._write(func, written, args, kwargs)
        if is_view(func):
            self._viewed(by_name(func, args, kwargs), func, result)
        elif any(isinstance(part, torch.Tensor) for part in tree_leaves(result)):
            self._known(result, self._call(func, args, kwargs, result))
        return result

    def _instead(self, func: Any, args: Any, kwargs: Any) -> Any:
        """The operator written in others, which are recorded in its place."""
        with self:
            if func in self.decompositions:
                return self.decompositions[func](*args, **kwargs)
            return func.decompose(*args, **kwargs)

    def _call(self, func: Any, args: Any, kwargs: Any, result: Any) -> Any:
        return self._emit(func, self._nodes(args), self._nodes(kwargs), result)

    def _emit(
        self, func: Any, args: Any, kwargs: Any, result: Any, module: str | None = None
    ) -> Any:
        args, kwargs = by_place(func, args, kwargs)
        name = getattr(func, "overloadpacket", func).__name__
        node = self.graph.create_node("call_function", func, args, kwargs, name=name)
        node.meta["val"] = result
        path = self._module() if module is None else module
        node.meta["nn_module_stack"] = {"": (path, None)}
        return node

    def _module(self) -> str:
        return self.path[-1] if self.path else ""

    def _known(self, result: Any, node: Any) -> None:
        if isinstance(result, torch.Tensor):
            self.values[id(result)] = _Value(result, node)
            return
        for index, part in enumerate(result):
            if isinstance(part, torch.Tensor):
                item = self._emit(getitem, (node, index), {}, part)
                self.values[id(part)] = _Value(part, item)

    def _fakes(self, argument: Any) -> Any:
        """Parameters and buffers made fake once, and not for every call that reads them."""
        if isinstance(argument, torch.Tensor):
            if is_fake(argument):
                return argument
            if id(argument) not in self.fakes:
                self.fakes[id(argument)] = argument, self.fake.from_tensor(argument)
            return self.fakes[id(argument)][1]
        if isinstance(argument, (list, tuple)):
            return [self._fakes(part) for part in argument]
        if isinstance(argument, dict):
            return {key: self._fakes(part) for key, part in argument.items()}
        return argument

    # tensors and the calls that gave them

    def given(self, x: Any) -> None:
        node = self.graph.placeholder("x")
        node.meta["val"] = x
        self.values[id(x)] = _Value(x, node)

    def _nodes(self, argument: Any) -> Any:
        if isinstance(argument, torch.Tensor):
            return self._node(self._value(argument))
        if isinstance(argument, (list, tuple)):
            return [self._nodes(part) for part in argument]
        if isinstance(argument, dict):
            return {key: self._nodes(part) for key, part in argument.items()}
        return argument

    def _value(self, tensor: Any) -> _Value:
        """A tensor that no call gave is a parameter, a buffer, or was made before."""
        if id(tensor) not in self.values:
            if is_fake(tensor):
                raise NotRecorded("a tensor was made where nothing is seen")
            name = f"stored_{len(self.stored)}"
            first = next(iter(self.graph.nodes))
            with self.graph.inserting_before(first):
                node = self.graph.placeholder(name)
            node.meta["val"] = tensor
            self.stored[node.name] = tensor
            self.values[id(tensor)] = _Value(tensor, node)
        return self.values[id(tensor)]

    def _node(self, value: _Value) -> Any:
        """The call that gives what a tensor holds by now."""
        base = value.base
        if base is None:
            return value.node
        whole = self._node(base)
        if value.node is None or value.seen != base.version:
            value.version += value.node is not None
            value.seen, value.node = base.version, whole
            if value.target not in SAME:
                value.node = self._emit(
                    value.target, (whole,), value.rest, value.tensor, value.module
                )
        return value.node

    # views and writes

    def _viewed(self, given: dict[str, Any], func: Any, result: Any) -> None:
        base = self._value(given.pop("self"))
        for tensor, target, rest in parts_of(func, given, result):
            made = _Value(tensor, None, base, target, rest, module=self._module())
            self.values[id(tensor)] = made

    def _write(self, func: Any, written: Sequence[str], args: Any, kwargs: Any) -> Any:
        """A call that changes its first argument, as one that gives it anew."""
        target = functional(func)
        tensor = args[0] if args else kwargs["self"]
        if target is None or tuple(written) != ("self",):
            raise NotRecorded(f"{func} writes in place")
        value = self._value(tensor)
        self._node(value)
        named = {key: tree_map_only(torch.Tensor, as_meta, part) for key, part in kwargs.items()}
        like = target(*tree_map_only(torch.Tensor, as_meta, tuple(args)), **named)
        if like.shape != tensor.shape:
            raise NotRecorded(f"{func} changes a shape in place")
        node = self._call(target, args, kwargs, like)
        if like.dtype != tensor.dtype:
            kind = {"dtype": tensor.dtype}
            node = self._emit(aten._to_copy.default, (node,), kind, as_meta(tensor))
        self._changed(value, node)
        return tensor

    def _changed(self, value: _Value, node: Any) -> None:
        value.node = node
        value.version += 1
        base = value.base
        if base is None:
            return
        self._changed(base, self._put_back(value, base, node))
        value.seen = base.version

    def _put_back(self, value: _Value, base: _Value, node: Any) -> Any:
        """The base with its view replaced."""
        if value.target in SAME:
            return node
        if value.target in SCATTERS:
            pair = (self._node(base), node)
            return self._emit(SCATTERS[value.target], pair, value.rest, base.tensor)
        target, rest = backward(value.target, value.rest, base.tensor.shape)
        return self._emit(target, (node,), rest, base.tensor)

    # modules, and the whole

    @contextmanager
    def paths(self, module: Any) -> Iterator[None]:
        """Every call knows the module that makes it."""
        handles = []
        for path, child in module.named_modules():

            def enter(*_: Any, path: str = path) -> None:
                self.path.append(path)

            def leave(*_: Any) -> None:
                self.path.pop()

            handles.append(child.register_forward_pre_hook(enter))
            handles.append(child.register_forward_hook(leave, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def exported(self, returned: Any) -> Any:
        leaves, spec = tree_flatten(returned)
        if not all(isinstance(leaf, (torch.Tensor, type(None))) for leaf in leaves):
            raise NotRecorded("it returns other things than tensors")
        results = tuple(None if leaf is None else self._nodes(leaf) for leaf in leaves)
        self.graph.output(results)
        self.graph.eliminate_dead_code()
        held = {name: tensor.detach() for name, tensor in self.stored.items()}
        signature = SimpleNamespace(
            inputs_to_parameters={},
            inputs_to_buffers={name: name for name in held},
            inputs_to_lifted_tensor_constants={},
            output_specs=[SimpleNamespace(kind=OutputKind.USER_OUTPUT) for _ in results],
        )
        return SimpleNamespace(
            graph=self.graph, graph_signature=signature, state_dict=held, constants={},
            call_spec=SimpleNamespace(out_spec=spec),
        )  # fmt: skip
