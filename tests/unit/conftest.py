"""Plugin folders built in a line."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a plugin's folder: AIGIS.config, AIGIS.core when given, other files by path."""

    def build_plugin(
        config: str | bytes, core: str | bytes | None = None, files: dict[str, str] | None = None, name: str = "dice"
    ) -> Path:
        folder = tmp_path / name
        contents = {
            "AIGIS/AIGIS.config": config,
            **({} if core is None else {"AIGIS/AIGIS.core": core}),
            **(files or {}),
        }
        for path, content in contents.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
        return folder

    return build_plugin
