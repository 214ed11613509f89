"""Running an installer: with the user's own settings, for a limited time, leaving nothing behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aigis._base.errors import AigisError

_TAIL_LINES = 15
_TAIL_BYTES = 4096
_PIP_VARIABLES = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_CERT": "SSL_CERT_FILE"}
_PIP_LISTS = {"PIP_EXTRA_INDEX_URL": ("UV_INDEX", " "), "PIP_FIND_LINKS": ("UV_FIND_LINKS", ",")}


class BuildStopped(AigisError):
    """AIGIS stops, and so does the installer it had started."""


class BuildFailed(AigisError):
    """An installer did not do its work; the text ends with its last lines."""


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    timeout: float,
    stop: threading.Event,
    on_line: Callable[[str], None],
    pass_fds: Sequence[int] = (),
    clock: Callable[[], float] = time.monotonic,
) -> tuple[int, str]:
    """Run an installer in a session of its own to its end; return its exit code and its last lines.

    Raises BuildStopped when `stop` is set and BuildFailed after `timeout` seconds; nothing it started survives.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=pass_fds,
    )
    output = _Output(on_line)
    deadline = clock() + timeout
    try:
        while _pump(process, output):
            if stop.is_set():
                raise BuildStopped
            if clock() > deadline:
                raise BuildFailed(f"the installer took more than {timeout:g} s and was stopped:\n{output.tail()}")
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
    return code, output.tail()


def uv_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for uv: the user's own, those of pip said in uv's words, and the system's certificates."""
    said = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
    for pip_name, uv_name in _PIP_VARIABLES.items():
        if pip_name in environ:
            said[uv_name] = environ[pip_name]
    for pip_name, (uv_name, separator) in _PIP_LISTS.items():
        if pip_name in environ:
            said[uv_name] = separator.join(environ[pip_name].split())
    if "PIP_EXTRA_INDEX_URL" in environ:
        # pip takes the best version of all indexes, uv by itself the first index that knows the name.
        said["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if {"UV_INDEX_URL", "UV_DEFAULT_INDEX"} & environ.keys():
        said.pop("UV_DEFAULT_INDEX", None)
    confusing = {"VIRTUAL_ENV", "CONDA_PREFIX", "UV_SYSTEM_PYTHON", "UV_PYTHON"}
    return {**said, **{name: value for name, value in environ.items() if name not in confusing}}


def without_own(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that tell where AIGIS's Redis and key are; the child's mark stays."""
    return {name: value for name, value in environ.items() if not name.startswith("AIGIS_") or name == "AIGIS_CHILD"}


class _Output:
    """What an installer prints: lines handed on as they come, the last ones kept."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._pending = b""
        self._last: deque[str] = deque(maxlen=_TAIL_LINES)

    def feed(self, chunk: bytes) -> None:
        *lines, pending = (self._pending + chunk).split(b"\n")
        self._pending = pending[-_TAIL_BYTES:]
        for line in lines:
            self._take(line)

    def close(self) -> None:
        self._take(self._pending)
        self._pending = b""

    def tail(self) -> str:
        self.close()
        return "\n".join(self._last)[-_TAIL_BYTES:]

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self._last.append(text)
            self._on_line(text)


def _pump(process: subprocess.Popen[bytes], output: _Output, *, wait: float = 0.1) -> bool:
    """Take what the installer printed within `wait` seconds; return False once it has ended."""
    if process.stdout is None:
        return process.poll() is None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if selector.select(wait):
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            output.feed(chunk)
            if chunk:
                return True
            time.sleep(0 if process.poll() is not None else wait)
    # Its end counts, not the end of its output, which a process it left behind may hold open.
    return process.poll() is None
