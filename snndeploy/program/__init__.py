"""The program file: what a compiled network is, sealed, and checked when it is read."""

from snndeploy.program.facts import Facts
from snndeploy.program.program import SCHEMA, Golden, Program, check_own, load, save

__all__ = ["SCHEMA", "Facts", "Golden", "Program", "check_own", "load", "save"]
