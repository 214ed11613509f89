"""What tests of every tier share: a real Redis on a Unix socket, and a home that knows it."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from aigis import _proxy
from aigis._base.errors import SettingsError
from aigis._base.home import Home
from aigis._host.redis_binary import find_server
from aigis._wire.invoker import RemoteInvoker, Sender
from aigis._wire.remote import RemoteRuntime
from tests.stage import RedisServer, Stage, make_home, running

# A test must not reach the AIGIS of whoever runs it.
for name in [name for name in os.environ if name.startswith("AIGIS_")]:
    del os.environ[name]

# A run in the background has SIGINT ignored, and so would have all that it starts: Ctrl-C is tested too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Time never decides a test. In CI the examples are the same each time: what a new one finds is for a developer to see.
settings.register_profile("home", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "home"))


@pytest.fixture(scope="session")
def new_redis() -> Iterator[Callable[[], RedisServer]]:
    """Return a function that gives a Redis not yet started; without a server program the test fails in CI."""
    with tempfile.TemporaryDirectory(prefix="aigis-") as folder:
        try:
            program = find_server(Home(Path(folder))).program
        except SettingsError as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(str(error))
        # Not below pytest's own directories: the name of a socket may have a hundred characters.
        yield lambda: RedisServer(program, Path(tempfile.mkdtemp(prefix="r", dir=folder)))


@pytest.fixture(scope="session")
def shared_redis(new_redis: Callable[[], RedisServer]) -> Iterator[RedisServer]:
    """Return the server most tests share; a test that stops its Redis takes a `new_redis`."""
    with running(new_redis()) as server:
        yield server


@pytest.fixture
def redis_url(shared_redis: RedisServer) -> str:
    """Return the URL of a Redis that is empty."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis.url


@pytest.fixture(scope="session")
def key() -> bytes:
    """Return a cluster's key."""
    return bytes(range(32))


@pytest.fixture
def home(tmp_path: Path, redis_url: str, key: bytes) -> Home:
    """Return a home that is up: it has a key and knows an empty Redis."""
    return make_home(tmp_path / "home", redis_url, key)


@pytest.fixture(scope="module")
def module_redis(new_redis: Callable[[], RedisServer]) -> Iterator[RedisServer]:
    """Return the server of the workers of one module."""
    with running(new_redis()) as server:
        yield server


OpenStage = Callable[[str], Stage]


@pytest.fixture(scope="module")
def open_stage(module_redis: RedisServer, key: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStage]:
    """Return a function that opens the stage of a host; while the module runs, `aigis` is a caller from outside."""
    with ExitStack() as stages:

        def open_one(host: str) -> Stage:
            stage = Stage(tmp_path_factory.mktemp(host) / "home", module_redis.url, key=key, host=host)
            stages.callback(stage.close)
            return stage

        invoker = RemoteInvoker(lambda: (module_redis.url, key), Sender("tests"))
        _proxy.install(RemoteRuntime(invoker, _proxy.Path))
        stages.callback(_proxy.install, None)
        yield open_one
