"""What is written on disk of every child before and after its start, so that no crash leaves an unknown one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
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
        """Remove the record of a child of which nothing is left."""
        self._file(name).unlink(missing_ok=True)

    def read(self) -> list[ChildRecord]:
        """Return all records; a file that cannot be read (a crash of the machine) counts as none."""
        records = (_parse(file) for file in sorted(self.folder.glob("*.json")))
        return [record for record in records if record is not None]

    def _write(self, record: ChildRecord) -> None:
        self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        write_private(self._file(record.name), json.dumps(dataclasses.asdict(record)).encode())

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _parse(file: Path) -> ChildRecord | None:
    try:
        return ChildRecord(**json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
