"""How one population reaches another: the list of connections."""

from __future__ import annotations

from snndeploy.connections.connection import Connection, Range
from snndeploy.connections.conv import Conv
from snndeploy.connections.dense import Dense
from snndeploy.connections.shape import Shape
from snndeploy.connections.transposed import Transposed

__all__ = ["CONNECTIONS", "Connection", "Conv", "Dense", "Range", "Shape", "Transposed", "listed"]

# A connection that is not in this list is neither written to a program file nor read from one.
CONNECTIONS: tuple[type[Connection], ...] = (Conv, Dense, Transposed)


def listed(kind: str) -> type[Connection]:
    """The connection of that kind.

    Raises:
        ValueError: there is none.
    """
    for connection in CONNECTIONS:
        if connection.kind == kind:
            return connection
    known = ", ".join(connection.kind for connection in CONNECTIONS)
    raise ValueError(f"connection {kind!r} is unknown; there are {known}")
