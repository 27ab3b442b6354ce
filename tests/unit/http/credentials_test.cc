#include "collector/http/credentials.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "collector/base/clock.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

using Catch::Matchers::ContainsSubstring;

class SecretFile {
 public:
  explicit SecretFile(const std::string& content)
      : path_(std::filesystem::temp_directory_path() /
              ("collector-secret-" + std::to_string(getpid()))) {
    Write(content);
  }
  ~SecretFile() { std::filesystem::remove(path_); }
  void Write(const std::string& content) const { std::ofstream(path_) << content; }
  void Remove() const { std::filesystem::remove(path_); }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::string HeaderOf(const HttpClientOptions& options) {
  auto credentials = Credentials::Create(options);
  REQUIRE(credentials.ok());
  auto header = credentials.value().Header(0);
  REQUIRE(header.ok());
  return std::string(header.value());
}

std::string ErrorOf(const HttpClientOptions& options) {
  const auto credentials = Credentials::Create(options);
  REQUIRE_FALSE(credentials.ok());
  CHECK(credentials.error().code == ErrorCode::kConfig);
  return credentials.error().message;
}

TEST_CASE("Each kind of credentials has its header") {
  CHECK(HeaderOf({}).empty());
  CHECK(HeaderOf({.user = "elastic", .password = "changeme"}) ==
        "Authorization: Basic ZWxhc3RpYzpjaGFuZ2VtZQ==");
  CHECK(HeaderOf({.api_key = "id:key"}) == "Authorization: ApiKey aWQ6a2V5");
  CHECK(HeaderOf({.api_key = "aWQ6a2V5"}) == "Authorization: ApiKey aWQ6a2V5");
  CHECK(HeaderOf({.bearer = "token"}) == "Authorization: Bearer token");
}

TEST_CASE("A secret's file may end with a line's end") {
  const SecretFile file("token");
  CHECK(HeaderOf({.bearer_file = file.path()}) == "Authorization: Bearer token");
  file.Write("changeme\r\n");
  CHECK(HeaderOf({.user = "elastic", .password_file = file.path()}) ==
        "Authorization: Basic ZWxhc3RpYzpjaGFuZ2VtZQ==");
  file.Write("id:key\n");
  CHECK(HeaderOf({.api_key_file = file.path()}) == "Authorization: ApiKey aWQ6a2V5");
}

TEST_CASE("A secret's file is read again when it changed, at most once a second") {
  const SecretFile file("first\n");
  auto credentials = Credentials::Create({.bearer_file = file.path()});
  REQUIRE(credentials.ok());
  std::int64_t now_ns = 100 * kNsPerSecond;
  const auto header = [&credentials, &now_ns] { return credentials.value().Header(now_ns); };
  CHECK(header().value() == "Authorization: Bearer first");
  file.Write("the-second\n");
  now_ns += kNsPerSecond - 1;
  CHECK(header().value() == "Authorization: Bearer first");
  now_ns += 1;
  CHECK(header().value() == "Authorization: Bearer the-second");
  file.Remove();
  now_ns += kNsPerSecond;
  CHECK(header().error().message ==
        "bearer token file " + file.path() + ": No such file or directory");
  file.Write("");
  now_ns += kNsPerSecond;
  CHECK(header().error().message == "bearer token file " + file.path() + ": empty");
  file.Write("third");
  now_ns += kNsPerSecond;
  CHECK(header().value() == "Authorization: Bearer third");
}

TEST_CASE("Credentials that contradict each other are refused") {
  CHECK_THAT(ErrorOf({.user = "a", .password = "b", .bearer = "c"}),
             ContainsSubstring("more than one kind of credentials"));
  CHECK_THAT(ErrorOf({.api_key_file = "/a", .bearer_file = "/b"}),
             ContainsSubstring("more than one kind of credentials"));
  CHECK(ErrorOf({.user = "elastic"}) == "user 'elastic' without a password");
  CHECK(ErrorOf({.password = "secret"}) == "a password without a user");
  CHECK(ErrorOf({.user = "a:b", .password = "c"}) == "user 'a:b': a user cannot contain ':'");
  CHECK(ErrorOf({.bearer = "secret", .bearer_file = "/token"}) ==
        "bearer token file /token: given both as a value and as a file");
}

TEST_CASE("A secret that cannot be used is refused without being shown") {
  CHECK(ErrorOf({.bearer_file = "/nowhere/token"}) ==
        "bearer token file /nowhere/token: No such file or directory");
  CHECK(ErrorOf({.user = "elastic", .password_file = "/"}) ==
        "password file /: not a regular file");
  const SecretFile file("\n");
  CHECK(ErrorOf({.api_key_file = file.path()}) == "API key file " + file.path() + ": empty");
  file.Write("two\nlines");
  CHECK(ErrorOf({.bearer_file = file.path()}) ==
        "bearer token file " + file.path() + ": holds blanks or characters beyond ASCII");
  CHECK(ErrorOf({.bearer = "two\r\nlines"}) ==
        "bearer token: holds blanks or characters beyond ASCII");
  file.Write(std::string(16 * 1024 + 1, 'x'));
  CHECK(ErrorOf({.bearer_file = file.path()}) ==
        "bearer token file " + file.path() + ": longer than 16 KiB");
}

}  // namespace
}  // namespace collector
