#include "collector/store/sqlite/database.h"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "collector/store/sqlite/schema.h"
#include "event/event_json.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

class Directory {
 public:
  Directory()
      : path_(std::filesystem::temp_directory_path() /
              ("collector-database-" + std::to_string(getpid()))) {
    std::filesystem::create_directory(path_);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string File() const { return (path_ / "events.db").string(); }

 private:
  std::filesystem::path path_;
};

class Outcomes : public CompletionSink {
 public:
  void OnComplete(std::uint32_t, Outcome outcome, std::string_view) override {
    all.push_back(outcome);
  }
  std::vector<Outcome> all;
};

Event EventOf(const Json& value) {
  Event event;
  event.name_space = "n";
  event.sender = "s";
  event.origin = "o";
  event.type = "t";
  event.value = value;
  return event;
}

void AddEvent(Batch* batch, Outcomes* outcomes, const Event& event, std::int64_t timestamp_ns,
              const EventId* id = nullptr) {
  std::string payload;
  AppendPayloadJson(event, &payload);
  EventIdHasher hasher;
  const EventId own = hasher.Hash(event, payload, timestamp_ns, 0);
  batch->Add({id != nullptr ? *id : own, event, payload, timestamp_ns, timestamp_ns + 1},
             Completion(outcomes, 0));
}

void Add(Batch* batch, Outcomes* outcomes, const Json& value, std::int64_t timestamp_ns) {
  AddEvent(batch, outcomes, EventOf(value), timestamp_ns);
}

void AddWithId(Batch* batch, Outcomes* outcomes, const EventId& id, const Json& value,
               std::int64_t timestamp_ns) {
  AddEvent(batch, outcomes, EventOf(value), timestamp_ns, &id);
}

// As ids are, but alike in all that their keys are made of, or one apart: by the eighth byte.
EventId AlikeId(std::uint8_t eighth, std::uint8_t last) {
  EventId id{1, 2, 3, 4, 5, 6, 7, eighth};
  id[15] = last;
  return id;
}

void AddNamed(Batch* batch, Outcomes* outcomes, const char* sender, const char* origin,
              std::int64_t timestamp_ns) {
  Event event = EventOf(1);
  event.sender = sender;
  event.origin = origin;
  AddEvent(batch, outcomes, event, timestamp_ns);
}

std::vector<std::string> Query(const std::string& file, const char* sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &database) == SQLITE_OK);
  std::vector<std::string> rows;
  const auto collect = [](void* out, int count, char** columns, char**) {
    std::string row;
    for (int i = 0; i < count; ++i) row.append(i ? "|" : "").append(columns[i] ? columns[i] : "");
    static_cast<std::vector<std::string>*>(out)->push_back(row);
    return 0;
  };
  CHECK(sqlite3_exec(database, sql, collect, &rows, nullptr) == SQLITE_OK);
  sqlite3_close(database);
  return rows;
}

// A new store in a directory of its own, and a batch for it.
struct NewStore {
  NewStore() { REQUIRE(opened.ok()); }
  [[nodiscard]] Database& database() { return *opened.value(); }
  void Commit() {
    REQUIRE(database().Commit(&batch).ok());
    batch.FinishAll();
  }

  const Directory directory;
  Outcomes outcomes;
  Batch batch;
  Result<std::unique_ptr<Database>> opened = Database::Open(directory.File());
};

std::string RefusalOf(const std::string& file) {
  const auto opened = Database::Open(file);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::kUnavailable);
  CHECK(opened.error().message.starts_with(file));
  return opened.error().message;
}

}  // namespace

TEST_CASE("a batch is stored once, whatever is in it twice") {
  NewStore store;
  Add(&store.batch, &store.outcomes, 1.5, 1'000'000);
  Add(&store.batch, &store.outcomes, "text", 2'000'000);
  Add(&store.batch, &store.outcomes, 1.5, 1'000'000);
  store.Commit();
  CHECK(store.outcomes.all ==
        std::vector<Outcome>{Outcome::kStored, Outcome::kStored, Outcome::kDuplicate});
  Add(&store.batch, &store.outcomes, "text", 2'000'000);
  store.Commit();
  CHECK(store.outcomes.all.back() == Outcome::kDuplicate);
  CHECK(Query(store.directory.File(), "SELECT count(*) FROM events") ==
        std::vector<std::string>{"2"});
}

TEST_CASE("an event whose key is taken is stored beside it, and recognised again") {
  NewStore store;
  const std::vector<EventId> ids = {AlikeId(8, 1), AlikeId(8, 2), AlikeId(8, 3), AlikeId(9, 4)};
  for (int round = 0; round < 2; ++round) {
    for (const EventId& id : ids) {
      AddWithId(&store.batch, &store.outcomes, id, 1.5, 1'000'000);
      store.Commit();
    }
  }
  CHECK(store.outcomes.all == std::vector<Outcome>{Outcome::kStored, Outcome::kStored,
                                                   Outcome::kStored, Outcome::kStored,
                                                   Outcome::kDuplicate, Outcome::kDuplicate,
                                                   Outcome::kDuplicate, Outcome::kDuplicate});
  CHECK(Query(store.directory.File(), "SELECT id FROM events ORDER BY id") ==
        std::vector<std::string>{
            "01020304050607080000000000000001", "01020304050607080000000000000002",
            "01020304050607080000000000000003", "01020304050607090000000000000004"});
}

TEST_CASE("of events in one batch whose ids begin alike each is stored, and recognised again") {
  NewStore store;
  for (int round = 0; round < 2; ++round) {
    for (const std::uint8_t last : std::initializer_list<std::uint8_t>{1, 2, 3, 2}) {
      AddWithId(&store.batch, &store.outcomes, AlikeId(8, last),
                last == 3 ? Json("text") : Json(last), 1'000'000);
      Add(&store.batch, &store.outcomes, last, 1'000'000'000 + last);
    }
    store.Commit();
  }
  const auto stored = static_cast<std::size_t>(
      std::count(store.outcomes.all.begin(), store.outcomes.all.end(), Outcome::kStored));
  const auto known = static_cast<std::size_t>(
      std::count(store.outcomes.all.begin(), store.outcomes.all.end(), Outcome::kDuplicate));
  CHECK(store.outcomes.all.size() == 16);
  CHECK(stored == 6);
  CHECK(known == 10);
  CHECK(Query(store.directory.File(),
              "SELECT id, value FROM events WHERE id LIKE '01%' ORDER BY id") ==
        std::vector<std::string>{"01020304050607080000000000000001|1",
                                 "01020304050607080000000000000002|2",
                                 "01020304050607080000000000000003|text"});
  CHECK(Query(store.directory.File(), "SELECT count(*) FROM events") ==
        std::vector<std::string>{"6"});
}

TEST_CASE("the log begins anew after some hundred small commits, and under load only after many") {
  NewStore store;
  std::int64_t time = 1'000'000;
  const auto commit = [&](int events) {
    for (int i = 0; i < events; ++i) Add(&store.batch, &store.outcomes, 1.5, time += 1'000'000);
    store.Commit();
    store.database().Tidy();
  };
  const auto log_pages = [&] {
    return std::filesystem::file_size(store.directory.File() + "-wal") / 4096;
  };
  for (int i = 0; i < 700; ++i) commit(1);  // two pages each
  CHECK(log_pages() >= kSmallCheckpointPages);
  CHECK(log_pages() < kSmallCheckpointPages + 100);
  for (int i = 0; i < 40; ++i) commit(2'000);
  CHECK(log_pages() > 2 * kSmallCheckpointPages);
}

TEST_CASE("names are kept once a series, and come back with every event") {
  const Directory directory;
  Outcomes outcomes;
  Batch batch;
  std::int64_t time = 1'000'000;
  for (int round = 0; round < 2; ++round) {  // again by a process that has seen none of them
    auto database = Database::Open(directory.File());
    REQUIRE(database.ok());
    for (const auto& [sender, origin] : {std::pair{"ab", "c"}, {"a", "bc"}, {"ab", "c"}}) {
      AddNamed(&batch, &outcomes, sender, origin, time += 1'000'000);
    }
    REQUIRE(database.value()->Commit(&batch).ok());
    batch.FinishAll();
  }
  CHECK(Query(directory.File(), "SELECT count(*) FROM series") == std::vector<std::string>{"2"});
  CHECK(Query(directory.File(), "SELECT sender, origin, count(*) FROM events GROUP BY 1, 2") ==
        std::vector<std::string>{"a|bc|2", "ab|c|4"});
}

TEST_CASE("a series whose number another one has gets the next") {
  const Directory directory;
  Outcomes outcomes;
  Batch batch;
  REQUIRE(Database::Open(directory.File()).ok());
  AddNamed(&batch, &outcomes, "mine", "o", 1'000'000);
  REQUIRE(Database::Open(directory.File()).value()->Commit(&batch).ok());
  batch.FinishAll();
  Query(directory.File(), "DELETE FROM records; UPDATE series SET sender = 'other'");
  auto database = Database::Open(directory.File());
  REQUIRE(database.ok());
  for (int round = 0; round < 2; ++round) {
    AddNamed(&batch, &outcomes, "mine", "o", 2'000'000 + round);
    REQUIRE(database.value()->Commit(&batch).ok());
    batch.FinishAll();
  }
  CHECK(Query(directory.File(), "SELECT sender, count(*) FROM events GROUP BY 1") ==
        std::vector<std::string>{"mine|2"});
  CHECK(Query(directory.File(), "SELECT count(*) FROM series") == std::vector<std::string>{"2"});
}

TEST_CASE("a set of hashes that is full starts over") {
  HashSet set(1'024);
  for (std::uint64_t hash = 1; hash <= 700; ++hash) set.Insert(hash * 0x9e3779b97f4a7c15);
  for (std::uint64_t hash = 1; hash <= 700; ++hash) {
    CHECK(set.Contains(hash * 0x9e3779b97f4a7c15));
    CHECK_FALSE(set.Contains(hash));
  }
  for (std::uint64_t hash = 1; hash <= 200; ++hash) set.Insert(hash);
  CHECK(set.Contains(200));
  CHECK_FALSE(set.Contains(0x9e3779b97f4a7c15));
}

TEST_CASE("a set of hashes has what was put into it, whatever it grows to") {
  HashSet set(1 << 20);
  // The last slots of each size as well, from where what finds no place goes on at the beginning.
  const auto hash_of = [](std::uint64_t i) { return i % 2 == 0 ? ~i : i * 0x9e3779b97f4a7c15; };
  for (std::uint64_t i = 1; i <= 3'000; ++i) {
    set.Insert(hash_of(i));
    CHECK_FALSE(set.Contains(hash_of(i + 1)));
  }
  for (std::uint64_t i = 1; i <= 3'000; ++i) CHECK(set.Contains(hash_of(i)));
}

TEST_CASE("values are stored so that SQL can use them") {
  NewStore store;
  std::int64_t time = 1'000'000;
  for (const Json& value : {Json(-7), Json(1.5), Json("é'\"; DROP"), Json(true),
                            Json({{"lat", 1.5}}), Json(18446744073709551615ull)}) {
    Add(&store.batch, &store.outcomes, value, time += 1'000'000);
  }
  store.Commit();
  CHECK(Query(store.directory.File(),
              "SELECT typeof(value), value, payload, length(id), "
              "received_ns - timestamp_ns FROM events ORDER BY id") ==
        std::vector<std::string>{
            "integer|-7||32|1", "real|1.5||32|1", "text|é'\"; DROP||32|1",
            "integer|1|{\"type\":\"t\",\"value\":true}|32|1",
            "null||{\"type\":\"t\",\"value\":{\"lat\":1.5}}|32|1",
            "real|1.84467440737096e+19|{\"type\":\"t\",\"value\":18446744073709551615}|32|1"});
}

TEST_CASE("a file that is not ours is refused with the reason") {
  const Directory directory;
  std::ofstream(directory.File()) << std::string(5'000, 'x');
  CHECK_THAT(RefusalOf(directory.File()), Catch::Matchers::ContainsSubstring("not a database"));
  std::filesystem::remove(directory.File());
  Query(directory.File(), "CREATE TABLE other(x)");
  CHECK_THAT(RefusalOf(directory.File()),
             Catch::Matchers::ContainsSubstring("another application's database"));
  CHECK_THAT(RefusalOf(directory.File() + "/x/y.db"),
             Catch::Matchers::ContainsSubstring("does not exist"));
}

TEST_CASE("a file of another schema is refused") {
  const Directory directory;
  REQUIRE(Database::Open(directory.File()).ok());
  Query(directory.File(), "PRAGMA user_version=1000");
  CHECK_THAT(RefusalOf(directory.File()), Catch::Matchers::ContainsSubstring("newer collector"));
  Query(directory.File(), "PRAGMA user_version=1");
  CHECK_THAT(RefusalOf(directory.File()), Catch::Matchers::ContainsSubstring("move it away"));
}

TEST_CASE("a commit that fails stores nothing and leaves every event not now") {
  NewStore store;
  Query(store.directory.File(), "DROP TABLE records");
  Add(&store.batch, &store.outcomes, 1, 1'000'000);
  Add(&store.batch, &store.outcomes, 2, 2'000'000);
  CHECK_FALSE(store.database().Commit(&store.batch).ok());
  store.batch.FinishAll();
  CHECK(store.outcomes.all == std::vector<Outcome>{Outcome::kNotNow, Outcome::kNotNow});

  // The series that the failed commit entered was rolled back with it: it is entered again.
  Query(store.directory.File(), kCreate);
  Add(&store.batch, &store.outcomes, 1, 1'000'000);
  store.Commit();
  CHECK(store.outcomes.all.back() == Outcome::kStored);
  CHECK(Query(store.directory.File(), "SELECT origin FROM events") ==
        std::vector<std::string>{"o"});
}

}  // namespace collector
