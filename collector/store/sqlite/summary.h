// What a page needs to draw years of events at once: kept in a file of its own beside the
// database, made of nothing but it, so that it may be deleted, and no commit of events waits for
// it.
//
// Rows are taken in the order of their rowids, which is the order of their commits, whatever their
// timestamps: one that comes a year late is added to the buckets of its time. `upto` says how far
// this has come; a reader adds the rows beyond it itself, so that its answer is never late.
//
// Keys begin with the time, so that the rows of all series that are being written lie side by
// side: with 1,000 series that is 15 pages a pass instead of 1,000. A reader asks for each bucket
// of a series by its whole key.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collector/base/clock.h"
#include "collector/base/result.h"
#include "collector/store/sqlite/statement.h"

namespace collector {

// Sums of the numbers of a series in a span of time, and the spans there are.
inline constexpr std::array<std::int64_t, 4> kLevelMs = {60'000, 600'000, 3'600'000, 86'400'000};
// How long the sums of each are kept; 0: for ever. Of a device that reports every quarter of an
// hour the finest are as many as its events. Beyond it the single events take their part, which are
// found by their places.
inline constexpr std::array<std::int64_t, 4> kLevelKeptDays = {7, 60, 0, 0};
inline constexpr std::size_t kPlacesLevel = 2;  // the span in which the places of rows are kept
// Rows a reader takes itself beyond `upto`, and rows of one pass.
inline constexpr std::int64_t kTailRowsMax = 200'000;
inline constexpr std::int64_t kPassRowsMax = 50'000;

struct Sums {
  std::int64_t count = 0;
  double sum = 0;
  double min = 0;
  double max = 0;

  void Add(double value) { Add(Sums{1, value, value, value}); }
  void Add(const Sums& other) {
    if (other.count == 0) return;
    min = count == 0 || other.min < min ? other.min : min;
    max = count == 0 || other.max > max ? other.max : max;
    count += other.count;
    sum += other.sum;
  }
};

// What is known of a whole series. "Last" is by timestamp, not by arrival.
struct Totals {
  std::int64_t count = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::int64_t last_row = 0;      // rowid
  std::int64_t position_row = 0;  // of the last one with a position; 0: there is none
  std::int64_t position_ns = 0;

  void Add(std::int64_t row, std::int64_t timestamp_ns, bool is_position);
};

// Rowids in ascending order as bytes: the first whole, then how many more and their distances.
// Such texts may be put behind each other.
std::string EncodePlaces(const std::vector<std::int64_t>& rows);
void DecodePlaces(std::string_view bytes, std::vector<std::int64_t>* rows);  // appends

// Writes the summary. One thread at a time; several processes may do it to one file, in turns.
class Summary {
 public:
  static std::string PathOf(const std::string& database) { return database + "-summary"; }

  // Opens or creates the summary of an existing database. One that is damaged, or of another
  // version, is deleted and begun anew. A pass ends with an error at its next row once `*stop`,
  // which outlives the summary.
  static Result<std::unique_ptr<Summary>> Open(const std::string& database,
                                               const std::atomic<bool>* stop);
  Summary(const Summary&) = delete;
  Summary& operator=(const Summary&) = delete;

  struct Progress {
    std::int64_t taken = 0;   // rows of this pass
    std::int64_t behind = 0;  // rows that are still to take
  };
  // Adds the next rows. An error leaves the summary as it was; after kInvalid it must be opened
  // again, which begins it anew.
  Result<Progress> Pass(std::int64_t wall_ns);

  // Rows that are still to take; costs two look-ups.
  Result<std::int64_t> Behind();

 private:
  struct Row {
    std::int64_t row = 0;
    std::int64_t timestamp_ns = 0;
    std::int64_t series = 0;
    double value = 0;
    bool is_number = false;
    bool is_position = false;
  };
  // What a pass has taken. Flat, and sorted for each table in turn: where each row is of another
  // series, trees of them would be ten times as large.
  struct Pending {
    std::vector<Row> rows;
    std::int64_t upto = 0;
    std::int64_t upto_key = 0;  // of the row `upto`, by which another file in its place is known
  };

  Summary(std::string database, const std::atomic<bool>* stop)
      : database_path_(std::move(database)), stop_(stop) {}
  Status Prepare();
  Status Execute(sqlite3* connection, const char* sql);
  Result<std::int64_t> ReadNumber(sqlite3* connection, const char* sql);
  Status Collect(Pending* pending);
  Status Take(Pending* pending, std::int64_t rows);
  Status StartOverIfOther();
  Status Write(Pending* pending, std::int64_t wall_ns);
  Status ForgetBefore(std::int64_t wall_ns);
  Status WriteSums(const std::vector<Row>& rows);
  Status WritePlaces(std::vector<Row>* rows);
  Status WriteTotals(std::vector<Row>* rows);
  Status Run(sqlite3_stmt* statement);
  [[nodiscard]] bool stopped() const { return stop_->load(std::memory_order_relaxed); }
  [[nodiscard]] Error Stopped() const;
  [[nodiscard]] Error LastError(sqlite3* connection);

  std::string database_path_;
  const std::atomic<bool>* const stop_;
  SqliteConnection events_;  // reads only
  SqliteConnection summary_;
  SqliteStatement next_rows_;
  SqliteStatement add_sums_;
  SqliteStatement add_places_;
  SqliteStatement add_totals_;
  SqliteStatement set_state_;
  std::array<std::int64_t, kLevelMs.size()> kept_from_{};  // of this pass: the first start of each
};

}  // namespace collector
