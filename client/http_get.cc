#include "client/http_get.h"

#include <curl/curl.h>

#include <array>
#include <cstddef>
#include <memory>

namespace collector::client {
namespace {

constexpr std::size_t kBodyBytesMax = 1 << 20;

// libcurl's signature; another size than all of the data ends the transfer.
std::size_t Append(char* data, std::size_t size, std::size_t count, void* user) {
  auto* body = static_cast<std::string*>(user);
  if (body->size() + size * count > kBodyBytesMax) return 0;
  body->append(data, size * count);
  return size * count;
}

std::string HostOf(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  std::string authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  return authority.substr(authority.find('@') + 1);
}

}  // namespace

Result<HttpResponse> HttpGet(const std::string& url, std::chrono::seconds timeout) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  CHECK(curl != nullptr);
  HttpResponse response;
  std::array<char, CURL_ERROR_SIZE> error{};
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, static_cast<long>(timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_USERAGENT, "coap-collector/" COLLECTOR_VERSION);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, error.data());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &response.body);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_WRITE_ERROR) {
    return Error{ErrorCode::kUnavailable, HostOf(url) + " answered with more than 1 MiB"};
  }
  if (code != CURLE_OK) {
    // The buffer's text can quote the URL of a malformed one; the code's never does.
    const bool quotes = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    const std::string why =
        error[0] == '\0' || quotes ? curl_easy_strerror(code) : std::string(error.data());
    return Error{ErrorCode::kUnavailable, "cannot ask " + HostOf(url) + ": " + why};
  }
  long status = 0;  // libcurl's type
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  return response;
}

std::string UrlEncode(std::string_view text) {
  const std::unique_ptr<char, decltype(&curl_free)> encoded(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), &curl_free);
  CHECK(encoded != nullptr);
  return encoded.get();
}

}  // namespace collector::client
