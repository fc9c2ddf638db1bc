"""The program file: what is saved is loaded, and nothing else ever is."""

import copy
import dataclasses
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program_builder import program_of
from random_networks import Features, networks, random_injected, random_network
from tampering import edit_json, pack, unpack

from snndeploy.errors import DeployError, ProgramError
from snndeploy.program import SCHEMA, load, save

EVERYTHING = Features(
    recurrent=True, current_decay=True, axonal_delays=True, overflow=True, negative_exponents=True,
    populations=3, timesteps=3,
)  # fmt: skip


def difference(first, second, where=""):
    """The path of the first difference between two values, "" when there is none."""
    if isinstance(first, np.ndarray):
        same = (first.dtype, first.shape) == (second.dtype, second.shape)
        return "" if same and first.tobytes() == second.tobytes() else where
    if dataclasses.is_dataclass(first):
        assert type(first) is type(second), where
        names = [field.name for field in dataclasses.fields(first)]
        first, second = ({n: getattr(v, n) for n in names} for v in (first, second))
    if isinstance(first, dict):
        if set(first) != set(second):
            return where
        pairs = [(key, first[key], second[key]) for key in first]
    elif isinstance(first, (list, tuple)):
        if len(first) != len(second):
            return where
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(first, second, strict=True))]
    else:
        return "" if first == second and type(first) is type(second) else where
    found = (difference(a, b, f"{where}.{key}") for key, a, b in pairs)
    return next(filter(None, found), "")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


def small(seed=3):
    network = random_network(seed, Features(populations=2, timesteps=2))
    return program_of(network, random_injected(network, seed, samples=1), seed)


@pytest.fixture
def path(tmp_path):
    save(small(), tmp_path / "net.snnp")
    return tmp_path / "net.snnp"


def refused(path):
    with pytest.raises(DeployError) as caught:
        load(path)
    return str(caught.value)


@settings(max_examples=40)
@given(case=networks(EVERYTHING), seed=st.integers(0, 99))
def test_what_is_saved_is_loaded(folder, case, seed):
    program = program_of(case.network, case.injected, seed)
    save(program, folder / "first.snnp")
    loaded = load(folder / "first.snnp")
    for part in ("name", "network", "layout", "golden", "model"):
        assert difference(getattr(program, part), getattr(loaded, part), part) == ""
    assert loaded.target == program.target
    assert loaded.facts == program.facts
    save(loaded, folder / "second.snnp")
    assert (folder / "first.snnp").read_bytes() == (folder / "second.snnp").read_bytes()


def test_the_comparison_sees_a_difference():
    """The property above rests on it."""
    program = small()
    other = dataclasses.replace(program.network, timesteps=program.network.timesteps + 1)
    assert difference(program.network, other, "network") == "network.timesteps"
    first = program.network.projections[0].connection
    changed = dataclasses.replace(first, weight=first.weight + 1)
    assert difference(first, changed, "a") == "a.weight"


def test_loaded_arrays_are_read_only(path):
    program = load(path)
    for projection in program.network.projections:
        assert not projection.connection.weight.flags.writeable
    assert not program.layout.positions.flags.writeable


def test_a_shared_kernel_stays_shared(tmp_path):
    program = small()
    first = program.network.projections[0]
    twin = dataclasses.replace(first, name="twin")
    network = dataclasses.replace(program.network, projections=(*program.network.projections, twin))
    save(dataclasses.replace(program, network=network), tmp_path / "a")
    loaded = load(tmp_path / "a").network.projections
    assert loaded[0].connection is loaded[-1].connection


def test_another_schema(path):
    edit_json(path, "manifest.json", lambda manifest: manifest.update(schema="snndeploy.program/9"))
    assert refused(path) == (
        f"{path} has schema 'snndeploy.program/9'; this release reads {SCHEMA}: install the"
        " release that wrote it, or compile again"
    )
    newer = {**unpack(path), "encoder.onnx": b"of the future"}
    assert "has schema 'snndeploy.program/9'" in refused(pack(path, newer))
    edit_json(path, "manifest.json", lambda manifest: [])
    assert f"has schema None; this release reads {SCHEMA}" in refused(path)


def test_a_member_of_no_use(path):
    pack(path, {**unpack(path), "more.json": b"1"})
    assert refused(path) == (
        f"{path} is damaged or was altered: unexpected member 'more.json'; compile it again"
    )


# sealed again after an edit


def set_item(*keys, value):
    def change(document):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


NETWORK = [
    ("timesteps", 0, "network timesteps is 0, not a whole number in 1..65536"),
    ("populations.1.shape", [1, -2, 3], "is -2, not a whole number in 1..268435456"),
    ("populations.1.shape", [99999, 99999, 1], "another shape"),
    ("populations.1.neuron.kind", "magic", "has kind 'magic'"),
    (
        "populations.1.neuron.threshold",
        True,
        "threshold is True, not a whole number in",
    ),
    ("populations.1.name", "readout", "two populations share a name"),
    ("projections.0.target", "nowhere", "names no population 'nowhere'"),
    ("projections.0.connection", 99, "IndexError: list index out of range"),
    ("projections.0.exponent", 4000, "exponent is 4000, not a whole number in -32..32"),
    ("projections.0.surprise", 1, "unexpected keyword argument 'surprise'"),
    ("injections.0.encoder_output", "gone", "no node 'gone'"),
    ("readout.population", "gone", "no population 'gone' to read"),
    ("readout.scale", "1", "the readout's scale is '1', not a finite number"),
]
LAYOUT = [
    ("mesh", [8], "mesh is (8,), not 2 numbers"),
    ("mesh", [1, 1], "a core lies outside the board"),
    ("populations.0", "gone", "a tile of 'gone': no such population on the chip"),
    ("limits.neurons", 0, "limit of 'neurons' is 0, not a whole number in 1.."),
]
GRAPH = [
    ("nodes.1.op", "eval", "has unknown operation 'eval'"),
    ("nodes.1.inputs", ["later"], "reads a later or missing node"),
    ("nodes.1.axes", [[["batch", 1]]], "has dimensions that its operation does not give"),
    ("nodes.1.axes", [[["batch", 10**12]]], "dimension is 1000000000000"),
    ("outputs", [], "the graph has no output"),
]
OTHERS = [
    ("golden", "injected", {}, "golden: other injections"),
    ("manifest", "facts", {}, "the facts have no 'model'"),
    ("manifest", "facts", None, "the facts have another form"),
    ("manifest", "facts.plan", [], "the facts: plan have another form"),
    ("manifest", "facts.plan.host", None, "the facts: plan: host is None, not a list"),
    ("manifest", "facts.plan.host.0.macs", "9", "macs is '9', not of type int"),
    (
        "manifest",
        "facts.plan.host.0.why",
        "bribed",
        "why is 'bribed', none of encoder, moved, part",
    ),
]
EDITS = [
    *(("network", *edit) for edit in NETWORK),
    *(("layout", *edit) for edit in LAYOUT),
    *(("graph", *edit) for edit in GRAPH),
    *OTHERS,
]


@pytest.mark.parametrize(("document", "key", "value", "reason"), EDITS)
def test_an_inconsistent_document_under_a_new_seal(path, document, key, value, reason):
    keys = [int(part) if part.isdigit() else part for part in key.split(".")]
    edit_json(path, f"{document}.json", set_item(*keys, value=value))
    said = refused(path)
    assert said.startswith(f"{path} is damaged or was altered: ")
    assert reason in said
    assert said.endswith("; compile it again")


def test_tiles_that_overlap_or_leave_neurons_out(path):
    program = small()
    tiles = program.layout.tiles
    for chosen, reason in (((*tiles, tiles[0]), "lies on another"), (tiles[1:], "are on no core")):
        layout = dataclasses.replace(program.layout, tiles=chosen)
        save(dataclasses.replace(program, layout=layout), path)
        assert reason in refused(path)


def test_a_target_that_is_none(path):
    members = unpack(path)
    pack(path, {**members, "target.toml": b"schema = 1\n"})
    assert refused(path) == f"{path}: section [chip] is missing"
    pack(path, {**members, "target.toml": b"\xff"})
    assert "target.toml is not text" in refused(path)


JUNK = [
    None, True, -1, 0, 1, 3, 10**30, 1e308, -0.5, "", "x", "input", [], [0], {}, {"a": 1}, [[]],
    ["input"], [["batch", 1]], "0" * 32,
]  # fmt: skip


DOCUMENTS = ("golden", "graph", "layout", "manifest", "network")


def places(value, path=()):
    """The keys of everything in a JSON document."""
    if path:
        yield path
    items = ()
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield from places(inner, (*path, key))


@settings(max_examples=200)
@given(data=st.data())
def test_any_edit_under_a_new_seal_is_refused_or_another_program(folder, data):
    """Whatever is put anywhere: a DeployError of one line, or something that loads."""
    path = folder / "sealed.snnp"
    if not path.exists():
        save(small(), path)
    members = unpack(path)
    name = data.draw(st.sampled_from([f"{name}.json" for name in DOCUMENTS]))
    document = json.loads(members[name])
    for _ in range(data.draw(st.integers(1, 3))):
        keys = data.draw(st.sampled_from(list(places(document))))
        set_item(*keys, value=copy.deepcopy(data.draw(st.sampled_from(JUNK))))(document)
    edited = pack(folder / "edited.snnp", {**members, name: json.dumps(document).encode()})
    try:
        load(edited)
    except DeployError as error:
        assert "\n" not in str(error)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32))
def test_random_damage_is_refused_or_harmless(folder, seed):
    """Flipped, lost and inserted bytes: a ProgramError, or the same program."""
    path = folder / "whole.snnp"
    if not path.exists():
        save(small(), path)
    content = bytearray(path.read_bytes())
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(content))
        kind = rng.choice(["flip", "flip", "flip", "cut", "insert"])
        if kind == "flip":
            content[place] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del content[place : place + rng.randint(1, 64)]
        else:
            content[place:place] = rng.randbytes(rng.randint(1, 64))
    damaged = folder / "damaged.snnp"
    damaged.write_bytes(content)
    try:
        found = load(damaged)
    except ProgramError as error:
        assert "\n" not in str(error)
        return
    save(found, damaged)
    assert damaged.read_bytes() == path.read_bytes()


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "net.snnp"
    save(small(), path)
    before = path.read_bytes()
    monkeypatch.setattr("zipfile.ZipFile.writestr", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(small(seed=5), path)
    assert path.read_bytes() == before
    assert [p.name for p in Path(tmp_path).iterdir()] == ["net.snnp"]


def interrupt(*arguments):
    raise KeyboardInterrupt
