#include "collector/store/elasticsearch/bulk.h"

#include <utility>

#include "collector/base/check.h"
#include "collector/store/elasticsearch/bulk_codec.h"

namespace collector {

void Bulk::Add(const StoreEvent& event, std::int64_t deadline_ns, Completion done) {
  AppendCreate(event, &body);
  items.push_back(
      {.end = body.size(), .deadline_ns = deadline_ns, .attempts = 0, .done = std::move(done)});
  ++open;
}

Completion Bulk::Complete(BulkItem* item) {
  CHECK(item->done.has_value());
  Completion done = std::move(*item->done);
  item->done.reset();
  --open;
  return done;
}

void Bulk::MoveOpen(std::size_t first, Bulk* to) {
  const std::size_t kept_bytes = first == 0 ? 0 : items[first - 1].end;
  std::size_t begin = kept_bytes;
  for (std::size_t i = first; i < items.size(); ++i) {
    BulkItem& item = items[i];
    if (item.done.has_value()) {
      to->body.append(body, begin, item.end - begin);
      to->items.push_back({.end = to->body.size(),
                           .deadline_ns = item.deadline_ns,
                           .attempts = item.attempts,
                           .done = Complete(&item)});
      ++to->open;
    }
    begin = item.end;
  }
  items.resize(first);
  body.resize(kept_bytes);
}

}  // namespace collector
