// The events of one body, in its order. Keeps its memory from body to body, so that reading an
// event costs no allocation.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "event/event.h"

namespace collector {

class EventList {
 public:
  void Clear() { size_ = 0; }

  // One more event, with nothing in it that a reader need not set. Good until the next Add.
  Event* Add() {
    if (size_ == events_.size()) events_.emplace_back();
    Event* event = &events_[size_++];
    event->extra = nullptr;
    event->timestamp_ns.reset();
    event->arrival_offset_ns = 0;
    event->client_id.clear();
    return event;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<const Event> events() const { return {events_.data(), size_}; }

 private:
  std::vector<Event> events_;
  std::size_t size_ = 0;
};

}  // namespace collector
