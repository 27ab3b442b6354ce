#include "client/measurements.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

// A machine's files, gone with its test.
class Machine {
 public:
  Machine()
      : root_(std::filesystem::temp_directory_path() /
              ("client-measurements-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(root_);
  }
  ~Machine() { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  [[nodiscard]] std::map<std::string, Json> Readings() const {
    std::map<std::string, Json> out;
    for (const Reading& reading : Measure(root_.string())) out[reading.type] = reading.value;
    return out;
  }

 private:
  std::filesystem::path root_;
};

TEST_CASE("the kernel's files are read") {
  CHECK(ParseLoadAverage("0.89 1.75 1.27 2/345 6789\n") == std::array<double, 3>{0.89, 1.75, 1.27});
  const auto memory = ParseMemory(
      "MemTotal:        3884352 kB\nMemFree:          200 kB\nMemAvailable:    3000000 kB\n");
  REQUIRE(memory.has_value());
  CHECK(memory->total_bytes == 3884352ull * 1024);
  CHECK(memory->available_bytes == 3000000ull * 1024);
  CHECK(ParseUptime("4742.15 9000.00\n") == 4742.15);
  CHECK(ParseTemperature("48312\n") == 48.312);
  CHECK(ParseTemperature("-5000\n") == -5.0);
}

TEST_CASE("files that are empty or something else give nothing") {
  CHECK_FALSE(ParseLoadAverage("").has_value());
  CHECK_FALSE(ParseLoadAverage("0.89 1.75").has_value());
  CHECK_FALSE(ParseMemory("").has_value());
  CHECK_FALSE(ParseMemory("MemTotal: 5 kB\n").has_value());
  CHECK_FALSE(ParseMemory("MemTotal: 5 kB\nMemAvailable: 6 kB\n").has_value());
  CHECK_FALSE(ParseUptime("up").has_value());
  CHECK_FALSE(ParseTemperature("").has_value());
}

TEST_CASE("a Raspberry Pi tells all of it") {
  const Machine machine;
  machine.Write("proc/loadavg", "0.1 0.2 0.3 1/100 7\n");
  machine.Write("proc/meminfo", "MemTotal: 10 kB\nMemAvailable: 4 kB\n");
  machine.Write("proc/uptime", "12.5 20\n");
  machine.Write("sys/class/thermal/thermal_zone0/temp", "48312\n");
  machine.Write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
  machine.Write("sys/class/thermal/thermal_zone2/temp", "40000\n");
  machine.Write("sys/class/thermal/thermal_zone2/type", "cpu-thermal\n");
  machine.Write("sys/class/thermal/thermal_zone3/temp", "30000\n");
  auto readings = machine.Readings();
  CHECK(readings["load1"] == Json(0.1));
  CHECK(readings["load5"] == Json(0.2));
  CHECK(readings["load15"] == Json(0.3));
  CHECK(readings["memoryUsed"] == Json(6 * 1024));
  CHECK(readings["memoryAvailable"] == Json(4 * 1024));
  CHECK(readings["uptime"] == Json(12.5));
  CHECK(readings["diskFree"].is_number_unsigned());
  CHECK(readings["temperature.cpu-thermal"] == Json(48.312));
  CHECK(readings["temperature.cpu-thermal.2"] == Json(40.0));
  CHECK(readings["temperature.zone3"] == Json(30.0));
  CHECK(readings.size() == 10);
}

TEST_CASE("a machine without those files tells what it has") {
  const Machine machine;
  const auto readings = machine.Readings();
  CHECK(readings.size() == 1);
  CHECK(readings.count("diskFree") == 1);
}

}  // namespace
}  // namespace collector::client
