#include "collector/handlers/access.h"

#include <spdlog/fmt/fmt.h>

#include "collector/base/log.h"

namespace collector {
namespace {

constexpr std::size_t kNameBytesShown = 64;

const std::vector<std::string>& NamesOf(const Request& request) {
  static const std::vector<std::string> kNone;
  return request.names != nullptr ? *request.names : kNone;
}

std::string_view Shown(std::string_view name) { return name.substr(0, kNameBytesShown); }

const std::string& NameOf(const Event& event, std::string_view which) {
  if (which == "namespace") return event.name_space;
  return which == "sender" ? event.sender : event.origin;
}

}  // namespace

Result<std::unique_ptr<Access>> Access::Create(const AccessOptions& options, RefusalLog* refusals,
                                               std::shared_ptr<spdlog::logger> log) {
  std::unique_ptr<Access> access(new Access(options, refusals, std::move(log)));
  access->file_.Changed();
  if (Status loaded = access->Load(); !loaded.ok()) return loaded.error();
  return access;
}

Status Access::Load() {
  auto text = ReadFile(file_.path());
  if (!text.ok()) return text.error();
  auto list = AccessList::Parse(text.value());
  if (!list.ok()) return Error{ErrorCode::kConfig, file_.path() + ": " + list.error().message};
  list_ = std::move(list).value();
  return Ok{};
}

void Access::Tick(std::int64_t now_ns) {
  if (now_ns - looked_ns_ < kNsPerSecond) return;
  looked_ns_ = now_ns;
  if (!file_.Changed()) return;
  if (Status loaded = Load(); !loaded.ok()) {
    log_->error("access: {}; going on with the list of before{}", loaded.error().message,
                Action("reload-failed"));
  } else {
    log_->info("access: list of {} grants read again{}", list_.size(), Action("reloaded"));
  }
}

const std::vector<AccessList::Grant>& Access::GrantsOf(const Request& request) {
  list_.GrantsOf(*request.peer, NamesOf(request), &grants_);
  return grants_;
}

Handler Access::Wrap(Handler next) {
  return [this, next = std::move(next)](const Request& request, Reply reply) {
    if (!GrantsOf(request).empty()) return next(request, std::move(reply));
    if (NamesOf(request).empty()) {
      Log(request, "who it is is not proven");
      return std::move(reply).Send(Response::Diagnostic(
          Code::kUnauthorized, "prove who you are: coaps:// with a key or certificate"));
    }
    Log(request, "nothing is granted");
    std::move(reply).Send(Response::Diagnostic(
        Code::kForbidden, "you may write nothing: ask for a line in the access list"));
  };
}

std::optional<Response> Access::Refuse(const Request& request, std::span<const Event> events) {
  const auto& grants = GrantsOf(request);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::string_view which = NotGranted(events[i], grants);
    if (which.empty()) continue;
    Log(request, fmt::format("{} '{}' is not granted", which, Shown(NameOf(events[i], which))));
    const std::string where = events.size() > 1 ? fmt::format("[{}].", i) : std::string();
    return Response::Diagnostic(
        Code::kForbidden,
        fmt::format("{}{} is not yours: ask for a line in the access list", where, which));
  }
  return std::nullopt;
}

void Access::Log(const Request& request, std::string_view why) {
  std::string who;
  for (const std::string& name : NamesOf(request)) who += std::string(Shown(name)) + ": ";
  const std::string_view via = request.names != nullptr    ? "coaps"
                               : options_.addresses_proven ? "coap"
                                                           : "coap, address unproven";
  refusals_->Add(request.peer->ToString(), via, who + std::string(why),
                 request.arrived.monotonic_ns);
}

}  // namespace collector
