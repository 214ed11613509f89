"""ops/setup.py decides by pure functions: what is in a stamp, what in a lock, what uv is told."""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path

import pytest

from ops import setup

CHECKOUT = Path(setup.__file__).resolve().parent.parent
LOCK = """\
urllib3==2.0.0 \\
    --hash=sha256:aa
uv==0.9.1 ; python_version > '3' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
    # via aigis (pyproject.toml)
vine==5.1.0 \\
    --hash=sha256:dd
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with just the files that the stamp depends on."""
    for name in (*setup.LOCKS.values(), *setup.BESIDES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    return tmp_path


def an_environment(venv: Path, made_at: Path) -> None:
    for folder in ("bin", f"lib/python3.{sys.version_info[1]}"):
        (venv / folder).mkdir(parents=True)
    (venv / "bin" / "python").touch()
    (venv / "bin" / "pip").write_text(f"#!{made_at}/bin/python\n")


def test_python_3_6_can_read_the_file() -> None:
    ast.parse(Path(setup.__file__).read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize(
    ("version", "system", "said"),
    [((3, 10, 4), "posix", "needs Python 3.11 or newer, and this is 3.10.4"), ((3, 12, 1), "nt", "Linux and macOS")],
)
def test_a_platform_that_will_not_do_is_named(version: tuple[int, ...], system: str, said: str) -> None:
    with pytest.raises(setup.SetupFailed, match=said):
        setup.refuse_platform(version, system)


def test_a_new_enough_python_is_accepted() -> None:
    setup.refuse_platform((3, 11, 0), "posix")


def test_the_block_of_a_package_is_its_requirement_and_hashes() -> None:
    expected = "uv==0.9.1 ; python_version > '3' \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
    assert setup.lock_block(LOCK, "uv") == expected


def test_a_package_that_is_not_locked_is_named() -> None:
    with pytest.raises(setup.SetupFailed, match="'pip'"):
        setup.lock_block(LOCK, "pip")


def test_the_real_lock_has_uv_with_hashes() -> None:
    block = setup.lock_block((CHECKOUT / setup.LOCKS["run"]).read_text(encoding="utf-8"), "uv")
    assert block.startswith("uv==")
    assert "--hash=sha256:" in block
    assert not block.rstrip().endswith("\\")


def test_the_test_lock_holds_the_run_lock() -> None:
    run, test = (_pins(CHECKOUT / setup.LOCKS[kind]) for kind in ("run", "test"))
    assert run <= test


def test_no_lock_names_an_index() -> None:
    for name in (*setup.LOCKS.values(), setup.BUILD_LOCK):
        assert "://" not in (CHECKOUT / name).read_text(encoding="utf-8")


def test_without_a_stamp_nothing_is_finished(checkout: Path) -> None:
    an_environment(checkout / ".venv", checkout / ".venv")
    assert not setup.finished(checkout, "run")


def test_a_stamp_with_this_key_is_finished(checkout: Path) -> None:
    an_environment(checkout / ".venv", checkout / ".venv")
    setup.write_stamp(checkout / ".venv", {"run": setup.key(checkout, "run")})
    assert setup.finished(checkout, "run")
    assert not setup.finished(checkout, "test")


@pytest.mark.parametrize("name", [setup.LOCKS["run"], *setup.BESIDES])
def test_a_change_of_any_file_that_decides_calls_for_another_setup(checkout: Path, name: str) -> None:
    before = setup.key(checkout, "run")
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    assert setup.key(checkout, "run") != before


def test_an_environment_made_elsewhere_is_not_usable(checkout: Path) -> None:
    an_environment(checkout / ".venv", Path("/elsewhere/.venv"))
    setup.write_stamp(checkout / ".venv", {"run": setup.key(checkout, "run")})
    assert not setup.finished(checkout, "run")


@pytest.mark.parametrize("text", ["", "{", "[1]", "\0"])
def test_a_damaged_stamp_is_no_stamp(tmp_path: Path, text: str) -> None:
    (tmp_path / ".aigis-stamp").write_text(text)
    assert setup.read_stamp(tmp_path) is None


def test_pip_settings_become_those_of_uv() -> None:
    listing = "global.extra-index-url='file:///a\\nfile:///b'\nglobal.find-links='/wheels /more'\nglobal.cert='/ca.pem'"
    assert setup.uv_variables(listing, {}) == {
        "UV_SYSTEM_CERTS": "true",
        "UV_INDEX": "file:///a file:///b",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_what_uv_was_told_already_stays() -> None:
    listing = "global.index-url='https://a.example/simple'\nglobal.timeout='7'"
    told = setup.uv_variables(listing, {"UV_INDEX_URL": "https://b.example/simple", "UV_HTTP_TIMEOUT": "60"})
    assert told == {"UV_SYSTEM_CERTS": "true"}


def test_the_nearest_of_pips_settings_wins() -> None:
    listing = ":env:.timeout='3'\nglobal.timeout='1'\ninstall.timeout='2'\nglobal.index-url=not a string"
    assert setup.read_pip_settings(listing) == {"timeout": "3"}


def _pins(lock: Path) -> set[str]:
    lines = lock.read_text(encoding="utf-8").splitlines()
    return {line.split(" ")[0] for line in lines if "==" in line and not line.startswith(" ")}
