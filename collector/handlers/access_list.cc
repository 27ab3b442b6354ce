#include "collector/handlers/access_list.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace collector {
namespace {

constexpr std::string_view kOwn = "{name}";
constexpr std::string_view kBlanks = " \t\r";
constexpr std::array<std::string_view, 4> kKinds = {"psk:", "cn:", "dns:", "uri:"};
constexpr unsigned kV4Prefix = 96;  // bits before an IPv4 address in an IPv6 one

std::string WithOwn(std::string text, std::string_view own) {
  for (std::size_t at = 0; (at = text.find(kOwn, at)) != text.npos; at += own.size()) {
    text.replace(at, kOwn.size(), own);
  }
  return text;
}

bool MatchParts(const std::vector<std::string>& parts, std::string_view name) {
  if (parts.size() == 1) return name == parts.front();
  if (!name.starts_with(parts.front())) return false;
  name.remove_prefix(parts.front().size());
  if (!name.ends_with(parts.back())) return false;
  name.remove_suffix(parts.back().size());
  for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
    const std::size_t at = name.find(parts[i]);
    if (at == name.npos) return false;
    name.remove_prefix(at + parts[i].size());
  }
  return true;
}

Error Wrong(std::string what) { return {ErrorCode::kConfig, std::move(what)}; }

Result<std::vector<std::string>> FieldsOf(std::string_view line) {
  std::vector<std::string> fields;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    if (line.empty() || (fields.empty() && line.front() == '#')) return fields;
    const bool quoted = line.front() == '"';
    if (quoted) line.remove_prefix(1);
    const std::size_t end = quoted ? line.find('"') : line.find_first_of(kBlanks);
    if (quoted && end == line.npos) return Wrong("a quotation mark is missing");
    const std::string_view field = line.substr(0, end);
    if (field.empty()) return Wrong("a field is empty: no name is");
    fields.emplace_back(field);
    line.remove_prefix(std::min(end, line.size() - 1) + 1);
    if (quoted && !line.empty() && kBlanks.find(line.front()) == kBlanks.npos) {
      return Wrong("there is no blank after a quotation mark");
    }
  }
}

}  // namespace

NamePattern::NamePattern(std::string_view text) : has_own_(text.find(kOwn) != text.npos) {
  for (std::size_t end = 0; (end = text.find('*')) != text.npos;) {
    parts_.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts_.emplace_back(text);
}

bool NamePattern::Matches(std::string_view name, std::string_view own) const {
  if (!has_own_) return MatchParts(parts_, name);
  std::vector<std::string> parts;
  for (const std::string& part : parts_) parts.push_back(WithOwn(part, own));
  return MatchParts(parts, name);
}

bool AccessList::Network::Has(const std::array<std::uint8_t, 16>& address) const {
  const std::size_t whole = bits / 8;
  if (std::memcmp(bytes.data(), address.data(), whole) != 0) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || (bytes[whole] ^ address[whole]) >> (8 - rest) == 0;
}

std::array<std::uint8_t, 16> AccessList::BytesOf(const SocketAddress& peer) {
  std::array<std::uint8_t, 16> bytes{};
  if (peer.family() == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(&bytes[12], &peer.v4().sin_addr, 4);
  } else {
    std::memcpy(bytes.data(), &peer.v6().sin6_addr, 16);
  }
  return bytes;
}

Result<AccessList::Network> AccessList::ParseNetwork(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string host(text.substr(0, slash));
  Network network;
  unsigned before = 0;
  if (inet_pton(AF_INET, host.c_str(), &network.bytes[12]) == 1) {
    network.bytes[10] = network.bytes[11] = 0xff;
    before = kV4Prefix;
  } else if (inet_pton(AF_INET6, host.c_str(), network.bytes.data()) != 1) {
    return Wrong("'" + std::string(text) +
                 "' is neither psk:, cn:, dns: or uri: and a name, nor a network, nor *");
  }
  network.bits = 128 - before;
  if (slash < text.size()) {
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + slash + 1, end, network.bits);
    if (read.ec != std::errc{} || read.ptr != end || network.bits > 128 - before) {
      return Wrong("'" + std::string(text) + "' has no prefix of 0 to " +
                   std::to_string(128 - before) + " bits");
    }
  }
  network.bits += before;
  // What is not of the network is a mistake in it: 10.1.2.0/16 may mean 10.1.0.0/16 or /24.
  for (unsigned bit = network.bits; bit < 128; ++bit) {
    if ((network.bytes[bit / 8] & 0x80U >> bit % 8) != 0) {
      return Wrong("'" + std::string(text) + "' has bits beyond its prefix");
    }
  }
  return network;
}

Status AccessList::Add(const std::vector<std::string>& fields) {
  if (fields.size() != 4) return Wrong("is not WHO NAMESPACE SENDER ORIGIN");
  const std::string& who = fields[0];
  const std::size_t rule = rules_.size();
  rules_.push_back({NamePattern(fields[1]), NamePattern(fields[2]), NamePattern(fields[3])});
  const Rule& added = rules_.back();
  const bool named = std::any_of(kKinds.begin(), kKinds.end(), [&who](std::string_view kind) {
    return who.starts_with(kind) && who.size() > kind.size();
  });
  if (named) {
    const NamePattern pattern(who);
    if (pattern.has_own()) return Wrong("{name} cannot be in WHO");
    if (pattern.exact()) {
      names_[who].push_back(rule);
    } else {
      patterns_.push_back({pattern, rule});
    }
    return Ok{};
  }
  if (added.name_space.has_own() || added.sender.has_own() || added.origin.has_own()) {
    return Wrong("{name} needs a WHO of psk:, cn:, dns: or uri:");
  }
  if (who == "*") {
    everybodys_.push_back(rule);
    return Ok{};
  }
  auto network = ParseNetwork(who);
  if (!network.ok()) return network.error();
  networks_.push_back({network.value(), rule});
  return Ok{};
}

Result<AccessList> AccessList::Parse(std::string_view text) {
  AccessList list;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    auto fields = FieldsOf(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (fields.ok() && fields.value().empty()) continue;
    const Status added = fields.ok() ? list.Add(fields.value()) : Status(fields.error());
    if (!added.ok()) {
      return Wrong("line " + std::to_string(number) + ": " + added.error().message);
    }
  }
  return list;
}

void AccessList::GrantsOf(const SocketAddress& peer, const std::vector<std::string>& names,
                          std::vector<Grant>* grants) const {
  grants->clear();
  for (const std::size_t rule : everybodys_) grants->push_back({&rules_[rule], {}});
  if (names.empty()) {
    const auto address = BytesOf(peer);
    for (const auto& [network, rule] : networks_) {
      if (network.Has(address)) grants->push_back({&rules_[rule], {}});
    }
  }
  for (const std::string& name : names) {
    const std::string_view own = std::string_view(name).substr(name.find(':') + 1);
    if (const auto found = names_.find(name); found != names_.end()) {
      for (const std::size_t rule : found->second) grants->push_back({&rules_[rule], own});
    }
    for (const auto& [pattern, rule] : patterns_) {
      if (pattern.Matches(name, {})) grants->push_back({&rules_[rule], own});
    }
  }
}

std::string_view NotGranted(const Event& event, const std::vector<AccessList::Grant>& grants) {
  bool name_space = false;
  bool sender = false;
  for (const auto& [rule, own] : grants) {
    if (!rule->name_space.Matches(event.name_space, own)) continue;
    name_space = true;
    if (!rule->sender.Matches(event.sender, own)) continue;
    sender = true;
    if (rule->origin.Matches(event.origin, own)) return {};
  }
  return sender ? "origin" : name_space ? "sender" : "namespace";
}

}  // namespace collector
