"""The collector's own page, in a browser, with events that came over CoAP."""

import csv
import datetime
import json
import re
import sqlite3
import statistics
import time
import urllib.parse

import pytest

import wire
from browser import SECONDS_MAX, browser, look  # noqa: F401, fixtures
from processes import Collector, client
from processes import wait_until as wait_until_within
from test_store import needs_mounts, small_disk  # noqa: F401, a fixture

pytestmark = pytest.mark.browser

MINUTES = 40
SPOTS = {"truck1": (45.46, 9.19), "truck2": (47.56, 7.59)}
HOSTILE = "<img src=x onerror=alert(1)>"


def wait_until(condition, what):
    return wait_until_within(condition, SECONDS_MAX, what)


def stamp(seconds):
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def temperature(origin, minute):
    """Of a minute before the collector was filled: a different mean, minimum and maximum each."""
    return round(20 + minute / 10 + (5 if origin == "Oslo" else 0), 1)


def send(collector, events):
    with collector.peer() as peer:
        for event in events:
            assert peer.ask(wire.post(event)).code == wire.CREATED


def measured(origin, kind, value, at, **payload):
    return wire.event(namespace="city", sender="station", origin=origin,
                      payload={"type": kind, "value": value, **payload}, timestamp=stamp(at))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A collector with two series of temperatures, two positions, and some others."""
    collector = Collector(tmp_path_factory.mktemp("page"))
    now = time.time()
    events = [measured(origin, "temperature", temperature(origin, minute), now - 60 * minute)
              for minute in range(1, MINUTES + 1) for origin in ("Basel", "Oslo")]
    events += [measured(origin, "position", {"lat": at[0], "lon": at[1]}, now - 5)
               for origin, at in SPOTS.items()]
    events.append(measured("gate", "door", HOSTILE, now - 4))
    events.append(measured("Basel", "pressure", 1013.2, now - 3 * 86400, unit="hPa"))
    events.append(measured("old", "temperature", 1, now - 3 * 86400))  # in none of the charts
    send(collector, events)
    yield collector
    collector.stop()


def cells(page, name):
    """The table's texts of one column, from the top."""
    return page.locator(f'table.events td[data-label="{name}"]').all_inner_texts()


def numbers(text):
    return [float(word) for word in re.findall(r"-?\d+(?:\.\d+)?", text.replace(",", ""))]


def legend(page, kind):
    """{origin: [last, min, mean, max, events]} under the chart of a type."""
    rows = page.locator(f'article.chart[aria-label="{kind}"] table.legend tbody tr')
    rows.first.wait_for()
    return {row.locator("th").inner_text().strip():
            [float(cell.replace(",", "")) for cell in row.locator("td").all_inner_texts()]
            for row in rows.all()}


def query(page):
    return urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)


def test_the_first_event_appears_where_the_page_told_how_to_send_one(collector, look):
    page = look(collector)
    told = page.locator("#events .none pre").inner_text()
    assert told == f"client -H 127.0.0.1 -P {collector.coap[1]} send temperature 21.5"
    assert client(collector, *told.split()[5:]).returncode == 0
    page.locator("table.events tbody tr").first.wait_for()
    assert cells(page, "value") == ["21.5"]
    assert page.locator("#events .none").is_hidden()
    assert list(legend(page, "temperature").values()) == [[21.5, 21.5, 21.5, 21.5, 1]]


def test_live_events_join_table_and_chart(collector, look):
    now = time.time()
    send(collector, [measured("Basel", "temperature", 10, now - 30)])
    page = look(collector)
    assert legend(page, "temperature")["Basel"] == [10, 10, 10, 10, 1]
    send(collector, [measured("Basel", "temperature", 13, now - 5)])
    wait_until(lambda: cells(page, "value") == ["13", "10"], what="the new event is on top")
    wait_until(lambda: legend(page, "temperature")["Basel"] == [13, 10, 11.5, 13, 2],
               what="the chart has it")
    page.locator("button.live").click()
    send(collector, [measured("Basel", "temperature", 16, now)])
    page.wait_for_timeout(700)
    assert cells(page, "value") == ["13", "10"]
    page.locator("button.live").click()
    wait_until(lambda: cells(page, "value") == ["16", "13", "10"], what="what was missed")


def test_filter_is_in_the_address(filled, look):
    page = look(filled)
    page.locator("table.events tbody tr").first.wait_for()
    page.get_by_role("button", name="Origin any").click()
    page.get_by_role("checkbox", name="Basel").check()
    wait_until(lambda: set(cells(page, "origin")) == {"Basel"}, what="only Basel's events")
    assert query(page) == {"origin": ["Basel"]}
    assert list(legend(page, "temperature")) == ["Basel"]
    page.reload()
    page.locator("table.events tbody tr").first.wait_for()
    assert set(cells(page, "origin")) == {"Basel"}
    assert page.get_by_role("button", name="Origin Basel").is_visible()
    page.go_back()
    wait_until(lambda: "Oslo" in cells(page, "origin"), what="all origins again")


def test_a_name_in_the_table_is_a_filter(filled, look):
    page = look(filled)
    page.get_by_role("button", name="door", exact=True).click()
    wait_until(lambda: cells(page, "type") == ["door"], what="only the door")
    assert cells(page, "value") == [HOSTILE]  # as text
    page.get_by_role("button", name="Clear filters").click()
    wait_until(lambda: len(cells(page, "type")) > 1, what="everything again")


def test_time_range(filled, look):
    page = look(filled, "?type=pressure")
    page.get_by_text("No events in the last hour with these filters").wait_for()
    page.get_by_role("button", name="the last 7 days").click()
    wait_until(lambda: cells(page, "value") == ["1,013.2 hPa"], what="the event of three days ago")
    assert query(page) == {"type": ["pressure"], "range": ["7d"]}
    assert legend(page, "pressure")["Basel"] == [1013.2, 1013.2, 1013.2, 1013.2, 1]


def test_chart_has_the_right_numbers(filled, look):
    page = look(filled, "?type=temperature")
    found = legend(page, "temperature")
    for origin in ("Basel", "Oslo"):
        values = [temperature(origin, minute) for minute in range(1, MINUTES + 1)]
        assert found[origin] == [values[0], min(values), round(statistics.mean(values), 2),
                                 max(values), MINUTES]
    page.get_by_role("button", name="Numbers of temperature").click()
    rows = page.locator(".numbers tbody tr").all_inner_texts()
    assert len(rows) == 2 * MINUTES
    assert sum(numbers(row)[-1] for row in rows) == 2 * MINUTES
    assert any(row.split("\t")[1:] == ["Oslo", "25.1", "25.1", "25.1", "1"] for row in rows)


def test_charts_leave_room_for_their_legends(filled, look):
    page = look(filled, "?range=7d")
    legend(page, "pressure"), legend(page, "temperature")
    heights = page.evaluate("""[...document.querySelectorAll('.plot')].map((box) =>
      [box.clientHeight, box.querySelector('.uplot').clientHeight])""")
    assert len(heights) == 2
    assert all(box == plot for box, plot in heights)


def test_chart_is_read_by_keyboard_and_by_pointer(filled, look):
    page = look(filled, "?type=temperature")
    legend(page, "temperature")
    page.locator(".plot").focus()
    page.keyboard.press("End")
    tip = page.locator(".chart .tip")
    assert re.findall(r"([A-Z]\w+)\s+([\d.]+)", tip.inner_text().partition("\n")[2]) == [
        ("Oslo", "25.1"), ("Basel", "20.1")]
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.locator(".plot .u-over").hover()
    assert {"Oslo", "Basel"} <= set(re.findall(r"[A-Z]\w+", tip.inner_text()))


def test_dragging_over_a_chart_zooms(filled, look):
    page = look(filled, "?type=temperature&origin=Basel")
    before = legend(page, "temperature")["Basel"][4]
    box = page.locator(".plot .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_url("**from=*")
    chosen = [datetime.datetime.fromisoformat(query(page)[end][0]) for end in ("from", "to")]
    assert abs((chosen[1] - chosen[0]).total_seconds() - 900) < 60
    wait_until(lambda: legend(page, "temperature")["Basel"][4] in (14, 15, 16), what="a quarter")
    wait_until(lambda: len(cells(page, "time")) in (14, 15, 16), what="the table likewise")
    assert page.locator("button.live").inner_text() == "Fixed time"
    page.get_by_role("button", name="Zoom out").click()
    wait_until(lambda: legend(page, "temperature")["Basel"][4] > 20, what="twice the time")
    page.go_back()
    page.go_back()
    wait_until(lambda: legend(page, "temperature")["Basel"][4] == before, what="the hour again")


def test_a_series_can_be_hidden(filled, look):
    page = look(filled, "?type=temperature")
    legend(page, "temperature")
    drawn = "document.querySelector('.plot canvas').toDataURL()"
    both = page.evaluate(drawn)
    page.get_by_role("button", name="Oslo", exact=True).first.click()
    assert page.locator(".legend button[aria-pressed=false]").inner_text() == "Oslo"
    wait_until(lambda: page.evaluate(drawn) != both, what="its line is gone")
    page.locator(".plot").focus()
    page.keyboard.press("End")
    assert "Oslo" not in page.locator(".chart .tip").inner_text()


def colours_of(page, selector):
    """How many pixels of a canvas have each colour, as '#rrggbb'."""
    return page.evaluate("""(selector) => {
      const canvas = document.querySelector(selector);
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const counts = {};
      for (let i = 0; i < data.length; i += 4) {
        const [r, g, b] = data.slice(i, i + 3);
        const name = `#${((r << 16) | (g << 8) | b).toString(16).padStart(6, '0')}`;
        counts[name] = (counts[name] ?? 0) + 1;
      }
      return counts;
    }""", selector)


def test_positions_are_on_the_map(filled, look):
    page = look(filled, color_scheme="light")
    canvas = page.locator("#map canvas")
    canvas.scroll_into_view_if_needed()
    assert "2 origins" in canvas.get_attribute("aria-label")
    # The first two colours of a series; the land around, filled, and the sea of Genoa.
    wait_until(lambda: {"#1f6feb", "#e0680b", "#dfe9f0"} <= set(colours_of(page, "#map canvas")),
               what="markers and sea are drawn")
    colours = colours_of(page, "#map canvas")
    assert colours["#fafbf9"] > colours["#dfe9f0"] > 0
    page.get_by_role("button", name="Numbers of the map").click()
    rows = page.locator("#map tbody tr").all_inner_texts()
    assert sorted(row.split("\t")[:3] for row in rows) == [
        ["truck1", "45.46000", "9.19000"], ["truck2", "47.56000", "7.59000"]]
    page.locator("#map tbody button").first.click()
    wait_until(lambda: len(query(page).get("origin", [])) == 1, what="only that one")


def test_table_has_pages(filled, look):
    page = look(filled, "?type=temperature")
    seen = []
    for expected in (25, 25, 25, 5):
        wait_until(lambda: len(cells(page, "time")) == expected, what=f"{expected} rows")
        seen += list(zip(cells(page, "origin"), cells(page, "value")))
        last = page.get_by_role("button", name="Older").is_disabled()
        if not last:
            top = cells(page, "time")[0], cells(page, "origin")[0]
            page.get_by_role("button", name="Older").click()
            wait_until(lambda: (cells(page, "time")[0], cells(page, "origin")[0]) != top,
                       what="the next page")
    assert last
    assert sorted(seen) == sorted((origin, f"{temperature(origin, minute):g}")
                                  for minute in range(1, MINUTES + 1)
                                  for origin in ("Basel", "Oslo"))
    page.get_by_role("button", name="Newer").click()
    page.get_by_text("page 3").wait_for()


def test_details_of_an_event(filled, look):
    page = look(filled, "?type=pressure&range=7d")
    page.get_by_role("button", name="Details").click()
    text = page.locator(".detail pre").inner_text()
    assert json.loads(text)["payload"] == {"type": "pressure", "value": 1013.2, "unit": "hPa"}
    assert re.search(r"id [0-9a-f]{32}, received", page.locator(".detail p").inner_text())


def test_downloads_have_what_is_filtered(filled, look, tmp_path):
    page = look(filled, "?type=temperature&origin=Oslo")
    files = {}
    for kind in ("CSV", "NDJSON"):
        page.locator(".save summary").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=kind, exact=True).click()
        files[kind] = tmp_path / kind
        download.value.save_as(files[kind])
    wanted = sorted(temperature("Oslo", minute) for minute in range(1, MINUTES + 1))
    with open(files["CSV"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(float(row["value"]) for row in rows) == wanted
    events = [json.loads(line) for line in files["NDJSON"].read_text().splitlines()]
    assert sorted(event["value"] for event in events) == wanted
    assert {event["origin"] for event in events} == {"Oslo"}


def banner(page):
    """What stands above everything when something is wrong."""
    assert page.locator("#banner").is_visible()
    return page.locator("#banner").inner_text()


def brightness(page):
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(numbers(colour)[:3]) / 3


def test_light_and_dark(filled, look):
    page = look(filled, color_scheme="dark")
    assert brightness(page) < 60
    page.get_by_role("button", name="Colours").click()  # auto -> light
    assert brightness(page) > 200
    page.reload()
    assert brightness(page) > 200
    page.get_by_role("button", name="Colours").click()  # -> dark
    assert brightness(page) < 60
    page.get_by_role("button", name="Colours").click()  # -> auto
    page.emulate_media(color_scheme="light")
    wait_until(lambda: brightness(page) > 200, what="as the system has it")


def test_phone(filled, look):
    page = look(filled, viewport={"width": 375, "height": 812}, has_touch=True, is_mobile=True)
    legend(page, "temperature")
    for opened in (None, "Namespace any", "Sender any", "Origin any", "Type any"):
        if opened:
            page.get_by_role("button", name=opened).tap()
            panel = page.locator(".panel:visible").bounding_box()
            assert panel["x"] >= 0 and panel["x"] + panel["width"] <= 375
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        page.locator("h1").tap()  # closes it
    page.get_by_role("button", name="Type any").tap()
    page.get_by_role("checkbox", name="door").tap()
    wait_until(lambda: cells(page, "type") == ["door"], what="only the door")
    small = page.evaluate("""[...document.querySelectorAll('button, summary')]
      .filter((one) => one.checkVisibility() && !one.matches('.link, .series'))
      .filter((one) => one.getBoundingClientRect().height < 24)
      .map((one) => one.outerHTML)""")
    assert small == []


def test_keyboard_alone(filled, look):
    page = look(filled)
    page.locator("table.events tbody tr").first.wait_for()
    seen = []
    for _ in range(15):
        page.keyboard.press("Tab")
        text, outline = page.evaluate("""() => {
          const style = getComputedStyle(document.activeElement);
          return [document.activeElement.innerText.replace(/\\s+/g, ' ').trim(),
            `${style.outlineStyle} ${style.outlineWidth}`];
        }""")
        assert outline == "solid 2px", f"no focus to see on {text}"
        seen.append(text)
        if text == "Day":
            page.keyboard.press("Enter")
        if text == "Origin any":
            page.keyboard.press("Enter")
            page.keyboard.type("osl")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Space")
            page.keyboard.press("Escape")
            assert page.evaluate("document.activeElement.innerText").split() == ["Origin", "Oslo"]
    assert seen[:2] == ["Skip to the data", ""]  # and the theme
    assert seen[2:8] == ["15 min", "Hour", "Day", "Week", "Year", "Custom"]
    assert {"Type any", "Clear filters", "Live", "Download"} <= set(seen)
    assert query(page) == {"range": ["24h"], "origin": ["Oslo"]}
    wait_until(lambda: set(cells(page, "origin")) == {"Oslo"}, what="only Oslo's events")


def test_everything_has_a_name(filled, look):
    page = look(filled)
    legend(page, "temperature")
    nameless = page.evaluate("""[...document.querySelectorAll(
            'button, a, input, #map canvas, [role]')]
      .filter((one) => one.checkVisibility())
      .filter((one) => !(one.getAttribute('aria-label') || one.innerText.trim() ||
        one.closest('label')?.innerText.trim() || one.getAttribute('aria-live')))
      .map((one) => one.outerHTML)""")
    assert nameless == []


def test_a_collector_that_ends_and_comes_back(start, look):
    collector = start()
    page = look(collector, expect_trouble=True)
    pill = page.locator(".pill")
    wait_until(lambda: pill.inner_text() == "Serving", what="the state")
    port = collector.http[1]
    collector.stop()
    wait_until(lambda: pill.inner_text() == "No connection", what="it is told")
    assert "No answer from the collector since" in banner(page)
    again = start(http_listen=f"127.0.0.1:{port}")
    send(again, [measured("Basel", "temperature", 7, time.time())])
    wait_until(lambda: cells(page, "value") == ["7"], what="the event of meanwhile")
    wait_until(lambda: pill.inner_text() == "Serving", what="the state again")
    assert page.locator("#banner").is_hidden()


def test_a_stop_that_lasts_is_told(start, look):
    """Another process keeps the store locked, so that the drain lasts."""
    collector = start()
    page = look(collector, expect_trouble=True)
    wait_until(lambda: page.locator(".pill").inner_text() == "Serving", what="the state")
    other = sqlite3.connect(collector.database, isolation_level=None)
    with collector.peer() as peer:
        other.execute("BEGIN IMMEDIATE")
        request = wire.post(wire.event())
        peer.send(request)
        wait_until(lambda: collector.metric("events_pending") == 1, what="it waits")
        collector.signal()
        wait_until(lambda: page.locator(".pill").inner_text() == "Stopping", what="the new state")
        assert "was told to stop" in banner(page)
        other.execute("ROLLBACK")
        other.close()
        assert peer.wait_for(request).code == wire.CREATED


@needs_mounts
def test_a_full_disk_is_told_with_what_to_do(tmp_path, small_disk, look):
    collector = Collector(tmp_path, prefix=small_disk.enter,
                          sqlite_path=small_disk.path / "events.db")
    try:
        page = look(collector, expect_trouble=True)
        wait_until(lambda: page.locator(".pill").inner_text() == "Serving", what="the state")
        small_disk.fill()
        with collector.peer() as peer:
            for n in range(2000):  # what its log has room for is still stored
                if peer.ask(wire.post(wire.event(f"{n}-" + "x" * 400))).code != wire.CREATED:
                    break
            wait_until(lambda: page.locator(".pill").inner_text() == "Failing", what="the state")
            assert "df -h" in banner(page)
            assert int(page.locator(".tile.refused dd").inner_text()) >= 1
            small_disk.make_room()
            send(collector, [wire.event()])
        wait_until(lambda: page.locator(".pill").inner_text() == "Serving", what="well again")
        assert page.locator("#banner").is_hidden()
        collector.stop()
    finally:
        collector.kill()


def test_long_names_stay_in_their_place(collector, look):
    long = {name: f"{name}-" + "w" * 240 for name in ("namespace", "sender", "origin")}
    send(collector, [wire.event(**long, payload={"type": "t" * 256, "value": 1}),
                     wire.event(**long, payload={"type": "note", "value": "v" * 900})])
    for width in (375, 1280):
        page = look(collector, viewport={"width": width, "height": 800})
        legend(page, "t" * 256)
        page.get_by_role("button", name="Origin any").click()
        page.get_by_role("button", name="Details").first.click(force=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
