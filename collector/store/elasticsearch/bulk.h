// The events of one _bulk request: their lines, encoded once, and their completions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/store/store.h"

namespace collector {

struct BulkItem {
  std::size_t end = 0;  // of its lines in the body; they begin where the item before it ends
  std::int64_t deadline_ns = 0;
  int attempts = 0;                // requests it was in
  std::optional<Completion> done;  // empty: completed
};

struct Bulk {
  std::string body;  // empty while the HTTP client has it
  std::vector<BulkItem> items;
  std::size_t open = 0;  // items that are not completed

  // Of the request it is in.
  std::size_t host = 0;
  std::int64_t sent_ns = 0;
  bool probe = false;

  [[nodiscard]] std::size_t size() const { return items.size(); }
  [[nodiscard]] std::size_t bytes() const { return items.empty() ? 0 : items.back().end; }

  void Add(const StoreEvent& event, std::int64_t deadline_ns, Completion done);

  // Takes an item's completion, to finish it.
  Completion Complete(BulkItem* item);

  // Moves what is open of the items from `first` on to the end of `to`, and forgets the others.
  void MoveOpen(std::size_t first, Bulk* to);
};

}  // namespace collector
