"""Devices on a lossy link that keep an event until it is acknowledged."""

import pytest

from processes import CLIENT, rows_of, run


@pytest.mark.long
def test_100000_events_at_20_percent_loss_each_way_are_all_stored_once(start):
    collector = start()
    host, port = collector.coap
    done = run(
        CLIENT, "-H", host, "-P", port, "load", "--devices", 20000, "--events", 100000,
        "--loss", 20, "--until-stored", "--verify", "--sqlite", collector.database,
        seconds=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    query = "SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM events"
    assert rows_of(collector.database, query) == [{"rows": 100000, "ids": 100000}]
