#include "collector/handlers/well_known_core.h"

#include "tests/unit/catch.h"

namespace collector {
namespace {

bool HasEvents(std::string_view query) {
  return LinksMatching(query).find("</events>") != std::string::npos;
}
bool HasHealth(std::string_view query) {
  return LinksMatching(query).find("</health>") != std::string::npos;
}

}  // namespace

TEST_CASE("without a query all links are there, in link format") {
  const std::string links = LinksMatching("");
  CHECK(links.starts_with(R"(</events>;rt="events";if="core.s";ct=)"));
  CHECK(links.find(R"(",</health>;rt="health";)") != std::string::npos);
}

TEST_CASE("a query leaves the links that match it") {
  struct Row {
    const char* query;
    bool events;
    bool health;
  };
  const auto [query, events, health] = GENERATE(
      Row{"rt=events", true, false}, Row{"rt=health", false, true}, Row{"rt=event", false, false},
      Row{"rt=ev*", true, false}, Row{"rt=*", true, true}, Row{"if=core.s", true, true},
      Row{"ct=50", true, true}, Row{"ct=41", false, false}, Row{"href=/events", true, false},
      Row{"href=/*", true, true}, Row{"href=events", false, false}, Row{"title=Is*", false, true},
      Row{"title=this", false, false}, Row{"rt=events&if=core.s", true, false},
      Row{"rt=events&rt=health", false, false}, Row{"sz=1", false, false}, Row{"rt", true, true},
      Row{"=", false, false});
  CAPTURE(query);
  CHECK(HasEvents(query) == events);
  CHECK(HasHealth(query) == health);
}

}  // namespace collector
