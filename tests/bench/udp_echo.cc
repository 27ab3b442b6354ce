// The baseline: what a UDP server that does nothing can do on this machine. Reads up to 64
// datagrams a call and sends each back as it came, from one blocking thread.
//
//   udp_echo [ADDRESS:PORT [coap]]   default 127.0.0.1:0; prints "listening udp=ADDRESS:PORT"
//
// With "coap" it answers each confirmable request 2.01, without looking at anything but its header
// and token: what `client load` can do when no collector holds it up.
//
// SIGTERM and SIGINT end it at once.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>

#include "tests/bench/udp.h"

namespace {

constexpr unsigned kBatchMax = 64;
constexpr std::size_t kDatagramBytesMax = 1500;

// The buffers of one batch; answers leave from where the requests were read into.
struct Batch {
  std::array<std::array<std::byte, kDatagramBytesMax>, kBatchMax> data;
  std::array<sockaddr_in, kBatchMax> peers;
  std::array<iovec, kBatchMax> parts;
  std::array<mmsghdr, kBatchMax> messages;
};

void PrepareReceive(Batch* batch, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    batch->parts[i] = {batch->data[i].data(), kDatagramBytesMax};
    batch->messages[i] = {};
    batch->messages[i].msg_hdr.msg_name = &batch->peers[i];
    batch->messages[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
    batch->messages[i].msg_hdr.msg_iov = &batch->parts[i];
    batch->messages[i].msg_hdr.msg_iovlen = 1;
  }
}

// Header and token of a request become those of its piggybacked 2.01. Returns the answer's size.
std::size_t Acknowledge(std::byte* message, std::size_t size) {
  const std::size_t token_bytes = std::to_integer<std::size_t>(message[0] & std::byte{0x0F});
  message[0] = (message[0] & std::byte{0x0F}) | std::byte{0x60};
  message[1] = std::byte{0x41};
  return std::min(size, 4 + token_bytes);
}

void SendBack(int fd, bool coap, Batch* batch, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    const std::size_t size = batch->messages[i].msg_len;
    batch->parts[i].iov_len = coap ? Acknowledge(batch->data[i].data(), size) : size;
  }
  unsigned sent = 0;
  while (sent < count) {
    const int result = sendmmsg(fd, &batch->messages[sent], count - sent, 0);
    // On an error the first one left is the culprit: it is given up, as a network would.
    sent += result > 0 ? static_cast<unsigned>(result) : 1;
  }
}

[[noreturn]] void Serve(int fd, bool coap) {
  static Batch batch;
  PrepareReceive(&batch, kBatchMax);
  for (;;) {
    const int received = recvmmsg(fd, batch.messages.data(), kBatchMax, MSG_WAITFORONE, nullptr);
    if (received < 0) {
      if (errno == EINTR) continue;
      bench::Die("recvmmsg");
    }
    const unsigned count = static_cast<unsigned>(received);
    SendBack(fd, coap, &batch, count);
    PrepareReceive(&batch, count);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int fd = bench::OpenUdp(bench::ParseAddress(argc > 1 ? argv[1] : "127.0.0.1:0"));
  std::printf("listening udp=%s\n", bench::ToString(bench::LocalAddress(fd)).c_str());
  std::fflush(stdout);
  Serve(fd, argc > 2 && std::string(argv[2]) == "coap");
}
