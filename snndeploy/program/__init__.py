"""The program file: what a compiled network is, sealed, and checked when it is read."""

from snndeploy.program.program import SCHEMA, Golden, Program, load, save

__all__ = ["SCHEMA", "Golden", "Program", "load", "save"]
