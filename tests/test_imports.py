"""The rules of the house: imports point one way, and each heavy package has one door."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "snndeploy"

# A module imports only from names to its left, or from its own folder.
ORDER = (
    "printable",
    "errors",
    "files",
    "metrics",
    "data",
    "shelf",
    "target",
    "graph",
    "tensors",
    "connections",
    "neurons",
    "network",
    "ops",
    "frontend",
    "passes",
    "conversion",
    "lower",
    "quantize",
    "reduce",
    "layout",
    "engines",
    "traffic",
    "timing",
    "mapping",
    "verdict",
    "costs",
    "program",
    "simulator",
    "analysis",
    "backends",
    "verify",
    "report",
    "pipeline",
    "training",
    "papers",
    "__init__",
    "commands",
    "cli",
)

# A heavy or optional package may be imported, even inside a function, only behind these doors.
DOORS = {
    # frontend: the user's module; ops: the float model; engines: integers
    "torch": (
        "frontend/torch.py",
        "frontend/decompositions.py",
        "frontend/lines.py",
        "frontend/equality.py",
        "frontend/answer.py",
        "frontend/calling.py",
        "frontend/equality.py",
        "frontend/neuron_call.py",
        "frontend/neuron_probe.py",
        "frontend/probe_drive.py",
        "frontend/probe_ties.py",
        "frontend/proof_inputs.py",
        "frontend/load.py",
        "frontend/stumbles.py",
        "frontend/slayer_pools.py",
        "frontend/checkpoint.py",
        "frontend/checkpoint_file.py",
        "frontend/candidates.py",
        "frontend/declared.py",
        "frontend/factory.py",
        "frontend/capture/",
        "frontend/onnx/",
        "ops/",
        "engines/",
        "training/",
        "tensors.py",
    ),
    "numba": (
        "mapping/anneal_kernels.py",
        "engines/kernels.py",
        "neurons/kernels.py",
        "traffic/kernels.py",
        "timing/cycle_agenda.py",
        "timing/cycle_kernels.py",
        "timing/cycle_messages.py",
    ),
    "click": ("commands/", "cli.py"),
    "matplotlib": ("analysis/drawing.py",),
    "h5py": ("files/hdf5.py", "data/", "frontend/", "backends/netx/", "backends/nir/"),
    "tonic": ("data/",),
    "nir": ("frontend/nir/", "backends/nir/"),
    "safetensors": ("frontend/",),
    "onnx": ("frontend/onnx/", "backends/onnx/"),
    "lava": ("backends/lava/",),
    "networkx": ("graph.py", "passes/"),
    "sana_fe": ("backends/sanafe/",),
}


def imported(path, source):
    """Every module an import statement of the file may bind, as full dotted names, with lines."""
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{stem}.{alias.name}", node.lineno


def home(path):
    """The name in ORDER that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def direction_faults(path, source):
    rank = ORDER.index(home(path))
    for name, line in imported(path, source):
        parts = name.split(".")
        if parts[0] != "snndeploy":
            continue
        inside = parts[1] if len(parts) > 1 else "__init__"
        inside = inside if is_module(inside) else "__init__"
        if inside != home(path) and ORDER.index(inside) >= rank:
            yield f"{path.relative_to(ROOT)}:{line}: {home(path)} must not import {inside}"


def is_module(name):
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def door_faults(path, source):
    where = path.relative_to(PACKAGE).as_posix()
    for name, line in imported(path, source):
        doors = DOORS.get(name.split(".")[0])
        if doors and not any(where == door or where.startswith(door) for door in doors):
            yield f"{path.relative_to(ROOT)}:{line}: {name.split('.')[0]} belongs in {doors}"
        if name.startswith(("snndeploy.targets", "snndeploy.models")):
            yield f"{path.relative_to(ROOT)}:{line}: {name} is an input: read it, never import it"


def sources():
    return [(path, path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))]


def test_every_module_has_its_place_in_the_order():
    assert sorted({home(path) for path, _ in sources()} - set(ORDER)) == []


def test_imports_point_one_way():
    faults = [fault for path, source in sources() for fault in direction_faults(path, source)]
    assert faults == [], "\n".join(faults)


def test_heavy_packages_stay_behind_their_doors():
    faults = [fault for path, source in sources() for fault in door_faults(path, source)]
    assert faults == [], "\n".join(faults)


def test_the_rules_catch_violations():
    """Each rule refuses what it is there for."""
    shelf = PACKAGE / "shelf.py"
    assert list(direction_faults(shelf, "def f():\n    from snndeploy.target import Target\n")) == [
        "snndeploy/shelf.py:2: shelf must not import target"
    ]
    assert list(direction_faults(shelf, "from snndeploy import target")) == [
        "snndeploy/shelf.py:1: shelf must not import target"
    ]
    assert list(direction_faults(shelf, "from .target import Target")) == [
        "snndeploy/shelf.py:1: shelf must not import target"
    ]
    assert list(direction_faults(shelf, "import snndeploy")) == [
        "snndeploy/shelf.py:1: shelf must not import __init__"
    ]
    assert list(direction_faults(shelf, "from snndeploy.errors import DeployError")) == []
    assert list(door_faults(shelf, "def f():\n    import torch.nn as nn")) == [
        f"snndeploy/shelf.py:2: torch belongs in {DOORS['torch']}"
    ]
    assert list(door_faults(shelf, "from snndeploy.models import gac")) == [
        "snndeploy/shelf.py:1: snndeploy.models.gac is an input: read it, never import it"
    ]


def test_every_subpackage_is_shipped():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    folders = {path.parent.relative_to(ROOT) for path, _ in sources()}
    found = {".".join(folder.parts) for folder in folders}
    assert listed == found | {"snndeploy.targets", "snndeploy.models"}


def test_help_is_quick_because_it_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from snndeploy.cli import main\n"
        "sys.argv = ['snndeploy', '--help']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'numba', 'scipy', 'h5py', 'matplotlib', 'networkx'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "Usage:" in run.stdout
    assert run.stdout.splitlines()[-1] == "heavy: []"
