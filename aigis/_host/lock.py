"""One supervisor per home: a lock held for life, with a note in it of who holds it."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aigis._base.errors import AigisError
from aigis._base.home import PRIVATE_FILE, PRIVATE_FOLDER, Home
from aigis._host.processes import Identity, boot_id, identify, is_alive
from aigis._version import __version__


@dataclass(frozen=True)
class Holder:
    """The supervisor that holds a home's lock."""

    pid: int
    start_time: float
    boot_id: str
    version: str

    @property
    def identity(self) -> Identity:
        """The process."""
        return Identity(self.pid, self.start_time, self.boot_id)


def holder(home: Home) -> Holder | None:
    """Return the living supervisor of this home, or None; asks neither Redis nor the lock itself.

    The lock is not tried, since trying would for a moment refuse it to a supervisor that starts.
    """
    try:
        noted = Holder(**json.loads(home.lock_file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return noted if is_alive(noted.identity) else None


class SupervisorLock:
    """The lock of one home; a context manager.

    Entering raises AigisError, naming the holder, when another supervisor has it.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._home.hidden.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        descriptor = os.open(self._home.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise AigisError(self._refusal()) from error
        self._descriptor = descriptor
        self._note()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The file stays: removing it would let two supervisors lock two files of the same name.
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _note(self) -> None:
        me = identify(os.getpid())
        noted = Holder(os.getpid(), me.start_time if me else 0.0, boot_id(), __version__)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(dataclasses.asdict(noted)).encode(), 0)

    def _refusal(self) -> str:
        other = holder(self._home)
        who = f"(pid {other.pid}) " if other else ""
        return f"another supervisor {who}runs in {str(self._home.root)!r}; stop it with `invoke down`, or use it"
