#include "client/measurements.h"

#include <sys/statvfs.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>
#include <utility>

namespace collector::client {
namespace {

constexpr int kThermalZonesMax = 64;

// The number that begins `text` after blanks, and takes it off.
template <typename Number>
std::optional<Number> TakeNumber(std::string_view* text) {
  while (!text->empty() && (text->front() == ' ' || text->front() == '\t')) text->remove_prefix(1);
  Number number{};
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc()) return std::nullopt;
  text->remove_prefix(static_cast<std::size_t>(end - text->data()));
  return number;
}

std::optional<std::uint64_t> MemoryField(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos || (at > 0 && text[at - 1] != '\n')) return std::nullopt;
  std::string_view rest = text.substr(at + name.size());
  const auto kibibytes = TakeNumber<std::uint64_t>(&rest);
  if (!kibibytes.has_value()) return std::nullopt;
  return *kibibytes * 1024;
}

// Empty where there is no such file.
std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

void Add(std::string type, Json value, std::vector<Reading>* out) {
  out->push_back({.type = std::move(type), .value = std::move(value)});
}

void AddTemperatures(const std::string& root, std::vector<Reading>* out) {
  std::map<std::string, int> seen;
  for (int zone = 0; zone < kThermalZonesMax; ++zone) {
    const std::string path = root + "/sys/class/thermal/thermal_zone" + std::to_string(zone);
    const auto temperature = ParseTemperature(Read(path + "/temp"));
    if (!temperature.has_value()) continue;  // a zone may be off; the next need not be
    std::string name = FirstLine(Read(path + "/type"));
    if (name.empty()) name = "zone" + std::to_string(zone);
    const int number = ++seen[name];
    if (number > 1) name += "." + std::to_string(number);
    Add("temperature." + name, *temperature, out);
  }
}

}  // namespace

std::optional<std::array<double, 3>> ParseLoadAverage(std::string_view text) {
  std::array<double, 3> loads{};
  for (double& load : loads) {
    const auto number = TakeNumber<double>(&text);
    if (!number.has_value()) return std::nullopt;
    load = *number;
  }
  return loads;
}

std::optional<Memory> ParseMemory(std::string_view text) {
  const auto total = MemoryField(text, "MemTotal:");
  const auto available = MemoryField(text, "MemAvailable:");
  if (!total.has_value() || !available.has_value() || *available > *total) return std::nullopt;
  return Memory{*total, *available};
}

std::optional<double> ParseUptime(std::string_view text) { return TakeNumber<double>(&text); }

std::optional<double> ParseTemperature(std::string_view text) {
  const auto thousandths = TakeNumber<std::int64_t>(&text);
  if (!thousandths.has_value()) return std::nullopt;
  return static_cast<double>(*thousandths) / 1000;
}

std::vector<Reading> Measure(const std::string& root) {
  std::vector<Reading> readings;
  if (const auto loads = ParseLoadAverage(Read(root + "/proc/loadavg"))) {
    Add("load1", (*loads)[0], &readings);
    Add("load5", (*loads)[1], &readings);
    Add("load15", (*loads)[2], &readings);
  }
  if (const auto memory = ParseMemory(Read(root + "/proc/meminfo"))) {
    Add("memoryUsed", memory->total_bytes - memory->available_bytes, &readings);
    Add("memoryAvailable", memory->available_bytes, &readings);
  }
  struct statvfs disk {};
  if (statvfs(root.c_str(), &disk) == 0) Add("diskFree", disk.f_bavail * disk.f_frsize, &readings);
  if (const auto uptime = ParseUptime(Read(root + "/proc/uptime"))) {
    Add("uptime", *uptime, &readings);
  }
  AddTemperatures(root, &readings);
  return readings;
}

}  // namespace collector::client
