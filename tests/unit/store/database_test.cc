#include "collector/store/sqlite/database.h"

#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

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

void Add(Batch* batch, Outcomes* outcomes, const Json& value, std::int64_t timestamp_ns) {
  Event event;
  event.name_space = "n";
  event.sender = "s";
  event.origin = "o";
  event.type = "t";
  event.value = value;
  std::string payload;
  AppendPayloadJson(event, &payload);
  EventIdHasher hasher;
  const EventId id = hasher.Hash(event, payload, timestamp_ns, 0);
  batch->Add({id, event, payload, timestamp_ns, timestamp_ns + 1}, Completion(outcomes, 0));
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

std::string RefusalOf(const std::string& file) {
  const auto opened = Database::Open(file);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::kUnavailable);
  CHECK(opened.error().message.starts_with(file));
  return opened.error().message;
}

}  // namespace

TEST_CASE("a batch is stored once, whatever is in it twice") {
  const Directory directory;
  Outcomes outcomes;
  Batch batch;
  auto database = Database::Open(directory.File());
  REQUIRE(database.ok());
  Add(&batch, &outcomes, 1.5, 1'000'000);
  Add(&batch, &outcomes, "text", 2'000'000);
  Add(&batch, &outcomes, 1.5, 1'000'000);
  REQUIRE(database.value()->Commit(&batch).ok());
  batch.FinishAll();
  CHECK(outcomes.all ==
        std::vector<Outcome>{Outcome::kStored, Outcome::kStored, Outcome::kDuplicate});
  Add(&batch, &outcomes, "text", 2'000'000);
  REQUIRE(database.value()->Commit(&batch).ok());
  batch.FinishAll();
  CHECK(outcomes.all.back() == Outcome::kDuplicate);
  CHECK(Query(directory.File(), "SELECT count(*) FROM events") == std::vector<std::string>{"2"});
}

TEST_CASE("values are stored so that SQL can use them") {
  const Directory directory;
  Outcomes outcomes;
  Batch batch;
  auto database = Database::Open(directory.File());
  REQUIRE(database.ok());
  std::int64_t time = 1'000'000;
  for (const Json& value : {Json(-7), Json(1.5), Json("é'\"; DROP"), Json(true),
                            Json({{"lat", 1.5}}), Json(18446744073709551615ull)}) {
    Add(&batch, &outcomes, value, time += 1'000'000);
  }
  REQUIRE(database.value()->Commit(&batch).ok());
  batch.FinishAll();
  CHECK(Query(directory.File(),
              "SELECT typeof(value), value, payload, length(id), "
              "received_ns - timestamp_ns FROM events ORDER BY id") ==
        std::vector<std::string>{
            "integer|-7||16|1", "real|1.5||16|1", "text|é'\"; DROP||16|1",
            "integer|1|{\"type\":\"t\",\"value\":true}|16|1",
            "null||{\"type\":\"t\",\"value\":{\"lat\":1.5}}|16|1",
            "real|1.84467440737096e+19|{\"type\":\"t\",\"value\":18446744073709551615}|16|1"});
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

TEST_CASE("a file of a newer collector is refused") {
  const Directory directory;
  REQUIRE(Database::Open(directory.File()).ok());
  Query(directory.File(), "PRAGMA user_version=2");
  CHECK_THAT(RefusalOf(directory.File()), Catch::Matchers::ContainsSubstring("newer collector"));
}

TEST_CASE("a commit that fails stores nothing and leaves every event not now") {
  const Directory directory;
  Outcomes outcomes;
  Batch batch;
  auto database = Database::Open(directory.File());
  REQUIRE(database.ok());
  Query(directory.File(), "DROP TABLE events");
  Add(&batch, &outcomes, 1, 1'000'000);
  Add(&batch, &outcomes, 2, 2'000'000);
  CHECK_FALSE(database.value()->Commit(&batch).ok());
  batch.FinishAll();
  CHECK(outcomes.all == std::vector<Outcome>{Outcome::kNotNow, Outcome::kNotNow});
}

}  // namespace collector
