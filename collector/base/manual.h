// Manual pages from command-line definitions, so that page and program cannot differ.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace collector {

// A page of section 1 (troff, man macros) for a program and all its commands: descriptions and
// footers as paragraphs, lines that begin with two blanks as they are. Hidden options are left out.
std::string ManualPage(const CLI::App& app);

// Gives the app a hidden flag --man, which prints its manual page as --version prints its version.
void AddManualFlag(CLI::App* app);

}  // namespace collector
