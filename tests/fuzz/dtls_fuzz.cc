// Datagrams to CoAPs: a flood of anything, and a peer that has the key whose datagrams are carried,
// changed or dropped. Nobody gets more bytes than were sent in his name until he has answered to
// his address, nothing is taken that was not encrypted by the key, and what is kept is bounded.
#include <map>

#include "tests/fakes/dtls_peer.h"

namespace collector {
namespace {

constexpr std::size_t kSessionsMax = 2;
constexpr std::size_t kHandshakesMax = 2;
constexpr std::string_view kAnswer = "answer";

class World {
 public:
  void Step(std::string_view* input) {
    const auto kind = static_cast<std::uint8_t>(input->front());
    input->remove_prefix(1);
    switch (kind % 4) {
      case 0: {  // anything, from anywhere
        const std::string_view bytes = input->substr(0, kind * 2U);
        input->remove_prefix(bytes.size());
        Receive(WirePeer(2, static_cast<std::uint16_t>(1'000 + kind / 4 % 4)), bytes);
        break;
      }
      case 1:  // the peer goes on
        Carry(peer_.connected() ? peer_.Encrypted("message") : peer_.NextFlight(), kind, input);
        break;
      case 2:
        core_.Pass(kind / 4 % 32);
        break;
      default:
        if ((kind & 4) != 0) peer_.Restart();
    }
    CheckSent();
  }

 private:
  void Carry(std::string datagram, std::uint8_t kind, std::string_view* input) {
    if ((kind & 4) != 0 && input->size() >= 2 && !datagram.empty()) {  // changed on its way
      const std::size_t at = static_cast<std::uint8_t>(input->front()) % datagram.size();
      datagram[at] = (*input)[1];
      input->remove_prefix(2);
    }
    if ((kind & 8) != 0) return;  // lost
    Receive(peer_.addresses(), datagram);
  }

  void Receive(const AddressPair& from, std::string_view bytes) {
    heard_[from.remote.ToString()] += bytes.size();
    core_.Receive(from, bytes);
  }

  void CheckSent() {
    for (const DtlsCore::Datagram& datagram : core_.sent) {
      const std::string to = datagram.addresses.remote.ToString();
      CHECK(datagram.bytes.size() <= 1'232);
      if (to != peer_.addresses().remote.ToString()) {
        CHECK(heard_[to] >= datagram.bytes.size());
        heard_[to] -= datagram.bytes.size();
      }
    }
    const std::string answers = peer_.Take();
    for (std::size_t at = 0; at < answers.size(); at += kAnswer.size()) {
      CHECK(answers.compare(at, kAnswer.size(), kAnswer) == 0);
    }
    core_.sent.clear();
    for (const DtlsCore::Datagram& message : std::exchange(core_.received, {})) {
      CHECK(message.bytes == "message");
      core_.sessions->Send(message.addresses,
                           {reinterpret_cast<const std::uint8_t*>(kAnswer.data()), kAnswer.size()});
    }
    CHECK(core_.sessions->established() <= kSessionsMax);
    CHECK(core_.sessions->handshakes() <= kHandshakesMax);
  }

  DtlsCore core_{DtlsOptions{.sessions_max = kSessionsMax, .handshakes_max = kHandshakesMax}};
  DtlsPeer peer_{&core_, WirePeer(1, 1'000)};
  std::map<std::string, std::size_t> heard_;
};

}  // namespace
}  // namespace collector

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  collector::World world;
  while (!input.empty()) world.Step(&input);
  return 0;
}
