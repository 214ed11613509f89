"""Why a supervisor could not start is told with the remedy, and its end is told although it could say nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from aigis._base.errors import AigisError
from aigis._base.home import Home
from aigis._base.settings import Settings
from aigis._cli import up
from aigis._cli.launch import Launch
from aigis._host.__main__ import CANNOT_START, why


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_nothing_is_named_with_the_remedy(number: int) -> None:
    told = why(OSError(number, os.strerror(number)), Home(Path("/srv/home")))
    assert told == f"{os.strerror(number)}, at '/srv/home/.aigis'; free some space, or make the disk writable"


def test_every_other_reason_is_told_as_it_is() -> None:
    assert why(AigisError("no such thing"), Home(Path("/srv/home"))) == "no such thing"
    assert why(AigisError("no home"), None) == "no home"


class Ended:
    """A supervisor that has ended."""

    pid = 7

    def __init__(self, code: int) -> None:
        self._code = code

    def poll(self) -> int:
        return self._code


@pytest.mark.parametrize("code", [CANNOT_START, 120])
def test_on_a_full_disk_an_end_without_words_has_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    home = Home(tmp_path)
    home.hidden.mkdir()
    home.log_file.touch()
    ended: Any = Ended(code)
    monkeypatch.setattr(up, "shortage", lambda _: "no space left")
    upkeep = up.Upkeep(Settings(home=home, host="here"), launched=Launch(ended, home.log_file, 0, 0.0))
    assert "no space left" in str(upkeep.failure())
