"""A home: the directory AIGIS works for, and where its files lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping, Optional

from aigis._base.errors import HomeNotFound

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


class Home:
    """The paths of one home; building one touches no file.

    `root` is absolute. `key_file` is `.aigis/key` unless AIGIS_KEY names another file.
    """

    def __init__(self, root: Path, key_file: Optional[Path] = None) -> None:
        self.root = Path(os.path.abspath(root))
        self.hidden = self.root / ".aigis"
        self.key_file = key_file or self.hidden / "key"
        self.settings_file = self.root / "aigis.toml"
        self.plugins = self.root / "plugins"
        self.secrets = self.root / "secrets"
        self.bus_file = self.hidden / "bus"
        """One line: the Redis URL of this home, as redis-py reads it."""
        self.redis = self.hidden / "redis"
        self.run = self.hidden / "run"
        self.data = self.hidden / "data"
        self.environments = self.hidden / "env"
        self.state = self.hidden / "state"
        self.plan_file = self.state / "plan.json"
        self.lock_file = self.hidden / "supervisor.lock"
        self.log_file = self.hidden / "supervisor.log"

    def __repr__(self) -> str:
        return f"Home({str(self.root)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Home) and self.root == other.root

    def __hash__(self) -> int:
        return hash(self.root)


def find_home(environ: Mapping[str, str], directory: Path) -> Home:
    """Return AIGIS_HOME, else the nearest home at `directory` or above it.

    Raises HomeNotFound, saying how to make one.
    """
    key_file = Path(environ["AIGIS_KEY"]) if environ.get("AIGIS_KEY") else None
    named = environ.get("AIGIS_HOME")
    if named:
        root = Path(named)
        if not root.is_dir():
            raise HomeNotFound(f"AIGIS_HOME={named!r} is not a directory: create it, or unset AIGIS_HOME")
        return Home(root, key_file)
    start = Path(os.path.abspath(directory))
    for folder in (start, *start.parents):
        if _is_home(folder):
            return Home(folder, key_file)
    raise HomeNotFound(
        f"no AIGIS home at {str(start)!r} or above it: make one with `touch aigis.toml` in the directory that shall be "
        "it, or set AIGIS_HOME"
    )


def _is_home(folder: Path) -> bool:
    if (folder / "aigis.toml").is_file() or (folder / ".aigis").is_dir():
        return True
    plugins = folder / "plugins"
    return plugins.is_dir() and any(plugins.glob("*/AIGIS/AIGIS.config"))


def write_private(file: Path, content: bytes) -> None:
    """Replace `file` as a whole with `content`, readable by its owner alone."""
    scratch = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(scratch, file)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
