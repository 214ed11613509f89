"""One AIGIS from outside: its commands, Python processes in its home, its log, its Redis, the process table."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis

from tests.acceptance.console import Console, on_pipes
from tests.stage import eventually

PROGRAMS = Path(sys.executable).parent
FIXTURES = Path(__file__).parents[1] / "fixtures"
AWKWARD = "a home, 100% #1 o'clock"
"""The name of a home that must be quoted everywhere."""
PATIENCE = 60.0
"""Seconds any command may take."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


class Running:
    """A command that goes on; its output lies in a file, so that nobody has to read along."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def text(self) -> str:
        """What it has printed so far, to stdout and stderr."""
        return self._output.read_text(errors="replace")

    def until(self, text: str, seconds: float = 15.0) -> str:
        """Wait until it has printed `text`, and return all it has printed."""
        eventually(lambda: text in self.text or self.process.poll() is not None, seconds)
        assert text in self.text, self.text
        return self.text

    def code(self, seconds: float = 30.0) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(seconds)


class System:
    """A home in `root`, and everything people and programs can do to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("AIGIS_", "PYTHON", "CELERY"))
        }
        self._outputs = Path(tempfile.mkdtemp(prefix="aigis-out-"))
        self._running: list[subprocess.Popen[Any]] = []
        self._sockets: set[Path] = set()
        self._marks: set[str] = set()
        self._descendants: set[psutil.Process] = set()

    # What lies in the home.

    def settings(self, text: str) -> None:
        """Write aigis.toml."""
        self.root.joinpath("aigis.toml").write_text(text)

    def copy(self, plugins: Path) -> None:
        """Copy a folder of plugins into the home."""
        shutil.copytree(plugins, self.root / "plugins", dirs_exist_ok=True)

    def plugin(
        self, name: str, kind: str, core: str | None = None, files: Mapping[str, str | bytes] | None = None, **keys: Any
    ) -> Path:
        """Write a plugin into the home: its manifest, AIGIS.core, other files; .sh files may be executed."""
        config = {"PLUGIN_TYPE": kind, "ENTRYPOINT": "{root}", **keys}
        contents: dict[str, str | bytes] = {
            "AIGIS/AIGIS.config": "".join(f"{key} = {value!r}\n" for key, value in config.items()),
            **({} if core is None else {"AIGIS/AIGIS.core": core}),
            **(files or {}),
        }
        folder = self.root / "plugins" / name
        for path, content in contents.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
            if path.endswith(".sh"):
                file.chmod(0o755)
        return folder

    # Commands.

    def run(self, *argv: str, code: int | None = 0, stdin: str = "", seconds: float = PATIENCE) -> Done:
        """Run a program in the home to its end; its exit code must be `code`, None allows any."""
        ended = subprocess.run(
            argv, cwd=self.root, env=self.environ, input=stdin, capture_output=True, text=True, timeout=seconds,
            check=False,
        )  # fmt: skip
        assert code in (None, ended.returncode), f"{argv} ended with {ended.returncode}: {ended.stdout}{ended.stderr}"
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def aigis(self, *words: str, code: int | None = 0, stdin: str = "", seconds: float = PATIENCE) -> Done:
        """Run one verb."""
        return self.run(str(PROGRAMS / "aigis"), *words, code=code, stdin=stdin, seconds=seconds)

    def begin(self, *words: str) -> Running:
        """Start one verb that goes on, without a terminal."""
        output = self._outputs / str(len(self._running))
        with output.open("wb") as file:
            process = subprocess.Popen(
                [PROGRAMS / "aigis", *words],
                cwd=self.root, env=self.environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip
        self._running.append(process)
        return Running(process, output)

    def up(self, *words: str, code: int = 0) -> Done:
        """Bring everything up and to rest."""
        done = self.aigis("up", "--detach", *words, code=code)
        self.note()
        return done

    def down(self) -> Done:
        """Stop everything, and see that nothing is left."""
        self.note()
        done = self.aigis("down")
        self.assert_nothing_left()
        return done

    def call(self, path: str, *words: str, code: int = 0) -> Any:
        """Call a skill from the command line; return the value its line of JSON holds, or what it said on stderr."""
        done = self.aigis("call", path, *words, code=code)
        return json.loads(done.out) if code == 0 else done.err

    def python(self, code: str) -> str:
        """Run `python -c` in the home and return what it prints."""
        return self.run(sys.executable, "-c", code).out.strip()

    def console(self) -> Console:
        """Start a Python process in the home that runs what it is sent, as a prompt does."""
        source = Path(FIXTURES / "agent" / "console.py").read_text()
        process = subprocess.Popen(
            [sys.executable, "-c", source],
            cwd=self.root, env=self.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._running.append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        return on_pipes(process.stdout, process.stdin)

    # What it tells.

    def status(self) -> dict[str, list[dict[str, Any]]]:
        """Return the status document."""
        document: dict[str, list[dict[str, Any]]] = json.loads(self.aigis("status", "--json").out)
        return document

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the rows of all plugins by name."""
        return {row["name"]: row for row in self.status()["plugins"]}

    def row(self, name: str) -> dict[str, Any]:
        """Return the row of one plugin."""
        return self.rows()[name]

    def host(self) -> dict[str, Any]:
        """Return the row of this host."""
        return self.status()["hosts"][0]

    def states(self) -> dict[str, str]:
        """Return the states of all plugins by name."""
        return {name: row["state"] for name, row in self.rows().items()}

    def records(self, *words: str) -> list[dict[str, Any]]:
        """Return the whole log, or what the filters leave of it."""
        return [json.loads(line) for line in self.aigis("logs", "--json", "-n", "0", *words).out.splitlines()]

    def messages(self, plugin: str) -> list[str]:
        """Return what one plugin said, oldest first."""
        return [record["message"] for record in self.records("--plugin", plugin)]

    def redis(self) -> redis.Redis:
        """Return a client of the home's Redis, found as any program would find it."""
        return redis.Redis.from_url((self.root / ".aigis" / "bus").read_text().strip())

    # The process table.

    def processes(self) -> list[psutil.Process]:
        """Return every living process of this home: by directory, arguments, variables, or the mark of its children."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        root = os.path.realpath(self.root)
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            variables = process.environ()
            if any(variables.get("AIGIS_CHILD", "").startswith(mark) for mark in self._marks):
                return True
            places = [process.cwd(), *process.cmdline(), variables.get("AIGIS_HOME", "")]
        except (psutil.Error, OSError):
            return False
        return any(root in place for place in places)

    def child(self, name: str) -> psutil.Process:
        """Return the process of one of AIGIS's own children, such as `aigis.redis`."""
        pid = json.loads((self.root / ".aigis" / "state" / "children" / f"{name}.json").read_text())["pid"]
        return psutil.Process(pid)

    def note(self) -> None:
        """Remember by what its processes and sockets are known once it is down."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                mark = process.environ().get("AIGIS_CHILD", "")
                self._marks |= {mark.partition(":")[0] + ":"} if mark else set()
                self._descendants |= {process, *process.children(recursive=True)}
        with contextlib.suppress(OSError):
            url = (self.root / ".aigis" / "bus").read_text().strip()
            if url.startswith("unix:"):
                self._sockets.add(Path(redis.Redis.from_url(url).connection_pool.connection_kwargs["path"]))

    def assert_nothing_left(self) -> None:
        """See that neither process nor socket nor held lock is left."""
        ours = {process.pid for process in self._running}
        left = {*self.processes(), *filter(is_alive, self._descendants)}
        assert {process for process in left if process.pid not in ours} == set()
        assert [socket for socket in self._sockets if socket.exists() or socket.parent.exists()] == []
        lock = self.root / ".aigis" / "supervisor.lock"
        if lock.exists():
            with lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Stop everything, also what a failed test has left, and see that nothing is."""
        for process in self._running:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        self._running.clear()
        try:
            self.down()
        finally:
            for stray in {*self.processes(), *filter(is_alive, self._descendants)}:
                with contextlib.suppress(psutil.Error):
                    stray.kill()
            shutil.rmtree(self._outputs)


@contextmanager
def home(name: str = "home") -> Iterator[System]:
    """Make an empty home in a short directory, and stop and remove it at the end of the block."""
    # Not below pytest's own directories: their names are long, and those of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="aigis-") as folder:
        root = Path(folder) / name
        root.mkdir()
        system = System(root)
        system.settings("")
        try:
            yield system
        finally:
            system.close()


def is_alive(process: psutil.Process) -> bool:
    """Whether exactly this process still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def noted(file: Path) -> list[psutil.Process]:
    """Return the living processes whose ids lie in a file, one a line."""
    found = []
    for line in file.read_text().split() if file.exists() else ():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(line)))
    return [process for process in found if is_alive(process)]


def settled(look: Callable[[], Any], wanted: Any, seconds: float = 15.0) -> None:
    """Wait until `look` gives `wanted`; tells what it gave instead."""
    seen: list[Any] = []

    def found() -> bool:
        seen[:] = [look()]
        return bool(seen[0] == wanted)

    try:
        eventually(found, seconds)
    except AssertionError:
        raise AssertionError(f"{wanted!r} was expected within {seconds} s, it is {seen[0]!r}") from None


def lines_of(records: Sequence[Mapping[str, Any]], plugin: str, stream: str) -> list[tuple[str, str]]:
    """Return (level, message) of one plugin's stream."""
    return [(r["level"], r["message"]) for r in records if (r["plugin"], r["stream"]) == (plugin, stream)]
