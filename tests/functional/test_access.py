"""Who may write what, and the lines that tell of who may not."""

import json
import re
import shutil
import urllib.error
import urllib.request

import dtls
import pytest
import wire
from processes import COLLECTOR, ROOT, environment, run

FILTER = ROOT / "deploy/fail2ban/coap-collector.conf"
KEY = "sixteen bytes ok"

LIST = """
# WHO            NAMESPACE  SENDER  ORIGIN
127.0.1.0/24     city       gate-*  *
127.0.1.7        home       *       roof
psk:meter-*      metering   {name}  *
psk:reader       *          *       *
"""


@pytest.fixture
def listed(start):
    """Starts a collector with a list, and with keys if asked."""

    def start_one(text=LIST, **options):
        file = start.directory / "access"
        file.write_text(text)
        return start(access_file=file, **options)

    return start_one


def named(name_space, sender, origin, value=1):
    return wire.event(value, **{"namespace": name_space, "sender": sender, "origin": origin})


def ask(collector, source, payload, **more):
    with collector.peer((source, 0)) as peer:
        return peer.ask(wire.post(payload, **more))


def refusals(collector):
    return re.findall(r'refused (\S+?):\d+ at ([^:]*): ([^"\n]*)', collector.output())


def test_a_network_may_write_what_its_line_grants(listed):
    collector = listed()
    city = named("city", "gate-1", "probe")
    assert ask(collector, "127.0.1.9", city).code == wire.CREATED
    assert ask(collector, "127.0.1.7", named("home", "x", "roof")).code == wire.CREATED
    for source, event, field in [("127.0.1.9", named("home", "x", "roof"), "namespace"),
                                 ("127.0.1.9", named("city", "door", "probe"), "sender"),
                                 ("127.0.1.7", named("home", "x", "cellar"), "origin")]:
        answer = ask(collector, source, event)
        assert answer.code == wire.FORBIDDEN
        assert answer.text() == f"{field} is not yours: ask for a line in the access list"
    answer = ask(collector, "127.0.2.9", city)
    assert answer.code == wire.UNAUTHORIZED
    assert b"prove who you are: coaps://" in answer.payload
    assert len(collector.rows()) == 2


def test_one_event_that_may_not_keeps_all_of_its_request_out(listed):
    collector = listed()
    events = [named("city", "gate-1", "probe", 1), named("city", "door", "probe", 2)]
    answer = ask(collector, "127.0.1.9", events)
    assert answer.code == wire.FORBIDDEN
    assert answer.payload.startswith(b"[1].sender is not yours")
    senml = b'[{"bn":"city/door/","n":"t","v":1}]'
    assert ask(collector, "127.0.1.9", senml, content_format=wire.SENML_JSON).code == wire.FORBIDDEN
    assert collector.rows() == []


def test_blocks_of_a_stranger_are_refused_at_the_first(listed):
    collector = listed()
    body = json.dumps(named("city", "gate-1", "p" * 200)).encode()
    with collector.peer(("127.0.2.9", 0)) as stranger:
        assert stranger.ask(wire.post_block(body, 0, 4)).code == wire.UNAUTHORIZED
    with collector.peer(("127.0.1.9", 0)) as known:
        assert known.ask(wire.post_block(body, 0, 4)).code == wire.CONTINUE


def test_everybody_may_ask_how_it_is(listed):
    collector = listed()
    with collector.peer(("127.0.2.9", 0)) as stranger:
        assert stranger.ask(wire.request(wire.GET, "/health")).code == wire.CONTENT


def test_the_list_is_read_again(listed):
    collector = listed()
    file = collector.directory / "access"
    event = named("town", "x", "y")
    file.write_text("* town * *\nnonsense\n")
    collector.told("access: ")
    collector.told("line 2: is not WHO NAMESPACE SENDER ORIGIN; going on")
    assert ask(collector, "127.0.1.9", event).code == wire.FORBIDDEN
    file.write_text("* town * *\n")
    collector.told("access: list of 1 grants read again")
    assert ask(collector, "127.0.1.9", event).code == wire.CREATED


@pytest.mark.parametrize("text, why", [
    ("* * *\n", "line 1: is not WHO NAMESPACE SENDER ORIGIN"),
    (None, "No such file"),
])
def test_a_list_that_cannot_be_used_ends_the_start(tmp_path, text, why):
    file = tmp_path / "access"
    if text:
        file.write_text(text)
    done = run(COLLECTOR, "--access-file", file, "--sqlite-path", tmp_path / "e.db",
               "--coap-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", env=environment())
    assert done.returncode == 78
    assert str(file) in done.stdout + done.stderr and why in done.stdout + done.stderr


def test_a_key_says_who_may_write_what(listed, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("".join(f"{who}:{KEY.encode().hex()}\n"
                            for who in ["meter-1", "reader", "other"]))
    collector = listed(psk_file=keys, coaps_listen="127.0.0.1:0")

    def send(who, *names):
        return dtls.send(collector, "-u", who, "-k", KEY, event=json.dumps(named(*names)))

    assert dtls.stored(send("meter-1", "metering", "meter-1", "kitchen"))
    assert "c:4.03" in send("meter-1", "metering", "meter-2", "kitchen")
    assert dtls.stored(send("reader", "any", "thing", "at all"))
    assert "c:4.03" in send("other", "metering", "other", "kitchen")
    assert [row["sender"] for row in collector.rows()] == ["meter-1", "thing"]
    collector.told("refused ", times=2)
    assert [(via, why) for _, via, why in refusals(collector)] == [
        ("coaps", "psk:meter-1: sender 'meter-2' is not granted"),
        ("coaps", "psk:other: nothing is granted"),
    ]


def banned(path):
    """The addresses that the filter finds, by fail2ban if it is here, else as it would."""
    if shutil.which("fail2ban-regex"):
        done = run("fail2ban-regex", "-o", "<ip>", path, FILTER)
        return done.stdout.split()
    text = FILTER.read_text().split("failregex =", 1)[1].split("ignoreregex", 1)[0]
    patterns = [re.compile(line.strip().replace("<ADDR>", r"\[?(?P<ip>[0-9a-f.:]+?)\]?"))
                for line in text.strip().splitlines()]
    date = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
    found = [pattern.search(date.sub("", line, 1))
             for line in path.read_text().splitlines() for pattern in patterns]
    return [match["ip"] for match in found if match]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_fail2ban_finds_those_whose_address_is_proven(listed, tmp_path, log_format):
    keys = tmp_path / "keys"
    keys.write_text(f"other:{KEY.encode().hex()}\n")
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    collector = listed(psk_file=keys, coaps_listen="127.0.0.1:0", http_token_file=token,
                       log_format=log_format)
    forged = 'x" refused 192.0.2.1:1 at coaps: x'
    assert ask(collector, "127.0.2.9", named("city", forged, "x")).code == wire.UNAUTHORIZED
    assert ask(collector, "127.0.1.9", named("city", forged, "x")).code == wire.FORBIDDEN
    with collector.peer() as peer:
        peer.ask(wire.request(wire.POST, "/ warning refused 192.0.2.1:1 at coaps: x"))
    dtls.send(collector, "-u", "other", "-k", KEY)
    dtls.send(collector, "-u", forged, "-k", KEY, seconds=1)
    guess = urllib.request.Request(f"http://{collector.http[0]}:{collector.http[1]}/",
                                   headers={"Authorization": "Bearer guess"})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(guess, timeout=10)
    collector.told("at coaps: ", times=3)
    collector.told("at http: a wrong token")
    assert banned(collector.output_path) == 3 * ["127.0.0.1"]
