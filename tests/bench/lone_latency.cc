// What a lone event costs: the median time from sending one event to an idle collector until its
// 2.01, and the median time of committing one such row with SQLite directly, into a file of the
// same schema beside the collector's. They take turns of 20 and 20, because disks change their
// mind (a cloud's disk is fast until its credit is used up); the ratio is the median of the turns'.
#include <sqlite3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/load/request_maker.h"
#include "tests/bench/udp.h"

namespace {

using collector::client::RequestMaker;

constexpr std::uint32_t kTurn = 20;
constexpr std::uint32_t kReadings = 900;

// Durable when a commit returns, as the collector's store is; and as there, the log begins anew
// after 4 MiB, from where on a commit costs half.
constexpr const char* kPragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL";
constexpr const char* kInsert =
    "INSERT INTO records (key, rest, timestamp_ns, received_ns, series, value)"
    " VALUES (?,?,?,?,1,?)";
constexpr const char* kSeries =
    "INSERT INTO series VALUES (1, 'default', 'load', 'd000000', 'temperature')";

// A device that sends one event after the other and waits for each answer.
class LoneDevice {
 public:
  explicit LoneDevice(const sockaddr_in& target) {
    sockaddr_in local{};
    local.sin_family = AF_INET;
    fd_ = bench::OpenUdp(local);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) != 0) {
      bench::Die("connect");
    }
    const timeval timeout{.tv_sec = 2, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    auto maker = RequestMaker::Create({.values = collector::client::Readings()});
    maker_ = std::make_unique<RequestMaker>(std::move(maker).value());
    request_.resize(maker_->bytes_max());
  }
  ~LoneDevice() { close(fd_); }
  LoneDevice(const LoneDevice&) = delete;
  LoneDevice& operator=(const LoneDevice&) = delete;

  // Nanoseconds until the 2.01. Anything else, or silence for 2 s, ends the process.
  std::int64_t SendOne() {
    const std::size_t bytes = maker_->Make(
        {.value = count_ % kReadings, .time_us = bench::WallNs() / 1'000}, request_.data());
    collector::client::StampExchange(count_, static_cast<std::uint16_t>(count_), request_.data());
    ++count_;
    std::array<std::uint8_t, 256> answer{};
    const std::int64_t start_ns = bench::MonotonicNs();
    if (send(fd_, request_.data(), bytes, 0) < 0) bench::Die("send");
    const ssize_t size = recv(fd_, answer.data(), answer.size(), 0);
    const std::int64_t end_ns = bench::MonotonicNs();
    if (size < 0) bench::Die("no answer");
    const bool same_exchange = size >= 8 && std::equal(&answer[2], &answer[8], &request_[2]);
    if (!same_exchange || answer[0] != 0x64 || answer[1] != 0x41) {
      std::fprintf(stderr, "not a piggybacked 2.01: code %u.%02u\n", answer[1] >> 5U,
                   answer[1] & 31U);
      std::exit(1);
    }
    return end_ns - start_ns;
  }

 private:
  int fd_ = -1;
  std::uint32_t count_ = 0;
  std::unique_ptr<RequestMaker> maker_;
  std::vector<std::uint8_t> request_;
};

// A new database, with the schema of another, that takes one row a transaction. Its files are
// removed at the end.
class LoneCommits {
 public:
  LoneCommits(const std::string& store, std::string path) : path_(std::move(path)) {
    RemoveFiles();
    const std::string schema = ReadSchema(store);
    Check(sqlite3_open(path_.c_str(), &database_));
    Check(sqlite3_exec(database_, kPragmas, nullptr, nullptr, nullptr));
    Check(sqlite3_exec(database_, schema.c_str(), nullptr, nullptr, nullptr));
    Check(sqlite3_exec(database_, kSeries, nullptr, nullptr, nullptr));
    Check(sqlite3_prepare_v2(database_, "BEGIN IMMEDIATE", -1, &begin_, nullptr));
    Check(sqlite3_prepare_v2(database_, kInsert, -1, &insert_, nullptr));
    Check(sqlite3_prepare_v2(database_, "COMMIT", -1, &commit_, nullptr));
  }
  ~LoneCommits() {
    for (sqlite3_stmt* statement : {begin_, insert_, commit_}) sqlite3_finalize(statement);
    sqlite3_close(database_);
    RemoveFiles();
  }
  LoneCommits(const LoneCommits&) = delete;
  LoneCommits& operator=(const LoneCommits&) = delete;

  std::int64_t CommitOne() {
    const std::int64_t now_ns = bench::WallNs();
    random_ = random_ * 6364136223846793005U + 1442695040888963407U;
    const auto random = static_cast<std::int64_t>(random_);
    const std::int64_t start_ns = bench::MonotonicNs();
    Step(begin_);
    Check(sqlite3_bind_int64(insert_, 1, now_ns / 1'000'000 << 16 | (random & 0xffff)));
    Check(sqlite3_bind_int64(insert_, 2, random));
    Check(sqlite3_bind_int64(insert_, 3, now_ns));
    Check(sqlite3_bind_int64(insert_, 4, now_ns));
    Check(sqlite3_bind_double(insert_, 5, 21.5));
    Step(insert_);
    Step(commit_);
    return bench::MonotonicNs() - start_ns;
  }

 private:
  std::string ReadSchema(const std::string& store) {
    Check(sqlite3_open_v2(store.c_str(), &database_, SQLITE_OPEN_READONLY, nullptr));
    std::string schema;
    const auto append = [](void* out, int, char** columns, char**) {
      *static_cast<std::string*>(out) += std::string(columns[0]) + ";";
      return 0;
    };
    Check(sqlite3_exec(database_, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", append,
                       &schema, nullptr));
    Check(sqlite3_close(database_));
    return schema;
  }
  void Check(int code) const {
    if (code == SQLITE_OK || code == SQLITE_DONE) return;
    std::fprintf(stderr, "%s: %s\n", path_.c_str(), sqlite3_errmsg(database_));
    std::exit(1);
  }
  void Step(sqlite3_stmt* statement) {
    Check(sqlite3_step(statement));
    Check(sqlite3_reset(statement));
  }
  void RemoveFiles() const {
    for (const char* suffix : {"", "-wal", "-shm"}) unlink((path_ + suffix).c_str());
  }

  const std::string path_;
  sqlite3* database_ = nullptr;
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
  std::uint64_t random_ = static_cast<std::uint64_t>(bench::WallNs());
};

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Medians {
  double event_us = 0;
  double commit_us = 0;
  double ratio = 0;
};

Medians Measure(LoneDevice* device, LoneCommits* commits, std::uint32_t turns) {
  std::vector<double> events_us;
  std::vector<double> commits_us;
  std::vector<double> ratios;
  for (std::uint32_t turn = 0; turn < turns; ++turn) {
    for (std::uint32_t i = 0; i < kTurn; ++i) {
      events_us.push_back(static_cast<double>(device->SendOne()) / 1e3);
    }
    for (std::uint32_t i = 0; i < kTurn; ++i) {
      commits_us.push_back(static_cast<double>(commits->CommitOne()) / 1e3);
    }
    ratios.push_back(Median({events_us.end() - kTurn, events_us.end()}) /
                     Median({commits_us.end() - kTurn, commits_us.end()}));
  }
  return {.event_us = Median(events_us), .commit_us = Median(commits_us), .ratio = Median(ratios)};
}

}  // namespace

int main(int argc, char** argv) {
  std::string target;
  std::string store;
  std::uint32_t count = 1000;
  bool json = false;
  CLI::App app("Lone events to an idle collector, against lone commits");
  app.add_option("--target", target, "ADDRESS:PORT of an idle collector, IPv4")->required();
  app.add_option("--store", store,
                 "the collector's SQLite file; the commits go to a new one beside it, built alike")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--count", count, "of events, and of commits, in steps of 20")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--json", json, "report as one JSON object");
  CLI11_PARSE(app, argc, argv);

  LoneDevice device(bench::ParseAddress(target));
  LoneCommits commits(store, store + "-lone");
  const std::uint32_t turns = (count + kTurn - 1) / kTurn;
  const Medians medians = Measure(&device, &commits, turns);
  if (json) {
    std::printf("{\"event_us\":%.1f,\"commit_us\":%.1f,\"ratio\":%.3f,\"count\":%u}\n",
                medians.event_us, medians.commit_us, medians.ratio, turns * kTurn);
  } else {
    std::printf("lone event %.0f us, one commit %.0f us (medians of %u), ratio %.2f\n",
                medians.event_us, medians.commit_us, turns * kTurn, medians.ratio);
  }
}
