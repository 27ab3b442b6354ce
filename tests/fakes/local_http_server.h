// An HTTP server on a free loopback port whose answers are bytes as the test wants them: whole, cut
// off, reset, never finished. With or without TLS.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "collector/base/check.h"

namespace collector {

class LocalHttpServer {
 public:
  struct Request {
    std::string line;                            // "POST /_bulk HTTP/1.1"
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;

    [[nodiscard]] std::string Header(const std::string& name) const {
      const auto found = headers.find(name);
      return found == headers.end() ? "" : found->second;
    }
  };
  enum class Then { kKeepOpen, kClose, kReset };
  struct Answer {
    std::string bytes;
    Then then = Then::kKeepOpen;
  };
  using OnRequest = std::function<Answer(const Request&)>;  // on a connection's thread

  static std::string Response(int status, const std::string& body,
                              const std::string& headers = "") {
    return "HTTP/1.1 " + std::to_string(status) + " Status\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  explicit LocalHttpServer(OnRequest on_request, SSL_CTX* tls = nullptr)
      : on_request_(std::move(on_request)), tls_(tls) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    CHECK(bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    CHECK(listen(listener_, 16) == 0);
    CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Accept(); });
  }
  ~LocalHttpServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
    for (Connection& connection : connections_) {
      {
        const std::lock_guard lock(mutex_);
        if (connection.fd >= 0) shutdown(connection.fd, SHUT_RDWR);
      }
      connection.thread.join();
    }
  }
  LocalHttpServer(const LocalHttpServer&) = delete;
  LocalHttpServer& operator=(const LocalHttpServer&) = delete;

  [[nodiscard]] std::string Url(const std::string& path) const {
    return (tls_ != nullptr ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) +
           path;
  }
  [[nodiscard]] std::size_t connections() {
    const std::lock_guard lock(mutex_);
    return connections_.size();
  }
  [[nodiscard]] std::vector<Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  struct Connection {
    int fd = -1;  // -1: closed
    std::thread thread;
  };

  void Accept() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::lock_guard lock(mutex_);
      Connection& connection = connections_.emplace_back();
      connection.fd = fd;
      connection.thread = std::thread([this, &connection, fd] { Serve(&connection, fd); });
    }
  }

  void Serve(Connection* connection, int fd) {
    sigset_t mask;  // OpenSSL writes to sockets without MSG_NOSIGNAL
    sigemptyset(&mask);
    sigaddset(&mask, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &mask, nullptr);
    std::unique_ptr<SSL, decltype(&SSL_free)> tls(nullptr, &SSL_free);
    Then then = Then::kClose;
    if (tls_ != nullptr) {
      tls.reset(SSL_new(tls_));
      SSL_set_fd(tls.get(), fd);
    }
    if (tls == nullptr || SSL_accept(tls.get()) == 1) {
      std::string received;
      Request request;
      do {
        if (!Read(fd, tls.get(), &received, &request)) break;
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(request);
        }
        const Answer answer = on_request_(request);
        then = answer.then;
        Write(fd, tls.get(), answer.bytes);
      } while (then == Then::kKeepOpen);
    }
    const std::lock_guard lock(mutex_);
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    if (then == Then::kReset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
    connection->fd = -1;
  }

  static bool Fill(int fd, SSL* tls, std::string* received) {
    char buffer[16 * 1024];
    const auto size = tls != nullptr ? SSL_read(tls, buffer, sizeof(buffer))
                                     : recv(fd, buffer, sizeof(buffer), 0);
    if (size <= 0) return false;
    received->append(buffer, static_cast<std::size_t>(size));
    return true;
  }

  static bool Read(int fd, SSL* tls, std::string* received, Request* request) {
    std::size_t end = std::string::npos;
    while ((end = received->find("\r\n\r\n")) == std::string::npos) {
      if (!Fill(fd, tls, received)) return false;
    }
    *request = {};
    std::size_t at = received->find("\r\n");
    request->line = received->substr(0, at);
    while (at < end) {
      const std::size_t begin = at + 2;
      at = received->find("\r\n", begin);
      const std::size_t colon = received->find(": ", begin);
      std::string name = received->substr(begin, colon - begin);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      request->headers[name] = received->substr(colon + 2, at - colon - 2);
    }
    const std::string length = request->Header("content-length");
    const std::size_t size = length.empty() ? 0 : std::stoul(length);
    received->erase(0, end + 4);
    while (received->size() < size) {
      if (!Fill(fd, tls, received)) return false;
    }
    request->body = received->substr(0, size);
    received->erase(0, size);
    return true;
  }

  static void Write(int fd, SSL* tls, const std::string& bytes) {
    for (std::size_t written = 0; written < bytes.size();) {
      const std::size_t left = bytes.size() - written;
      const auto size = tls != nullptr
                            ? SSL_write(tls, bytes.data() + written, static_cast<int>(left))
                            : send(fd, bytes.data() + written, left, MSG_NOSIGNAL);
      if (size <= 0) return;
      written += static_cast<std::size_t>(size);
    }
  }

  OnRequest on_request_;
  SSL_CTX* tls_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::list<Connection> connections_;  // their addresses stay
  std::vector<Request> requests_;
  std::thread thread_;
};

}  // namespace collector
