"""One supervisor per home: a lock held for life, with a note in it of who holds it."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aigis._base.errors import AigisError
from aigis._base.home import PRIVATE_FILE, PRIVATE_FOLDER, Home
from aigis._host.processes import Identity, boot_id, has_open, identify, is_alive
from aigis._version import __version__

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What a disk answers that is full or read-only."""


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

    The lock is not tried, since trying would for a moment refuse it to a supervisor that starts. Who holds it has the
    file open: a process that has not is another, whatever the note says.
    """
    try:
        noted = Holder(**json.loads(home.lock_file.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if not isinstance(noted.pid, int) or not is_alive(noted.identity):
        return None
    return None if has_open(noted.pid, home.lock_file) is False else noted


class SupervisorLock:
    """The lock of one home; a context manager.

    Entering raises AigisError, naming the holder, when another supervisor has it. With `to_stop` it is held only to
    stop what is left, which must be possible on a full or read-only disk: there it leaves no note.
    """

    def __init__(self, home: Home, *, to_stop: bool = False) -> None:
        self._home = home
        self._to_stop = to_stop
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._descriptor = self._open()
        if self._descriptor < 0:
            return self
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise AigisError(self._refusal()) from error
        try:
            self._note()
        except OSError:
            if not self._to_stop:
                os.close(self._descriptor)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor < 0:
            return
        # The file stays: removing it would let two supervisors lock two files of the same name.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def lost(self) -> bool:
        """Tell whether the file that is locked is no longer the home's: then another supervisor could start there."""
        try:
            return not os.path.samestat(os.fstat(self._descriptor), self._home.lock_file.stat())
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False

    def _open(self) -> int:
        """Return a descriptor of the file; -1 where there is none and none can be made, hence nobody holds it."""
        file = self._home.lock_file
        try:
            self._home.hidden.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            if not self._to_stop or error.errno not in UNWRITABLE:
                raise
        try:
            return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return -1

    def _note(self) -> None:
        me = identify(os.getpid())
        noted = Holder(os.getpid(), me.start_time if me else 0.0, boot_id(), __version__)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(dataclasses.asdict(noted)).encode(), 0)

    def _refusal(self) -> str:
        other = holder(self._home)
        who = f"(pid {other.pid}) " if other else ""
        return f"another supervisor {who}runs in {str(self._home.root)!r}; stop it with `invoke down`, or use it"
