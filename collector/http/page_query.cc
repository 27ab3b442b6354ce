#include "collector/http/page_query.h"

#include <charconv>

#include "event/timestamp.h"

namespace collector {
namespace {

constexpr std::size_t kNamesMax = 200;  // of one kind
constexpr std::size_t kBucketsMin = 2;

Error Bad(const std::string& what) { return {ErrorCode::kInvalid, what}; }

template <typename Number>
std::optional<Number> ParseNumber(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Status TakeSize(const std::string& name, const std::string& text, std::size_t low, std::size_t high,
                std::optional<std::size_t>* size) {
  *size = ParseNumber<std::size_t>(text);
  if (*size && **size >= low && **size <= high) return Ok{};
  return Bad(name + " must be a number from " + std::to_string(low) + " to " +
             std::to_string(high));
}

Status TakeTime(const std::string& name, const std::string& text,
                std::optional<std::int64_t>* time_ns) {
  *time_ns = ParseTimestamp(text);
  if (*time_ns) return Ok{};
  return Bad(name + " must be a time as 2018-06-01T14:08:24Z (a + in it is written %2B)");
}

Status TakeName(const std::string& name, const std::string& text, std::vector<std::string>* names) {
  names->push_back(text);
  if (names->size() <= kNamesMax) return Ok{};
  return Bad(name + " comes more than " + std::to_string(kNamesMax) + " times");
}

// What comes once at most.
Status TakeLone(const std::string& name, const std::string& text, const PageQueryRules& rules,
                PageQuery* query) {
  if (name == "from" && rules.range) return TakeTime(name, text, &query->range.from_ns);
  if (name == "to" && rules.range) return TakeTime(name, text, &query->range.to_ns);
  if (name == "limit" && rules.limit_max > 0) {
    return TakeSize(name, text, 1, rules.limit_max, &query->limit);
  }
  if (name == "buckets" && rules.buckets_max > 0) {
    return TakeSize(name, text, kBucketsMin, rules.buckets_max, &query->buckets);
  }
  if (name == "before" && rules.before) {
    query->before_key = ParseNumber<std::int64_t>(text);
    if (query->before_key) return Ok{};
    return Bad("before must be what an earlier answer had as next");
  }
  return Bad("unknown parameter '" + name + "'");
}

}  // namespace

Result<PageQuery> ParsePageQuery(const PageParameters& parameters, const PageQueryRules& rules) {
  PageQuery query;
  for (const auto& [name, text] : parameters) {
    std::vector<std::string>* names = name == "namespace" ? &query.filter.name_spaces
                                      : name == "sender"  ? &query.filter.senders
                                      : name == "origin"  ? &query.filter.origins
                                      : name == "type"    ? &query.filter.types
                                                          : nullptr;
    if (names == nullptr && parameters.count(name) > 1) return Bad(name + " comes more than once");
    if (text.empty() && (names != nullptr || name == "from" || name == "to" || name == "limit" ||
                         name == "buckets" || name == "before")) {
      continue;
    }
    const Status taken =
        names != nullptr ? TakeName(name, text, names) : TakeLone(name, text, rules, &query);
    if (!taken.ok()) return taken.error();
  }
  if (query.range.from_ns && query.range.to_ns && *query.range.from_ns >= *query.range.to_ns) {
    return Bad("from must be before to");
  }
  return query;
}

}  // namespace collector
