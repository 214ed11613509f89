"""A full disk is told in a sentence, since the supervisor can write none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aigis._base.home import Home
from aigis._cli.space import PATIENCE, FullDisk, is_full, shortage


def disk(blocks: int = 1000, reserve: int = 0, files: int = 100, left: int = 10) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, 10_000, blocks + reserve, blocks, files, left, left, 0, 255))


@pytest.mark.parametrize(
    ("found", "privileged", "full"),
    [
        (disk(), False, False),
        (disk(blocks=0), False, True),
        (disk(blocks=15), False, True),
        (disk(blocks=0, reserve=1000), False, True),
        (disk(blocks=0, reserve=1000), True, False),
        (disk(left=0), False, True),
        (disk(files=0, left=0), False, False),
    ],
)
def test_room_for_bytes_and_files_makes_a_disk_not_full(found: os.statvfs_result, privileged: bool, full: bool) -> None:
    assert is_full(found, privileged=privileged) == full


def test_the_sentence_says_where_and_what_to_do(tmp_path: Path) -> None:
    told = shortage(Home(tmp_path), statvfs=lambda _: disk(blocks=0))
    assert told.startswith("no space left on the disk of")
    assert ".aigis" in told
    assert "free some" in told
    assert shortage(Home(tmp_path), statvfs=lambda _: disk()) == ""


def test_waiting_ends_only_where_the_disk_stays_full(tmp_path: Path) -> None:
    now, told = 0.0, "full"
    watch = FullDisk(Home(tmp_path), look=lambda _: told, clock=lambda: now)
    assert watch.reason() == ""
    now, told = PATIENCE, ""
    assert watch.reason() == ""
    told = "full"
    assert watch.reason() == ""
    now = 2 * PATIENCE
    assert watch.reason() == "full"
