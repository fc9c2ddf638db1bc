"""Given maps: read back as they were written, and refused in one line where they place nothing."""

import json

import numpy as np
import pytest
from cli_runner import refused, run
from populations import make_population
from random_layouts import random_layout
from random_networks import random_network

from snndeploy import program
from snndeploy.backends.netx.export import export_netx
from snndeploy.connections import Conv, Dense
from snndeploy.errors import MapError
from snndeploy.layout.layout import Layout, Tile
from snndeploy.mapping import given_layout, map_text, place
from snndeploy.network import Injection, Network, Projection, Readout
from snndeploy.pipeline import compile
from snndeploy.program.consistency import Mismatch, check_layout
from snndeploy.target import Target
from snndeploy.traffic.counter import TrafficCounter

LOIHI1 = Target.load("loihi1")


def chain():
    """2 x 7 x 6 neurons, a convolution to 3 x 5 x 4, and 5 dense ones."""
    weight = np.random.default_rng(0).integers(-30, 30, (3, 2, 3, 3)) * 2
    dense = np.random.default_rng(1).integers(-30, 30, (5, 3, 5, 4)) * 2
    neurons = {"threshold": 60, "membrane_decay": 300}
    populations = tuple(
        make_population(name, shape, depth=depth, **neurons)
        for depth, (name, shape) in enumerate(
            {"p0": (2, 7, 6), "p1": (3, 5, 4), "p2": (5, 1, 1)}.items()
        )
    )
    projections = (
        Projection("w1", "p0", "p1", Conv(weight.astype(np.int8))),
        Projection("w2", "p1", "p2", Dense(dense.astype(np.int8))),
    )
    injection = Injection("p0", "encoder", "bias", exponent=6)
    return Network(4, populations, projections, (injection,), Readout("p2", "count"))


NETWORK = chain()


def core(place, *boxes):
    keys = ("layer", "channels", "rows", "columns", "share", "encoding")
    return {"place": place, "boxes": [dict(zip(keys, box, strict=False)) for box in boxes]}


def cores():
    return [
        core([0, 0, 0], ["p0", [0, 2], [0, 7], [0, 6]]),
        core([0, 0, 1], ["p1", [0, 3], [0, 5], [0, 3]]),
        core([7, 3, 3], ["p1", [0, 3], [0, 5], [3, 4], [3, 5, 3], "sparse"]),
        core([1, 0, 0], ["p2", [0, 5], [0, 1], [0, 1]]),
    ]


def document(**changes):
    return {"schema": "snndeploy.map/1", "cores": cores()} | changes


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "a.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_a_handmade_map(written):
    layout = given_layout(written(document()), NETWORK, LOIHI1)
    assert layout.positions.tolist() == [[0, 0, 0], [0, 0, 1], [7, 3, 3], [1, 0, 0]]
    assert layout.tiles[2] == Tile("p1", (0, 3), (0, 5), (3, 4), 2, (3, 5, 3), "sparse")
    assert (layout.mesh, layout.board, layout.notes) == ((8, 4), (1, 1), ())
    assert layout.binding == "nothing: the cores are those of a.json"
    assert layout.use["neurons"].tolist() == [84, 45, 45, 5]  # the edge core holds the full share
    assert layout.tiles[2].neurons == 15


def test_a_mapping_read_back_is_the_same(written):
    network, target = NETWORK, Target.load("loihi2")
    layout = place(network, target, mode="tiles")
    found = given_layout(written(map_text(layout)), network, target)
    assert found.tiles == layout.tiles
    assert (found.positions == layout.positions).all()
    assert (found.mesh, found.board, dict(found.limits)) == (
        layout.mesh, layout.board, dict(layout.limits),
    )  # fmt: skip
    assert {k: v.tolist() for k, v in found.use.items()} == {
        k: v.tolist() for k, v in layout.use.items()
    }
    assert map_text(found) == map_text(layout)


@pytest.mark.parametrize("seed", range(8))
def test_any_layout_read_back_is_the_same(seed, written):
    network = random_network(seed)
    mesh = (LOIHI1.mesh_width, LOIHI1.mesh_height)
    layout = random_layout(network, np.random.default_rng(seed), mesh, (3, 2), 4)
    found = given_layout(written(map_text(layout)), network, LOIHI1)
    by_core = sorted(layout.tiles, key=lambda tile: tile.core)  # a file lists core by core
    assert list(found.tiles) == by_core
    assert (found.positions == layout.positions).all() and found.board == (3, 2)


def test_from_the_command_line_and_back(written, tmp_path):
    net = tmp_path / "a.net"
    export_netx(NETWORK, net)
    layers = {f"p{at}": p.name for at, p in enumerate(compile(str(net)).network.populations)}
    text = map_text(given_layout(written(document()), NETWORK, LOIHI1))
    for ours, theirs in layers.items():
        text = text.replace(f'"{ours}"', f'"{theirs}"')
    path = written(text)
    out = tmp_path / "b.snnp"
    said = run("compile", net, "--target", "loihi1", "--map", path, "-o", out)
    assert said.exit_code == 0, said.output
    assert "nothing: the cores are those of a.json" in said.output
    made = program.load(out)
    assert (made.layout.tiles[2].share, made.layout.tiles[2].encoding) == ((3, 5, 3), "sparse")
    back = run("export", out, "--format", "map", "-o", tmp_path / "c.json")
    assert back.exit_code == 0, back.output
    assert back.output == f"written: {tmp_path}/c.json (4 cores)\n"
    assert json.loads((tmp_path / "c.json").read_text()) == json.loads(text) | {"board": [1, 1]}
    assert run("export", out, "--format", "map", "-o", tmp_path / "c.json").exit_code == 0
    said = refused(tmp_path, "compile", net, "--map", path, "-o", path)
    assert said == f"{path} is an input of this command: name another file to write"
    again = compile(str(net), target="loihi1", core_map=tmp_path / "c.json")
    assert again.layout.tiles == made.layout.tiles


def test_what_a_map_leaves_nothing_to_decide_of(written, tmp_path):
    path = written(document())
    given = {"mapping": "tiles", "objective": "cores", "max-cores": 3, "reduce": "exact"}
    for option, value in given.items():
        said = run("compile", "a.net", "--map", path, f"--{option}", value, "-o", tmp_path / "b")
        assert said.exit_code == 2
        assert said.stderr.endswith(
            f"--map says where every neuron lies: leave out --{option}\n"
        ), said.stderr


def test_sparse_lists_name_their_targets(written):
    """27 weights of 8 bits in two lists, one a source channel: 10 more bits each where sparse."""
    layout = given_layout(written(document()), NETWORK, LOIHI1)
    dense, sparse = (2 * -(-(27 * bits + 10) // 64) * 8 for bits in (8, 18))
    assert layout.use["synapse_memory_bytes"][1:3].tolist() == [dense, sparse]


def test_a_limit_that_is_exceeded_is_named(written):
    small = Target.from_text(
        LOIHI1.text.replace("neurons_per_core = { value = 1024", "neurons_per_core = { value = 60")
    )
    layout = given_layout(written(document()), NETWORK, small)
    assert layout.notes == (
        "the map exceeds a limit: this mapping needs 84 neurons on one loihi1 core; a core has 60",
    )


def changed(at, box=0, **changes):
    found = cores()
    found[at]["boxes"][box] |= changes
    return document(cores=found)


def moved(at, place):
    found = cores()
    found[at]["place"] = place
    return document(cores=found)


REFUSED = {
    "no json": ("{", "map a.json is not readable as JSON: JSONDecodeError: Expecting property name"
                " enclosed in double quotes: line 1 column 2 (char 1)"),
    "a list": ([], "a.json is []; an object is needed"),
    "another schema": (document(schema="x/1"),
                       "a.json has schema 'x/1'; this release reads snndeploy.map/1"),
    "unknown key": (document(bord=[1, 1]),
                    "a.json has an unknown key 'bord', did you mean 'board'?"),
    "no cores": (document(cores=[]), "a.json: cores is empty; a map has at least one core"),
    "empty core": (document(cores=[core([0, 0, 0])]),
                   "a.json: core 0 holds no box; leave the core out"),
    "no place": (document(cores=[{"boxes": []}]), "a.json: core 0 has no key 'place'"),
    "half a place": (moved(1, [0, 0]),
                     "a.json: core 1: place is [0, 0]; 3 whole numbers from 0 are needed"),
    "a truth value": (moved(1, [0, 0, True]),
                      "a.json: core 1: place is [0, 0, True]; 3 whole numbers from 0 are needed"),
    "beside the board": (moved(2, [8, 0, 0]) | {"board": [1, 1]},
                         "a.json: core 2 is at [8, 0, 0]; a board of 1 x 1 chips of loihi1 has"
                         " 8 x 4 routers of 4 cores"),
    "a fifth core": (moved(2, [0, 0, 4]),
                     "a.json: core 2 is at [0, 0, 4]; a board of 1 x 1 chips of loihi1 has"
                     " 8 x 4 routers of 4 cores"),
    "beside the grid": (moved(2, [256, 0, 0]),
                        "a.json: a board of 33 x 1 chips; Pohoiki Springs has 32 x 24"),
    "a place twice": (moved(3, [0, 0, 1]),
                      "a.json: cores 1 and 3 are at one place, [0, 0, 1]"),
    "unknown layer": (changed(1, layer="p9"),
                      "a.json: core 1: p9 is no population on the chip; there are p0, p1, p2"),
    "no layer": (changed(1, layer=7),
                 "a.json: core 1: box 0: layer is 7; write the name of a population"),
    "too wide": (changed(1, columns=[0, 5]), "a.json: core 1: p1: columns 0 to 5 of 4"),
    "backwards": (changed(1, columns=[3, 3]),
                  "a.json: core 1: box 0 (p1): columns is [3, 3]; the second number is the first"
                  " one beyond"),
    "twice": (changed(2, columns=[2, 4]),
              "a.json: core 2: p1: 15 of its neurons are on core 1 already"),
    "missing": (changed(1, columns=[0, 2]),
                "a.json: 15 of 60 neurons of p1 are on no core; the first is (channel, row,"
                " column) (0, 0, 2)"),
    "encoding": (changed(1, encoding="zip"),
                 "a.json: core 1: box 0 (p1): encoding is 'zip'; there are dense, sparse, conv"),
    "share within": (changed(1, share=[3, 5, 4]),
                     "a.json: core 1: p1: a share of 4 columns for 0 to 3 of 4; a share goes"
                     " beyond its box only at the layer's edge"),
    "share too small": (changed(2, share=[2, 5, 3]),
                        "a.json: core 2: p1: a share of 2 channels for 0 to 3 of 3; a share goes"
                        " beyond its box only at the layer's edge"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(name, written, tmp_path):
    content, expected = REFUSED[name]
    path = written(content)
    with pytest.raises(MapError) as caught:
        given_layout(path, NETWORK, LOIHI1)
    assert str(caught.value).replace(f"{tmp_path}/", "") == expected


def test_a_map_that_is_not_there(tmp_path):
    net = tmp_path / "a.net"
    export_netx(NETWORK, net)
    said = refused(tmp_path, "compile", net, "--map", tmp_path / "b.json", "-o", tmp_path / "c")
    assert said == f"map {tmp_path}/b.json does not exist"


def test_more_cores_than_a_chip_has(written):
    target = Target.load("loihi2")  # 128 places, 120 cores
    places = [[x, y, slot] for x in range(8) for y in range(4) for slot in range(4)][:121]
    layer = make_population("p0", (121, 1, 1))
    boxes = [core(at, ["p0", [n, n + 1], [0, 1], [0, 1]]) for n, at in enumerate(places)]
    with pytest.raises(MapError, match=r"one chip holds 121 cores; a loihi2 chip has 120$"):
        given_layout(written(document(cores=boxes)), Network(1, (layer,), ()), target)


@pytest.mark.parametrize("share", [(2, 7, 5), (2, 7, 0), (2, 8)])
def test_a_program_with_another_share_is_refused(share):
    tiles = (Tile("p0", (0, 2), (0, 7), (0, 6), 0, share),)
    layout = Layout(tiles, np.zeros((1, 3), np.int32), (8, 4), (1, 1), {}, {}, "one")
    with pytest.raises(Mismatch, match="a tile of 'p0': "):
        check_layout(layout, Network(1, NETWORK.populations[:1], ()))


def test_operations_have_the_encoding_of_the_map(written):
    layout = given_layout(written(document()), NETWORK, LOIHI1)
    counter = TrafficCounter(NETWORK, layout, 1, LOIHI1)
    for population in NETWORK.populations:
        counter(population, np.ones((1, 4, *population.shape), dtype=np.uint8))
    traffic = counter.result()
    every = traffic.synaptic_operations.sum(axis=(0, 1))
    conv, sparse = (
        getattr(traffic, f"{encoding}_operations").sum(axis=(0, 1)).tolist()
        for encoding in ("conv", "sparse")
    )
    assert every[1] > 0 and every[2] > 0
    assert conv == [0, every[1], 0, 0]
    assert sparse == [0, 0, every[2], 0]  # p1's other core, as its box says
