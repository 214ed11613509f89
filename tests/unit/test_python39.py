"""What a plugin's process imports runs on every Python from 3.9 on."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLD = (3, 9)


def old_modules() -> Iterator[Path]:
    """Yield the modules that pyproject.toml promises for this Python."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for pattern, version in document["tool"]["ruff"]["per-file-target-version"].items():
        assert version == "py39"
        for name in _alternatives(pattern):
            yield ROOT / name


def _alternatives(pattern: str) -> list[str]:
    found = re.search(r"\{(.*)\}", pattern)
    if found is None:
        return [pattern]
    return [pattern.replace(found[0], name) for name in found[1].split(",")]


def old_python() -> str | None:
    """Return an interpreter of that version, or None."""
    candidates = [*Path.home().glob(".pyenv/versions/3.9*/bin/python3.9"), shutil.which("python3.9")]
    for candidate in filter(None, candidates):
        done = subprocess.run(
            [str(candidate), "-c", "import sys; print(sys.version_info[:2])"],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.stdout.strip() == str(OLD):
            return str(candidate)
    return None


@pytest.mark.parametrize("file", sorted(old_modules()), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_promised_module_exists_and_parses(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=OLD)
    # The two whose every name is public cannot have it; they are run below.
    assert file.stem in {"__init__", "calls"} or _postpones_annotations(tree)


def _postpones_annotations(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)


def imported_inside(file: Path) -> set[Path]:
    """Return the modules of aigis that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = {ROOT / (name.replace(".", "/") + ".py") for name in names if name.startswith("aigis.")}
    return {file for file in files if file.is_file()}


def test_a_promised_module_imports_promised_modules_alone() -> None:
    promised = set(old_modules())
    broken = {(file, wanted) for file in promised for wanted in imported_inside(file) - promised}
    assert broken == set()


def test_the_face_runs_on_an_interpreter_of_that_version() -> None:
    python = old_python()
    if python is None:
        pytest.skip("no Python 3.9 here")
    code = "import aigis, aigis._base.messages, aigis._base.records, aigis._launch; print(aigis.NoWorker('x'))"
    done = subprocess.run([python, "-W", "error", "-c", code], check=False, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "x\n", "")
