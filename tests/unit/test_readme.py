"""The README's commands, its plugin and its table are what they say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from aigis._cli.verbs import namespace
from aigis._plugin.manifest import read_manifest

CHECKOUT = Path(__file__).parents[2]
DOCS = sorted(f"docs/{file.name}" for file in (CHECKOUT / "docs").glob("*.md"))
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """Return what stands below a heading of the README."""
    _, _, rest = README.partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """The README's plugin, written to files as its comments say."""
    (block,) = re.findall(r"```python\n(.*?)```", section("A plugin in ten lines"), re.DOTALL)
    for name, text in re.findall(r"# (plugins/\S+)\n(.*?)(?=\n# plugins/|\Z)", block, re.DOTALL):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "plugins" / "dice"


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize(
    ("heading", "command"),
    [
        ("Run", "python3 ops/setup.py && .venv/bin/invoke up"),
        ("Test", "python3 ops/setup.py --test && .venv/bin/pytest -n auto --dist loadfile"),
    ],
)
def test_a_command_stands_alone_in_its_block(heading: str, command: str) -> None:
    assert re.findall(r"```sh\n(.*?)```", section(heading), re.DOTALL) == [f"{command}\n"]


def test_its_plugin_has_a_manifest_without_fault(plugin: Path) -> None:
    manifest, problems = read_manifest(plugin, "dice")
    assert problems == ()
    assert manifest is not None
    assert manifest.branches == ("dice.roll",)


def test_its_plugin_rolls(plugin: Path) -> None:
    roll = runpy.run_path(str(plugin / "dice.py"))["roll"]
    assert [1 <= number <= 6 for number in roll(times=3)] == [True] * 3


def test_its_plugin_has_ten_lines(plugin: Path) -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in plugin.rglob("*") if file.is_file())
    assert len([line for line in code.splitlines() if line and '"""' not in line]) <= 10


def test_its_table_has_every_verb() -> None:
    told = set(re.findall(r"[a-z]+", " ".join(re.findall(r"^\| `invoke ([^`]*)`", README, re.MULTILINE))))
    assert set(namespace.task_names) <= told


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *DOCS])
def test_a_link_leads_somewhere(name: str) -> None:
    file = CHECKOUT / name
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text(encoding="utf-8"))
    assert [target for target in targets if not (file.parent / target).exists()] == []
