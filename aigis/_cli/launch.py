"""Starting a supervisor that outlives the command that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aigis._base.errors import AigisError
from aigis._base.home import PRIVATE_FILE, PRIVATE_FOLDER, Home
from aigis._host.journal import OWN_NAME as SUPERVISOR
from aigis._host.ledger import Ledger
from aigis._host.processes import MARK_VARIABLE

LAST_LINES = 15
MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Launch:
    """A supervisor this process has started."""

    process: subprocess.Popen[bytes]
    log: Path
    begin: int
    """Where in the log its own output begins."""
    at: float
    """When it was started, in seconds since the epoch."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self.process.poll()

    def last_words(self) -> str:
        """Return the end of what it printed: why it ended, if it ended badly."""
        with self.log.open("rb") as file:
            file.seek(max(self.begin, os.fstat(file.fileno()).st_size - MOST_BYTES))
            text = file.read().decode(errors="replace")
        return "\n".join(text.strip().splitlines()[-LAST_LINES:])


def launch(
    home: Home,
    workers: int = -1,
    *,
    environ: Mapping[str, str] = os.environ,
    popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen,
    clock: Callable[[], float] = time.time,
) -> Launch:
    """Start the supervisor of a home in a session of its own; it reads no input and prints into its log.

    `workers` is how many core workers are wanted, -1 leaves that to the settings. Raises AigisError for a home that
    cannot be written.
    """
    log = _open_log(home)
    try:
        begin, now = os.fstat(log).st_size, clock()
        process = popen(
            arguments(workers),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.root,
            env=variables(home, environ, now),
            start_new_session=True,
        )
    finally:
        os.close(log)
    return Launch(process, home.log_file, begin, now)


def _open_log(home: Home) -> int:
    try:
        home.hidden.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        return os.open(home.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
    except OSError as error:
        raise AigisError(
            f"the home {str(home.root)!r} cannot be written: {error}; correct that, or name another in AIGIS_HOME"
        ) from error


def arguments(workers: int) -> list[str]:
    """Return the supervisor's command line; -P keeps files that lie in the home from being imported by it."""
    wanted = ["--workers", str(workers)] if workers >= 0 else []
    return [sys.executable, "-P", "-m", "aigis._host", *wanted]


def variables(home: Home, environ: Mapping[str, str], now: float) -> dict[str, str]:
    """Return its environment variables: paths are absolute, since its directory is another than ours.

    By its mark it is found when its note in the lock file is damaged, or the file gone.
    """
    paths = {"AIGIS_HOME": str(home.root)}
    if environ.get("AIGIS_KEY"):
        paths["AIGIS_KEY"] = os.path.abspath(home.key_file)
    return {**environ, **paths, MARK_VARIABLE: Ledger(home).mark(SUPERVISOR, int(now * 1000))}
