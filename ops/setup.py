"""Makes `.venv` in this checkout: an environment with the locked requirements and the project itself.

    python3 ops/setup.py            what running AIGIS needs
    python3 ops/setup.py --test     and what the tests and linters need

A stamp in `.venv` tells what was finished, so that a second run ends at once and one that was interrupted is repaired.
This file uses the standard library alone, and is plain enough that an old Python can read it and say it is too old.
"""

import ast
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

if os.name == "posix":
    import fcntl

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
NEWEST = 20
"""The highest minor version of Python 3 that is looked for when `python3` is too old."""
LOCKS = {"run": "ops/locks/run.txt", "test": "ops/locks/test.txt"}
BUILD_LOCK = "ops/locks/build.txt"
BESIDES = (BUILD_LOCK, "pyproject.toml", "aigis/_version.py", "ops/setup.py")
"""Files whose change calls for another setup, beside the lock."""
UNFINISHED = "unfinished"
TAIL = 20
"""Lines shown of a step that failed."""
UNREACHABLE = "is the network up? Where packages come from is for pip's and uv's own settings to say: `pip config list`"
MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME", "VIRTUAL_ENV", "UV_SYSTEM_PYTHON", "UV_PYTHON")
"""Environment variables that would make pip or uv install elsewhere than into `.venv`."""


class SetupFailed(Exception):
    """The setup cannot go on; the text says why and what to do."""


def main(arguments: Sequence[str]) -> int:
    """Set up this checkout; return 0, 1 after a failure, or 2 for wrong words."""
    if list(arguments) not in ([], ["--test"]):
        print("usage: python3 ops/setup.py [--test]", file=sys.stderr)
        return 2
    try:
        refuse_platform(sys.version_info[:3], os.name)
        set_up(ROOT, "test" if arguments else "run")
    except (SetupFailed, OSError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: interrupted; the same command takes it up again", file=sys.stderr)
        return 130
    return 0


def refuse_platform(version: Tuple[int, ...], system: str) -> None:
    """Raise SetupFailed where AIGIS cannot run."""
    if system != "posix":
        raise SetupFailed("AIGIS runs on Linux and macOS, not on this system")
    if version[:2] >= OLDEST:
        return
    newer = newer_python()
    here = ".".join(str(number) for number in version)
    remedy = f"use the one you have: {newer} ops/setup.py" if newer else "install one and use it in place of `python3`"
    raise SetupFailed(f"AIGIS needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and this is {here}; {remedy}")


def newer_python() -> Optional[str]:
    """Return the name of the newest Python on PATH that is new enough."""
    names = (f"python3.{minor}" for minor in range(NEWEST, OLDEST[1] - 1, -1))
    return next((name for name in names if shutil.which(name)), None)


def set_up(root: Path, kind: str) -> None:
    """Bring `.venv` to what `kind` asks for; raise SetupFailed."""
    if finished(root, kind):
        return
    with alone(root) as lock:
        if not finished(root, kind):
            install(root, kind, Steps(root, lock))


def finished(root: Path, kind: str) -> bool:
    """Say whether an earlier setup has done all that `kind` asks for."""
    keys = read_stamp(root / ".venv")
    return keys is not None and keys.get(kind) == key(root, kind) and usable(root / ".venv")


def install(root: Path, kind: str, steps: "Steps") -> None:
    """Take all steps; the stamp says `unfinished` from the first to the last of them."""
    keys = {name: key(root, name) for name in (["run", "test"] if kind == "test" else ["run"])}
    venv = root / ".venv"
    python = str(venv / "bin" / "python")
    if not usable(venv) or read_stamp(venv) == {UNFINISHED: ""}:
        shutil.rmtree(str(venv), ignore_errors=True)
        venv.mkdir(exist_ok=True)
        write_stamp(venv, {UNFINISHED: ""})
        make_environment(venv, steps)
    write_stamp(venv, {UNFINISHED: ""})
    install_uv(root, venv, steps)
    steps.variables.update(uv_variables(steps.quietly([python, "-m", "pip", "config", "list"]), os.environ))
    uv = [str(venv / "bin" / "uv"), "pip", "install", "--python", python, "--build-constraints", BUILD_LOCK]
    steps.take(f"the packages of {LOCKS[kind]}", [*uv, "--require-hashes", "-r", LOCKS[kind]], UNREACHABLE)
    steps.take("AIGIS itself", [*uv, "--no-deps", "--reinstall-package", "aigis", "--editable", "."], UNREACHABLE)
    write_stamp(venv, keys)


def make_environment(venv: Path, steps: "Steps") -> None:
    """Make an empty environment with pip in it."""
    package = f"python3.{sys.version_info[1]}-venv"
    remedy = f"on Debian and Ubuntu: apt install {package}"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupFailed(f"{sys.executable} cannot make environments (it lacks venv or ensurepip); {remedy}")
    steps.take("the environment .venv", [sys.executable, "-m", "venv", str(venv)], remedy)


def install_uv(root: Path, venv: Path, steps: "Steps") -> None:
    """Install uv at the version and hash of the lock; all that follows is its work."""
    lock = venv / ".aigis-uv.txt"
    lock.write_text(lock_block((root / LOCKS["run"]).read_text(encoding="utf-8"), "uv"), encoding="utf-8")
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    steps.take(
        "uv, which installs the rest",
        [*pip, "--require-hashes", "--no-deps", "-r", str(lock)],
        UNREACHABLE,
    )


class Steps:
    """Runs the steps' programs in the checkout, telling what is under way and how it ended.

    The lock is handed on to them, so that a program that outlives us still keeps another setup waiting.
    """

    def __init__(self, root: Path, lock: int) -> None:
        self.root = root
        self.lock = lock
        self.variables = {name: value for name, value in os.environ.items() if name not in MISLEADING}
        self.variables.update(PIP_USER="0", PYTHONUTF8="1")

    def take(self, title: str, command: Sequence[str], remedy: str) -> None:
        """Run one step; raise SetupFailed with its last lines and the remedy."""
        print(f"setup: {title} ... ", end="", flush=True)
        start = time.monotonic()
        result = self._run(command, subprocess.STDOUT)
        if result.returncode:
            print("failed", flush=True)
            shown = "\n".join(f"    {line}" for line in last_lines(result.stdout))
            raise SetupFailed(f"{title}: {Path(command[0]).name} ended with {result.returncode}\n{shown}\n{remedy}")
        print(f"{time.monotonic() - start:.1f} s", flush=True)

    def quietly(self, command: Sequence[str]) -> str:
        """Return what a program prints, or '' when it fails."""
        result = self._run(command, subprocess.DEVNULL)
        return "" if result.returncode else result.stdout

    def _run(self, command: Sequence[str], errors: int) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=str(self.root), env=self.variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=errors, encoding="utf-8", errors="replace", pass_fds=(self.lock,), check=False,
        )  # fmt: skip


@contextlib.contextmanager
def alone(root: Path) -> Iterator[int]:
    """Hold the lock of this checkout, waiting for another setup to end; gives the lock's descriptor."""
    lock = os.open(str(root / "ops"), os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: another setup is at work here; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def usable(venv: Path) -> bool:
    """Say whether `venv` was made at this very place, for this Python, and has pip in it."""
    try:
        with (venv / "bin" / "pip").open("rb") as script:
            made_here = os.fsencode(str(venv)) in script.read(1024)
    except OSError:
        return False
    library = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return made_here and library.is_dir() and (venv / "bin" / "python").exists()


def key(root: Path, kind: str) -> str:
    """Return what identifies a finished setup: this Python and the content of all files that decide."""
    digest = hashlib.sha256(str(sys.implementation.cache_tag).encode())
    for name in (LOCKS[kind], *BESIDES):
        digest.update(b"\0" + (root / name).read_bytes())
    return digest.hexdigest()


def read_stamp(venv: Path) -> Optional[Dict[str, str]]:
    """Return the keys of what is finished, or None without a readable stamp."""
    try:
        keys = json.loads((venv / ".aigis-stamp").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return keys if isinstance(keys, dict) else None


def write_stamp(venv: Path, keys: Mapping[str, str]) -> None:
    """Replace the stamp as a whole."""
    scratch = venv / ".aigis-stamp.tmp"
    scratch.write_text(json.dumps(keys), encoding="utf-8")
    os.replace(str(scratch), str(venv / ".aigis-stamp"))


def lock_block(lock: str, package: str) -> str:
    """Return the lines of one package in a lock: its requirement and its hashes."""
    block: List[str] = []
    for line in lock.splitlines():
        if line.startswith(f"{package}=="):
            block.append(line)
        elif block and line.startswith(" "):
            if not line.lstrip().startswith("#"):
                block.append(line)
        elif block:
            break
    if not block:
        raise SetupFailed(f"the lock has no {package!r}: make it again, see CONTRIBUTING.md")
    return "\n".join(block) + "\n"


def last_lines(output: str) -> List[str]:
    """Return the last lines that say anything."""
    return [line for line in output.splitlines() if line.strip()][-TAIL:]


def uv_variables(pip_settings: str, environ: Mapping[str, str]) -> Dict[str, str]:
    """Return pip's settings as uv's environment variables; what the user has told uv itself stays as it is.

    `pip_settings` is the output of `pip config list`.
    """
    settings = read_pip_settings(pip_settings)
    indexes = settings.get("extra-index-url", "").split()
    told = {
        "UV_SYSTEM_CERTS": "true",
        "UV_DEFAULT_INDEX": settings.get("index-url", ""),
        "UV_INDEX": " ".join(indexes),
        # pip looks at all its indexes alike; the hashes of the lock say which file is meant.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if indexes else "",
        "UV_FIND_LINKS": ",".join(settings.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(settings.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": settings.get("timeout", settings.get("default-timeout", "")),
        "SSL_CERT_FILE": settings.get("cert", ""),
        "SSL_CLIENT_CERT": settings.get("client-cert", ""),
        "ALL_PROXY": settings.get("proxy", ""),
    }
    older = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL", "UV_SYSTEM_CERTS": "UV_NATIVE_TLS"}
    return {
        name: value
        for name, value in told.items()
        if value and name not in environ and older.get(name, name) not in environ
    }


def read_pip_settings(listing: str) -> Dict[str, str]:
    """Return pip's settings for installing, by name; environment variables win over `install` over `global`."""
    found: Dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section):
                with contextlib.suppress(ValueError, SyntaxError):
                    found[name[len(section) :]] = str(ast.literal_eval(value))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
