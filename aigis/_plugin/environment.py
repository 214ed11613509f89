"""Environments: venvs that uv builds from what plugins need, keyed by content and reused.

`.aigis/env/KEY/` holds one; its file `ready` is written last, so one without it is half made and built anew in its
place (a venv cannot be moved). A lock per key is inherited by the installer: it holds as long as that one lives, even
when the supervisor does not.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uv

from aigis._base.errors import PluginError
from aigis._base.home import write_private
from aigis._plugin.installer import BuildFailed, BuildStopped, run, uv_variables, without_own
from aigis._plugin.requirements import Needs
from aigis._plugin.tree import remove_tree
from aigis._version import __version__

_CHATTER = ("Using ", "Creating virtual environment", "Activate with")
"""What uv says each time; it explains no failure."""


@dataclass(frozen=True)
class Environment:
    """An interpreter and the folder of the programs installed beside it."""

    python: Path
    bin: Path


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that an environment is made from: equal recipes are one environment."""

    python: str = sys.executable
    """A path, or a range of versions for uv to find one."""
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Whose they are → lines of a requirements file."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Name → folder of the packages to be importable as they are, without installing."""

    def key(self, folder: Path) -> str:
        """Return the name of the environment in `folder`; also of this AIGIS and this Python."""
        parts = [
            [self.python, sys.version, __version__, str(folder)],
            [[name, *lines] for name, lines in self.lines.items()],
            sorted(self.packages.items()),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Builds environments in `folder`; safe to use from several threads and processes."""

    folder: Path
    environ: Mapping[str, str]
    """Environment variables of the supervisor; AIGIS's own are kept from installers."""
    on_progress: Callable[[str], None] = lambda _: None
    """Gets each line the installers print."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set: installers are killed and BuildStopped is raised."""
    timeout: float = 600.0
    """Seconds one installer may take."""
    installer: str = field(default_factory=uv.find_uv_bin)

    def ensure(self, recipe: Recipe) -> Environment:
        """Return the environment of `recipe`, built unless it is there already. Raises BuildFailed, BuildStopped."""
        key = recipe.key(self.folder)
        target = self.folder / key
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._locked(key) as lock:
                if not is_ready(target):
                    self._build(recipe, target, lock)
        except OSError as error:
            raise BuildFailed(f"environment {str(target)!r} cannot be made: {error}") from error
        return environment_at(target)

    def ensure_core(
        self, needs: Sequence[Needs], pins: Sequence[str], packages: Mapping[str, str]
    ) -> tuple[Environment, dict[str, str]]:
        """Return the environment the core plugins share, and why some of them are left out: name → reason.

        It holds AIGIS at `pins` and what `needs`, in load order, list; with nothing needed it is AIGIS's own
        interpreter. One that cannot be solved with those before it is left out.
        """
        wanted = [need for need in needs if need.lines or need.command]
        if not wanted:
            return own_environment(), {}
        try:
            return self.ensure(core_recipe(wanted, pins, packages)), {}
        except BuildFailed:
            left_out = self._find_unsolvable(wanted, pins)
        remaining = [need for need in wanted if need.plugin not in left_out]
        if not remaining:
            return own_environment(), left_out
        try:
            return self.ensure(core_recipe(remaining, pins, packages)), left_out
        except BuildFailed as error:
            return own_environment(), {**left_out, **{need.plugin: str(error) for need in remaining}}

    def run_command(self, needs: Needs, environment: Environment | None) -> None:
        """Run the plugin's own REQUIREMENTS_COMMAND unless it has ended well for this version and environment.

        It runs in the plugin's runtime folder with the environment's programs first on PATH, and never installs into
        the host's Python. Raises PluginError (phase 'requirements') with the command's last lines.
        """
        if needs.command is None:
            return
        try:
            marker = needs.root.parent / f"{needs.root.name}.{_command_digest(needs, environment)}.installed"
            if marker.is_file():
                return
            if environment is not None and "pip" in needs.command:
                self._seed(environment)
            variables = environment_variables(environment, {**without_own(self.environ), "PIP_REQUIRE_VIRTUALENV": "1"})
            self._run(["/bin/sh", "-c", needs.command], cwd=needs.root, environ=variables)
            marker.touch()
        except (BuildFailed, OSError) as error:
            raise PluginError(
                f"REQUIREMENTS_COMMAND of plugin {needs.plugin!r} failed: {error}", phase="requirements"
            ) from error

    def _seed(self, environment: Environment) -> None:
        """Give the environment a pip, for commands that call it by another way than AIGIS recognises."""
        if not (environment.bin / "pip").exists():
            with contextlib.suppress(BuildFailed):
                self._uv("pip", "install", "--python", str(environment.python), "pip")

    def _build(self, recipe: Recipe, target: Path, lock: int) -> None:
        remove_tree(target)
        try:
            self._uv("venv", "--python", recipe.python, "--no-project", str(target), lock=lock)
            self._install(target, recipe.lines, lock)
            for name, folder in recipe.packages.items():
                _link_package(target, name, folder)
            write_private(target / "ready", json.dumps({"lines": recipe.lines}).encode())
        except BaseException:
            remove_tree(target)
            raise

    def _install(self, target: Path, lines: Mapping[str, Sequence[str]], lock: int) -> None:
        files = [_write_lines(target, name, content) for name, content in lines.items() if content]
        if files:
            named = [word for file in files for word in ("-r", str(file))]
            self._uv("pip", "install", "--python", str(target / "bin" / "python"), *named, lock=lock)

    def _find_unsolvable(self, wanted: Sequence[Needs], pins: Sequence[str]) -> dict[str, str]:
        """Add one plugin after another to a trial environment; return why some cannot be added."""
        target = self.folder / f"trial-{core_recipe(wanted, pins, {}).key(self.folder)}"
        try:
            with self._locked(target.name) as lock:
                remove_tree(target)
                try:
                    return self._try_each(wanted, pins, target, lock)
                finally:
                    remove_tree(target)
        except (BuildFailed, OSError) as error:
            return {need.plugin: f"the core environment cannot be built: {error}" for need in wanted}

    def _try_each(self, wanted: Sequence[Needs], pins: Sequence[str], target: Path, lock: int) -> dict[str, str]:
        accepted: dict[str, Sequence[str]] = {"aigis": pins}
        reasons: dict[str, str] = {}
        self._uv("venv", "--python", sys.executable, "--no-project", str(target), lock=lock)
        self._install(target, accepted, lock)
        for need in wanted:
            try:
                # uv changes nothing when it cannot solve or build all.
                self._install(target, {**accepted, need.plugin: need.lines}, lock)
                accepted[need.plugin] = need.lines
            except BuildFailed as error:
                reasons[need.plugin] = str(error)
        return reasons

    def _uv(self, *arguments: str, lock: int | None = None) -> None:
        # Away from the plugin's folder, whose uv settings are not the operator's.
        self._run(
            [self.installer, *arguments, "--no-progress"],
            cwd=self.folder,
            environ=uv_variables(without_own(self.environ)),
            pass_fds=() if lock is None else (lock,),
        )

    def _run(
        self, command: Sequence[str], *, cwd: Path, environ: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> None:
        code, tail = run(
            command,
            cwd=cwd,
            environ=environ,
            pass_fds=pass_fds,
            timeout=self.timeout,
            stop=self.stop,
            on_line=self.on_progress,
        )
        if code != 0:
            said = "\n".join(line for line in tail.splitlines() if not line.startswith(_CHATTER))
            raise BuildFailed(f"the installer ended with {code}" + (f":\n{said}" if said else ""))

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[int]:
        descriptor = os.open(self.folder / f"{key}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not _try_lock(descriptor):
                if self.stop.wait(0.1):
                    raise BuildStopped
            yield descriptor
        finally:
            os.close(descriptor)


def own_environment() -> Environment:
    """Return the interpreter AIGIS itself runs on; nothing is ever installed into it."""
    return Environment(python=Path(sys.executable), bin=Path(sys.executable).parent)


def environment_at(target: Path) -> Environment:
    """Return the environment in the folder `target`."""
    return Environment(python=target / "bin" / "python", bin=target / "bin")


def is_ready(target: Path) -> bool:
    """Return whether the environment was built to its end and its interpreter still exists."""
    return (target / "ready").is_file() and os.access(target / "bin" / "python", os.X_OK)


def core_recipe(wanted: Sequence[Needs], pins: Sequence[str], packages: Mapping[str, str]) -> Recipe:
    """Return the recipe of the environment core plugins share; their order is the order of solving."""
    lines = {need.plugin: (*need.lines, *([f"# {need.command!r}"] if need.command else [])) for need in wanted}
    return Recipe(lines={"aigis": tuple(pins), **lines}, packages=packages)


def own_packages(*names: str) -> dict[str, str]:
    """Return where AIGIS's own packages lie."""
    specs = {name: importlib.util.find_spec(name) for name in names}
    return {
        name: os.path.abspath(spec.submodule_search_locations[0])
        for name, spec in specs.items()
        if spec is not None and spec.submodule_search_locations
    }


def environment_variables(environment: Environment | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` with the environment's programs first on PATH; unchanged without one."""
    if environment is None:
        return dict(environ)
    path = os.pathsep.join(filter(None, (str(environment.bin), environ.get("PATH", os.defpath))))
    rest = {name: value for name, value in environ.items() if name != "PYTHONHOME"}
    return {**rest, "PATH": path, "VIRTUAL_ENV": str(environment.bin.parent)}


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_lines(target: Path, name: str, lines: Sequence[str]) -> Path:
    folder = target / "requirements"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.txt"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def _link_package(target: Path, name: str, folder: str) -> None:
    site = next(target.glob("lib/python*/site-packages"))
    place = site / name
    # A package of that name among the requirements gives way: the name is AIGIS's.
    remove_tree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(folder)


def _command_digest(needs: Needs, environment: Environment | None) -> str:
    contents = [hashlib.sha256(file.read_bytes()).hexdigest() for file in needs.inputs]
    parts = [needs.command, contents, None if environment is None else str(environment.bin)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
