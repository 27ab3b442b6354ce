#include "collector/base/manual.h"

#include <CLI/CLI.hpp>
#include <cctype>
#include <sstream>
#include <vector>

namespace collector {
namespace {

// Text that troff takes for nothing else: a hyphen is the minus that people copy, and no line is a
// request.
std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else {
      out.push_back(c);
    }
  }
  return out.starts_with('.') ? "\\&" + out : out;
}

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

void WriteText(const std::string& text, std::ostream* out) {
  std::istringstream lines(text);
  std::string line;
  bool as_it_is = false;
  bool gap = true;
  while (std::getline(lines, line)) {
    if (line.empty()) {
      gap = true;
      continue;
    }
    const bool indented = line.starts_with("  ");
    if (as_it_is && !indented) *out << ".fi\n";
    if (gap) *out << ".PP\n";
    if (!as_it_is && indented) *out << ".nf\n";
    as_it_is = indented;
    gap = false;
    *out << Escaped(line) << "\n";
  }
  if (as_it_is) *out << ".fi\n";
}

void WriteOption(const CLI::Option& option, std::ostream* out) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("\\fB\\-" + name + "\\fR");
  for (const std::string& name : option.get_lnames()) {
    names.push_back("\\fB\\-\\-" + Escaped(name) + "\\fR");
  }
  if (names.empty()) names.push_back("\\fI" + Escaped(option.get_name(true)) + "\\fR");
  *out << ".TP\n" << CLI::detail::join(names, ", ");
  const bool named = !option.get_snames().empty() || !option.get_lnames().empty();
  if (named && option.get_items_expected_max() > 0) *out << " \\fIvalue\\fR";
  *out << "\n" << Escaped(option.get_description());
  if (!option.get_default_str().empty() && option.get_items_expected_max() > 0) {
    *out << " (default: " << Escaped(option.get_default_str()) << ")";
  }
  *out << "\n";
}

void WriteOptions(const CLI::App& app, std::ostream* out) {
  for (const CLI::Option* option :
       app.get_options([](const CLI::Option* o) { return !o->get_group().empty(); })) {
    WriteOption(*option, out);
  }
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string AfterFirstLine(const std::string& text) {
  const std::size_t end = text.find('\n');
  return end == std::string::npos ? "" : text.substr(end + 1);
}

void WriteCommand(const CLI::App& app, const CLI::App& command, std::ostream* out) {
  *out << ".SS \"" << app.get_name() << " " << command.get_name() << "\"\n"
       << Escaped(FirstLine(command.get_description())) << ".\n";
  WriteText(AfterFirstLine(command.get_description()), out);
  WriteOptions(command, out);
  if (command.get_footer() != app.get_footer()) WriteText("\n" + command.get_footer(), out);
}

}  // namespace

std::string ManualPage(const CLI::App& app) {
  const auto commands =
      app.get_subcommands([](const CLI::App* c) { return !c->get_group().empty(); });
  std::ostringstream out;
  out << ".TH " << Upper(app.get_name()) << " 1 \"\" \"coap\\-collector " << COLLECTOR_VERSION
      << "\" \"coap\\-collector\"\n.SH NAME\n"
      << app.get_name() << " \\- " << Escaped(FirstLine(app.get_description()))
      << "\n.SH SYNOPSIS\n\\fB" << app.get_name()
      << "\\fR [\\fIoptions\\fR] [\\fIcommand\\fR ...]\n.SH DESCRIPTION\n";
  WriteText(AfterFirstLine(app.get_description()), &out);
  out << ".SH OPTIONS\n";
  WriteOptions(app, &out);
  if (!commands.empty()) out << ".SH COMMANDS\n";
  for (const CLI::App* command : commands) WriteCommand(app, *command, &out);
  out << ".SH NOTES\n";
  WriteText(app.get_footer(), &out);
  return out.str();
}

void AddManualFlag(CLI::App* app) {
  const auto print = [app] { throw CLI::CallForVersion(ManualPage(*app), 0); };
  app->add_flag_callback("--man", print)->configurable(false)->group("");
}

}  // namespace collector
