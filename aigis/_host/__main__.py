"""`python -m aigis._host [--workers N]`: the supervisor of the home that is found."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from aigis._base.errors import AigisError
from aigis._base.home import PRIVATE_FOLDER, Home, write_private
from aigis._base.settings import read_settings
from aigis._host.journal import log_to_stderr
from aigis._host.lock import UNWRITABLE
from aigis._host.run import run

CANNOT_START = 2
STARTUP_ERROR = "startup-error"
"""File in `.aigis/state` with the sentence why the last start failed; absent after a start that went well."""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a supervisor to its end and return the exit code: 0 after an orderly stop, 2 when it could not start."""
    options = _parser().parse_args(arguments)
    log_to_stderr()
    home = None
    try:
        settings = read_settings(environ, Path.cwd())
        home = settings.home
        _note(home, None)
        asyncio.run(run(settings, environ, workers=options.workers))
    except (AigisError, OSError) as error:
        reason = why(error, home)
        if home is not None:
            _note(home, reason)
        with contextlib.suppress(OSError):  # the log may lie on the disk that is full
            print(f"aigis: cannot start: {reason}", file=sys.stderr, flush=True)  # noqa: T201 the last line tells why
        return CANNOT_START
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m aigis._host", description=__doc__)
    parser.add_argument("--workers", type=int, default=None, help="core workers on this host")
    return parser


def why(error: Exception, home: Home | None) -> str:
    """Return the sentence for people, with a remedy where the disk is at fault."""
    if home is not None and isinstance(error, OSError) and error.errno in UNWRITABLE:
        place = error.filename or str(home.hidden)
        return f"{error.strerror}, at {place!r}; free some space, or make the disk writable"
    return str(error)


def _note(home: Home, reason: str | None) -> None:
    file = home.state / STARTUP_ERROR
    with contextlib.suppress(OSError):
        if reason is None:
            file.unlink(missing_ok=True)
            return
        home.state.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        write_private(file, f"{reason}\n".encode())


if __name__ == "__main__":
    # Until the loop listens to signals they must not end us halfway; a hangup of the terminal is an orderly end later.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(main(sys.argv[1:], dict(os.environ)))
