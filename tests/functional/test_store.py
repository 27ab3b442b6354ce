"""A store that cannot be used: refused at start with one clear line, or 5.03 until it can."""

import os
import shutil
import sqlite3
import subprocess
import time

import pytest

import wire
from processes import COLLECTOR, Collector, rows_of, run

EXIT_UNAVAILABLE = 69
REFUSAL_SECONDS_MAX = 2

needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or run("unshare", "--mount", "true").returncode != 0,
    reason="takes the right to mount",
)


def refused(path, *shows, prefix=()):
    """Starts a collector on this path and checks how it refuses to."""
    began = time.monotonic()
    done = run(*prefix, COLLECTOR, "--sqlite-path", path, "--coap-listen", "127.0.0.1:0",
               "--http-listen", "127.0.0.1:0")
    assert done.returncode == EXIT_UNAVAILABLE, done.stdout + done.stderr
    assert time.monotonic() - began < REFUSAL_SECONDS_MAX
    assert done.stderr.count("\n") == 1, done.stderr
    assert "listening" not in done.stdout
    for shown in (str(path), *shows):
        assert shown in done.stderr


def used_store(start):
    """A database that a collector has written one event into."""
    collector = start()
    with collector.peer() as peer:
        assert peer.ask(wire.post(wire.event())).code == wire.CREATED
    collector.stop()
    return collector.database


def change(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_not_a_database(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, not events.\n" * 200)
    before = path.read_bytes()
    refused(path, "not a database", "--sqlite-path")
    assert path.read_bytes() == before


def test_database_of_another_application(tmp_path):
    path = tmp_path / "other.db"
    change(path, "CREATE TABLE recipes (name TEXT)", "INSERT INTO recipes VALUES ('soup')")
    before = path.read_bytes()
    refused(path, "another application", "--sqlite-path")
    assert path.read_bytes() == before


def test_newer_schema(start):
    path = used_store(start)
    change(path, "PRAGMA user_version=999")
    refused(path, "newer", "999")


def test_damaged_file(start):
    path = used_store(start)
    content = bytearray(path.read_bytes())
    content[100:] = b"\xa5" * (len(content) - 100)
    path.write_bytes(content)
    refused(path, "damaged")


def test_directory_does_not_exist(tmp_path):
    refused(tmp_path / "no" / "events.db", "directory", "does not exist")


def test_path_is_a_directory(tmp_path):
    refused(tmp_path, "unable to open")


@needs_mounts
def test_read_only(start):
    path = used_store(start)
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    refused(path, "written",
            prefix=["unshare", "--mount", "sh", "-c", script, str(path.parent)])


@pytest.mark.slow
def test_locked_by_another_process(start):
    path = used_store(start)
    connection = sqlite3.connect(path)
    connection.execute("BEGIN EXCLUSIVE")
    done = run(COLLECTOR, "--sqlite-path", path, "--coap-listen", "127.0.0.1:0",
               "--http-listen", "127.0.0.1:0")
    connection.close()
    assert done.returncode == EXIT_UNAVAILABLE
    assert str(path) in done.stderr and "locked" in done.stderr


def test_port_taken(start, tmp_path):
    first = start()
    for flag, (host, port) in (("--coap-listen", first.coap), ("--http-listen", first.http)):
        done = run(COLLECTOR, "--sqlite-path", tmp_path / "second.db", "--coap-listen",
                   "127.0.0.1:0", "--http-listen", "127.0.0.1:0", flag, f"{host}:{port}")
        assert done.returncode == EXIT_UNAVAILABLE
        assert done.stderr.count("\n") == 1
        assert f"{host}:{port}" in done.stderr and "in use" in done.stderr


def test_busy_store_is_waited_for(collector, peer):
    """Another process writes the same file for a moment: the answer waits, nothing is lost."""
    other = sqlite3.connect(collector.database)
    other.execute("BEGIN IMMEDIATE")
    request = wire.post(wire.event())
    peer.send(request)
    assert peer.receive(0.3) is None
    peer.send(request)  # the device retransmits, as it should
    other.rollback()
    other.close()
    answer = peer.receive()
    if answer.code == wire.EMPTY:  # the retransmission was acknowledged before the event was stored
        answer = peer.receive()
    assert answer.code == wire.CREATED
    assert len(collector.rows()) == 1


class SmallDisk:
    """A mount namespace of its own with a small file system at `path`, as long as this lives."""

    def __init__(self, path, size):
        path.mkdir()
        self.path = path
        script = 'mount -t tmpfs -o size="$1" small "$0" && echo mounted && exec cat'
        self.keeper = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, str(path), size],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        assert self.keeper.stdout.readline() == b"mounted\n"
        self.enter = ["nsenter", "--mount", "--target", str(self.keeper.pid)]

    def outside(self, name=""):
        """A path by which a process outside the namespace reaches a file in it."""
        return f"/proc/{self.keeper.pid}/root{self.path}/{name}"

    def fill(self):
        with open(self.outside("filler"), "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass

    def make_room(self):
        os.unlink(self.outside("filler"))

    def close(self):
        self.keeper.stdin.close()
        self.keeper.wait(10)


@pytest.fixture
def small_disk(tmp_path):
    disk = SmallDisk(tmp_path / "disk", "4m")
    yield disk
    disk.close()


@needs_mounts
def test_disk_full_while_running(tmp_path, small_disk):
    collector = Collector(tmp_path, prefix=small_disk.enter,
                          sqlite_path=small_disk.path / "events.db")
    try:
        acknowledged, refused_values = [], []

        def send(value):
            answer = peer.ask(wire.post(wire.event(value)))
            if answer.code == wire.CREATED:
                acknowledged.append(value)
                return True
            assert answer.code == wire.UNAVAILABLE
            assert answer.option(wire.MAX_AGE) > 0
            assert answer.text()
            refused_values.append(value)
            return False

        with collector.peer() as peer:
            assert all([send(f"before-{n}") for n in range(20)])
            small_disk.fill()
            # What the log already has room for may still be stored.
            for n in range(2000):
                if not send(f"full-{n}-" + "x" * 400) and len(refused_values) >= 20:
                    break
            assert len(refused_values) >= 20
            assert '"store failing"' in collector.get("/health").text
            assert collector.metric("store_commits_failed_total") >= 1
            small_disk.make_room()
            assert all([send(f"after-{n}") for n in range(20)])
            assert '"ok"' in collector.get("/health").text
        log = collector.told("the disk is full")
        assert log.count(" error ") < 5  # told once, not once an event
        collector.stop()
        for file in os.listdir(small_disk.outside()):
            shutil.copy(small_disk.outside(file), tmp_path)
        stored = [row["value"] for row in rows_of(tmp_path / "events.db")]
        assert sorted(stored) == sorted(acknowledged)
    finally:
        collector.kill()


@needs_mounts
def test_disk_full_at_start(tmp_path, small_disk):
    small_disk.fill()
    refused(small_disk.path / "events.db", "disk", "make room", prefix=small_disk.enter)
