"""A user's own code: it runs as a script of its folder would, and never meets another's.

Published networks import their neighbours by short names (`from models.layers import *`), also
while they compute.  Inside `with code:` the code's folders come first, also their packages without
__init__, and modules of other code with the same names are out of sight; outside, its own are.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from snndeploy.errors import ModelError, one_line

KEPT = {"snndeploy", "torch", "numpy", *sys.stdlib_module_names}
INSTALLED = ("site-packages", "dist-packages")


class UserCode:
    """Folders from which code is imported, and the modules that came from them."""

    def __init__(self, folders: Iterable[str | Path] = ()) -> None:
        self.folders: list[str] = []
        for folder in folders:
            if not Path(folder).is_dir():
                what = "is a file" if Path(folder).exists() else "does not exist"
                raise ModelError(f"--path {folder} {what}; give the folder that holds the modules")
            self.folders.append(str(Path(folder).resolve()))
        self.modules: dict[str, ModuleType] = {}
        self._hidden: dict[str, ModuleType] = {}
        self._before: dict[str, ModuleType] = {}

    def __enter__(self) -> UserCode:
        sys.path[:0] = self.folders
        sys.meta_path.insert(0, self)
        importlib.invalidate_caches()
        tops = {name.partition(".")[0] for name in sys.modules}
        shadowed = {top for top in tops if self._shadows(top)}
        self._hidden = {
            name: sys.modules.pop(name)
            for name in list(sys.modules)
            if name.partition(".")[0] in shadowed
        }
        self._before = dict(sys.modules)
        sys.modules.update(self.modules)
        return self

    def __exit__(self, *error: object) -> None:
        new = {n: m for n, m in sys.modules.items() if self._before.get(n) is not m}
        self.modules = {n: m for n, m in new.items() if self._owns(n.partition(".")[0])}
        for name in self.modules:
            del sys.modules[name]
        sys.modules.update(self._hidden)
        sys.meta_path.remove(self)
        for folder in self.folders:
            with suppress(ValueError):  # the code may have taken it away itself
                sys.path.remove(folder)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Python's import asks: a module or package of these folders, before what is installed.

        Python itself takes a folder without __init__ only when nothing installed has its name.
        """
        if path is not None or name in KEPT:
            return None
        found = PathFinder.find_spec(name, self.folders)
        if found is None or found.loader is not None:
            return found
        places = [place for place in found.submodule_search_locations or () if _is_code(place)]
        found.submodule_search_locations = places
        return found if places else None

    def run_file(self, path: Path) -> ModuleType:
        """Run a file; its name is free for dataclasses, which look themselves up."""
        spec = importlib.util.spec_from_file_location(f"_model_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            near = path.resolve()
            raise ModelError(f"model file {path} raises: {self._why(error, near)}") from None
        return module

    def import_module(self, name: str) -> ModuleType:
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as error:
            missing = getattr(error, "name", None) if isinstance(error, ImportError) else None
            if missing and f"{name}.".startswith(f"{missing}."):
                where = f" and not in {', '.join(self.folders)}" if self.folders else ""
                raise ModelError(
                    f"module {name} is not installed{where}; give --path FOLDER, the folder that"
                    f" holds {name.partition('.')[0]}{_found_near(missing, Path.cwd() / 'x')}"
                ) from None
            found = [Path(folder) / "x" for folder in self.folders]
            why = self._why(error, *found)
            raise ModelError(f"module {name} raises: {why}") from None

    def look_up(self, module: ModuleType, dotted: str) -> Any:
        """A name of a module, or of another that can be imported, and attributes behind it.

        Raises:
            ModelError: there is none.
        """
        first, *rest = dotted.split(".")
        if hasattr(module, first):
            found = getattr(module, first)
        else:
            try:
                found = importlib.import_module(first)
            except ImportError:
                raise ModelError(
                    f"{first!r} is neither a name of {module.__file__} nor a module under --path"
                ) from None
        done = first
        for name in rest:
            done = f"{done}.{name}"
            if not hasattr(found, name) and isinstance(found, ModuleType):
                with suppress(ImportError):
                    importlib.import_module(done)
            if not hasattr(found, name):
                raise ModelError(f"{done!r} does not exist, in the arguments of the SPEC")
            found = getattr(found, name)
        return found

    def loaded(self) -> dict[str, ModuleType]:
        """What can be seen of modules: inside, all; outside, the code's own."""
        return {**sys.modules, **self.modules}

    def wrote(self, module: ModuleType) -> bool:
        """Is it code of the user, and not of an installed package?"""
        origin = getattr(module, "__file__", None) or ""
        return module.__name__.startswith("_model_") or any(
            origin.startswith(f"{folder}/") and not set(INSTALLED) & set(Path(origin).parts)
            for folder in self.folders
        )

    def _why(self, error: BaseException, *near: Path) -> str:
        said = one_line(error)
        missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
        if not missing:
            return said
        found = next(filter(None, (_found_near(missing, path) for path in near)), "")
        return f"{said}; install it, or give --path FOLDER, the folder that holds it{found}"

    def _shadows(self, top: str) -> bool:
        """Would this name, which is loaded, be another module of these folders?"""
        if top in KEPT or not any(_holds(folder, top) for folder in self.folders):
            return False
        found = self.find_spec(top)
        loaded = getattr(sys.modules.get(top), "__spec__", None)
        if found is None or (loaded and _homes(found) == _homes(loaded)):
            return False
        return bool(_homes(found) & set(self.folders)) and not _installed(_homes(found))

    def _owns(self, top: str) -> bool:
        """Does this module stand in one of the folders itself?  An environment below is left."""
        found = getattr(sys.modules.get(top) or self.modules.get(top), "__spec__", None)
        if found is None or top in KEPT or top.startswith("_model_"):
            return False
        homes = _homes(found)
        return bool(homes & set(self.folders)) and not _installed(homes)


def _homes(spec: Any) -> set[str]:
    """The folders in which a module's file or package stands."""
    places = spec.submodule_search_locations or ([spec.origin] if spec.origin else [])
    return {str(Path(place).resolve().parent) for place in places}


def _is_code(folder: str) -> bool:
    """Python files that belong together, and not a project around its package."""
    here = {path.name for path in Path(folder).glob("*.*")}
    project = here & {"setup.py", "pyproject.toml"}
    return not project and any(name.endswith(".py") for name in here)


def _installed(homes: set[str]) -> bool:
    return any(Path(home).name in INSTALLED for home in homes)


def _holds(folder: str | Path, name: str) -> bool:
    return (Path(folder) / name).is_dir() or (Path(folder) / f"{name}.py").is_file()


def _found_near(module: str, path: Path) -> str:
    """A folder around a file that holds a module, as the tail of a message."""
    top = module.partition(".")[0]
    folder = next((folder for folder in path.parents if _holds(folder, top)), None)
    return f": --path {folder}" if folder else ""
