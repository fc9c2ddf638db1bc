"""A core map as a JSON file: which boxes of which populations lie on each core, and where it is.

    {"schema": "snndeploy.map/1",
     "board": [1, 1],
     "cores": [{"place": [0, 0, 0],
                "boxes": [{"layer": "conv1", "channels": [0, 24], "rows": [0, 32],
                           "columns": [96, 99], "share": [24, 32, 4]}]}]}

docs/maps.md explains each key.  What is read is data of others: its form is checked here, whether
it places a network on a chip in `given.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.connections.encoding import ENCODINGS, Encoding
from snndeploy.errors import MapError, near_names
from snndeploy.files.ownership import MARK
from snndeploy.files.tables import table
from snndeploy.files.writing import json_text
from snndeploy.layout.layout import Layout, Tile

SCHEMA = "snndeploy.map/1"
LARGEST_FILE_BYTES = 1 << 24  # a box of each core of the largest board
LARGEST_NUMBER = 1 << 30  # of any index: no chip and no population is as large
AXES = ("channels", "rows", "columns")


@dataclass(frozen=True, eq=False)
class CoreMap:
    """What a map file says: core numbers are its order.

    positions: int32 (cores, 3), as in `Layout`.  board: chips wide and high, None where not said.
    """

    tiles: tuple[Tile, ...]
    positions: np.ndarray
    board: tuple[int, int] | None


def map_text(layout: Layout) -> str:
    """The JSON document of a layout, one core a line."""
    record = map_record(layout)
    cores = ",\n  ".join(json.dumps(core) for core in record["cores"])
    head = json_text({**record, "cores": []})
    return head.replace('"cores": []', f'"cores": [\n  {cores}]')


def map_record(layout: Layout) -> dict[str, Any]:
    """The document of a layout."""
    boxes: list[list[dict[str, Any]]] = [[] for _ in range(layout.cores)]
    for tile in layout.tiles:
        share = {"share": list(tile.share)} if tile.share else {}
        ranges = {axis: list(getattr(tile, axis)) for axis in AXES}
        encoding = {"encoding": tile.encoding} if tile.encoding else {}
        boxes[tile.core].append({"layer": tile.population, **ranges, **share, **encoding})
    places = layout.positions.tolist()
    cores = [{"place": place, "boxes": held} for place, held in zip(places, boxes, strict=True)]
    return {"schema": SCHEMA, "board": list(layout.board), "cores": cores}


def read_map(path: str | Path) -> CoreMap:
    """A map file, its form checked.

    Raises:
        MapError: it cannot be read, or is no such document; one line, with the place in it.
    """
    path = Path(path)
    document = table(path, "map", MapError, LARGEST_FILE_BYTES)
    where = str(path)
    _keys(document, ("schema", "cores"), ("board", MARK), where)
    if document["schema"] != SCHEMA:
        raise MapError(f"{where} has schema {document['schema']!r}; this release reads {SCHEMA}")
    cores = _list(document["cores"], f"{where}: cores")
    if not cores:
        raise MapError(f"{where}: cores is empty; a map has at least one core")
    tiles: list[Tile] = []
    places: list[tuple[int, ...]] = []
    for index, core in enumerate(cores):
        named = f"{where}: core {index}"
        _keys(core, ("place", "boxes"), (), named)
        places.append(_numbers(core["place"], 3, 0, f"{named}: place"))
        held = _list(core["boxes"], f"{named}: boxes")
        if not held:
            raise MapError(f"{named} holds no box; leave the core out")
        tiles += [_tile(box, index, f"{named}: box {at}") for at, box in enumerate(held)]
    board = None
    if "board" in document:
        wide, high = _numbers(document["board"], 2, 1, f"{where}: board")
        board = (wide, high)
    return CoreMap(tuple(tiles), np.array(places, dtype=np.int32), board)


def _tile(box: Any, core: int, where: str) -> Tile:
    _keys(box, ("layer", *AXES), ("share", "encoding"), where)
    layer = box["layer"]
    if not isinstance(layer, str):
        raise MapError(f"{where}: layer is {layer!r}; write the name of a population")
    named = f"{where} ({layer})"
    channels, rows, columns = (_range(box[axis], f"{named}: {axis}") for axis in AXES)
    tile = Tile(layer, channels, rows, columns, core)
    if "encoding" in box:
        tile = replace(tile, encoding=_encoding(box["encoding"], named))
    if "share" not in box:
        return tile
    deep, high, wide = _numbers(box["share"], 3, 1, f"{named}: share")
    share = (deep, high, wide)
    box = tuple(stop - start for start, stop in (channels, rows, columns))
    return tile if share == box else replace(tile, share=share)


def _encoding(value: Any, where: str) -> Encoding:
    for known in ENCODINGS:
        if value == known:
            return known
    raise MapError(f"{where}: encoding is {_short(value)}; there are {', '.join(ENCODINGS)}")


def _range(value: Any, where: str) -> tuple[int, int]:
    start, stop = _numbers(value, 2, 0, where)
    if start >= stop:
        raise MapError(f"{where} is [{start}, {stop}]; the second number is the first one beyond")
    return start, stop


def _numbers(value: Any, count: int, low: int, where: str) -> tuple[int, ...]:
    good = isinstance(value, list) and len(value) == count
    if not good or not all(
        isinstance(item, int) and not isinstance(item, bool) and low <= item <= LARGEST_NUMBER
        for item in value
    ):
        raise MapError(f"{where} is {_short(value)}; {count} whole numbers from {low} are needed")
    return tuple(value)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise MapError(f"{where} is {_short(value)}; a list is needed")
    return value


def _keys(value: Any, needed: Iterable[str], optional: Iterable[str], where: str) -> None:
    if not isinstance(value, Mapping):
        raise MapError(f"{where} is {_short(value)}; an object is needed")
    known = [*needed, *optional]
    for key in value:
        if key not in known:
            raise MapError(f"{where} has an unknown key {key!r}{near_names(key, known)}")
    for key in needed:
        if key not in value:
            raise MapError(f"{where} has no key {key!r}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
