"""What `import aigis` binds, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from types import ModuleType

import pytest

import aigis
from aigis._base import errors

HEAVY = ("celery", "kombu", "redis", "cloudpickle", "asyncio", "logging", "pythonjsonlogger", "inspect")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], text=True, capture_output=True, check=True)


def bound_names(statement: str) -> Sequence[str]:
    found: list[str] = json.loads(
        python("-c", f"{statement}; import json; print(json.dumps(list(vars(aigis))))").stdout
    )
    return [name for name in found if not name.startswith("_")]


def test_the_namespace_binds_the_errors_and_calls_and_nothing_else() -> None:
    assert set(bound_names("import aigis")) == {cls.__name__ for cls in errors.PUBLIC} | {"calls"}


def test_the_public_errors_are_those_of_the_tree() -> None:
    for cls in errors.PUBLIC:
        assert getattr(aigis, cls.__name__) is cls
        assert f" {cls.__name__}" in (errors.__doc__ or "")


def test_importing_it_imports_nothing_heavy() -> None:
    listed = "import sys, aigis, json; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(python("-c", listed).stdout)
    assert [name for name in HEAVY if name in modules] == []


@pytest.mark.parametrize("cls", errors.PUBLIC)
def test_every_error_has_a_default_text(cls: type[Exception]) -> None:
    assert str(cls()) == (cls.__doc__ or "") != ""


def test_calls_says_what_it_offers() -> None:
    public = {name for name, value in vars(aigis.calls).items() if not name.startswith("_")}
    assert {name for name in public if not isinstance(getattr(aigis.calls, name), ModuleType)} == {"value"}


def test_what_importing_it_costs_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lines = python("-X", "importtime", "-c", "import aigis").stderr.splitlines()
    whole = next(line for line in reversed(lines) if line.rstrip().endswith("| aigis"))
    with capsys.disabled():
        print(f"\nimport aigis: {int(whole.split('|')[1]) / 1000:.1f} ms with importtime's own cost", end=" ")
