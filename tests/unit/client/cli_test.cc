#include "client/cli.h"

#include <map>

#include "client/commands/city.h"
#include "client/commands/incremental.h"
#include "client/commands/send.h"
#include "client/commands/system.h"
#include "tests/unit/catch.h"

namespace collector::client {
namespace {

using Arguments = std::vector<std::string>;

Result<Invocation> Parse(const Arguments& arguments,
                         const std::map<std::string, std::string>& environment = {}) {
  return ParseCommandLine(arguments, [&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

Invocation Good(const Arguments& arguments,
                const std::map<std::string, std::string>& environment = {}) {
  auto invocation = Parse(arguments, environment);
  if (!invocation.ok()) FAIL(invocation.error().message);
  return invocation.value();
}

// The command as it was read.
template <typename Command>
Command Read(const Arguments& arguments,
             const std::map<std::string, std::string>& environment = {}) {
  const Invocation invocation = Good(arguments, environment);
  const auto* command = invocation.run.target<Command>();
  if (command == nullptr) FAIL("another command");
  return *command;
}

TEST_CASE("the global options, short and long, before and after the command") {
  const Settings settings = Good({"-H", "::1", "--port", "7", "-o", "probe1", "-s", "demo",
                                  "--namespace", "n", "send", "t", "1", "--silent"})
                                .settings;
  CHECK(settings.host == "::1");
  CHECK(settings.port == 7);
  CHECK(settings.origin == "probe1");
  CHECK(settings.sender == "demo");
  CHECK(settings.name_space == "n");
  CHECK(settings.silent);
}

TEST_CASE("without options there are defaults") {
  const Settings settings = Good({"healthcheck"}).settings;
  CHECK(settings.host == "127.0.0.1");
  CHECK(settings.port == 5683);
  CHECK(settings.name_space == "default");
  CHECK_FALSE(settings.sender.has_value());  // the command's to say
  CHECK_FALSE(settings.origin.has_value());
  CHECK_FALSE(settings.silent);
}

TEST_CASE("host and port may come from the environment, and options outweigh it") {
  const std::map<std::string, std::string> environment{{"COLLECTOR_HOST", "edge"},
                                                       {"COLLECTOR_PORT", "9"}};
  CHECK(Good({"healthcheck"}, environment).settings.host == "edge");
  CHECK(Good({"healthcheck"}, environment).settings.port == 9);
  CHECK(Good({"-H", "b", "-P", "8", "healthcheck"}, environment).settings.host == "b");
  CHECK(Good({"-H", "b", "-P", "8", "healthcheck"}, environment).settings.port == 8);
  // As Kubernetes sets it for a service named collector.
  CHECK(Good({"healthcheck"}, {{"COLLECTOR_PORT", "udp://10.0.0.1:5683"}}).settings.port == 5683);
}

TEST_CASE("send takes any value, negative numbers too") {
  const auto value = [](const Arguments& arguments) { return Read<SendCommand>(arguments).value; };
  CHECK(value({"send", "temperature", "21.5"}) == "21.5");
  CHECK(value({"send", "temperature", "-3.5"}) == "-3.5");
  CHECK(value({"send", "temperature", "-.5"}) == "-.5");
  CHECK(value({"-S", "send", "temperature", "-3"}) == "-3");
  CHECK(value({"send", "temperature", "--", "-3"}) == "-3");
  CHECK(value({"send", "-o", "-5", "temperature", "-3"}) == "-3");
  CHECK(value({"send", "-S", "temperature", "-3"}) == "-3");
  CHECK(value({"send", "city", "5"}) == "5");  // a type named like a command
}

TEST_CASE("send refuses what cannot be an event") {
  CHECK_FALSE(Parse({"send", "t"}).ok());
  CHECK_FALSE(Parse({"send", "t", "null"}).ok());
  CHECK_FALSE(Parse({"send", "t", "{lat:1}"}).ok());
  CHECK_FALSE(Parse({"send", "t", "1", "2"}).ok());
  CHECK_FALSE(Parse({"send", "t", "1", "--timestamp", "yesterday"}).ok());
  CHECK_FALSE(Parse({"send", "t", "\xff"}).ok());
}

TEST_CASE("incremental has the options people use") {
  const auto options =
      Read<IncrementalCommand>({"incremental", "--numberOfEvents", "10", "-f", "1.1", "-p", "0.5",
                                "--max", "-1", "--min", "-9", "t", "-3.5"});
  CHECK(options.type == "t");
  CHECK(options.initial_value == -3.5);
  CHECK(options.count == 10);
  CHECK(options.factor == 1.1);
  CHECK(options.pace_s == 0.5);
  CHECK(options.max == -1);
  CHECK(options.min == -9);
  CHECK(Read<IncrementalCommand>({"incremental", "t", "1"}).count == 0);
}

TEST_CASE("incremental refuses numbers that are none, or out of range") {
  for (const Arguments& more :
       {Arguments{"-n", "-1"}, Arguments{"-n", "1.5"}, Arguments{"-f", "0"}, Arguments{"-f", "-1"},
        Arguments{"-f", "nan"}, Arguments{"-p", "-1"}, Arguments{"-p", "inf"},
        Arguments{"--max", "x"}, Arguments{"--min", "2", "--max", "1"}}) {
    Arguments arguments{"incremental", "t", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    INFO(more.front() << " " << more.back());
    CHECK_FALSE(Parse(arguments).ok());
  }
  CHECK_FALSE(Parse({"incremental", "t", "nan"}).ok());
}

TEST_CASE("city takes its key from the environment") {
  const auto options = Read<CityCommand>(
      {"city", "New York"}, {{"OPENWEATHERMAP_APIKEY", "k"}, {"OPENWEATHERMAP_URL", "u"}});
  CHECK(options.name == "New York");
  CHECK(options.key == "k");
  CHECK(options.url == "u");
}

TEST_CASE("system measures once unless told") {
  CHECK(Read<SystemCommand>({"system"}).count == 1);
  const auto options = Read<SystemCommand>({"system", "-p", "2", "-n", "0"});
  CHECK(options.count == 0);
  CHECK(options.pace_s == 2);
}

TEST_CASE("help and version are printed; every other command line without a command is an error") {
  CHECK(Good({"--help"}).print.find("Examples:") != std::string::npos);
  CHECK(Good({"-V"}).print.find("libcoap") != std::string::npos);
  for (const char* command :
       {"healthcheck", "send", "incremental", "city", "system", "completion"}) {
    const std::string help = Good({command, "--help"}).print;
    CHECK(help.find("Examples:") < help.find("Usage:"));
    CHECK(help.find("Exit status") != std::string::npos);
  }
  CHECK_FALSE(Parse({}).ok());
  CHECK_FALSE(Parse({"--nope"}).ok());
  const auto unknown = Parse({"bogus"});
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().message.find("'bogus'") != std::string::npos);
}

}  // namespace
}  // namespace collector::client
