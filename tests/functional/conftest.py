import pathlib

import pytest

from dtls import authority, certified, with_key  # noqa: F401, fixtures
from engines import elasticsearch, engine, node, opensearch, secured  # noqa: F401, fixtures
from processes import CLIENT, COLLECTOR, Collector


def pytest_configure():
    for program in (COLLECTOR, CLIENT):
        if not pathlib.Path(program).exists():
            pytest.exit(f"{program} is missing; build it first: ./scripts/start does", 2)


@pytest.fixture
def start(tmp_path):
    """Starts collectors, and stops those that still run: each must drain and end with 0."""
    started = []

    def start_one(*arguments, **options):
        collector = Collector(tmp_path, *arguments, **options)
        started.append(collector)
        return collector

    start_one.directory = tmp_path
    yield start_one
    running = [collector for collector in started if collector.process.poll() is None]
    try:
        for collector in running:
            collector.stop()
    finally:
        for collector in running:
            collector.kill()
        for path in sorted({collector.output_path for collector in started}):
            print(path.read_text(errors="replace")[-8000:])


@pytest.fixture
def collector(start):
    return start()


@pytest.fixture
def peer(collector):
    with collector.peer() as peer:
        yield peer
