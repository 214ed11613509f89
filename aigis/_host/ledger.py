"""What is written on disk of every child before and after its start, so that no crash leaves an unknown one."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

from aigis._base.home import PRIVATE_FOLDER, Home, write_private
from aigis._host.processes import Identity, boot_id


@dataclass(frozen=True)
class ChildRecord:
    """One run of one child; pid and start time are unknown until it has started."""

    name: str
    generation: int
    boot_id: str
    argv0: str
    mark: str
    grace: float = 10.0
    pid: int | None = None
    start_time: float | None = None

    @property
    def identity(self) -> Identity | None:
        """The process, once it has started."""
        if self.pid is None or self.start_time is None:
            return None
        return Identity(self.pid, self.start_time, self.boot_id)


def home_id(home: Home) -> str:
    """Return the short text by which marks and runtime folders name this home."""
    return hashlib.sha256(os.fsencode(os.path.realpath(home.root))).hexdigest()[:12]


class Ledger:
    """The records of a home's children: one file each, removed when the whole tree of the child is gone."""

    def __init__(self, home: Home) -> None:
        self.folder = home.state / "children"
        self.home_id = home_id(home)

    def mark(self, name: str, generation: int) -> str:
        """Return the instance mark of one run."""
        return f"{self.home_id}:{name}:{generation}"

    def is_ours(self, mark: str) -> bool:
        """Tell whether a mark was given by this home."""
        return mark.startswith(f"{self.home_id}:")

    def intend(self, name: str, generation: int, argv0: str, grace: float) -> ChildRecord:
        """Write down that a child is about to start."""
        mark = self.mark(name, generation)
        record = ChildRecord(name, generation, boot_id(), argv0, mark, grace)
        self._write(record)
        return record

    def started(self, record: ChildRecord, identity: Identity) -> ChildRecord:
        """Write down as whom it started."""
        record = dataclasses.replace(record, pid=identity.pid, start_time=identity.start_time)
        self._write(record)
        return record

    def forget(self, name: str) -> None:
        """Remove the record of a child of which nothing is left.

        Where the disk refuses that the record stays: it names a process that has ended, which harms nobody.
        """
        with contextlib.suppress(OSError):
            self._file(name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all records, damaged ones too."""
        for file in self.folder.glob("*.json"):
            with contextlib.suppress(OSError):
                file.unlink()

    def read(self) -> list[ChildRecord]:
        """Return all records; a file that is damaged (a crash of the machine, another's hand) counts as none."""
        records = (_parse(file) for file in sorted(self.folder.glob("*.json")))
        return [record for record in records if record is not None]

    def _write(self, record: ChildRecord) -> None:
        self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        write_private(self._file(record.name), json.dumps(dataclasses.asdict(record)).encode())

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _parse(file: Path) -> ChildRecord | None:
    try:
        record = ChildRecord(**json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return record if _is_sound(record, file) else None


def _is_sound(record: ChildRecord, file: Path) -> bool:
    """Tell whether a record can be what we wrote: of the file's name, hence no path, and of the right types."""
    texts = (record.name, record.boot_id, record.argv0, record.mark)
    return (
        all(isinstance(text, str) for text in texts)
        and file.name == f"{record.name}.json"
        and _is_whole(record.generation)
        and _is_number(record.grace)
        # Nobody's child is process 1: all others run below it.
        and (record.pid is None or (_is_whole(record.pid) and record.pid > 1))
        and (record.start_time is None or _is_number(record.start_time))
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
