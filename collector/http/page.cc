#include "collector/http/page.h"

#include <httplib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <atomic>

#include "collector/base/clock.h"
#include "collector/http/connection.h"
#include "collector/http/live_feed.h"
#include "collector/http/page_files.h"
#include "collector/http/page_json.h"
#include "collector/http/page_query.h"
#include "collector/http/page_status.h"
#include "collector/store/sqlite/reader_pool.h"
#include "collector/store/sqlite/summariser.h"

namespace collector {
namespace {

constexpr std::size_t kReaders = 3;          // queries at a time
constexpr std::size_t kWaitingMax = 6;       // that wait for a reader
constexpr std::size_t kExportsMax = 2;       // downloads at a time
constexpr std::size_t kExportPage = 5'000;   // events between two looks at the bounds
constexpr std::size_t kLiveEventsMax = 100;  // of one message
constexpr std::size_t kEventsDefault = 100;
constexpr std::size_t kEventsMax = 1'000;
constexpr std::size_t kSeriesDefault = 1'000;
constexpr std::size_t kSeriesMax = 10'000;
constexpr std::size_t kBucketsDefault = 600;
constexpr std::size_t kPositionsMax = 10'000;
constexpr std::size_t kBucketsMax = 2'000;
constexpr std::size_t kChartSeriesMax = 50;
constexpr std::int64_t kStatusNs = kNsPerSecond;
constexpr std::int64_t kWaitsLongNs = 100 * kNsPerMs;  // for the disk; then it is the events' alone

constexpr const char* kJson = "application/json";
constexpr const char* kElsewhere =
    "events are kept in Elasticsearch or OpenSearch: look at them there, in Kibana or OpenSearch "
    "Dashboards";

// With its length told, a body is not compressed by the library: its Brotli takes seconds for what
// a chart has.
void SetBody(httplib::Response* response, std::string body, const char* type) {
  const auto kept = std::make_shared<std::string>(std::move(body));
  response->set_content_provider(
      kept->size(), type, [kept](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        return sink.write(kept->data() + offset, length);
      });
}

void SetJson(httplib::Response* response, std::string json, int status = 200) {
  response->status = status;
  response->set_header("Cache-Control", "no-store");
  SetBody(response, std::move(json), kJson);
}

void SetError(httplib::Response* response, int status, const std::string& what) {
  SetJson(response, ErrorJson(what), status);
  if (status == 503) response->set_header("Retry-After", "1");
}

const char* TypeOf(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".json")) return kJson;
  if (name.ends_with(".svg")) return "image/svg+xml";
  if (name.ends_with(".png")) return "image/png";
  if (name.ends_with(".woff2")) return "font/woff2";
  return "text/plain; charset=utf-8";
}

void Serve(const PageFile& file, const std::string& etag, const httplib::Request& request,
           httplib::Response* response) {
  response->set_header("ETag", etag);
  response->set_header("Cache-Control", "no-cache");
  response->set_header("Vary", "Accept-Encoding");
  if (request.get_header_value("If-None-Match") == etag) {
    response->status = 304;
    return;
  }
  const bool gzip = request.get_header_value("Accept-Encoding").find("gzip") != std::string::npos;
  if (gzip) response->set_header("Content-Encoding", "gzip");
  const std::string_view bytes = gzip ? file.gzip : file.plain;
  response->set_content_provider(
      bytes.size(), TypeOf(file.name),
      [bytes](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        return sink.write(bytes.data() + offset, length);
      });
}

// `elsewhere`: there is no page, only where to look.
void AddFiles(bool elsewhere, httplib::Server* server) {
  for (const PageFile& file : PageFiles()) {
    const bool index = file.name == "index.html";
    if (elsewhere && index) continue;
    const std::string path = index ? "/" : "/assets/" + std::string(file.name);
    const std::string etag =
        '"' + std::to_string(XXH3_64bits(file.plain.data(), file.plain.size())) + '"';
    server->Get(path, [file, etag](const httplib::Request& request, httplib::Response& response) {
      Serve(file, etag, request, &response);
    });
  }
  if (!elsewhere) return;
  server->Get("/", [](const httplib::Request&, httplib::Response& response) {
    response.set_content(std::string("coap-collector ") + COLLECTOR_VERSION + "\n\n" + kElsewhere +
                             ".\n/health and /metrics tell about the collector.\n",
                         "text/plain; charset=utf-8");
  });
}

// The answers of the queries, as JSON.
using Query = Result<std::string> (*)(Reader* reader, const PageQuery& query,
                                      const QueryBounds& bounds);

Result<std::string> QuerySeries(Reader* reader, const PageQuery& query, const QueryBounds& bounds) {
  const auto list = reader->Series(query.filter, query.limit.value_or(kSeriesDefault), bounds);
  if (!list.ok()) return list.error();
  return SeriesJson(list.value());
}

Result<std::string> QueryChart(Reader* reader, const PageQuery& query, const QueryBounds& bounds) {
  const auto chart = reader->ChartOf({.filter = query.filter,
                                      .range = query.range,
                                      .buckets_max = query.buckets.value_or(kBucketsDefault),
                                      .series_max = kChartSeriesMax},
                                     bounds);
  if (!chart.ok()) return chart.error();
  return ChartJson(chart.value());
}

Result<std::string> QueryEvents(Reader* reader, const PageQuery& query, const QueryBounds& bounds) {
  const auto page = reader->NewestFirst({.filter = query.filter,
                                         .range = query.range,
                                         .beyond_key = query.before_key,
                                         .limit = query.limit.value_or(kEventsDefault)},
                                        bounds);
  if (!page.ok()) return page.error();
  return EventsJson(page.value());
}

Result<std::string> QueryPositions(Reader* reader, const PageQuery& query,
                                   const QueryBounds& bounds) {
  const auto positions = reader->Positions(query.filter, kPositionsMax, bounds);
  if (!positions.ok()) return positions.error();
  return PositionsJson(positions.value());
}

}  // namespace

struct Page::Impl {
  PageOptions options;
  const ServiceState* state = nullptr;
  const Metrics* metrics = nullptr;
  std::int64_t started_ns = ReadClock().monotonic_ns;
  std::string unavailable;  // why there is no data; empty: there is
  std::unique_ptr<Summariser> summariser;
  std::unique_ptr<ReaderPool> readers;
  std::unique_ptr<LiveFeed> feed;
  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> live{0};
  std::atomic<std::size_t> exports{0};

  [[nodiscard]] std::string Status() const;
  [[nodiscard]] QueryBounds BoundsOf(const httplib::Request& request) const;
  void Answer(const httplib::Request& request, const PageQueryRules& rules,
              httplib::Response* response, Query query);
  void Export(const httplib::Request& request, httplib::Response* response, bool csv);
  void Live(const httplib::Request& request, httplib::Response* response);
  std::optional<PageQuery> Parse(const httplib::Request& request, const PageQueryRules& rules,
                                 httplib::Response* response) const;
};

namespace {

// Counts itself in one of a bounded number of places, as long as it lives.
class Place {
 public:
  static std::shared_ptr<Place> Take(std::atomic<std::size_t>* taken, std::size_t most) {
    auto place = std::make_shared<Place>(taken);
    return taken->load() <= most ? place : nullptr;
  }
  explicit Place(std::atomic<std::size_t>* taken) : taken_(taken) { taken_->fetch_add(1); }
  ~Place() { taken_->fetch_sub(1); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::atomic<std::size_t>* taken_;
};

// One message to an open page: what it filters for, of all that is new.
std::string NewsMessage(const LiveFeed::Subscriber::News& news, const SeriesFilter& filter) {
  std::string events;
  std::size_t count = 0;
  std::int64_t skipped = news.missed;
  for (auto tick = news.ticks.rbegin(); tick != news.ticks.rend(); ++tick) {
    skipped += (*tick)->skipped;
    for (const EventRow& event : (*tick)->events) {
      if (!filter.Takes(event.names)) continue;
      if (count == kLiveEventsMax) {
        ++skipped;
        continue;
      }
      if (count++ > 0) events += ',';
      AppendEventJson(event, &events);
    }
  }
  if (count == 0 && skipped == 0) return "";
  return "event: events\ndata: {\"events\":[" + events +
         "],\"skipped\":" + std::to_string(skipped) + "}\n\n";
}

// A download under way. Its pages are queries of their own, so that no transaction lasts as long.
struct Download {
  bool csv;
  EventQuery query;
  std::int64_t rows_left;
  std::int64_t until_ns;
  bool begun = false;
  std::shared_ptr<Place> place;

  [[nodiscard]] std::string Rows(const EventPage& page) const {
    std::string text;
    for (const EventRow& event : page.events) {
      if (csv) {
        AppendEventCsv(event, &text);
      } else {
        AppendEventJson(event, &text);
        text += '\n';
      }
    }
    return text;
  }
  [[nodiscard]] std::string Cut(const std::string& why) const {
    return csv ? "# cut: " + why + "\r\n" : ErrorJson("cut: " + why);
  }
};

}  // namespace

std::string Page::Impl::Status() const {
  const LiveFeed::Sample sample = feed->Latest();
  return StatusJson({.state = *state,
                     .metrics = *metrics,
                     .events_per_second = sample.events_per_second,
                     .events_stored = sample.events_stored,
                     .behind = summariser ? summariser->behind() : 0,
                     .database = options.sqlite_path,
                     .uptime_ns = ReadClock().monotonic_ns - started_ns,
                     .live = live.load(),
                     .live_max = options.live_max});
}

QueryBounds Page::Impl::BoundsOf(const httplib::Request& request) const {
  const Connection connection(request.remote_addr, request.remote_port, request.local_port);
  return {.until_ns = ReadClock().monotonic_ns + options.query_ms_max * kNsPerMs,
          .cancelled = [this, connection] { return stopping.load() || connection.Closed(); }};
}

std::optional<PageQuery> Page::Impl::Parse(const httplib::Request& request,
                                           const PageQueryRules& rules,
                                           httplib::Response* response) const {
  if (!unavailable.empty()) {
    SetError(response, 404, unavailable);
    return std::nullopt;
  }
  auto query = ParsePageQuery(request.params, rules);
  if (query.ok()) return std::move(query).value();
  SetError(response, 400, query.error().message);
  return std::nullopt;
}

void Page::Impl::Answer(const httplib::Request& request, const PageQueryRules& rules,
                        httplib::Response* response, Query query) {
  const std::optional<PageQuery> parsed = Parse(request, rules, response);
  if (!parsed) return;
  const QueryBounds bounds = BoundsOf(request);
  const auto answer = readers->Run(bounds.until_ns, [&](Reader* reader) -> Result<std::string> {
    return query(reader, *parsed, bounds);
  });
  if (!answer) return SetError(response, 503, "too many queries at a time: try again");
  if (answer->ok()) return SetJson(response, answer->value());
  SetError(response, answer->error().code == ErrorCode::kIo ? 500 : 503, answer->error().message);
}

void Page::Impl::Export(const httplib::Request& request, httplib::Response* response, bool csv) {
  const std::optional<PageQuery> parsed = Parse(request, {.range = true}, response);
  if (!parsed) return;
  auto place = Place::Take(&exports, kExportsMax);
  if (!place) return SetError(response, 503, "too many downloads at a time: try again");
  const auto download = std::make_shared<Download>(Download{
      .csv = csv,
      .query = {.filter = parsed->filter, .range = parsed->range, .beyond_key = {}, .limit = 0},
      .rows_left = options.export_rows_max,
      .until_ns = ReadClock().monotonic_ns + options.export_seconds_max * kNsPerSecond,
      .place = std::move(place)});
  response->set_header("Cache-Control", "no-store");
  response->set_header("Content-Disposition", csv ? "attachment; filename=\"events.csv\""
                                                  : "attachment; filename=\"events.ndjson\"");
  const auto provide = [this, download](std::size_t, httplib::DataSink& sink) {
    const auto send = [&sink](const std::string& text) {
      return text.empty() || sink.write(text.data(), text.size());
    };
    if (!download->begun && download->csv && !send(kCsvHeader)) return false;
    download->begun = true;
    EventQuery& query = download->query;
    query.limit = std::min(kExportPage, static_cast<std::size_t>(download->rows_left));
    const QueryBounds bounds{.until_ns = download->until_ns, .cancelled = [this, &sink] {
                               return stopping || !sink.is_writable();
                             }};
    const auto page = readers->Run(
        bounds.until_ns, [&](Reader* reader) { return reader->OldestFirst(query, bounds); });
    std::string cut;
    if (!page) {
      cut = "the collector is busy, try again";
    } else if (!page->ok()) {
      cut = page->error().message;
    } else {
      if (!send(download->Rows(page->value()))) return false;
      query.beyond_key = page->value().next_key;
      download->rows_left -= static_cast<std::int64_t>(page->value().events.size());
      if (!query.beyond_key) {
        sink.done();
        return true;
      }
      if (download->rows_left > 0 && ReadClock().monotonic_ns < download->until_ns) return true;
      cut = "there is more; ask for what comes after the last line";
    }
    if (!send(download->Cut(cut))) return false;
    sink.done();
    return true;
  };
  // The library compresses "text/..." as it goes, with Brotli where it may: at half a megabyte a
  // second. It compares the small letters; types have no case.
  response->set_chunked_content_provider(csv ? "Text/csv; charset=utf-8" : "application/x-ndjson",
                                         provide);
}

void Page::Impl::Live(const httplib::Request& request, httplib::Response* response) {
  const std::optional<PageQuery> parsed = Parse(request, {}, response);
  if (!parsed) return;
  auto place = Place::Take(&live, options.live_max);
  if (!place) {
    return SetError(response, 503,
                    "too many open pages: at most " + std::to_string(options.live_max) +
                        " are kept up to date (--page-live-max)");
  }
  struct Open {
    std::shared_ptr<Place> place;
    SeriesFilter filter;
    LiveFeed::Subscriber subscriber;
    std::int64_t status_due_ns = 0;
  };
  auto open = std::shared_ptr<Open>(new Open{.place = std::move(place),
                                             .filter = parsed->filter,
                                             .subscriber = LiveFeed::Subscriber(feed.get())});
  response->set_header("Cache-Control", "no-store");
  response->set_header("X-Accel-Buffering", "no");  // a proxy in between passes it on at once
  // A write that waits for longer than the server's timeout ends it: a page that does not read.
  const auto provide = [this, open](std::size_t, httplib::DataSink& sink) {
    std::string text;
    if (open->status_due_ns > 0) {
      text = NewsMessage(open->subscriber.Wait(), open->filter);
    } else {
      text = "retry: 3000\n\n";
    }
    if (stopping) {
      sink.done();
      return true;
    }
    const std::int64_t now_ns = ReadClock().monotonic_ns;
    if (now_ns >= open->status_due_ns) {
      open->status_due_ns = now_ns + kStatusNs;
      text += "event: status\ndata: " + Status() + "\n";
    }
    if (text.empty()) return sink.is_writable();
    return sink.write(text.data(), text.size());
  };
  response->set_chunked_content_provider("text/event-stream", provide);
}

Page::Page(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Page::~Page() = default;

std::unique_ptr<Page> Page::Create(const PageOptions& options, const ServiceState* state,
                                   const Metrics* metrics, std::shared_ptr<spdlog::logger> log) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->state = state;
  impl->metrics = metrics;
  std::unique_ptr<Reader> reader;
  if (options.sqlite_path.empty()) {
    impl->unavailable = kElsewhere;
  } else {
    const auto busy = [metrics] {
      const auto oldest_ns = static_cast<std::int64_t>(metrics->events.oldest_ns.Get());
      return oldest_ns > 0 && ReadClock().monotonic_ns - oldest_ns > kWaitsLongNs;
    };
    auto summariser = Summariser::Create(options.sqlite_path, busy, log);
    auto opened = summariser.ok() ? Reader::Open(options.sqlite_path) : summariser.error();
    if (opened.ok()) {
      impl->summariser = std::move(summariser).value();
      reader = std::move(opened).value();
      impl->readers = std::make_unique<ReaderPool>(options.sqlite_path, kReaders, kWaitingMax);
    } else {
      // Events are taken all the same.
      impl->unavailable = "there is nothing to look at: " + opened.error().message;
      log->warn("{}; the page shows no events", opened.error().message);
    }
  }
  impl->feed = std::make_unique<LiveFeed>(std::move(reader), metrics);
  return std::unique_ptr<Page>(new Page(std::move(impl)));
}

std::size_t Page::threads() const {
  if (!impl_->unavailable.empty()) return 0;
  return impl_->options.live_max + kReaders + kWaitingMax + kExportsMax;
}

void Page::Stop() { impl_->stopping = true; }

void Page::AddRoutes(httplib::Server* server) {
  Impl* impl = impl_.get();
  AddFiles(impl->options.sqlite_path.empty(), server);
  server->Get("/api/status", [impl](const httplib::Request& request, httplib::Response& response) {
    if (!request.params.empty()) return SetError(&response, 400, "status takes no parameters");
    SetJson(&response, impl->Status());
  });
  const auto add_query = [impl, server](const char* path, const PageQueryRules& rules,
                                        Query query) {
    server->Get(path,
                [impl, rules, query](const httplib::Request& request, httplib::Response& response) {
                  impl->Answer(request, rules, &response, query);
                });
  };
  add_query("/api/series", {.limit_max = kSeriesMax}, QuerySeries);
  add_query("/api/chart", {.range = true, .buckets_max = kBucketsMax}, QueryChart);
  add_query("/api/events", {.range = true, .before = true, .limit_max = kEventsMax}, QueryEvents);
  add_query("/api/positions", {}, QueryPositions);
  for (const bool csv : {true, false}) {
    server->Get(csv ? "/api/export.csv" : "/api/export.ndjson",
                [impl, csv](const httplib::Request& request, httplib::Response& response) {
                  impl->Export(request, &response, csv);
                });
  }
  server->Get("/api/live", [impl](const httplib::Request& request, httplib::Response& response) {
    impl->Live(request, &response);
  });
  server->Get("/api/.*", [](const httplib::Request&, httplib::Response& response) {
    SetError(&response, 404, "there is no such path");
  });
}

}  // namespace collector
