"""The four types of plugins, and every way one can be launched: all in one home whose path is hard to write."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.driver import AWKWARD, FIXTURES, System, home, lines_of, settled

Records = list[dict[str, Any]]
SECRETS = {"one.key": "first secret", "two.key": "second secret", "token.txt": "third"}


@pytest.fixture(scope="module")
def zoo() -> Iterator[System]:
    """Return a system with a plugin of every kind; `flaky` has used up its restarts."""
    with home(AWKWARD) as system:
        system.copy(FIXTURES / "zoo")
        plugins = system.root / "plugins"
        if not compiled(plugins / "binary"):
            shutil.rmtree(plugins / "binary")
        if shutil.which("node") is None:
            shutil.rmtree(plugins / "node")
        write_wheel(plugins / "wheeled")
        for plugin in ("keeper", "poor"):
            system.root.joinpath("secrets", plugin).mkdir(parents=True)
        for name, text in SECRETS.items():
            system.root.joinpath("secrets", "keeper", name).write_text(text)
        for name in ("one.key", "two.key"):
            system.root.joinpath("secrets", "poor", name).write_text("poor")
        system.up(code=3)
        settled(lambda: system.row("flaky")["state"], "failed")
        yield system


def compiled(folder: Path) -> bool:
    """Make a static program of the C source in a folder; False where there is no compiler or no static library."""
    if shutil.which("cc") is None:
        return False
    command = ["cc", "-static", "-w", "-o", str(folder / "polite"), str(folder / "polite.c")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def write_wheel(folder: Path) -> None:
    """Write a package that no index has into a folder."""
    meta = {
        "METADATA": "Metadata-Version: 2.1\nName: tinylib\nVersion: 1\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / "tinylib-1-py3-none-any.whl", "w") as archive:
        archive.writestr("tinylib.py", "WORD = 'from the wheel'\n")
        for name, text in meta.items():
            archive.writestr(f"tinylib-1.dist-info/{name}", text)


@pytest.fixture(scope="module")
def rows(zoo: System) -> dict[str, dict[str, Any]]:
    return zoo.rows()


@pytest.fixture(scope="module")
def records(zoo: System) -> Records:
    """The whole log; every plugin has said what it has to say at its start."""
    settled(lambda: {"end", "to stderr"} <= set(zoo.messages("loud")), wanted=True)
    return zoo.records()


@pytest.fixture(scope="module")
def reports(records: Records) -> dict[str, dict[str, Any]]:
    """What plugins found where they were started, by name."""
    return {record["plugin"]: record for record in records if record["message"] == "report"}


def test_every_type_runs_under_its_name(rows: dict[str, dict[str, Any]]) -> None:
    """A03"""
    here = socket.gethostname().split(".")[0]
    wanted = {
        "below": ("core", "running", None),
        "older": ("internal-remote", "running", here),
        "placed": ("internal-remote", "running", here),
        "script": ("internal-local", "running", here),
        "shell": ("external", "running", here),
    }
    assert {name: (rows[name]["type"], rows[name]["state"], rows[name]["host"]) for name in wanted} == wanted


def test_a_plugin_of_another_host_waits_for_it(rows: dict[str, dict[str, Any]]) -> None:
    """A03, A16"""
    row = rows["elsewhere"]
    assert (row["type"], row["state"], row["pid"]) == ("internal-remote", "waiting", None)
    assert "'far-away'" in row["reason"]


def test_a_module_is_launched_with_logger_args_and_kwargs(reports: dict[str, dict[str, Any]]) -> None:
    """A14"""
    report = reports["older"]
    assert report["logger"].endswith("older")
    assert (report["args"], report["kwargs"]) == ([1, "two"], {"three": 3.5, "four": None})


def test_a_function_is_launched_with_what_its_signature_takes(reports: dict[str, dict[str, Any]]) -> None:
    """A14"""
    report = reports["placed"]
    assert (report["one"], report["named"]) == ("first", 2)
    assert report["logger"].endswith("placed")


def test_a_python_file_is_launched_as_a_program(reports: dict[str, dict[str, Any]]) -> None:
    """A14"""
    report = reports["script"]
    assert (report["name"], report["argv"], report["limit"]) == ("__main__", ["--fast", "2"], 25)


def test_aigis_works_in_a_launched_argument_list_and_its_children(reports: dict[str, dict[str, Any]]) -> None:
    """A14"""
    report = reports["program"]
    assert (report["argv"], report["own"], report["child"]) == (["a b"], 25, "25")


def test_a_function_that_does_not_take_args_is_told_what_is_expected(
    rows: dict[str, dict[str, Any]], zoo: System
) -> None:
    """A14"""
    assert rows["misfit"]["state"] == "failed"
    assert "expected is launch(log, *args, **kwargs)" in zoo.messages("misfit")[-1]


def test_a_core_plugin_imports_from_its_entrypoint(zoo: System) -> None:
    """A39"""
    assert zoo.call("below.neighbour") == "beside it"


def test_a_program_starts_in_its_entrypoint(reports: dict[str, dict[str, Any]], records: Records) -> None:
    """A39"""
    report = reports["below_program"]
    assert report["neighbour"] == "beside it"
    ((_, directory),) = lines_of(records, "below_shell", "stdout")
    for place, name in ((report["directory"], "below_program"), (directory, "below_shell")):
        assert place.endswith("/src/inner")
        assert f"/.aigis/run/{name}/" in place


def test_arguments_arrive_verbatim(records: Records) -> None:
    """A32"""
    *arguments, root, last = [message for _, message in lines_of(records, "verbatim", "stdout")]
    assert arguments == ["[two words]", '[it\'s "quoted"]', "[$HOME]", "[*]", "[]"]
    assert Path(root.strip("[]"), "arguments.sh").is_file()
    assert last == "[a;b|c>d]"


def test_an_external_plugin_is_given_nothing_of_aigis(zoo: System, reports: dict[str, dict[str, Any]]) -> None:
    """A54"""
    report = reports["naked"]
    assert {name for name in report["environ"] if name.startswith("AIGIS")} == {"AIGIS_CHILD"}
    assert report["environ"]["OWN_WORD"] == "two words"
    told = "\n".join(report["environ"].values())
    secret = (zoo.root / ".aigis" / "key").read_text().strip()
    url = (zoo.root / ".aigis" / "bus").read_text().strip()
    assert [word for word in (secret, url, "redis", ".sock") if word in told] == []
    assert report["descriptors"] == {"0": "other", "1": "pipe", "2": "pipe"}
    assert report["stdin"] == ""


@pytest.mark.parametrize("name", ["shell", "node", "binary"])
def test_a_program_in_any_language_starts_logs_and_stops(
    zoo: System, rows: dict[str, dict[str, Any]], name: str
) -> None:
    """A25"""
    if name not in rows:
        pytest.skip(f"there is no {'compiler with a static C library' if name == 'binary' else name} here")
    zoo.aigis("stop", name)
    assert zoo.messages(name) == ["hello", "goodbye"]
    assert zoo.row(name)["state"] == "stopped"


def test_what_a_program_requires_is_in_its_environment_alone(zoo: System, records: Records) -> None:
    """A30"""
    assert lines_of(records, "wheeled", "stdout") == [("INFO", "from the wheel")]
    assert zoo.run(sys.executable, "-c", "import tinylib", code=1).err.strip().endswith("No module named 'tinylib'")


def test_secrets_are_copied_for_their_owner_alone(records: Records) -> None:
    """A31"""
    said = [message for _, message in lines_of(records, "keeper", "stdout")]
    assert said == ["600 keys/deep/one.key", "600 keys/deep/two.key", "600 token.txt", "first secretsecond secret"]


def test_of_secrets_of_which_one_is_missing_none_is_copied(zoo: System, rows: dict[str, dict[str, Any]]) -> None:
    """A31"""
    assert rows["poor"]["state"] == "failed"
    assert "three.key" in rows["poor"]["reason"]
    assert list(zoo.root.glob(".aigis/run/poor/**/*.key")) == []


def test_a_plugin_is_restarted_as_often_as_it_says(rows: dict[str, dict[str, Any]], zoo: System) -> None:
    """A26"""
    row = rows["flaky"]
    assert (row["state"], row["restarts"], row["pid"]) == ("failed", 2, None)
    assert "exited with code 7" in row["reason"]
    assert zoo.messages("flaky") == ["try"] * 3


def test_without_restart_the_exit_code_decides(rows: dict[str, dict[str, Any]], records: Records) -> None:
    """A26"""
    assert rows["finished"]["state"] == "stopped"
    assert (rows["dead"]["state"], rows["dead"]["restarts"]) == ("failed", 0)
    assert any("RuntimeError: this is why" in message for _, message in lines_of(records, "dead", "stderr"))


def test_half_a_line_at_the_end_is_kept(records: Records) -> None:
    """A15"""
    assert lines_of(records, "finished", "stdout") == [("INFO", "half a line")]


def test_whatever_a_plugin_prints_arrives_in_order(records: Records) -> None:
    """A15"""
    said = [record for record in records if (record["plugin"], record["stream"]) == ("loud", "stdout")]
    parts = [record for record in said if "part" in record]
    assert "".join(record["message"] for record in parts) == "x" * (10 * 1024 * 1024)
    assert [record["part"] for record in parts] == list(range(1, len(parts) + 1))
    rest = [record["message"] for record in said if "part" not in record]
    odd = ["begin", r"caf\xe9 \xff", "nul \0 here", "grüße 🎈", "structured", '{"broken": ']
    assert rest == [*odd, "end"]
    (lossy,) = [record for record in said if "lossy" in record]
    assert base64.b64decode(lossy["raw"]) == b"caf\xe9 \xff"
    assert lines_of(records, "loud", "stderr") == [("WARNING", "to stderr")]


def test_a_json_line_sets_level_and_message_and_nothing_of_ours(records: Records) -> None:
    """A15"""
    (record,) = [record for record in records if record["message"] == "structured"]
    assert (record["level"], record["size"]) == ("ERROR", 3)
    assert (record["plugin"], record["stream"]) == ("loud", "stdout")
    assert record["ts"].endswith("Z")
    assert record["host"] != "h"


def test_a_hybrid_shares_its_folder_and_no_memory_with_its_skills(zoo: System) -> None:
    """A24"""
    assert zoo.messages("hybrid") == ["its skill says as imported"]
    assert zoo.call("hybrid.state") == "as imported"
    assert zoo.call("hybrid.note") == "as set by the service"
    assert "'STATE' is module state" in zoo.aigis("check", "plugins/hybrid").out


def test_the_skills_of_a_hybrid_go_with_it_even_while_another_plugin_floods_the_log(zoo: System) -> None:
    """A13"""
    (program,) = zoo.root.glob(".aigis/run/flood/*/flood.py")
    program.with_name("go").touch()
    zoo.aigis("disable", "hybrid")
    assert "disabled" in zoo.call("hybrid.state", code=2)
    assert zoo.row("hybrid")["state"] == "disabled"
    zoo.aigis("enable", "hybrid")
    assert zoo.call("hybrid.state") == "as imported"


def test_all_lines_of_a_flood_arrive_in_order(zoo: System) -> None:
    """A15; the last test here, since every look at the log reads them from now on"""
    newest = ("--plugin", "flood", "-n", "1")
    settled(lambda: zoo.aigis("logs", *newest, "--json").out.count('"end"'), 1, 30)
    assert zoo.messages("flood") == [*(f"line {number}" for number in range(100_000)), "end"]
