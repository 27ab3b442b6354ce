// Who may write what: an operator's list of peers, and of the names that their events may bear.
// A value; no file, no clock.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "collector/base/result.h"
#include "collector/base/socket_address.h"
#include "event/event.h"

namespace collector {

// A name in which each '*' stands for any characters, and each "{name}" for the peer's own.
class NamePattern {
 public:
  explicit NamePattern(std::string_view text);

  [[nodiscard]] bool Matches(std::string_view name, std::string_view own) const;
  [[nodiscard]] bool exact() const { return parts_.size() == 1 && !has_own_; }
  [[nodiscard]] bool has_own() const { return has_own_; }

 private:
  std::vector<std::string> parts_;  // what is between the '*'
  bool has_own_ = false;
};

// One line a grant: WHO NAMESPACE SENDER ORIGIN, separated by blanks; a field with blanks in it
// stands in quotation marks. WHO is a pattern of a proven name (psk:, cn:, dns: or uri:), a network
// (10.1.0.0/16), or * for everybody. A network is of peers that have proved nothing: who has is
// judged by names alone.
class AccessList {
 public:
  // kConfig: which line is wrong, and how.
  static Result<AccessList> Parse(std::string_view text);

  struct Rule {
    NamePattern name_space;
    NamePattern sender;
    NamePattern origin;
  };
  // A rule and which of the peer's names, without its kind, it was found by.
  struct Grant {
    const Rule* rule;
    std::string_view own;
  };

  // All that is granted to a peer; as long as this list and `names` live.
  void GrantsOf(const SocketAddress& peer, const std::vector<std::string>& names,
                std::vector<Grant>* grants) const;

  [[nodiscard]] std::size_t size() const { return rules_.size(); }

 private:
  // IPv4 as IPv6 shows it, ::ffff:a.b.c.d.
  struct Network {
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 0;
    [[nodiscard]] bool Has(const std::array<std::uint8_t, 16>& address) const;
  };
  template <typename Who>
  struct For {
    Who who;
    std::size_t rule;
  };

  static std::array<std::uint8_t, 16> BytesOf(const SocketAddress& peer);
  static Result<Network> ParseNetwork(std::string_view text);
  Status Add(const std::vector<std::string>& fields);

  std::vector<Rule> rules_;
  std::vector<std::size_t> everybodys_;
  std::vector<For<Network>> networks_;
  std::vector<For<NamePattern>> patterns_;
  std::unordered_map<std::string, std::vector<std::size_t>> names_;
};

// Which of an event's names no grant covers: "namespace", "sender", "origin"; nothing if one does.
std::string_view NotGranted(const Event& event, const std::vector<AccessList::Grant>& grants);

}  // namespace collector
