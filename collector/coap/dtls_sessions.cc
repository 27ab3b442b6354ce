#include "collector/coap/dtls_sessions.h"

#include <array>

#include "collector/coap/message.h"

namespace collector {
namespace {

// How exact the order of sessions by when they were heard is: their neighbours are not in the
// cache.
constexpr std::int64_t kListedNs = kNsPerSecond;

// RFC 5246 section 7.2.
constexpr std::uint8_t kWarning = 1;
constexpr std::uint8_t kFatal = 2;
constexpr std::uint8_t kCloseNotify = 0;

}  // namespace

DtlsSessions::Session::Session(std::uint32_t its_number, const Handshaken& handshaken,
                               std::int64_t now_ns)
    : number(its_number),
      key(handshaken.key),
      hello(handshaken.hello),
      addresses(handshaken.addresses),
      records(handshaken.tls, handshaken.last_flight),
      last_flight(handshaken.last_flight.begin(), handshaken.last_flight.end()),
      names(NamesOf(handshaken.tls)),
      heard_ns(now_ns),
      listed_ns(now_ns) {}

DtlsSessions::DtlsSessions(const DtlsOptions& options, OnDtlsMessage on_message, DatagramSink* sink,
                           Metrics* metrics, std::shared_ptr<spdlog::logger> log)
    : sessions_max_(options.sessions_max),
      idle_ns_max_(options.idle_seconds_max * kNsPerSecond),
      on_message_(std::move(on_message)),
      sink_(sink),
      metrics_(metrics),
      handshakes_(
          options, [this](const Handshaken& handshaken) { Begin(handshaken); }, sink, metrics,
          std::move(log)) {}

void DtlsSessions::OnDatagram(const AddressPair& addresses, Bytes datagram) {
  const PeerKey key = handshakes_.KeyOf(addresses);
  const Place* found = by_key_.Find(key);
  const auto hello = handshakes_.HelloIn(datagram);
  if (hello && (found == nullptr || (*found)->hello != *hello)) {
    // The peer knows of no session any more, as it has shown by its cookie.
    if (handshakes_.OnHello(addresses, datagram, key, *hello) && found != nullptr) Forget(*found);
  } else if (found != nullptr) {
    OnRecords(*found, datagram);
  } else if (!handshakes_.OnDatagram(key, datagram)) {
    metrics_->coaps.datagrams_without_session.Add();
  }
}

void DtlsSessions::Begin(const Handshaken& handshaken) {
  if (all_.size() >= sessions_max_) {
    metrics_->coaps.sessions_evicted.Add();
    End(std::prev(all_.end()));
  }
  const Place place = all_.emplace(all_.begin(), next_number_++, handshaken, now_ns_);
  by_key_.Insert(place->key, place);
  by_number_.Insert(place->number, place);
  metrics_->coaps.sessions.Set(all_.size());
  OnRecords(place, handshaken.rest);
}

void DtlsSessions::OnRecords(Place place, Bytes datagram) {
  while (const auto record = TakeRecord(&datagram)) {
    const auto content = place->records.Open(&ciphers_, *record, message_);
    if (!content) {
      if (record->epoch() != 0) metrics_->coaps.records_discarded.Add();
      continue;
    }
    switch (record->type) {
      case RecordType::kApplicationData:
        OnMessage(place, *content);
        break;
      case RecordType::kHandshake:  // its Finished once more: our last flight was lost
        if (!place->last_flight.empty()) sink_->Send(place->addresses, place->last_flight);
        break;
      case RecordType::kAlert:
        if (content->size() != 2) break;
        if ((*content)[1] == kCloseNotify) return End(place);
        if ((*content)[0] == kFatal) return Forget(place);
        break;
      default:
        break;
    }
  }
}

void DtlsSessions::OnMessage(Place place, Bytes message) {
  place->heard_ns = now_ns_;
  place->last_flight = {};
  if (now_ns_ - place->listed_ns >= kListedNs) {
    place->listed_ns = now_ns_;
    all_.splice(all_.begin(), all_, place);
  }
  AddressPair session = place->addresses;
  session.socket = place->number;
  on_message_(session, message, place->names);
}

void DtlsSessions::Send(const AddressPair& addresses, Bytes message) {
  const Place* found = by_number_.Find(addresses.socket);
  if (found == nullptr) return metrics_->coap.datagrams_send_failed.Add();
  SendRecord(*found, RecordType::kApplicationData, message);
}

void DtlsSessions::SendRecord(Place place, RecordType type, Bytes content) {
  std::array<std::uint8_t, kAnswerBytesMax + kRecordExtraBytesMax> room;
  const auto datagram = place->records.Seal(&ciphers_, type, content, room);
  if (!datagram) return metrics_->coap.datagrams_send_failed.Add();
  sink_->Send(place->addresses, *datagram);
}

// Tells the peer.
void DtlsSessions::End(Place place) {
  constexpr std::array<std::uint8_t, 2> kGoodbye = {kWarning, kCloseNotify};
  SendRecord(place, RecordType::kAlert, kGoodbye);
  Forget(place);
}

void DtlsSessions::EndAll() {
  while (!all_.empty()) End(all_.begin());
}

void DtlsSessions::Forget(Place place) {
  by_key_.Erase(place->key);
  by_number_.Erase(place->number);
  all_.erase(place);
  metrics_->coaps.sessions.Set(all_.size());
}

void DtlsSessions::SetTime(Instant now) {
  now_ns_ = now.monotonic_ns;
  handshakes_.SetTime(now_ns_);
}

void DtlsSessions::OnTime() {
  if (now_ns_ >= second_due_ns_) EachSecond();
  handshakes_.OnTime();
}

void DtlsSessions::EachSecond() {
  second_due_ns_ = now_ns_ + kNsPerSecond;
  while (!all_.empty() && now_ns_ - all_.back().heard_ns >= idle_ns_max_) {
    End(std::prev(all_.end()));
  }
  if (const auto before = handshakes_.ReloadKeys()) EndWhoseKeyChanged(*before);
}

void DtlsSessions::EndWhoseKeyChanged(const PskTable& before) {
  for (Place next = all_.begin(); next != all_.end();) {
    const Place place = next++;
    if (place->names.empty() || !place->names.front().starts_with("psk:")) continue;
    const std::string identity = place->names.front().substr(4);
    const auto old = before.find(identity);
    const auto now = handshakes_.psks().find(identity);
    const bool same =
        old != before.end() && now != handshakes_.psks().end() && old->second == now->second;
    if (!same) End(place);
  }
}

}  // namespace collector
