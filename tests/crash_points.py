"""Runs a command and stops it at one of its file operations, by a signal it sends itself.

    python crash_points.py FOLDER    then one job a line on stdin, one answer a line on stdout

A job is JSON: {"command": [...], "stop_at": N or null, "signal": number}; the answer {"code": exit
code or minus the signal, "operations": how many there were}.  Each runs in a fork of a process that
has everything imported.  An operation is what Python reports of files below FOLDER (`sys.audit`):
opening to write, renaming, linking, making and removing; the signal comes just before it.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import sys

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}


class Counter:
    def __init__(self, folder, stop_at, number):
        self.folder, self.stop_at, self.number, self.count = folder, stop_at, number, 0

    def __call__(self, event, arguments):
        if event == "open":
            path, _, flags = arguments
            if not (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif event in CHANGES:
            path = arguments[0]
        else:
            return
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        if not os.path.abspath(os.fsdecode(path)).startswith(self.folder):
            return
        self.count += 1
        if self.count == self.stop_at:
            os.kill(os.getpid(), self.number)


def run(folder, job):
    """In a child: the command's exit code, and how many operations it did."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        counter = Counter(folder, job["stop_at"], job["signal"])
        sys.addaudithook(counter)
        code = 0
        try:
            from snndeploy.cli import main

            main(job["command"], standalone_mode=True)
        except SystemExit as end:
            code = end.code or 0
        finally:
            os.write(write, str(counter.count).encode())
        os._exit(int(code))
    os.close(write)
    said = b""
    while piece := os.read(read, 64):
        said += piece
    os.close(read)
    status = os.waitpid(child, 0)[1]
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return {"code": code, "operations": int(said or 0)}


def serve(folder):
    import snndeploy

    for module in pkgutil.walk_packages(snndeploy.__path__, "snndeploy."):
        if not module.name.endswith("_template"):  # they run in Lava's Python alone
            importlib.import_module(module.name)
    for line in sys.stdin:
        print(json.dumps(run(folder, json.loads(line))), flush=True)


if __name__ == "__main__":
    serve(os.path.abspath(sys.argv[1]))
