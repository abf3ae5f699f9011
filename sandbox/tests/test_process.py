"""The sandbox's process: started once, found by its lock, noticed when it dies."""

import contextlib
import json
import os
import signal
import socket
import stat
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest
from snowpipe_sandbox import process


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "sandbox"
    process.stop(tmp_path / "sandbox")


def test_two_starters_at_once_get_the_same_process(directory: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: process.start(directory), range(2))
    assert first == second
    assert process.status(directory) == first
    assert process.start(directory) == first


def test_env_is_all_an_aws_client_needs(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = process.start(directory)
    for name in process.unset():
        monkeypatch.delenv(name, raising=False)
    environment = process.env(directory, running.tenant)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    identity = boto3.session.Session().client("sts").get_caller_identity()
    assert identity["Account"] == running.tenant["aws"]["account_id"] == "111122223333"
    buckets = boto3.session.Session().client("s3").list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in buckets] == ["snowplow-sandbox"]

    connections = Path(environment["SNOWFLAKE_HOME"]) / "connections.toml"
    assert stat.S_IMODE(connections.stat().st_mode) == 0o600
    assert tomllib.loads(connections.read_text())["sandbox"]["port"] == running.port


def test_only_its_owner_reads_what_it_leaves_on_disk(tmp_path: Path) -> None:
    """With the loosest umask, in folders that it makes itself; the token stands in nothing else."""
    home = tmp_path / "home"
    before = os.umask(0)
    try:
        running = process.start(home / "sandbox")
        environment = process.env(home / "sandbox", running.tenant)
        text = "\n".join(path.read_text() for path in home.rglob("*") if path.is_file())
        modes = {str(path.relative_to(home)): stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*")}
        process.stop(home / "sandbox")
    finally:
        os.umask(before)
    folders = {name: mode for name, mode in modes.items() if (home / name).is_dir()}
    assert set(folders.values()) == {0o700}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {name: oct(mode) for name, mode in modes.items() if name not in folders and mode != 0o600} == {}
    assert len(modes) > len(folders) + 5
    token = running.control_url.rpartition("/")[2]
    assert text.count(token) == text.count("control_token") * 3
    assert token not in repr(running) + str(environment)


def test_the_state_file_has_the_control_url_and_its_token(directory: Path) -> None:
    running = process.start(directory)
    state = json.loads((directory / "sandbox.json").read_text())
    assert state["control_url"] == f"http://127.0.0.1:{running.port}/control/{state['control_token']}"
    assert state["tenant"]["control_url"] == f"{state['control_url']}/sandbox"
    with urlopen(state["tenant"]["control_url"]) as answer:
        assert json.load(answer) == state["tenant"]


def test_a_killed_sandbox_is_noticed_and_started_again(directory: Path) -> None:
    first = process.start(directory)
    os.kill(first.pid, signal.SIGKILL)
    second = process.start(directory)
    assert second.pid != first.pid
    assert process.status(directory) == second


def test_reset_forgets_everything_and_keeps_the_ports(directory: Path) -> None:
    before = process.start(directory)
    after = process.reset(directory)
    assert (after.port, after.aws_endpoint_url) == (before.port, before.aws_endpoint_url)
    assert after.tenant["aws"]["access_key_id"] != before.tenant["aws"]["access_key_id"]


def test_two_directories_do_not_disturb_each_other(tmp_path: Path) -> None:
    one, other = process.start(tmp_path / "one"), process.start(tmp_path / "other")
    try:
        assert one.port != other.port
        assert process.stop(tmp_path / "one")
        assert process.status(tmp_path / "other") == other
    finally:
        process.stop(tmp_path / "one")
        process.stop(tmp_path / "other")


def test_a_port_that_is_taken_is_said_so(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(process.SandboxUnavailable, match=f"port {port} on 127.0.0.1 cannot be used"):
            process.start(directory, port=port)


def test_a_directory_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(process.SandboxUnavailable, match="cannot write to"):
        process.start(tmp_path / "file" / "sandbox")


def test_stop_of_what_does_not_run_says_so(directory: Path) -> None:
    assert process.status(directory) is None
    assert not process.stop(directory)


def test_it_ends_by_itself_when_idle(directory: Path) -> None:
    started = process.start(directory, idle_s=3)
    # the server closes the connection when it ends: that is the condition waited for
    # (refused: it has ended already)
    with contextlib.suppress(ConnectionRefusedError, ConnectionResetError):
        with socket.create_connection(("127.0.0.1", started.port), timeout=20) as connection:
            assert connection.recv(1) == b""
    process.stop(directory)
    assert process.status(directory) is None
