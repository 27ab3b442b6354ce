#include "collector/http/curl_http_client.h"

#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "collector/base/clock.h"
#include "collector/http/perform.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/local_http_server.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

using Catch::Matchers::ContainsSubstring;
using Answer = LocalHttpServer::Answer;
using Request = LocalHttpServer::Request;
using Then = LocalHttpServer::Then;

LocalHttpServer::OnRequest Always(const std::string& bytes, Then then = Then::kKeepOpen) {
  return [bytes, then](const Request&) { return Answer{bytes, then}; };
}

const std::string kOk = LocalHttpServer::Response(200, "ok");

class Client {
 public:
  explicit Client(const HttpClientOptions& options = {})
      : poller_(Poller::Create().value()),
        client_(CurlHttpClient::Create(options, poller_.get()).value()) {}

  HttpResponse Get(const std::string& url) { return Ask({.url = url}); }
  HttpResponse Post(const std::string& url, const std::string& body = "{}\n") {
    return Ask(Bulk(url, body));
  }
  HttpResponse Ask(HttpRequest request) {
    return Perform(client_.get(), poller_.get(), std::move(request));
  }
  static HttpRequest Bulk(const std::string& url, const std::string& body) {
    return {.method = "POST", .url = url, .content_type = "application/x-ndjson", .body = body};
  }
  void Turn(int timeout_ms = 1'000) {
    poller_->Wait(timeout_ms);
    poller_->Dispatch();
  }
  void Destroy() { client_.reset(); }
  HttpClient* operator->() { return client_.get(); }

 private:
  std::unique_ptr<Poller> poller_;
  std::unique_ptr<CurlHttpClient> client_;
};

std::string Zlib(const std::string& text, bool compress) {
  z_stream stream{};
  CHECK((compress ? deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY)
                  : inflateInit2(&stream, 15 + 16)) == Z_OK);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK((compress ? deflate(&stream, Z_FINISH) : inflate(&stream, Z_FINISH)) == Z_STREAM_END);
  out.resize(stream.total_out);
  compress ? deflateEnd(&stream) : inflateEnd(&stream);
  return out;
}

// Compressible like a bulk body.
std::string Lines(std::size_t count) {
  std::string lines;
  for (std::size_t i = 0; i < count; ++i) lines += R"({"value":)" + std::to_string(i) + "}\n";
  return lines;
}

TEST_CASE("A request is sent as it is, and its body handed back") {
  LocalHttpServer server(Always(LocalHttpServer::Response(201, "created")));
  Client client;
  const HttpResponse response = client.Post(server.Url("/events/_bulk?filter_path=errors"));
  CHECK(response.error.empty());
  CHECK(response.status == 201);
  CHECK(response.body == "created");
  CHECK(response.request_body == "{}\n");
  const Request request = server.requests().at(0);
  CHECK(request.line == "POST /events/_bulk?filter_path=errors HTTP/1.1");
  CHECK(request.body == "{}\n");
  CHECK(request.Header("content-type") == "application/x-ndjson");
  CHECK(request.Header("user-agent") == "coap-collector/" COLLECTOR_VERSION);
  CHECK(request.Header("accept-encoding") == "gzip");
  for (const char* absent : {"authorization", "content-encoding"}) {
    CHECK(request.headers.count(absent) == 0);
  }
}

TEST_CASE("Every method keeps its name and its body on one connection") {
  LocalHttpServer server([](const Request& request) {
    const bool head = request.line.starts_with("HEAD");
    return Answer{head ? "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" : kOk, Then::kKeepOpen};
  });
  Client client;
  for (const std::string method : {"GET", "POST", "HEAD", "PUT", "DELETE", "GET"}) {
    const std::string body = method == "PUT" ? "{}" : "";
    CHECK(client.Ask({.method = method, .url = server.Url("/x"), .body = body}).status == 200);
    CHECK(server.requests().back().line == method + " /x HTTP/1.1");
    CHECK(server.requests().back().body == body);
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("A body above 1 KB is compressed, and handed back as it was") {
  LocalHttpServer server(Always(kOk));
  const std::string body = Lines(10'000);
  Client client;
  for (int i = 0; i < 2; ++i) {
    CHECK((client.Post(server.Url("/"), body).request_body == body));
  }
  for (const Request& request : server.requests()) {
    CHECK(request.Header("content-encoding") == "gzip");
    CHECK(request.body.size() < body.size() / 3);
    CHECK((Zlib(request.body, false) == body));
  }
  client.Post(server.Url("/"), std::string(1024, 'x'));
  CHECK(server.requests().back().body == std::string(1024, 'x'));

  Client plain({.compress = false});
  const std::string longer_than_buffers(3'000'000, 'x');
  plain.Post(server.Url("/"), longer_than_buffers);
  const Request request = server.requests().back();
  CHECK(request.headers.count("content-encoding") == 0);
  CHECK(request.headers.count("expect") == 0);  // libcurl would ask before so much
  CHECK((request.body == longer_than_buffers));
}

TEST_CASE("A compressed answer is decoded") {
  LocalHttpServer server(Always(
      LocalHttpServer::Response(200, Zlib(Lines(10'000), true), "Content-Encoding: gzip\r\n")));
  CHECK((Client().Get(server.Url("/")).body == Lines(10'000)));
}

TEST_CASE("An answer larger than the limit is an error, also when it is small as sent") {
  LocalHttpServer server(Always(LocalHttpServer::Response(200, Zlib(std::string(2'001, 'x'), true),
                                                          "Content-Encoding: gzip\r\n")));
  const HttpResponse response = Client({.response_bytes_max = 2'000}).Get(server.Url("/"));
  CHECK(response.status == 0);
  CHECK(response.body.empty());
  CHECK(response.error == "GET " + server.Url("/") + ": the answer is larger than 2000 bytes");
  CHECK(Client({.response_bytes_max = 2'001}).Get(server.Url("/")).status == 200);
}

TEST_CASE("An answer that is not all there is none") {
  const auto [bytes, then, cause] = GENERATE(table<std::string, Then, std::string>(
      {{"", Then::kClose, "the connection was closed without an answer"},
       {"", Then::kReset, "Recv failure: Connection reset by peer"},
       {"HTTP/1.1 200 OK\r\nContent-Ty", Then::kClose, "the answer was cut short"},
       {"HTTP/1.1 200 OK\r\n", Then::kClose, "the answer was cut short"},
       {"HTTP/1.1 100 Continue\r\n\r\n", Then::kClose,
        "the connection was closed without an answer"},
       {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Then::kClose,
        "the answer was cut short"},
       {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Then::kClose, "the answer was cut short"},
       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", Then::kClose,
        "the answer was cut short"},
       {"CoAP/1.0 205\r\n\r\n", Then::kClose, "HTTP/0.9"}}));
  LocalHttpServer server(Always(bytes, then));
  const HttpResponse response = Client().Post(server.Url("/_bulk"), "the body");
  INFO(response.error);
  CHECK(response.status == 0);
  CHECK(response.body.empty());
  CHECK(response.request_body == "the body");
  CHECK(response.error.starts_with("POST " + server.Url("/_bulk") + ": "));
  CHECK_THAT(response.error, ContainsSubstring(cause));
}

TEST_CASE("An answer that does not come in time is an error") {
  LocalHttpServer server(Always("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
  Client client;
  const HttpResponse response = client.Ask({.url = server.Url("/"), .timeout_ms = 50});
  CHECK(response.status == 0);
  CHECK(response.error == "GET " + server.Url("/") + ": no answer within 50 ms");
  CHECK(client.Ask({.url = server.Url("/"), .timeout_ms = -1}).status == 0);
}

TEST_CASE("A refused connection is told in one line, and not within Send") {
  std::string url;
  {
    LocalHttpServer server(Always(kOk));
    url = server.Url("/_bulk");
  }
  Client client;
  bool answered = false;
  client->Send(Client::Bulk(url, "{}\n"), [&answered, &url](HttpResponse response) {
    CHECK(response.status == 0);
    CHECK(response.error == "POST " + url + ": could not connect: Connection refused");
    CHECK(response.request_body == "{}\n");
    answered = true;
  });
  CHECK_FALSE(answered);
  while (!answered) client.Turn();
}

TEST_CASE("An error shows neither credentials nor query, in one line") {
  Client client;
  CHECK_THAT(client.Get("ftp://user:secret@host/path?key=secret").error,
             Catch::Matchers::StartsWith("GET ftp://host/path: Protocol \"ftp\" "));
  CHECK_THAT(client.Get("http://us@er:secret@127.0.0.1:99999?key=secret").error,
             ContainsSubstring("GET http://127.0.0.1:99999: URL using bad/illegal format"));
  CHECK_THAT(client.Get("no/url\nat all").error, ContainsSubstring("GET no/url at all: "));
}

TEST_CASE("Connections are kept, bounded, and replaced when the server closed them") {
  LocalHttpServer server(Always(kOk));
  Client client({.connections_max = 2});
  int answers = 0;
  for (int i = 0; i < 6; ++i) {
    client->Send(Client::Bulk(server.Url("/"), "{}"), [&answers](HttpResponse response) {
      CHECK(response.status == 200);
      ++answers;
    });
  }
  while (answers < 6) client.Turn();
  CHECK(server.connections() == 2);
  CHECK(server.requests().size() == 6);

  LocalHttpServer closing(Always(kOk, Then::kClose));
  for (int i = 0; i < 5; ++i) CHECK(client.Get(closing.Url("/")).status == 200);
  CHECK(closing.requests().size() == 5);
}

TEST_CASE("An idle connection that the server closed does not keep the loop awake") {
  LocalHttpServer server(Always(kOk, Then::kClose));
  Client client;
  CHECK(client.Get(server.Url("/")).status == 200);
  std::int64_t waited_ns = 0;
  for (int turn = 0; turn < 3; ++turn) {  // its end may come within any but the last
    const std::int64_t begin_ns = ReadClock().monotonic_ns;
    client.Turn(20);
    waited_ns = ReadClock().monotonic_ns - begin_ns;
  }
  CHECK(waited_ns >= 19 * kNsPerMs);
}

TEST_CASE("An OnResponse may send, and what fails at once then waits for the loop") {
  Client client;
  int answers = 0;
  bool within = false;
  HttpClient::OnResponse again = [&](HttpResponse) {
    CHECK_FALSE(within);
    within = true;
    if (++answers < 3) client->Send({.url = "ftp://host/"}, again);
    within = false;
  };
  client->Send({.url = "ftp://host/"}, again);
  for (int turn = 1; turn <= 3; ++turn) {
    client.Turn();
    CHECK(answers == turn);
  }
}

TEST_CASE("A client that is destroyed gives up what is under way") {
  LocalHttpServer server(Always("HTTP/1.1 200 OK\r\n"));
  Client client;
  const auto fail = [](HttpResponse) { FAIL("answered"); };
  client->Send({.url = server.Url("/")}, fail);
  while (server.requests().empty()) client.Turn();
  client->Send({.url = "ftp://failed-already/"}, fail);
  client.Destroy();
}

TEST_CASE("A redirect is an answer as any other") {
  LocalHttpServer server(
      Always(LocalHttpServer::Response(307, "", "Location: http://127.0.0.1:9/\r\n")));
  CHECK(Client({.bearer = "token"}).Post(server.Url("/")).status == 307);
  CHECK(server.requests().size() == 1);
}

TEST_CASE("Credentials go with every request") {
  LocalHttpServer server(Always(kOk));
  Client client({.api_key = "id:key"});
  for (int i = 0; i < 2; ++i) client.Post(server.Url("/"));
  for (const Request& request : server.requests()) {
    CHECK(request.Header("authorization") == "ApiKey aWQ6a2V5");
  }
}

class Directory {
 public:
  Directory()
      : path_(std::filesystem::temp_directory_path() /
              ("collector-http-" + std::to_string(getpid()))) {
    std::filesystem::create_directory(path_);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

TEST_CASE("TLS is verified as far as the options say") {
  const Directory directory;
  const std::string ca_file = directory.File("ca.pem");
  const std::string other_ca_file = directory.File("other.pem");
  const Signed authority = MakeCertificate("authority", "", nullptr);
  authority.WriteCertificate(ca_file);
  MakeCertificate("other authority", "", nullptr).WriteCertificate(other_ca_file);
  const Signed certificate = MakeCertificate("server", "IP:127.0.0.1", &authority);
  const Signed wrong_name = MakeCertificate("server", "DNS:collector.test", &authority);
  const ServerTls tls = MakeServerTls(certificate);
  const ServerTls wrong_name_tls = MakeServerTls(wrong_name);
  LocalHttpServer server(Always(kOk), tls.get());
  LocalHttpServer elsewhere(Always(kOk), wrong_name_tls.get());
  using enum TlsVerification;

  const auto ask = [](const std::string& file, TlsVerification verification,
                      const LocalHttpServer& whom) {
    return Client({.ca_file = file, .verification = verification, .connect_timeout_ms = 30'000})
        .Post(whom.Url("/"));
  };
  CHECK(ask(ca_file, kFull, server).error == "");
  CHECK_THAT(ask(ca_file, kFull, elsewhere).error,
             ContainsSubstring("does not match target host name '127.0.0.1'") ||
                 ContainsSubstring("no alternative certificate subject name matches"));
  CHECK(ask(ca_file, kCertificate, elsewhere).error == "");
  CHECK_THAT(ask(other_ca_file, kCertificate, server).error,
             ContainsSubstring("unable to get local issuer certificate"));
  CHECK_THAT(ask("", kFull, server).error, ContainsSubstring("SSL certificate problem"));
  CHECK(ask("", kNone, elsewhere).error == "");
  CHECK(elsewhere.requests().size() == 2);
}

TEST_CASE("A server may ask for the client's certificate") {
  const Directory directory;
  const Signed authority = MakeCertificate("authority", "", nullptr);
  const Signed certificate = MakeCertificate("server", "IP:127.0.0.1", &authority);
  const ServerTls tls = MakeServerTls(certificate, &authority);
  LocalHttpServer server(Always(kOk), tls.get());
  HttpClientOptions options{.ca_file = directory.File("ca.pem"), .connect_timeout_ms = 30'000};
  authority.WriteCertificate(options.ca_file);
  CHECK(Client(options).Get(server.Url("/")).status == 0);

  const Signed ours = MakeCertificate("collector", "DNS:collector.test", &authority);
  options.certificate_file = directory.File("certificate.pem");
  options.key_file = directory.File("key.pem");
  ours.WriteCertificate(options.certificate_file);
  ours.WriteKey(options.key_file);
  CHECK(Client(options).Get(server.Url("/")).error == "");
}

TEST_CASE("Files that cannot be used are told before anything is connected") {
  const Directory directory;
  const std::string certificate_file = directory.File("certificate.pem");
  const std::string key_file = directory.File("key.pem");
  const Signed ours = MakeCertificate("collector", "", nullptr);
  ours.WriteCertificate(certificate_file);
  const auto poller = Poller::Create().value();
  const auto error = [&poller](const HttpClientOptions& options) {
    const auto client = CurlHttpClient::Create(options, poller.get());
    REQUIRE_FALSE(client.ok());
    CHECK(client.error().code == ErrorCode::kConfig);
    return client.error().message;
  };
  CHECK(error({.ca_file = "/nowhere/ca.pem"}) ==
        "CA file /nowhere/ca.pem: No such file or directory");
  std::ofstream(key_file) << "no PEM";
  CHECK(error({.ca_file = key_file}) == "CA file " + key_file + ": holds no certificate in PEM");
  CHECK(error({.key_file = key_file}) ==
        "key file " + key_file + ": given without its certificate");
  const HttpClientOptions both{.certificate_file = certificate_file, .key_file = key_file};
  CHECK(error(both) == "key file " + key_file + ": holds no unencrypted key in PEM");
  ours.WriteKey(key_file, "passphrase");
  CHECK(error(both) == "key file " + key_file + ": holds no unencrypted key in PEM");
  MakeCertificate("other", "", nullptr).WriteKey(key_file);
  CHECK(error(both) == "key file " + key_file + ": is not the key of " + certificate_file);
  CHECK(error({.bearer_file = "/nowhere/token"}) ==
        "bearer token file /nowhere/token: No such file or directory");
}

}  // namespace
}  // namespace collector
