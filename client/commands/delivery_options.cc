#include "client/commands/delivery_options.h"

#include <CLI/CLI.hpp>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace collector::client {
namespace {

constexpr int kRetriesMax = 1000;

constexpr std::array<std::pair<const char*, BodyFormat>, 4> kFormats{
    {{"json", BodyFormat::kJson},
     {"cbor", BodyFormat::kCbor},
     {"senml", BodyFormat::kSenmlJson},
     {"senml-cbor", BodyFormat::kSenmlCbor}}};

}  // namespace

void AddDeliveryOptions(CLI::App* command, Delivery* delivery) {
  command
      ->add_option("--retries", delivery->retries,
                   "Times to try again after 5.xx, 4.29 or no answer, after Max-Age")
      ->check(CLI::Range(0, kRetriesMax).description(""))
      ->capture_default_str();
  command->add_flag_callback(
      "--non", [delivery] { delivery->confirmable = false; },
      "Send non-confirmable messages: once, never again by themselves");
  command->add_flag("--json", delivery->json, "Print one JSON line for each event's end");
  command->add_flag("--dry-run", delivery->dry_run, "Print what would be sent, and send nothing");
}

void AddContentFormatOption(CLI::App* command, Delivery* delivery) {
  std::vector<std::string> names;
  for (const auto& [name, format] : kFormats) names.emplace_back(name);
  command
      ->add_option_function<std::string>(
          "--content-format",
          [delivery](const std::string& given) {
            for (const auto& [name, format] : kFormats) {
              if (given == name) delivery->format = format;
            }
          },
          "What events are written in: " + CLI::detail::join(names, ", "))
      ->check(CLI::IsMember(names).description(""))
      ->default_str("json");
}

}  // namespace collector::client
