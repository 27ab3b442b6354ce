#include "collector/handlers/well_known_core.h"

#include <array>
#include <utility>

namespace collector {
namespace {

struct Link {
  std::string_view href;
  // In the order they are written; quoted where they are text.
  std::array<std::pair<std::string_view, std::string_view>, 4> attributes;
};

constexpr std::array<Link, 2> kLinks{{
    {"/events",
     {{{"rt", "events"},
       {"if", "core.s"},
       {"ct", "50 60 110 112"},
       {"title", "Post events; 2.01 means stored"}}}},
    {"/health",
     {{{"rt", "health"},
       {"if", "core.s"},
       {"ct", "50 60"},
       {"title", "Is this collector taking events"}}}},
}};

bool TextMatches(std::string_view text, std::string_view pattern) {
  if (pattern.ends_with('*')) return text.starts_with(pattern.substr(0, pattern.size() - 1));
  return text == pattern;
}

// A title is one text; the other attributes are lists separated by spaces, one of which must match.
bool AttributeMatches(std::string_view name, std::string_view value, std::string_view pattern) {
  if (name == "title") return TextMatches(value, pattern);
  while (true) {
    const std::size_t end = value.find(' ');
    if (TextMatches(value.substr(0, end), pattern)) return true;
    if (end == std::string_view::npos) return false;
    value.remove_prefix(end + 1);
  }
}

bool LinkMatches(const Link& link, std::string_view condition) {
  const std::size_t equals = condition.find('=');
  const std::string_view name = condition.substr(0, equals);
  const std::string_view pattern =
      equals == std::string_view::npos ? "*" : condition.substr(equals + 1);
  if (name == "href") return TextMatches(link.href, pattern);
  for (const auto& [known, value] : link.attributes) {
    if (known == name) return AttributeMatches(known, value, pattern);
  }
  return false;
}

bool LinkMatchesAll(const Link& link, std::string_view query) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    if (!LinkMatches(link, query.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    query.remove_prefix(end + 1);
  }
  return true;
}

void AppendLink(const Link& link, std::string* text) {
  if (!text->empty()) text->push_back(',');
  text->append("<").append(link.href).append(">");
  for (const auto& [name, value] : link.attributes) {
    const bool quoted = name != "ct" || value.find(' ') != std::string_view::npos;
    text->append(";").append(name).append(quoted ? "=\"" : "=").append(value);
    if (quoted) text->push_back('"');
  }
}

}  // namespace

std::string LinksMatching(std::string_view query) {
  std::string text;
  for (const Link& link : kLinks) {
    if (LinkMatchesAll(link, query)) AppendLink(link, &text);
  }
  return text;
}

Handler WellKnownCoreHandler() {
  return [](const Request& request, Reply reply) {
    if (!Accepts(request, ContentFormat::kLink)) {
      return std::move(reply).Send(
          Response::Diagnostic(Code::kNotAcceptable, "offered: 40 (application/link-format)"));
    }
    std::move(reply).Send({.code = Code::kContent,
                           .content_format = ContentFormat::kLink,
                           .payload = LinksMatching(request.query)});
  };
}

}  // namespace collector
