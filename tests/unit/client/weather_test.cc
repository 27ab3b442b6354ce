#include "client/weather.h"

#include <algorithm>

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

// As openweathermap.org documents it, for units=metric.
constexpr const char* kReport = R"({"coord":{"lon":10.99,"lat":44.34},
  "weather":[{"id":501,"main":"Rain","description":"moderate rain","icon":"10d"}],
  "base":"stations","main":{"temp":25.2,"feels_like":25.6,"temp_min":24,"temp_max":26.1,
  "pressure":1015,"humidity":64},"visibility":10000,"wind":{"speed":0.62,"deg":349,"gust":1.18},
  "rain":{"1h":3.16},"clouds":{"all":100},"dt":1661870592,"name":"Zocca","cod":200})";

std::string MessageOf(int status, std::string_view body, std::string_view city = "Zocca") {
  const auto readings = ReadWeather(status, body, city);
  REQUIRE_FALSE(readings.ok());
  return readings.error().message;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a report becomes readings with the report's time") {
  const auto readings = ReadWeather(200, kReport, "Zocca");
  REQUIRE(readings.ok());
  const auto value = [&](const std::string& type) -> Json {
    const auto found = std::find_if(readings.value().begin(), readings.value().end(),
                                    [&](const Reading& reading) { return reading.type == type; });
    return found == readings.value().end() ? Json() : found->value;
  };
  CHECK(readings.value().size() == 9);
  CHECK(value("temperature") == Json(25.2));
  CHECK(value("humidity") == Json(64));
  CHECK(value("pressure") == Json(1015));
  CHECK(value("windSpeed") == Json(0.62));
  CHECK(value("windDirection") == Json(349));
  CHECK(value("cloudiness") == Json(100));
  CHECK(value("visibility") == Json(10000));
  CHECK(value("rain") == Json(3.16));
  CHECK(value("snow").is_null());
  CHECK(value("weather") == Json("moderate rain"));
  for (const Reading& reading : readings.value()) {
    CHECK(reading.timestamp_ns == 1'661'870'592'000'000'000);
  }
}

TEST_CASE("what is not 200 says what to do") {
  CHECK(Has(MessageOf(401, R"({"cod":401,"message":"Invalid API key."})"), "API"));
  CHECK(Has(MessageOf(404, R"({"cod":"404","message":"city not found"})", "Nowhere"), "'Nowhere'"));
  CHECK(Has(MessageOf(429, ""), "limit"));
  CHECK(Has(MessageOf(500, R"({"message":"internal"})"), "HTTP 500: internal"));
  CHECK(Has(MessageOf(503, "<html>"), "HTTP 503"));
  CHECK(Has(MessageOf(500, "[]"), "HTTP 500"));
}

TEST_CASE("what is no report is told so") {
  for (const char* body :
       {"", "<html>", "[]", "{}", R"({"dt":1})", R"({"dt":"now","main":{"temp":1}})",
        R"({"dt":-1,"main":{"temp":1}})", R"({"dt":99999999999999,"main":{"temp":1}})",
        R"({"dt":1,"main":{"temp":null}})", R"({"dt":1,"main":7})",
        R"({"dt":1,"main":{"humidity":40}})"}) {
    INFO(body);
    CHECK(Has(MessageOf(200, body), "not a weather report"));
  }
}

TEST_CASE("the URL escapes city and key") {
  CHECK(WeatherUrl("http://127.0.0.1:8000/", "New York,US", "a&b") ==
        "http://127.0.0.1:8000/data/2.5/weather?units=metric&q=New%20York%2CUS&appid=a%26b");
}

}  // namespace
}  // namespace collector::client
