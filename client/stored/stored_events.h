// The events of a store, read back: what `load --verify` and `watch` need of it. A seam with two
// sides, the embedded store's file and an engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collector/base/result.h"
#include "event/event.h"

namespace collector::client {

struct StoredEvent {
  Event event;  // always with its timestamp, never with a client_id
  std::int64_t received_ns = 0;
};

// What is given must be equal.
struct EventFilter {
  std::optional<std::string> name_space{};
  std::optional<std::string> sender{};
  std::optional<std::string> origin{};
  std::optional<std::string> type{};

  [[nodiscard]] bool Takes(std::string_view of_name_space, std::string_view of_sender,
                           std::string_view of_origin, std::string_view of_type) const {
    const auto fits = [](const std::optional<std::string>& wanted, std::string_view is) {
      return !wanted.has_value() || *wanted == is;
    };
    return fits(name_space, of_name_space) && fits(sender, of_sender) && fits(origin, of_origin) &&
           fits(type, of_type);
  }
};

// Takes a stored payload apart: its type, value and other members. False: it is none.
bool SetPayload(Json payload, Event* event);

// Reads only, and never makes the collector wait. Errors name the store and what to do.
class StoredEvents {
 public:
  using Take = std::function<void(StoredEvent&& stored)>;

  virtual ~StoredEvents() = default;

  // Every event stored with a timestamp from `from_ns` to `to_ns`, in no order; one that is stored
  // twice comes twice.
  virtual Status ReadSpan(const EventFilter& filter, std::int64_t from_ns, std::int64_t to_ns,
                          const Take& take) = 0;

  // Some of what was stored since the last call (the first time: since this was opened), oldest
  // first. True: there may be more already.
  virtual Result<bool> ReadNew(const EventFilter& filter, const Take& take) = 0;

  // As messages name it: the file, or the engine's URL.
  [[nodiscard]] virtual std::string name() const = 0;
};

}  // namespace collector::client
