"""Everything a device can get wrong: what it is told, and that nothing of it is stored.

All of it goes to one collector. The answers are also written, as a Markdown table, to
build/bad-input.md.
"""

import json

import pytest

import cbor
import wire
from processes import ROOT, Collector
from wire import event, post, request

PAYLOAD_BYTES_MAX = 4096
BODY_BYTES_MAX = 65536  # of what comes in blocks
TABLE = ROOT / "build" / "bad-input.md"


def text(**members):
    return json.dumps(event(**members)).encode()


def changed(old, new, **members):
    """An event's JSON with one thing replaced that json.dumps would not write."""
    whole = text(**members)
    assert whole.count(old) == 1
    return whole.replace(old, new)


def payload(value):
    return post(event(payload=value))


def nested(levels):
    return b'{"namespace":"n","sender":"s","origin":"o","payload":{"type":"t","value":' + (
        b"[" * levels + b"1" + b"]" * levels + b"}}")


def in_cbor(body):
    return post(body if isinstance(body, bytes) else cbor.encode(body), content_format=wire.CBOR)


def valued(item):
    """An event in CBOR whose value is this encoded item."""
    whole = cbor.encode(event(payload={"type": "t", "value": "@"}))
    assert whole.count(b"\x61@") == 1
    return in_cbor(whole.replace(b"\x61@", item))


def senml(*records):
    return post(list(records), content_format=wire.SENML_JSON)


BAD = wire.BAD_REQUEST
DEEP = "payload is nested deeper than 16"
JSON_ERROR = "not JSON"
TIME = "timestamp is not RFC 3339"

# What is wrong, the message, the expected code, and what its diagnostic must contain.
CASES = [
    ("empty body", post(b""), BAD, "body is empty"),
    ("a space for a body", post(b" "), BAD, JSON_ERROR),
    ("not JSON", post(b"temperature=21.5"), BAD, JSON_ERROR),
    ("JSON cut short", post(text()[:-9]), BAD, JSON_ERROR),
    ("something after the event", post(text() + b"}"), BAD, JSON_ERROR),
    ("two events in one body", post(text() + text()), BAD, JSON_ERROR),
    ("trailing comma", post(text()[:-1] + b",}"), BAD, JSON_ERROR),
    ("single quotes", post(text().replace(b'"', b"'")), BAD, JSON_ERROR),
    ("a comment", post(b"/* event */" + text()), BAD, JSON_ERROR),
    ("UTF-16", post(text().decode().encode("utf-16")), BAD, JSON_ERROR),
    ("a byte order mark", post(b"\xef\xbb\xbf" + text()), BAD, JSON_ERROR),
    ("invalid UTF-8 in a name", post(changed(b"probe1", b"pro\xffbe")), BAD, JSON_ERROR),
    ("overlong UTF-8 in a value", post(changed(b"21.5", b'"\xc0\xaf"')), BAD, JSON_ERROR),
    ("half a surrogate pair", post(changed(b"probe1", rb"\ud800")), BAD, JSON_ERROR),
    ("NUL in the body", post(changed(b"probe1", b"pro\x00be")), BAD, JSON_ERROR),
    ("escaped NUL in a name", post(event(origin="pro\x00be")), BAD, "origin has a control char"),
    ("newline in a name", post(event(sender="a\nb")), BAD, "sender has a control character"),
    ("a number", post(b"21.5"), BAD, "event is not an object"),
    ("a string", post(b'"event"'), BAD, "event is not an object"),
    ("null", post(b"null"), BAD, "event is not an object"),
    ("an empty array", post(b"[]"), BAD, "array has no events"),
    ("an array with something else", post(b"[" + text() + b",7]"), BAD,
     "[1].event is not an object"),
    ("an array of arrays", post(b"[[" + text() + b"]]"), BAD, "[0].event is not an object"),
    ("an array with a bad event", post([event(), event(), event(origin=None)]), BAD,
     "[2].origin is missing"),
    ("an empty object", post(b"{}"), BAD, "namespace is missing"),
    ("no namespace", post(event(namespace=None)), BAD, "namespace is missing"),
    ("no sender", post(event(sender=None)), BAD, "sender is missing"),
    ("no origin", post(event(origin=None)), BAD, "origin is missing"),
    ("no payload", post(event(payload=None)), BAD, "payload is missing"),
    ("no payload.type", payload({"value": 1}), BAD, "payload.type is missing"),
    ("no payload.value", payload({"type": "t"}), BAD, "payload.value is missing"),
    ("namespace is a number", post(event(namespace=1)), BAD, "namespace is not a string"),
    ("sender is an object", post(event(sender={})), BAD, "sender is not a string"),
    ("origin is an array", post(event(origin=["a"])), BAD, "origin is not a string"),
    ("origin is null", post(changed(b'"probe1"', b"null")), BAD, "origin is not a string"),
    ("payload is a number", payload(21.5), BAD, "payload is not an object"),
    ("payload is an array", payload([1]), BAD, "payload is not an object"),
    ("payload.type is a number", payload({"type": 1, "value": 1}), BAD,
     "payload.type is not a string"),
    ("payload.type is an object", payload({"type": {}, "value": 1}), BAD,
     "payload.type is not a string"),
    ("payload.value is null", payload({"type": "t", "value": None}), BAD, "payload.value is null"),
    ("namespace is empty", post(event(namespace="")), BAD, "namespace is empty"),
    ("sender is empty", post(event(sender="")), BAD, "sender is empty"),
    ("payload.type is empty", payload({"type": "", "value": 1}), BAD, "payload.type is empty"),
    ("sender of 257 bytes", post(event(sender="s" * 257)), BAD, "sender is longer than 256 bytes"),
    ("origin of 129 characters, 258 bytes", post(event(origin="é" * 129)), BAD,
     "origin is longer than 256 bytes"),
    ("payload.type of 257 bytes", payload({"type": "t" * 257, "value": 1}), BAD,
     "payload.type is longer than 256 bytes"),
    ("id of 65 bytes", post(event(id="i" * 65)), BAD, "id is longer than 64 bytes"),
    ("id is empty", post(event(id="")), BAD, "id is empty"),
    ("id is a number", post(event(id=7)), BAD, "id is not a string"),
    ("sender twice", post(changed(b'"sender"', b'"sender": "x", "sender"')), BAD,
     "sender is there twice"),
    ("payload twice", post(text()[:-1] + b',"payload":{"type":"t","value":1}}'), BAD,
     "payload is there twice"),
    ("payload.value twice", post(changed(b'"value"', b'"value": 1, "value"')), BAD,
     "payload.value is there twice"),
    ("another payload member twice", post(changed(b'"value"', b'"x": 1, "x": 2, "value"')), BAD,
     "payload has a member twice"),
    ("a member twice inside the value", post(changed(b"21.5", b'{"x": 1, "x": 2}')), BAD,
     "payload has a member twice"),
    ("a misspelt member", post(event(timestmap="2018-06-01T14:08:24Z")), BAD,
     "timestmap is no member of an event"),
    ("a member with an unprintable name", post(event(**{"a\x1b[31m": 1})), BAD,
     "is no member of an event"),
    ("17 levels", post(nested(15)), BAD, DEEP),
    ("2,000 levels", post(nested(2000)), BAD, "nested"),
    ("2,000 open brackets", post(nested(2000)[:2000]), BAD, ""),
    ("NaN", post(changed(b"21.5", b"NaN")), BAD, JSON_ERROR),
    ("Infinity", post(changed(b"21.5", b"-Infinity")), BAD, JSON_ERROR),
    ("1e999", post(changed(b"21.5", b"1e999")), BAD, "out of range"),
    ("a leading zero", post(changed(b"21.5", b"021.5")), BAD, JSON_ERROR),
    ("hexadecimal", post(changed(b"21.5", b"0x15")), BAD, JSON_ERROR),
    ("timestamp is a number", post(event(timestamp=1527862104)), BAD, "timestamp is not a string"),
    ("timestamp is empty", post(event(timestamp="")), BAD, TIME),
    ("timestamp without a zone", post(event(timestamp="2018-06-01T14:08:24")), BAD, TIME),
    ("timestamp is a date", post(event(timestamp="2018-06-01")), BAD, TIME),
    ("February 30", post(event(timestamp="2018-02-30T00:00:00Z")), BAD, TIME),
    ("February 29, not a leap year", post(event(timestamp="2019-02-29T00:00:00Z")), BAD, TIME),
    ("month 13", post(event(timestamp="2018-13-01T00:00:00Z")), BAD, TIME),
    ("24:00", post(event(timestamp="2018-06-01T24:00:00Z")), BAD, TIME),
    ("before 1970", post(event(timestamp="1969-12-31T23:59:59Z")), BAD, TIME),
    ("after 2262", post(event(timestamp="2300-01-01T00:00:00Z")), BAD, TIME),
    ("ten fractional digits", post(event(timestamp="2018-06-01T14:08:24.0123456789Z")), BAD, TIME),
    ("CBOR: empty body", in_cbor(b""), BAD, "body is empty"),
    ("CBOR: JSON instead", in_cbor(text()), BAD, "not CBOR: cut short"),
    ("CBOR: cut short", in_cbor(cbor.encode(event())[:-3]), BAD, "not CBOR: cut short"),
    ("CBOR: something after the event", in_cbor(cbor.encode(event()) + b"\0"), BAD,
     "not CBOR: something follows"),
    ("CBOR: a number", in_cbor(21), BAD, "event is not an object"),
    ("CBOR: no origin", in_cbor(event(origin=None)), BAD, "origin is missing"),
    ("CBOR: an array with a bad event", in_cbor([event(), event(sender=7)]), BAD,
     "[1].sender is not a string"),
    ("CBOR: sender twice", in_cbor(b"\xa2" + cbor.encode("sender") + cbor.encode("x") +
                                   cbor.encode("sender") + cbor.encode("y")), BAD,
     "sender is there twice"),
    ("CBOR: a number as key", in_cbor({1: 2}), BAD, "not CBOR: a map's key is not a text"),
    ("CBOR: invalid UTF-8", valued(b"\x62\xc0\xaf"), BAD, "not CBOR: not UTF-8"),
    ("CBOR: control character in a name", in_cbor(event(origin="a\nb")), BAD,
     "origin has a control character"),
    ("CBOR: a byte string", valued(b"\x41a"), BAD, "not CBOR: a byte string"),
    ("CBOR: NaN", valued(b"\xf9\x7e\x00"), BAD, "not CBOR: NaN or an infinity"),
    ("CBOR: an infinity", valued(b"\xfa\xff\x80\x00\x00"), BAD, "not CBOR: NaN or an infinity"),
    ("CBOR: -2^64", valued(b"\x3b" + b"\xff" * 8), BAD, "not CBOR: an integer below -2^63"),
    ("CBOR: undefined", valued(b"\xf7"), BAD, "not CBOR: a value that JSON does not have"),
    ("CBOR: a bignum", valued(b"\xc2\x41\x01"), BAD, "not CBOR: a tag other than 0, 1 and 4"),
    ("CBOR: null", valued(b"\xf6"), BAD, "payload.value is null"),
    ("CBOR: a reserved byte", valued(b"\x1c"), BAD, "not CBOR: a byte that begins nothing"),
    ("CBOR: a text of 2^63 bytes", valued(b"\x7b\x80" + b"\0" * 7), BAD, "not CBOR: cut short"),
    ("CBOR: an array of 2^63 items", valued(b"\x9b\x80" + b"\0" * 7), BAD, "not CBOR: cut short"),
    ("CBOR: a break", valued(b"\xff"), BAD, "not CBOR: a break that ends nothing"),
    ("CBOR: 2,000 levels", valued(b"\x81" * 2000 + b"\0"), BAD, "not CBOR: nested too deep"),
    ("CBOR: 2,000 open arrays", valued(b"\x9f" * 2000), BAD, "not CBOR: nested too deep"),
    ("CBOR: 2,000 open strings", valued(b"\x7f" * 2000), BAD, "not CBOR: a piece of a string"),
    ("CBOR: 17 levels", valued(b"\x81" * 15 + b"\0"), BAD, DEEP),
    ("CBOR: a time before 1970", in_cbor(event(timestamp=-1)), BAD,
     "timestamp is not 1970 to 2261"),
    ("CBOR: a time after 2261", in_cbor(event(timestamp=1e10)), BAD,
     "timestamp is not 1970 to 2261"),
    ("CBOR: a time that is none", in_cbor(event(timestamp="noon")), BAD, TIME),
    ("SenML: empty body", post(b"", content_format=wire.SENML_JSON), BAD, "body is empty"),
    ("SenML: an event", post(event(), content_format=wire.SENML_JSON), BAD, "pack is no array"),
    ("SenML: an empty pack", senml(), BAD, "pack has no records"),
    ("SenML: no JSON", post(b"[{]", content_format=wire.SENML_JSON), BAD, JSON_ERROR),
    ("SenML: no name", senml({"v": 1}), BAD, "[0].n is missing"),
    ("SenML: no value", senml({"n": "a", "v": 1}, {"n": "a"}), BAD, "[1].record has no value"),
    ("SenML: two values", senml({"n": "a", "v": 1, "vs": "x"}), BAD, "[0].record has two values"),
    ("SenML: a text for a number", senml({"n": "a", "v": "1"}), BAD, "[0].v is not a number"),
    ("SenML: a name with a blank", senml({"n": "a b", "v": 1}), BAD, "[0].n is no SenML name"),
    ("SenML: a field that must be understood", senml({"n": "a", "v": 1, "x_": 1}), BAD,
     "[0].x_ must be understood, and is not"),
    ("SenML: a later version", senml({"bver": 11, "n": "a", "v": 1}), BAD,
     "[0].bver is higher than 10"),
    ("SenML: a time out of range", senml({"n": "a", "v": 1, "t": 1e11}), BAD,
     "[0].t is out of range"),
    ("SenML: padded base64", senml({"n": "a", "vd": "YQ=="}), BAD, "[0].vd is not base64url"),
    ("SenML in CBOR: two values", post(cbor.encode([{0: "a", 2: 1, 4: True}]),
                                       content_format=wire.SENML_CBOR), BAD,
     "[0].record has two values"),
    ("SenML in CBOR: bytes for a text", post(cbor.encode([{0: b"a", 2: 1}]),
                                             content_format=wire.SENML_CBOR), BAD,
     "not CBOR: a byte string"),
    ("body over the limit", post(text(value="x" * PAYLOAD_BYTES_MAX)), wire.TOO_LARGE,
     "too large for one message"),
    ("body far over the limit", post(text(value="x" * 60000)), wire.TOO_LARGE,
     "too large for one message"),
    ("content format text", post(text(), content_format=0), wire.UNSUPPORTED_FORMAT,
     "content format is not 50, 60, 110 or 112"),
    ("content format octet-stream", post(text(), content_format=42), wire.UNSUPPORTED_FORMAT,
     "content format is not 50, 60, 110 or 112"),
    ("content format 65000", post(text(), content_format=65000), wire.UNSUPPORTED_FORMAT,
     "content format is not 50, 60, 110 or 112"),
    ("no path", request(wire.POST, "/", text()), wire.NOT_FOUND, "no such path"),
    ("unknown path", request(wire.POST, "/event", text()), wire.NOT_FOUND, "no such path"),
    ("path below a known one", request(wire.POST, "/events/1", text()), wire.NOT_FOUND,
     "no such path"),
    ("slash inside a segment", request(wire.POST, "", text(), options=[(wire.URI_PATH, b"a/b")]),
     wire.NOT_FOUND, "no such path"),
    ("path of 255 bytes", request(wire.GET, "/" + "p" * 255), wire.NOT_FOUND, "no such path"),
    ("path in capitals", request(wire.POST, "/EVENTS", text()), wire.NOT_FOUND, "no such path"),
    ("GET /events", request(wire.GET, "/events"), wire.METHOD_NOT_ALLOWED, "method not allowed"),
    ("PUT /events", request(wire.PUT, "/events", text()), wire.METHOD_NOT_ALLOWED,
     "method not allowed"),
    ("DELETE /events", request(wire.DELETE, "/events"), wire.METHOD_NOT_ALLOWED,
     "method not allowed"),
    ("FETCH /events", request(5, "/events", text()), wire.METHOD_NOT_ALLOWED,
     "method not allowed"),
    ("method 0.31", request(31, "/events", text()), wire.METHOD_NOT_ALLOWED, "method not allowed"),
    ("POST /health", request(wire.POST, "/health", b"{}"), wire.METHOD_NOT_ALLOWED,
     "method not allowed"),
    ("an Accept that cannot be met", request(wire.GET, "/health", options=[(wire.ACCEPT, b"\x70")]),
     0x86, "offered: 50 (JSON) and 60 (CBOR)"),
    ("unknown critical option", post(text(), options=[(2049, b"x")]), wire.BAD_OPTION, "2049"),
    ("If-Match", post(text(), options=[(1, b"x")]), 0x8C, "no condition holds"),
    ("If-None-Match", post(text(), options=[(5, b"")]), 0x8C, "no condition holds"),
    ("Q-Block1", post(text(), options=[(19, b"")]), wire.BAD_OPTION, "19"),
    ("block size 7", post(text(), options=[(27, b"\x07")]), BAD, "block size 7"),
    ("Proxy-Uri", post(text(), options=[(35, b"coap://a/")]), 0xA5, "not a proxy"),
    ("OSCORE", post(text(), options=[(9, b"")]), wire.BAD_OPTION, "9"),
]

# What is no CoAP message at all, or none to answer: silence.
GOOD = wire.encode(post(text()))
SILENT = [
    ("a datagram of one byte", b"\x40"),
    ("a datagram of three bytes", GOOD[:3]),
    ("version 0", bytes([GOOD[0] & 0x3F]) + GOOD[1:]),
    ("version 2", bytes([GOOD[0] & 0x3F | 0x80]) + GOOD[1:]),
    ("token length 9", bytes([0x49]) + GOOD[1:]),
    ("token cut short", GOOD[:6]),
    ("option cut short", bytes([0x40, 2, 0, 1, 0xB6]) + b"eve"),
    ("option delta 15", bytes([0x40, 2, 0, 1, 0xF1, 0])),
    ("Content-Format of 3 bytes", wire.encode(post(text(), content_format=0x10032))),
    ("Uri-Path of 256 bytes", wire.encode(request(wire.GET, "/" + "p" * 256))),
    ("payload marker and no payload", GOOD[: GOOD.index(0xFF) + 1]),
    ("random bytes", bytes(range(255, 0, -1))),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Each case's answer, by its name; the collector is stopped and checked at the end."""
    collector = Collector(tmp_path_factory.mktemp("bad"), payload_bytes_max=PAYLOAD_BYTES_MAX,
                          log_requests_per_second_max=1000)
    try:
        with collector.peer() as peer:
            answers = {}
            for name, message, *_ in CASES:
                peer.send(message)
                answers[name] = peer.receive(2)
            malformed = collector.metric("datagrams_malformed_total")
            for _, datagram in SILENT:
                peer.send(datagram)
            answers["health"] = peer.ask(request(wire.GET, "/health"))
            answers["after silence"] = peer.receive(0.3)
            answers["malformed"] = collector.metric("datagrams_malformed_total") - malformed
        answers["rows"] = collector.rows()
        collector.stop()
        answers["log"] = collector.output()
    finally:
        collector.kill()
    write_table(answers)
    return answers


def write_table(answers):
    lines = ["| what is wrong | answer | diagnostic |", "|---|---|---|"]
    for name, *_ in CASES:
        if (answer := answers[name]) is not None:
            lines.append(f"| {name} | {wire.code_text(answer.code)} | {answer.text()} |")
    lines += [f"| {name} | none | counted as malformed |" for name, _ in SILENT]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name, code, diagnostic", [(case[0], *case[2:]) for case in CASES],
                         ids=[case[0] for case in CASES])
def test_refused(answers, name, code, diagnostic):
    answer = answers[name]
    assert answer is not None, "no answer"
    assert wire.code_text(answer.code) == wire.code_text(code), answer.payload
    assert diagnostic in answer.text()
    assert 0 < len(answer.payload) <= 64
    assert answer.text().isprintable()
    assert answer.option(wire.CONTENT_FORMAT) is None
    if code == wire.TOO_LARGE:
        assert answer.option(wire.SIZE1) == BODY_BYTES_MAX


def test_malformed_datagrams_are_counted_and_not_answered(answers):
    assert answers["after silence"] is None
    assert answers["malformed"] == len(SILENT)


def test_the_collector_lives_and_has_stored_nothing(answers):
    assert answers["health"].code == wire.CONTENT
    assert answers["rows"] == []


def test_the_log_shows_nothing_that_could_fool_a_terminal(answers):
    assert all(line.isprintable() for line in answers["log"].splitlines())


@pytest.mark.parametrize("levels", [0, 14])
def test_just_within_the_limits(collector, peer, levels):
    name = "n" * 256
    assert peer.ask(post(nested(levels))).code == wire.CREATED
    limit = event(namespace=name, sender=name, origin="é" * 128, id="i" * 64,
                  payload={"type": name, "value": 1})
    assert peer.ask(post(limit)).code == wire.CREATED
    padding = PAYLOAD_BYTES_MAX - len(text(value=""))
    assert peer.ask(post(text(value="x" * padding))).code == wire.CREATED
    assert len(collector.rows()) == 3
