#include "client/commands/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "client/exit_status.h"

namespace collector::client {
namespace {

using Names = std::vector<std::string>;

// Those with a name that are not hidden.
std::vector<const CLI::Option*> OptionsOf(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) {
    const bool named = !option->get_snames().empty() || !option->get_lnames().empty();
    return named && !option->get_group().empty();
  });
}

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

// With their dashes.
Names NamesOf(const CLI::Option& option) {
  Names names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::string Words(const CLI::App& app) {
  Names words;
  for (const CLI::Option* option : OptionsOf(app)) {
    for (const std::string& name : NamesOf(*option)) words.push_back(name);
  }
  return CLI::detail::join(words, " ");
}

std::string NamesOf(const std::vector<const CLI::App*>& commands, const char* between) {
  Names names;
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  return CLI::detail::join(names, between);
}

// The options of the program and of all commands that take a value, as a shell's pattern.
std::string ValuedPattern(const CLI::App& app) {
  Names names;
  const auto collect = [&names](const CLI::App& of) {
    for (const CLI::Option* option : OptionsOf(of)) {
      if (!TakesValue(*option)) continue;
      for (const std::string& name : NamesOf(*option)) {
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      }
    }
  };
  collect(app);
  for (const CLI::App* command : CommandsOf(app)) collect(*command);
  return CLI::detail::join(names, " | ");
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

// Inside single quotes; `special` gets a backslash, as zsh's and fish's descriptions need it.
std::string Quoted(const std::string& text, const std::string& special, const char* quote) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += quote;
      continue;
    }
    if (special.find(c) != std::string::npos) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string Zsh(const std::string& text) { return Quoted(text, "[]:\\", "'\\''"); }
std::string Fish(const std::string& text) { return Quoted(text, "\\", "\\'"); }

void WriteZshArguments(const CLI::App& app, const char* indent, std::ostream* out) {
  for (const CLI::Option* option : OptionsOf(app)) {
    for (const std::string& name : NamesOf(*option)) {
      *out << indent << "'" << name << "[" << Zsh(option->get_description()) << "]"
           << (TakesValue(*option) ? ":value:_files" : "") << "'\n";
    }
  }
}

void WriteFishOptions(const CLI::App& app, const std::string& condition, std::ostream* out) {
  for (const CLI::Option* option : OptionsOf(app)) {
    *out << "complete -c client" << condition;
    for (const std::string& name : option->get_snames()) *out << " -s " << name;
    for (const std::string& name : option->get_lnames()) *out << " -l " << name;
    *out << (TakesValue(*option) ? " -r" : "") << " -d '" << Fish(option->get_description())
         << "'\n";
  }
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  const auto commands = CommandsOf(app);
  std::ostringstream out;
  out << "# bash completion for client; made by: client completion bash\n"
         "_client() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} command='' words i\n"
         "  COMPREPLY=()\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case ${COMP_WORDS[i]} in\n"
         "      "
      << ValuedPattern(app)
      << ")\n"
         "        ((++i < COMP_CWORD)) || return 0 ;;\n"
         "      "
      << NamesOf(commands, " | ")
      << ")\n"
         "        command=${COMP_WORDS[i]}\n"
         "        break ;;\n"
         "    esac\n"
         "  done\n"
         "  words='"
      << Words(app)
      << "'\n"
         "  case $command in\n"
         "    '') [[ $word == -* ]] || words='"
      << NamesOf(commands, " ") << "' ;;\n";
  for (const CLI::App* command : commands) {
    out << "    " << command->get_name() << ") words+=' " << Words(*command) << "' ;;\n";
  }
  out << "  esac\n"
         "  if [[ $command == completion && $word != -* ]]; then words='bash zsh fish'; fi\n"
         "  if [[ -z $command || $command == completion || $word == -* ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
         "  fi\n"
         "}\n"
         "complete -o default -F _client client\n";
  return out.str();
}

std::string ZshCompletion(const CLI::App& app) {
  std::ostringstream out;
  out << "#compdef client\n"
         "# zsh completion for client; made by: client completion zsh\n"
         "_client() {\n"
         "  local -a globals commands\n"
         "  local state line\n"
         "  globals=(\n";
  WriteZshArguments(app, "    ", &out);
  out << "  )\n  commands=(\n";
  for (const CLI::App* command : CommandsOf(app)) {
    out << "    '" << command->get_name() << ":" << Zsh(FirstLine(command->get_description()))
        << "'\n";
  }
  out << "  )\n"
         "  _arguments -C $globals '1: :->command' '*:: :->rest'\n"
         "  case $state in\n"
         "    command) _describe command commands ;;\n"
         "    rest)\n"
         "      case $words[1] in\n";
  for (const CLI::App* command : CommandsOf(app)) {
    out << "        " << command->get_name() << ")\n          globals+=(\n";
    WriteZshArguments(*command, "            ", &out);
    out << "          ) ;;\n";
  }
  out << "      esac\n"
         "      if [[ $words[1] == completion ]]; then\n"
         "        _arguments $globals '1:shell:(bash zsh fish)'\n"
         "      else\n"
         "        _arguments $globals '*:argument:_files'\n"
         "      fi ;;\n"
         "  esac\n"
         "}\n"
         "compdef _client client\n";
  return out.str();
}

std::string FishCompletion(const CLI::App& app) {
  std::ostringstream out;
  out << "# fish completion for client; made by: client completion fish\n";
  WriteFishOptions(app, "", &out);
  for (const CLI::App* command : CommandsOf(app)) {
    out << "complete -c client -n __fish_use_subcommand -f -a " << command->get_name() << " -d '"
        << Fish(FirstLine(command->get_description())) << "'\n";
    WriteFishOptions(*command, " -n '__fish_seen_subcommand_from " + command->get_name() + "'",
                     &out);
  }
  out << "complete -c client -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n";
  return out.str();
}

CommandSpec AddCompletion(CLI::App* app, const Environment& /*environment*/) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command =
      app->add_subcommand("completion",
                          "Print what makes a shell complete commands and options\n\n"
                          "Examples:\n"
                          "  source <(client completion bash)\n"
                          "  client completion zsh > ~/.zfunc/_client\n"
                          "  client completion fish > ~/.config/fish/completions/client.fish\n\n"
                          "Packages install it already.\n");
  command->footer("Exit status: 0 printed, 2 wrong usage.");
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""));
  // The app does not outlive the parsing of the command line: the script is made at once.
  return {.app = command, .make = [shell, app]() -> Result<Run> {
            std::string script = *shell == "bash"  ? BashCompletion(*app)
                                 : *shell == "zsh" ? ZshCompletion(*app)
                                                   : FishCompletion(*app);
            return Run([script = std::move(script)](const Settings& /*settings*/) {
              std::fputs(script.c_str(), stdout);
              return kExitOk;
            });
          }};
}

}  // namespace collector::client
