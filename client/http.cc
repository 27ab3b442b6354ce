#include "client/http.h"

#include <curl/curl.h>

#include <array>
#include <cstddef>
#include <memory>

namespace collector::client {
namespace {

struct Body {
  std::string* text;
  std::size_t bytes_max;
};

// libcurl's signature; another size than all of the data ends the transfer.
std::size_t Append(char* data, std::size_t size, std::size_t count, void* user) {
  const auto* body = static_cast<Body*>(user);
  if (body->text->size() + size * count > body->bytes_max) return 0;
  body->text->append(data, size * count);
  return size * count;
}

std::string HostOf(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  std::string authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  return authority.substr(authority.find('@') + 1);
}

using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

void Add(const std::string& line, Headers* headers) {
  curl_slist* const longer = curl_slist_append(headers->get(), line.c_str());
  CHECK(longer != nullptr);
  static_cast<void>(headers->release());
  headers->reset(longer);
}

}  // namespace

Result<HttpResponse> Ask(const HttpRequest& request) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  CHECK(curl != nullptr);
  Headers headers(nullptr, &curl_slist_free_all);
  if (!request.authorization.empty()) Add("Authorization: " + request.authorization, &headers);
  if (!request.body.empty()) Add("Content-Type: application/json", &headers);
  HttpResponse response;
  Body body{.text = &response.body, .bytes_max = request.answer_bytes_max};
  std::array<char, CURL_ERROR_SIZE> error{};
  const auto set = [&curl](CURLoption option, auto value) {
    curl_easy_setopt(curl.get(), option, value);
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_TIMEOUT, static_cast<long>(request.timeout.count()));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "coap-collector/" COLLECTOR_VERSION);
  set(CURLOPT_ERRORBUFFER, error.data());
  set(CURLOPT_WRITEFUNCTION, &Append);
  set(CURLOPT_WRITEDATA, &body);
  set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (!request.body.empty()) set(CURLOPT_POSTFIELDS, request.body.c_str());
  if (headers != nullptr) set(CURLOPT_HTTPHEADER, headers.get());
  if (!request.ca_file.empty()) set(CURLOPT_CAINFO, request.ca_file.c_str());
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_WRITE_ERROR) {
    return Error{ErrorCode::kUnavailable, HostOf(request.url) + " answered with more than " +
                                              std::to_string(request.answer_bytes_max >> 20) +
                                              " MiB"};
  }
  if (code != CURLE_OK) {
    // The buffer's text can quote the URL of a malformed one; the code's never does.
    const bool quotes = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    const std::string why =
        error[0] == '\0' || quotes ? curl_easy_strerror(code) : std::string(error.data());
    return Error{ErrorCode::kUnavailable, "cannot ask " + HostOf(request.url) + ": " + why};
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

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string encoded;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      encoded.push_back(at + i > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * i) & 63]);
    }
  }
  return encoded;
}

}  // namespace collector::client
