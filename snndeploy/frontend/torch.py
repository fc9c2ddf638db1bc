"""Trace a torch model to a Graph, and prove that they agree.

It is exported (`torch.export`), or, where it may have many steps, recorded (`capture.record`).

Neuron modules are replaced by one custom op while the model is exported, so that their own loops
over time never reach the graph.  A loop that is left is rolled up, and its neurons are read from
it (`frontend.capture`).  The model receives a clone: published models change their input in place,
which breaks export.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import torch

from snndeploy.errors import DescriptionError, ModelError, UnsupportedError
from snndeploy.frontend.adapters import Adapter, find_neurons
from snndeploy.frontend.calling import Called, Calling, reset_states, step_by_step
from snndeploy.frontend.capture.aliasing import NotRecorded
from snndeploy.frontend.capture.capture import capture, compares, loops, repeats
from snndeploy.frontend.capture.proof import Captured, prove_captured
from snndeploy.frontend.capture.record import FROM_STEPS, recorded
from snndeploy.frontend.capture.twin import twin
from snndeploy.frontend.completed import completions
from snndeploy.frontend.copying import copied, of_other_precision
from snndeploy.frontend.decompositions import DECOMPOSITIONS
from snndeploy.frontend.lines import LINES
from snndeploy.frontend.neuron_call import other_results
from snndeploy.frontend.proof import prove
from snndeploy.frontend.slayer_pools import pools_as_convolutions
from snndeploy.frontend.stumbles import quietly, stumble
from snndeploy.frontend.time_last import TIME_LAST, time_is_last, time_second
from snndeploy.frontend.translate import Source, translate
from snndeploy.graph import KINDS, NO_NEURON, Graph, Node, check
from snndeploy.ops.axes import SEQUENCE_RANKS, TRACE_BATCH

WRITTEN_IN_OTHERS = {**DECOMPOSITIONS, **LINES}


@torch.library.custom_op("snndeploy::neuron", mutates_args=())
def _neuron(x: torch.Tensor, index: int) -> torch.Tensor:
    return torch.zeros_like(x)


@_neuron.register_fake
def _(x: torch.Tensor, index: int) -> torch.Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("snndeploy::other_result_of_neuron", mutates_args=())
def _other_result(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x)


@_other_result.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


def trace(
    module: Any,
    example: Any,
    *,
    timesteps: int | None = None,
    input_signal: str | None = None,
    adapters: Iterable[Adapter] = (),
    name: str = "",
    verify: bool = True,
    spiking: bool = True,
) -> Graph:
    """Graph of a torch module; see `traced`, whose first result it is."""
    graph, _ = traced(
        module, example, timesteps=timesteps, input_signal=input_signal, adapters=adapters,
        name=name, verify=verify, spiking=spiking,
    )  # fmt: skip
    return graph


def traced(
    module: Any,
    example: Any,
    *,
    timesteps: int | None = None,
    input_signal: str | None = None,
    adapters: Iterable[Adapter] = (),
    name: str = "",
    verify: bool = True,
    spiking: bool = True,
) -> tuple[Graph, Callable[[], Graph]]:
    """Graph of a torch module, and what gives it again as the parameters are by then.

    example: one valid input, batch of one first: (1, C, H, W), (1, features) or with time,
    (1, T, C, H, W) or (T, 1, C, H, W).  timesteps defaults to `module.timesteps`, input_signal
    ('binary', 'integer' or 'real') to `module.input_signal`, else 'real'.  verify: compare the
    graph with the module, and every neuron with its description; its notes say what stays open.
    spiking: refuse a model without spiking neurons (False: it is only costed, as the papers' ANN
    counterparts are).

    Raises:
        ModelError: the module raises, or the graph does not compute what the module does.
        UnsupportedError: an operation that the compiler does not know, named with its module.
    """
    timesteps = timesteps or getattr(module, "timesteps", None)
    if not isinstance(timesteps, int) or timesteps < 1:
        raise ModelError(
            "the model does not say its number of time steps; give it an attribute `timesteps`"
        )
    module = module.eval()
    reset_states(module)
    if of_other_precision(module):
        options: dict[str, Any] = {
            "timesteps": timesteps, "input_signal": input_signal, "adapters": adapters,
            "name": name, "spiking": spiking,
        }  # fmt: skip
        graph, _ = traced(copied(module).float(), example, **options, verify=verify)
        return graph, lambda: replace(
            traced(copied(module).float(), example, **options, verify=False)[0], notes=graph.notes
        )
    if time_is_last(example, timesteps):
        with time_second(module):
            turned, as_before = traced(
                module, example.movedim(-1, 1), timesteps=timesteps, input_signal=input_signal,
                adapters=adapters, name=name, verify=verify, spiking=spiking,
            )  # fmt: skip
        return replace(turned, notes=(*turned.notes, TIME_LAST)), as_before
    found = find_neurons(module, adapters)
    signal = input_signal or getattr(module, "input_signal", "real")
    if signal not in KINDS:
        raise ModelError(f"input signal {signal!r} is not one of binary, integer, real")
    given = (timesteps, signal, name, spiking)
    again = _translation(module, example, found, *given)
    graph, captured = again()
    if spiking and not found and not graph.neurons():
        raise ModelError(NO_NEURON)
    graph = _with_bodies(graph, module, found)
    check(graph, "traced")
    notes = graph.notes
    if verify:
        try:
            proof = prove_captured(captured) if captured else prove(graph, module, example)
            notes = (*graph.notes, *proof)
        except DescriptionError as error:
            graph, notes, again = _completed(module, example, given, found, error)

    def as_it_is() -> Graph:
        return replace(_with_bodies(again()[0], module, found), notes=notes)

    return replace(graph, notes=notes), as_it_is


def _completed(
    module: Any,
    example: Any,
    given: tuple[int, str, str, bool],
    found: dict[str, dict[str, Any]],
    wrong: ModelError,
) -> tuple[Graph, tuple[str, ...], Callable[[], tuple[Graph, Captured | None]]]:
    """The graph, notes and translation of a model whose descriptions leave out what its loops
    have."""
    with suppress(ModelError, UnsupportedError):
        again = _translation(module, example, {}, *given)
        graph, captured = again()
        said = completions(graph, found)
        if captured and said:
            check(graph, "traced")
            return graph, (*graph.notes, *said, *prove_captured(captured)), again
    raise wrong


def _translation(
    module: Any,
    example: Any,
    found: dict[str, dict[str, Any]],
    timesteps: int,
    signal: str,
    name: str,
    spiking: bool,
) -> Callable[[], tuple[Graph, Captured | None]]:
    """Translates the exported module, which shares the module's parameters."""
    refused: list[tuple[bool, ModelError | UnsupportedError]] = []
    for axis, timed in _readings(example, timesteps):
        exported, calling, axis = _as_called(module, list(found), example, axis, timed, timesteps)
        if spiking and not found and not compares(exported):
            raise ModelError(NO_NEURON)
        source = Source(list(found.items()), timesteps, signal, axis, name, timed)
        try:
            first = [_read(exported, calling, module, source)]
        except (ModelError, UnsupportedError) as error:
            refused.append((timed, error))
            continue
        return lambda: first.pop() if first else _read(exported, calling, module, source)
    raise next((error for timed, error in refused if timed), refused[0][1])


def _as_called(
    module: Any, neurons: list[str], example: Any, axis: int, timed: bool, timesteps: int
) -> tuple[Any, Calling, int]:
    """The exported module, how it is called, and the batch dimension of its input.

    It is called at once; where that shows no loop over T steps, with time first if the example has
    its samples first, and else step by step.

    Raises:
        ModelError: it cannot be traced.
    """
    once = Calling(timesteps)
    refused: ModelError | UnsupportedError | None = None
    try:
        exported = _export(twin(module), once, neurons, _traced_input(example, axis))
    except (ModelError, UnsupportedError) as error:
        refused = error
    else:
        if neurons or not compares(exported) or repeats(exported, timesteps, axis):
            return exported, once, axis
    if not neurons:
        turned = _time_first(module, example, timesteps) if timed and axis == 0 else None
        if turned is not None:
            return turned, once, 1
        stepped = step_by_step(module, example, timesteps, 1 - axis if timed else None)
        if stepped is not None:
            x = _traced_input(example, axis)
            return _export(twin(module), stepped, neurons, x), stepped, axis
    if refused is not None:
        raise refused
    return exported, once, axis


def _time_first(module: Any, example: Any, timesteps: int) -> Any:
    """The module exported on (T, 1, ...), where it loops over that; else None."""
    if timesteps < 2 or example.shape[1] != timesteps:
        return None
    with suppress(ModelError, UnsupportedError):
        x = _traced_input(example.transpose(0, 1), 1)
        exported = _export(twin(module), Calling(timesteps), [], x)
        return exported if compares(exported) and repeats(exported, timesteps, 1) else None
    return None


def _read(
    exported: Any, calling: Calling, module: Any, source: Source
) -> tuple[Graph, Captured | None]:
    """The calls as they are where neurons describe themselves; else, with loops rolled up."""
    plain: Graph | None = None
    refused: UnsupportedError | None = None
    fires, steps = compares(exported), loops(exported, source.timesteps)
    if source.neurons or not fires:
        try:
            plain = translate(exported, source)
        except UnsupportedError as error:
            refused = error
    if steps or (fires and plain is None):
        try:
            captured = capture(exported, Called(copied(module), calling), source)
            if said := calling.said():
                notes = (said, *captured.graph.notes)
                captured = replace(captured, graph=replace(captured.graph, notes=notes))
            if captured.loops or plain is None:
                return captured.graph, captured
        except UnsupportedError as error:
            refused = error if (fires and steps) or refused is None else refused
    if plain is None:
        assert refused is not None
        raise refused
    return plain, None


def _with_bodies(graph: Graph, module: Any, found: dict[str, dict[str, Any]]) -> Graph:
    """The graph with the attention of every neuron that has one in its membrane loop."""
    nodes = []
    for node in graph.nodes:
        if node.is_neuron and "attention" in found.get(node.module, {}):
            path = f"{node.module}.{found[node.module]['attention']}"
            node = replace(node, body=_step_graph(module.get_submodule(path), path, node))
        nodes.append(node)
    return graph.with_nodes(nodes)


def _step_graph(attention: Any, path: str, neuron: Node) -> Graph:
    """One step of attention: membrane (batch, ...) to the refined membrane.

    Raises:
        ModelError: the module gives another shape back.
    """

    class OneStep(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = attention

        def forward(self, membrane: Any) -> Any:
            return self.model(membrane.clone().unsqueeze(0)).squeeze(0)

    membrane = torch.zeros(1, *neuron.step_shape).expand(TRACE_BATCH, *neuron.step_shape)
    graph = translate(_exported(OneStep(), membrane), Source([], 1, "real", 0, path))
    graph = graph.with_nodes(
        replace(node, module=".".join(filter(None, (path, node.module)))) for node in graph.nodes
    )
    returned = graph.by_name[graph.outputs[0]].step_shape
    if returned != neuron.step_shape:
        raise ModelError(
            f"the attention {path!r} maps a membrane of shape {neuron.step_shape} to"
            f" {returned}; the same shape is needed"
        )
    return graph


def _traced_input(example: Any, axis: int) -> Any:
    """The example with TRACE_BATCH samples (expanded: no memory)."""
    shape = list(example.shape)
    if shape[axis] != 1:
        raise ModelError(f"the example input must hold one sample; its shape is {tuple(shape)}")
    shape[axis] = TRACE_BATCH
    return example.detach().float().expand(shape)


def _readings(example: Any, timesteps: int) -> tuple[tuple[int, bool], ...]:
    """What the input may be, the likelier first: its batch dimension, and whether it has time.

    (T, 1, ...) has the batch second; of a single step both are tried.  Sequences of features and
    of images have time; (1, C, L) and (1, T, C, L) are a line of values and lines over time.
    """
    shape = tuple(example.shape)
    if len(shape) not in (2, 3, 4, 5):
        raise ModelError(f"an input of shape {shape} is neither image nor sequence")
    if len(shape) == 2:
        return ((0, False),)
    first, second = (((1, True),) if shape[:2] == (timesteps, 1) else ()), ((0, True),)
    if len(shape) in SEQUENCE_RANKS:
        in_time = first if first and timesteps != 1 else second + first
        line = len(shape) == 3 and shape[0] == 1
        return (*in_time, *(((0, False),) if line else ()))
    image = () if first and shape[0] != 1 else ((0, False),)
    return image + (second if shape[:2] == (1, timesteps) else ()) + first


def _export(module: Any, calling: Calling, neurons: list[str], example: Any) -> Any:
    class Wrapper(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, x: Any) -> Any:
            return calling(self.model, x.clone())

    with _neurons_replaced(module, neurons), pools_as_convolutions(module):
        if calling.timesteps >= FROM_STEPS:
            with suppress(NotRecorded), quietly():
                return recorded(Wrapper().eval(), example, WRITTEN_IN_OTHERS)
        return _exported(Wrapper(), example)


def _exported(module: Any, example: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with quietly():
                program = torch.export.export(module.eval(), (example,), strict=False)
                return program.run_decompositions(WRITTEN_IN_OTHERS)
        except Exception as error:
            raise stumble(error, module, example) from None


@contextmanager
def _neurons_replaced(module: Any, paths: list[str]) -> Iterator[None]:
    neurons = [module.get_submodule(path) for path in paths]
    for index, neuron in enumerate(neurons):
        neuron.forward = _stand_in(index, other_results(neuron))
    try:
        yield
    finally:
        for neuron in neurons:
            del neuron.forward


def _stand_in(index: int, others: Sequence[int | None]) -> Callable[..., Any]:
    """A neuron that returns what the module does; only its spikes may be used."""
    neuron, other = torch.ops.snndeploy.neuron, torch.ops.snndeploy.other_result_of_neuron

    def forward(x: Any, *rest: Any, **more: Any) -> Any:
        spikes = neuron(x, index)
        likes = (x if dropped is None else x.select(dropped, 0) for dropped in others)
        return (spikes, *map(other, likes)) if others else spikes

    return forward
