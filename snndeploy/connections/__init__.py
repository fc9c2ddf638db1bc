"""How one population reaches another: the list of connections."""

from snndeploy.connections.conv import Conv
from snndeploy.connections.dense import Dense
from snndeploy.connections.reach import Connection, fan_out, taps_per_position
from snndeploy.connections.shape import Shape

__all__ = ["Connection", "Conv", "Dense", "Shape", "fan_out", "taps_per_position"]
