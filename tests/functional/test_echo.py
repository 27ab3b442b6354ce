"""--require-echo (RFC 9175): who has not shown that its address is its own must do so first."""

import json

import dtls
import pytest
import wire
from processes import client, events_in, run

ECHO = 252


@pytest.fixture
def wary(start):
    return start("--require-echo")


def echo_of(answer):
    return [value for number, value in answer.options if number == ECHO]


def again(echo, event, **more):
    return wire.post(event, options=[(ECHO, echo)], **more)


def test_an_event_is_stored_once_its_echo_came_back(wary):
    with wary.peer() as peer:
        asked = peer.ask(wire.post(wire.event(1)))
        assert (asked.code, asked.payload) == (wire.UNAUTHORIZED, b"")
        assert wary.rows() == []
        (echo,) = echo_of(asked)
        assert peer.ask(again(echo, wire.event(1))).code == wire.CREATED
        assert peer.ask(wire.post(wire.event(2))).code == wire.CREATED
    with wary.peer() as other:
        assert other.ask(again(echo, wire.event(3))).code == wire.UNAUTHORIZED
    assert len(wary.rows()) == 2


def test_each_kind_of_request_is_asked(wary):
    body = b" " * 100
    for request in [wire.request(wire.GET, "/health"), wire.request(wire.GET, "/nothing"),
                    wire.post(wire.event(1), kind=wire.NON), wire.post_block(body, 0, 2),
                    wire.post(wire.event(1), options=[(wire.NO_RESPONSE, bytes([26]))])]:
        with wary.peer() as peer:
            answer = peer.ask(request)
            assert answer.code == wire.UNAUTHORIZED and len(echo_of(answer)) == 1
    assert wary.metric('echo_total{result="asked"}') == 5


def test_without_the_option_nobody_is_asked(collector):
    with collector.peer() as peer:
        assert peer.ask(again(b"whatever", wire.event(1))).code == wire.CREATED


def test_the_client_brings_it_back(wary):
    done = client(wary, "incremental", "-n", 5, "temperature", 15)
    assert done.returncode == 0, done.stderr
    assert len(events_in(done.stdout)) == 5
    assert len(wary.rows()) == 5
    assert client(wary, "healthcheck").returncode == 0


@pytest.mark.parametrize("kind", [[], ["--non"]])
def test_simulated_devices_bring_it_back(wary, kind):
    done = client(wary, "load", "--devices", 50, "-n", 500, "--verify",
                  "--sqlite", wary.database, *kind)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(wary.rows()) == 500
    assert wary.metric('echo_total{result="proven"}') >= 50


def test_libcoaps_client_brings_it_back(wary):
    coap_client = dtls.program("coap-client-openssl", "libcoap3-bin")
    event = json.dumps(wire.event(1))
    done = run(coap_client, "-m", "post", "-t", "50", "-B", "5", "-e", event, wary.uri("/events"))
    assert done.returncode == 0 and "4.01" not in done.stdout + done.stderr
    assert len(wary.rows()) == 1
