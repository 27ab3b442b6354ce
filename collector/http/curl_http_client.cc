#include "collector/http/curl_http_client.h"

#include <curl/curl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "collector/base/clock.h"
#include "collector/http/credentials.h"
#include "collector/http/gzip.h"
#include "collector/http/tls_files.h"

namespace collector {
namespace {

constexpr std::size_t kCompressBytesMin = 1024;  // below, gzip costs more than it saves
constexpr long kUploadBufferBytes = 512 * 1024;  // one turn of the loop sends at most this
constexpr long kIdleSecondsMax = 55;             // below the usual 60 s of balancers
constexpr long kConnectionSecondsMax = 300;      // so that changes of DNS and balancers are seen
constexpr long kKeepAliveSeconds = 30;
constexpr int kRunsMax = 8;

struct FreeCurl {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// One request under way, or its handle and memory waiting for the next.
struct Transfer {
  std::unique_ptr<CURL, FreeCurl> easy;
  std::unique_ptr<curl_slist, FreeCurl> headers;
  Gzip::Buffer compressed;
  std::array<char, CURL_ERROR_SIZE> detail{};  // libcurl's own words
  HttpRequest request;
  HttpResponse response;
  HttpClient::OnResponse on_response;
  std::size_t response_bytes_max = 0;
  std::int64_t deadline_ns = kNever;  // kNever also: not under way
  bool headers_complete = false;
  bool response_too_large = false;
};

template <typename Value>
void Set(CURL* easy, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  CHECK(code == CURLE_OK);
}

void AddHeader(Transfer* transfer, const char* line) {
  curl_slist* list = curl_slist_append(transfer->headers.get(), line);
  CHECK(list != nullptr);
  static_cast<void>(transfer->headers.release());
  transfer->headers.reset(list);
}

// libcurl's signatures. Another size than all of the data ends the transfer.
std::size_t OnBody(char* data, std::size_t, std::size_t size, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  std::string& body = transfer->response.body;
  if (size > transfer->response_bytes_max - body.size()) {
    transfer->response_too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  body.append(data, size);
  return size;
}

// libcurl takes a connection that ends between two header lines for an answer that is complete.
std::size_t OnHeader(char* data, std::size_t, std::size_t size, void* user) {
  const std::string_view line(data, size);
  static_cast<Transfer*>(user)->headers_complete = line == "\r\n" || line == "\n";
  return size;
}

// Without what could be secret: credentials and query.
std::string PublicUrl(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t authority_end = std::min(url.find_first_of("/?#", begin), url.size());
  const std::size_t path_end = std::min(url.find_first_of("?#", begin), url.size());
  const std::size_t at = url.substr(0, authority_end).rfind('@');
  const std::size_t host = at == std::string_view::npos || at < begin ? begin : at + 1;
  return std::string(url.substr(0, begin)) + std::string(url.substr(host, path_end - host));
}

long Number(CURL* easy, CURLINFO info) {
  long value = 0;
  curl_easy_getinfo(easy, info, &value);
  return value;
}

bool WasConnected(CURL* easy) {
  curl_off_t us = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &us);
  return us > 0;
}

// libcurl's words for what happened, or its general ones for the code.
std::string Detail(const Transfer& transfer, CURLcode code) {
  if (transfer.detail[0] == '\0') return curl_easy_strerror(code);
  return transfer.detail.data();
}

std::string Cause(const Transfer& transfer, CURLcode code, std::int64_t connect_timeout_ms) {
  CURL* easy = transfer.easy.get();
  const std::int64_t timeout_ms = transfer.request.timeout_ms;
  switch (code) {
    case CURLE_OK:  // as far as libcurl can tell
      return "the answer was cut short within its headers";
    case CURLE_COULDNT_CONNECT: {
      const int reason = static_cast<int>(Number(easy, CURLINFO_OS_ERRNO));
      return "could not connect: " +
             (reason != 0 ? std::string(std::strerror(reason)) : Detail(transfer, code));
    }
    case CURLE_OPERATION_TIMEDOUT:
      if (WasConnected(easy)) return "no answer within " + std::to_string(timeout_ms) + " ms";
      return "could not connect within " +
             std::to_string(std::min(timeout_ms, connect_timeout_ms)) + " ms";
    case CURLE_GOT_NOTHING:
      return "the connection was closed without an answer";
    case CURLE_PARTIAL_FILE:
      return "the answer was cut short: " + Detail(transfer, code);
    case CURLE_WRITE_ERROR:
      if (!transfer.response_too_large) return Detail(transfer, code);
      return "the answer is larger than " + std::to_string(transfer.response_bytes_max) + " bytes";
    case CURLE_URL_MALFORMAT:  // the words for it quote the URL
      return curl_easy_strerror(code);
    default:
      return Detail(transfer, code);
  }
}

std::string ErrorLine(const HttpRequest& request, std::string_view cause) {
  std::string line = request.method + " " + PublicUrl(request.url) + ": " + std::string(cause);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return line;
}

}  // namespace

// Sockets and libcurl's one timer are watched by the poller. Each of its calls ends with handing
// over what is done; what is done within Send waits for an event that wakes the loop.
class CurlHttpClient::Impl {
 public:
  Impl(const HttpClientOptions& options, Credentials credentials, Poller* poller)
      : options_(options), credentials_(std::move(credentials)), poller_(poller) {}
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status Start();
  void Send(HttpRequest request, OnResponse on_response);

 private:
  // A descriptor of libcurl's. Connections stay watched while they are idle, because to begin and
  // end that with every request would be a twentieth of a small one.
  struct Socket {
    bool connection = false;  // else one that libcurl opens and closes by itself
    bool watched = false;
    bool idle = false;  // watched, yet libcurl does not wait for it
    Poller::Ready wanted{};
  };

  static curl_socket_t OnOpen(void* user, curlsocktype purpose, curl_sockaddr* address);
  static int OnClose(void* user, curl_socket_t fd);
  static int OnSocketWanted(CURL* easy, curl_socket_t fd, int what, void* user, void*);
  static int OnTimerWanted(CURLM* multi, long timeout_ms, void* user);

  Transfer* TakeTransfer();
  void SetFixed(Transfer* transfer);
  void SetConnection(CURL* easy);
  void SetTls(CURL* easy);
  void SetRequest(Transfer* transfer, std::string_view authorization);
  void Unwatch(int fd, Socket* socket);
  void OnSocket(int fd, Poller::Ready ready);
  void OnTimer();
  void OnWake();
  void GiveUpLate(std::int64_t now_ns);
  void Run(curl_socket_t fd, int events);
  void CollectDone();
  void Finish(Transfer* transfer, CURLcode code);
  void HandOver();
  void Arm();

  const HttpClientOptions options_;
  Credentials credentials_;
  Poller* poller_;
  Gzip gzip_;
  CURLM* multi_ = nullptr;
  UniqueFd timer_;
  UniqueFd wake_;
  std::unordered_map<int, Socket> sockets_;
  std::int64_t due_ns_ = kNever;    // when libcurl wants to run
  std::int64_t armed_ns_ = kNever;  // when the timer fires: then, or earlier
  std::vector<std::unique_ptr<Transfer>> transfers_;
  std::vector<Transfer*> idle_;
  std::vector<Transfer*> done_;  // OnResponse not yet called
  bool waking_ = false;
  bool handing_over_ = false;
};

Status CurlHttpClient::Impl::Start() {
  // Counts its calls; never undone, because others may use libcurl too.
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return Error{ErrorCode::kIo, "libcurl: cannot start"};
  }
  timer_ = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  wake_ = UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (timer_.get() < 0 || wake_.get() < 0) {
    return Error{ErrorCode::kIo, std::string("libcurl's timer: ") + std::strerror(errno)};
  }
  multi_ = curl_multi_init();
  CHECK(multi_ != nullptr);
  const auto set = [this](CURLMoption option, auto value) {
    const CURLMcode code = curl_multi_setopt(multi_, option, value);
    CHECK(code == CURLM_OK);
  };
  set(CURLMOPT_SOCKETFUNCTION, &OnSocketWanted);
  set(CURLMOPT_SOCKETDATA, this);
  set(CURLMOPT_TIMERFUNCTION, &OnTimerWanted);
  set(CURLMOPT_TIMERDATA, this);
  set(CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  set(CURLMOPT_MAXCONNECTS, static_cast<long>(options_.connections_max));
  set(CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(options_.connections_max));
  if (Status watched = poller_->Watch(wake_.get(), [this] { OnWake(); }); !watched.ok()) {
    return watched;
  }
  return poller_->Watch(timer_.get(), [this] { OnTimer(); });
}

CurlHttpClient::Impl::~Impl() {
  CHECK(!handing_over_);
  for (const auto& transfer : transfers_) curl_multi_remove_handle(multi_, transfer->easy.get());
  transfers_.clear();
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
  poller_->Forget(timer_.get());
  poller_->Forget(wake_.get());
}

void CurlHttpClient::Impl::Send(HttpRequest request, OnResponse on_response) {
  Transfer* transfer = TakeTransfer();
  transfer->request = std::move(request);
  transfer->on_response = std::move(on_response);
  const std::int64_t now_ns = ReadClock().monotonic_ns;
  const auto authorization = credentials_.Header(now_ns);
  if (!authorization.ok()) {
    transfer->response.error = ErrorLine(transfer->request, authorization.error().message);
    done_.push_back(transfer);
  } else {
    SetRequest(transfer, authorization.value());
    transfer->deadline_ns = now_ns + transfer->request.timeout_ms * kNsPerMs;
    CHECK(curl_multi_add_handle(multi_, transfer->easy.get()) == CURLM_OK);
    Run(CURL_SOCKET_TIMEOUT, 0);  // starts it: nothing waits for a turn of the loop
  }
  Arm();
}

Transfer* CurlHttpClient::Impl::TakeTransfer() {
  if (idle_.empty()) {
    transfers_.push_back(std::make_unique<Transfer>());
    transfers_.back()->easy.reset(curl_easy_init());
    CHECK(transfers_.back()->easy != nullptr);
    SetFixed(transfers_.back().get());
    return transfers_.back().get();
  }
  Transfer* transfer = idle_.back();
  idle_.pop_back();
  transfer->detail[0] = '\0';
  transfer->response = {};
  transfer->headers_complete = false;
  transfer->response_too_large = false;
  return transfer;
}

// What is the same for every request.
void CurlHttpClient::Impl::SetFixed(Transfer* transfer) {
  CURL* easy = transfer->easy.get();
  transfer->response_bytes_max = options_.response_bytes_max;
  Set(easy, CURLOPT_PRIVATE, transfer);
  Set(easy, CURLOPT_ERRORBUFFER, transfer->detail.data());
  Set(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  Set(easy, CURLOPT_WRITEDATA, transfer);
  Set(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  Set(easy, CURLOPT_HEADERDATA, transfer);
  Set(easy, CURLOPT_NOSIGNAL, 1L);
  Set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy, CURLOPT_USERAGENT, "coap-collector/" COLLECTOR_VERSION);
  Set(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  Set(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBufferBytes);
  SetConnection(easy);
  SetTls(easy);
}

void CurlHttpClient::Impl::SetConnection(CURL* easy) {
  Set(easy, CURLOPT_OPENSOCKETFUNCTION, &OnOpen);
  Set(easy, CURLOPT_OPENSOCKETDATA, this);
  Set(easy, CURLOPT_CLOSESOCKETFUNCTION, &OnClose);
  Set(easy, CURLOPT_CLOSESOCKETDATA, this);
  Set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
  Set(easy, CURLOPT_TCP_NODELAY, 1L);
  Set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  Set(easy, CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  Set(easy, CURLOPT_TCP_KEEPINTVL, kKeepAliveSeconds);
  Set(easy, CURLOPT_MAXAGE_CONN, kIdleSecondsMax);
  Set(easy, CURLOPT_MAXLIFETIME_CONN, kConnectionSecondsMax);
  // Otherwise a time-out while a name is looked up would wait for that look-up, on the loop.
  Set(easy, CURLOPT_QUICK_EXIT, 1L);
}

void CurlHttpClient::Impl::SetTls(CURL* easy) {
  const bool verify = options_.verification != TlsVerification::kNone;
  const bool verify_name = options_.verification == TlsVerification::kFull;
  Set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  Set(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
  Set(easy, CURLOPT_SSL_VERIFYHOST, verify_name ? 2L : 0L);
  if (!options_.ca_file.empty()) {
    Set(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
    Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    Set(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);  // it is small, and may be replaced while we run
  }
  if (!options_.certificate_file.empty()) {
    const std::string& key =
        options_.key_file.empty() ? options_.certificate_file : options_.key_file;
    Set(easy, CURLOPT_SSLCERT, options_.certificate_file.c_str());
    Set(easy, CURLOPT_SSLKEY, key.c_str());
    Set(easy, CURLOPT_KEYPASSWD, "");  // else a key that became encrypted asks at the terminal
  }
}

void CurlHttpClient::Impl::SetRequest(Transfer* transfer, std::string_view authorization) {
  CURL* easy = transfer->easy.get();
  const HttpRequest& request = transfer->request;
  const bool has_body =
      !request.body.empty() || request.method == "POST" || request.method == "PUT";
  transfer->headers.reset();
  AddHeader(transfer, "Expect:");  // else up to a second is lost at some proxies
  if (!authorization.empty()) AddHeader(transfer, std::string(authorization).c_str());
  for (const std::string& header : request.headers) AddHeader(transfer, header.c_str());
  Set(easy, CURLOPT_NOBODY, 0L);
  Set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (has_body) {
    std::string_view body = request.body;
    if (options_.compress && body.size() > kCompressBytesMin) {
      body = gzip_.Compress(body, &transfer->compressed);
      AddHeader(transfer, "Content-Encoding: gzip");
    }
    AddHeader(transfer, ("Content-Type: " + request.content_type).c_str());
    Set(easy, CURLOPT_POST, 1L);
    Set(easy, CURLOPT_POSTFIELDS, body.data());  // not copied
    Set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  } else if (request.method == "HEAD") {
    Set(easy, CURLOPT_NOBODY, 1L);
  } else {
    Set(easy, CURLOPT_HTTPGET, 1L);
  }
  Set(easy, CURLOPT_HTTPHEADER, transfer->headers.get());
  Set(easy, CURLOPT_URL, request.url.c_str());
}

curl_socket_t CurlHttpClient::Impl::OnOpen(void* user, curlsocktype, curl_sockaddr* address) {
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  static_cast<Impl*>(user)->sockets_[fd] = {.connection = true};
  return fd;
}

int CurlHttpClient::Impl::OnClose(void* user, curl_socket_t fd) {
  auto* self = static_cast<Impl*>(user);
  self->Unwatch(fd, &self->sockets_[fd]);
  self->sockets_.erase(fd);
  return close(fd);
}

// libcurl says which sockets it waits for. Where one cannot be watched its transfer times out.
int CurlHttpClient::Impl::OnSocketWanted(CURL*, curl_socket_t fd, int what, void* user, void*) {
  auto* self = static_cast<Impl*>(user);
  Socket& socket = self->sockets_[fd];
  if (what == CURL_POLL_REMOVE) {
    socket.idle = socket.connection && !socket.wanted.writable;
    if (!socket.idle) self->Unwatch(fd, &socket);
    if (!socket.connection) self->sockets_.erase(fd);
    return 0;
  }
  const Poller::Ready wanted{.readable = (what & CURL_POLL_IN) != 0,
                             .writable = (what & CURL_POLL_OUT) != 0};
  if (!socket.watched) {
    socket.watched =
        self->poller_
            ->WatchFor(fd, wanted, [self, fd](Poller::Ready ready) { self->OnSocket(fd, ready); })
            .ok();
  } else if (wanted != socket.wanted) {
    self->poller_->Change(fd, wanted);
  }
  socket.wanted = wanted;
  socket.idle = false;
  return 0;
}

void CurlHttpClient::Impl::Unwatch(int fd, Socket* socket) {
  if (socket->watched) poller_->Forget(fd);
  socket->watched = false;
}

// Called within libcurl, which must not be called from here. It rounds down: run a fraction too
// early, it can take its timer as done and yet find that nothing timed out.
int CurlHttpClient::Impl::OnTimerWanted(CURLM*, long timeout_ms, void* user) {
  auto* self = static_cast<Impl*>(user);
  self->due_ns_ = timeout_ms < 0    ? kNever
                  : timeout_ms == 0 ? 0
                                    : ReadClock().monotonic_ns + (timeout_ms + 1) * kNsPerMs;
  return 0;
}

void CurlHttpClient::Impl::OnSocket(int fd, Poller::Ready ready) {
  Socket& socket = sockets_[fd];
  if (socket.idle) {  // the server closed it, as libcurl sees when it would use it again
    Unwatch(fd, &socket);
    return;
  }
  Run(fd, (ready.readable ? CURL_CSELECT_IN : 0) | (ready.writable ? CURL_CSELECT_OUT : 0));
  HandOver();
  Arm();
}

void CurlHttpClient::Impl::OnTimer() {
  std::uint64_t fired = 0;
  static_cast<void>(!read(timer_.get(), &fired, sizeof(fired)));  // it is the timer that counts
  armed_ns_ = kNever;
  const std::int64_t now_ns = ReadClock().monotonic_ns;
  if (now_ns >= due_ns_) Run(CURL_SOCKET_TIMEOUT, 0);
  GiveUpLate(now_ns);
  HandOver();
  Arm();
}

// Not left to libcurl, which forgets a timer that is due within the millisecond after another.
void CurlHttpClient::Impl::GiveUpLate(std::int64_t now_ns) {
  for (const auto& transfer : transfers_) {
    if (now_ns < transfer->deadline_ns) continue;
    CHECK(curl_multi_remove_handle(multi_, transfer->easy.get()) == CURLM_OK);
    Finish(transfer.get(), CURLE_OPERATION_TIMEDOUT);
  }
}

void CurlHttpClient::Impl::OnWake() {
  std::uint64_t count = 0;
  static_cast<void>(!read(wake_.get(), &count, sizeof(count)));
  waking_ = false;
  HandOver();
  Arm();
}

// Runs libcurl, again while it wants to at once: a turn of the loop in between would be lost time.
void CurlHttpClient::Impl::Run(curl_socket_t fd, int events) {
  for (int run = 0; run < kRunsMax; ++run) {
    if (fd == CURL_SOCKET_TIMEOUT) due_ns_ = kNever;
    int running = 0;
    CHECK(curl_multi_socket_action(multi_, fd, events, &running) == CURLM_OK);
    if (due_ns_ != 0) break;
    fd = CURL_SOCKET_TIMEOUT;
    events = 0;
  }
  CollectDone();
}

void CurlHttpClient::Impl::CollectDone() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;  // the message goes with its handle
    Transfer* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    CHECK(curl_multi_remove_handle(multi_, easy) == CURLM_OK);
    Finish(transfer, code);
  }
}

void CurlHttpClient::Impl::Finish(Transfer* transfer, CURLcode code) {
  HttpResponse& response = transfer->response;
  const long status = Number(transfer->easy.get(), CURLINFO_RESPONSE_CODE);
  if (code == CURLE_OK && transfer->headers_complete && status >= 200) {
    response.status = static_cast<int>(status);
  } else {
    response.body.clear();
    response.error =
        ErrorLine(transfer->request, Cause(*transfer, code, options_.connect_timeout_ms));
  }
  transfer->deadline_ns = kNever;
  done_.push_back(transfer);
}

// What an OnResponse sends and fails at once waits for the next turn: the loop must go round.
void CurlHttpClient::Impl::HandOver() {
  std::vector<Transfer*> done;
  done.swap(done_);
  handing_over_ = true;
  for (Transfer* transfer : done) {
    HttpResponse response = std::move(transfer->response);
    response.request_body = std::move(transfer->request.body);
    const OnResponse on_response = std::exchange(transfer->on_response, nullptr);
    idle_.push_back(transfer);
    on_response(std::move(response));
  }
  handing_over_ = false;
}

// Sees to it that the loop comes back when it must. The timer is only ever set earlier: one that
// fires too early is set again, which is rarer than requests.
void CurlHttpClient::Impl::Arm() {
  if (!done_.empty() && !waking_) {
    const std::uint64_t one = 1;
    CHECK(write(wake_.get(), &one, sizeof(one)) == sizeof(one));
    waking_ = true;
  }
  std::int64_t wanted_ns = due_ns_;
  for (const auto& transfer : transfers_) wanted_ns = std::min(wanted_ns, transfer->deadline_ns);
  if (wanted_ns >= armed_ns_) return;
  const std::int64_t at_ns = std::max<std::int64_t>(wanted_ns, 1);  // 0 would disarm it
  itimerspec at{};
  at.it_value.tv_sec = at_ns / kNsPerSecond;
  at.it_value.tv_nsec = at_ns % kNsPerSecond;
  CHECK(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr) == 0);
  armed_ns_ = wanted_ns;
}

CurlHttpClient::CurlHttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

CurlHttpClient::~CurlHttpClient() = default;

Result<std::unique_ptr<CurlHttpClient>> CurlHttpClient::Create(const HttpClientOptions& options,
                                                               Poller* poller) {
  CHECK(options.connections_max > 0 && options.connect_timeout_ms > 0);
  if (Status usable = CheckTlsFiles(options); !usable.ok()) return usable.error();
  auto credentials = Credentials::Create(options);
  if (!credentials.ok()) return credentials.error();
  auto impl = std::make_unique<Impl>(options, std::move(credentials).value(), poller);
  if (Status started = impl->Start(); !started.ok()) return started.error();
  return std::unique_ptr<CurlHttpClient>(new CurlHttpClient(std::move(impl)));
}

void CurlHttpClient::Send(HttpRequest request, OnResponse on_response) {
  impl_->Send(std::move(request), std::move(on_response));
}

}  // namespace collector
