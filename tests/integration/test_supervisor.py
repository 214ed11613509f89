"""A supervisor with real children, looked at from outside: status, commands, records, the process table."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aigis._base.errors import AigisError
from aigis._base.home import Home
from aigis._base.messages import Command, CommandReply, HostStatus, PluginStatus, Record
from aigis._host.ledger import Ledger
from aigis._host.leftovers import stop_leftovers, unnoted_supervisor
from aigis._host.processes import identify, snapshot
from aigis._wire.bus import connect, read_url
from aigis._wire.control import ask
from aigis._wire.directory import read_statuses
from aigis._wire.signing import read_key
from aigis._wire.stream import Filter, read

TICKER = "while :; do echo tick; sleep 0.1; done"
DOWN = "from aigis._cli.program import main; import sys; sys.argv = ['aigis', 'down']; main()"
FORKER = "setsid sleep 1000 & while :; do sleep 0.1; done"


class Host:
    """A home with a supervisor; its plugins are shell scripts."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        (root / "aigis.toml").write_text('[aigis]\nhost = "here"\nworkers = 0\n')
        self.process: subprocess.Popen[bytes] | None = None

    def add(self, name: str, script: str, *more: str, kind: str = "external") -> None:
        folder = self.home.plugins / name / "AIGIS"
        folder.mkdir(parents=True, exist_ok=True)
        lines = (f"PLUGIN_TYPE = {kind!r}", "ENTRYPOINT = '{root}'", f"LAUNCH = ['sh', '-c', {script!r}]", *more)
        (folder / "AIGIS.config").write_text("\n".join(lines) + "\n")

    def launch(self, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        self.home.hidden.mkdir(exist_ok=True)
        env = {**os.environ, "AIGIS_HOME": str(self.home.root), **variables}
        with self.home.log_file.open("ab") as log:
            argv = [sys.executable, "-m", "aigis._host", *arguments]
            return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True)

    def up(self, *arguments: str, mark: bool = False) -> None:
        """Start it; with its `mark` as the command line starts it."""
        marked = {"AIGIS_CHILD": Ledger(self.home).mark("aigis.supervisor", 1)} if mark else {}
        self.process = self.launch(*arguments, **marked)
        # What an earlier supervisor published is still there.
        self.wait(lambda: self.process is not None and self.status().pid == self.process.pid and self.status().settled)

    def wait(self, condition: Callable[[], bool], limit: float = 30.0) -> None:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
            except AigisError:
                pass
            time.sleep(0.03)
        pytest.fail(f"not within {limit:.0f} s; the supervisor said:\n{self.home.log_file.read_text()}")

    def status(self) -> HostStatus:
        with connect(read_url(self.home)) as client:
            statuses = read_statuses(client)
        if not statuses:
            raise AigisError("nothing published yet")
        return statuses[0]

    def plugin(self, name: str) -> PluginStatus:
        return next(plugin for plugin in self.status().plugins if plugin.name == name)

    def states(self) -> dict[str, str]:
        return {plugin.name: plugin.state for plugin in self.status().plugins}

    def order(self, verb: str, plugin: str = "", number: int = -1) -> CommandReply:
        with connect(read_url(self.home)) as client:
            command = Command(verb=verb, plugin=plugin, number=number)
            return ask(client, read_key(self.home.key_file), "here", command)

    def records(self, plugin: str) -> list[Record]:
        with connect(read_url(self.home)) as client:
            return read(client, Filter(plugin=plugin), 0)

    def living(self) -> list[int]:
        table = snapshot(with_marks=True).values()
        return [p.pid for p in table if Ledger(self.home).is_ours(p.mark) and not p.zombie]

    def down(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    found = Host(tmp_path)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.process.kill()
        found.process.wait()
    stop_leftovers(found.home, grace=0.5)
    assert found.living() == []


def test_plugins_start_run_and_fail_each_by_itself(host: Host) -> None:
    host.add("ticker", TICKER)
    host.add("quick", "exit 3", "RESTART = 1")
    host.add("oneshot", "exit 0")
    host.add("broken", "", "ENTRYPOINT = '{root}'")
    host.up()
    host.wait(lambda: host.plugin("quick").state == "failed")
    assert host.states() == {"ticker": "running", "quick": "failed", "oneshot": "stopped", "broken": "failed"}
    quick = host.plugin("quick")
    assert (quick.restarts, quick.reason.startswith("ended at once: exited with code 3")) == (1, True)
    assert "given a second time" in host.plugin("broken").reason


def test_what_exits_at_once_is_never_seen_running(host: Host) -> None:
    host.add("flapper", "sleep 0.2; exit 1", "RESTART = 3")
    host.process = host.launch()
    seen = set()

    def failed() -> bool:
        seen.add(host.plugin("flapper").state)
        return "failed" in seen

    host.wait(failed)
    assert "running" not in seen


def test_the_output_of_every_child_becomes_records(host: Host) -> None:
    host.add("ticker", "echo out; echo err >&2; sleep 100")
    host.up()
    host.wait(lambda: len(host.records("ticker")) == 2)
    assert {(r.stream, r.level, r.message) for r in host.records("ticker")} == {
        ("stdout", "INFO", "out"), ("stderr", "WARNING", "err"),
    }  # fmt: skip
    with connect(read_url(host.home)) as client:
        client.config_set("loglevel", "notice")
        client.bgrewriteaof()
    host.wait(lambda: any("append only file" in record.message for record in host.records("aigis.redis")))
    assert any(record.message == "ticker started" for record in host.records("aigis.supervisor"))


def test_an_external_plugin_learns_neither_key_nor_url(host: Host) -> None:
    host.add("nosy", "env; sleep 100", "ENV = {'MY_OWN': 'a b'}")
    host.up()
    host.wait(lambda: any(r.message == "MY_OWN=a b" for r in host.records("nosy")))
    names = {record.message.split("=")[0] for record in host.records("nosy")}
    assert {name for name in names if name.startswith("AIGIS_")} == {"AIGIS_CHILD"}


def test_an_orderly_stop_leaves_nothing(host: Host) -> None:
    host.add("forker", FORKER)
    host.add("stubborn", "trap '' TERM; while :; do sleep 0.1; done", "GRACE = 0.5")
    host.up()
    socket = Path(read_url(host.home).partition("@")[2])
    assert socket.is_socket()
    assert host.down() == 0
    assert (host.living(), Ledger(host.home).read(), socket.parent.exists()) == ([], [], False)
    assert not host.home.bus_file.exists()


def test_a_second_signal_kills(host: Host) -> None:
    host.add("stubborn", "trap '' TERM; while :; do sleep 0.1; done", "GRACE = 100")
    host.up()
    assert host.process is not None
    host.process.send_signal(signal.SIGINT)
    host.wait(lambda: host.states()["stubborn"] == "stopping")
    assert host.down(signal.SIGHUP) == 0


def test_after_a_crash_the_next_start_stops_what_was_left(host: Host) -> None:
    host.add("forker", FORKER)
    host.up()
    before = host.plugin("forker").pid
    host.down(signal.SIGKILL)
    assert before is not None
    assert identify(before) is not None
    host.up()
    assert identify(before) is None
    assert host.plugin("forker").state == "running"
    assert len([r for r in Ledger(host.home).read() if r.name == "forker"]) == 1


def test_the_death_of_redis_is_survived(host: Host) -> None:
    host.add("ticker", TICKER)
    host.up()
    pid = host.plugin("ticker").pid
    (redis,) = (record.pid for record in Ledger(host.home).read() if record.name == "aigis.redis")
    assert redis is not None
    os.kill(redis, signal.SIGKILL)
    host.wait(lambda: identify(redis) is None and host.status().settled)
    assert host.plugin("ticker").pid == pid
    assert host.order("stop", "ticker").ok
    host.wait(lambda: any("killed by SIGKILL" in record.message for record in host.records("aigis.supervisor")))


def test_stop_lasts_until_up_and_disable_outlives_it(host: Host) -> None:
    host.add("one", TICKER)
    host.add("two", TICKER)
    host.up()
    assert host.order("stop", "one").message == "one is stopped: by the operator"
    assert host.order("disable", "two").ok
    assert host.plugin("one").pid is None
    host.down()
    host.up()
    assert host.states() == {"one": "running", "two": "disabled"}
    refused = host.order("start", "two")
    assert (refused.ok, "invoke enable two" in refused.message) == (False, True)
    assert host.order("enable", "two").ok
    assert host.states()["two"] == "running"


def test_what_is_disabled_and_enabled_at_once_runs_again(host: Host) -> None:
    host.add("slow", "trap 'sleep 0.5; exit 0' TERM; while :; do sleep 0.05; done")
    host.up()
    before = host.plugin("slow").pid
    disabling = threading.Thread(target=host.order, args=("disable", "slow"))
    disabling.start()
    host.wait(lambda: host.states()["slow"] == "stopping")
    assert host.order("enable", "slow").message == "slow is running"
    disabling.join()
    assert host.plugin("slow").pid not in (before, None)


def test_scale_down_and_up_at_once_leaves_the_worker_up(host: Host) -> None:
    host.up("--workers", "1")
    before = host.status().workers[0].pid
    scaling = threading.Thread(target=host.order, args=("scale",), kwargs={"number": 0})
    scaling.start()
    host.wait(lambda: host.status().workers[0].state == "stopping")
    assert host.order("scale", number=1).ok
    scaling.join()
    assert [(worker.state, worker.pid == before) for worker in host.status().workers] == [("running", False)]


def test_restart_gives_a_new_process_and_counts_as_no_restart(host: Host) -> None:
    host.add("ticker", TICKER)
    host.up()
    before = host.plugin("ticker")
    assert host.order("restart", "ticker").message == "ticker is running"
    after = host.plugin("ticker")
    assert (after.pid != before.pid, after.restarts) == (True, 0)


def test_apply_starts_what_is_new_stops_what_is_gone_and_restarts_what_changed(host: Host) -> None:
    for name in ("kept", "gone", "changed"):
        host.add(name, TICKER)
    host.up()
    before = {plugin.name: plugin.pid for plugin in host.status().plugins}
    host.add("new", TICKER)
    host.add("changed", TICKER, "ENV = {'A': 'b'}")
    (host.home.plugins / "gone" / "AIGIS" / "AIGIS.config").unlink()
    (host.home.plugins / "gone" / "AIGIS").rmdir()
    assert host.order("apply").ok
    assert not host.status().settled
    host.wait(lambda: host.status().settled and "new" in host.states())
    after = {plugin.name: plugin.pid for plugin in host.status().plugins}
    assert set(after) == {"kept", "changed", "new"}
    assert (after["kept"] == before["kept"], after["changed"] == before["changed"]) == (True, False)


def test_an_unknown_plugin_is_answered_with_the_near_one(host: Host) -> None:
    host.add("ticker", TICKER)
    host.up()
    reply = host.order("stop", "tiker")
    assert (reply.ok, "'ticker'" in reply.message) == (False, True)


def test_two_supervisors_do_not_share_a_home(host: Host) -> None:
    host.up()
    second = host.launch()
    assert second.wait(20) == 2
    assert host.process is not None
    assert f"another supervisor (pid {host.process.pid})" in host.home.log_file.read_text()
    assert host.status().state == "up"


def test_a_start_that_fails_says_why_and_leaves_nothing(host: Host) -> None:
    process = host.launch(AIGIS_REDIS="http://nonsense")
    assert process.wait(20) == 2
    assert "'http://nonsense' cannot be read" in (host.home.state / "startup-error").read_text()
    assert host.living() == []


def test_why_a_start_failed_is_written_down_where_the_log_is_on_a_full_disk(host: Host) -> None:
    host.home.hidden.mkdir()
    host.home.log_file.symlink_to("/dev/full")
    assert host.launch(AIGIS_REDIS="http://nonsense").wait(20) in (2, 120)  # 120: Python could not flush its last line
    assert "'http://nonsense' cannot be read" in (host.home.state / "startup-error").read_text()


def test_a_key_that_is_a_folder_is_told_in_a_sentence(host: Host) -> None:
    host.home.key_file.mkdir(parents=True)
    assert host.launch().wait(20) == 2
    assert "key' is a directory: remove it" in (host.home.state / "startup-error").read_text()


def test_a_plugin_whose_folder_was_removed_says_that_reload_makes_it_anew(host: Host) -> None:
    host.add("ticker", TICKER)
    host.up()
    (version,) = (entry for entry in (host.home.run / "ticker").iterdir() if entry.is_dir())
    shutil.rmtree(version)
    assert "`invoke reload ticker` makes it anew" in host.order("restart", "ticker").message
    assert host.order("reload", "ticker").message == "ticker is running"


def test_a_plugin_of_another_host_waits_for_it(host: Host) -> None:
    host.add("far", TICKER, "HOST = 'elsewhere'")
    host.up()
    assert (host.plugin("far").state, host.plugin("far").reason) == ("waiting", "for host 'elsewhere'")


def test_a_given_redis_is_used_and_left_running(host: Host, tmp_path_factory: pytest.TempPathFactory) -> None:
    host.up()
    guest = Host(tmp_path_factory.mktemp("guest"))
    guest.add("ticker", TICKER)
    url = read_url(host.home)
    guest.process = guest.launch(AIGIS_REDIS=url, AIGIS_HOST="guest")
    with connect(url) as client:
        host.wait(lambda: [s.name for s in read_statuses(client) if s.settled] == ["guest", "here"])
        assert guest.down() == 0
        assert {s.name: s.state for s in read_statuses(client)} == {"guest": "down", "here": "up"}
    assert guest.living() == []


def test_the_count_of_scale_survives_and_up_with_a_count_replaces_it(host: Host) -> None:
    host.up()
    assert host.order("scale", number=1).ok
    assert [worker.state for worker in host.status().workers] == ["running"]
    host.down()
    host.up()
    assert len(host.status().workers) == 1
    host.down()
    host.up("--workers", "0")
    assert len(host.status().workers) == 0
    host.down()
    host.up()
    assert len(host.status().workers) == 0


def test_without_its_home_folder_a_supervisor_ends_with_all_its_children(host: Host) -> None:
    host.add("ticker", TICKER)
    host.up()
    assert host.process is not None
    shutil.rmtree(host.home.hidden)
    assert host.process.wait(30) == 0
    assert host.living() == []


def test_a_supervisor_without_its_note_is_found_by_its_mark_and_stopped(host: Host) -> None:
    host.add("ticker", TICKER)
    host.up(mark=True)
    host.home.lock_file.write_text("garbage")
    found = unnoted_supervisor(host.home)
    assert (found and found.pid) == (host.process and host.process.pid)
    done = subprocess.run([sys.executable, "-c", DOWN], cwd=host.home.root, capture_output=True, text=True, check=False)
    assert (done.returncode, "is down" in done.stdout) == (0, True)
    assert host.process is not None
    assert host.process.wait(5) == 0


def test_a_supervisor_whose_home_was_deleted_gives_way_to_the_next(host: Host) -> None:
    host.add("ticker", TICKER)
    host.up(mark=True)
    first = host.process
    host.home.lock_file.unlink()
    host.up(mark=True)
    assert first is not None
    assert first.wait(5) == 0
    assert host.states() == {"ticker": "running"}


def test_down_spares_the_process_a_stale_note_names(host: Host) -> None:
    innocent = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        host.home.hidden.mkdir()
        host.home.lock_file.write_text(json.dumps({**vars(identify(innocent.pid)), "version": "1"}))
        done = subprocess.run(
            [sys.executable, "-c", DOWN], cwd=host.home.root, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "nothing was running" in done.stdout) == (0, True)
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()
