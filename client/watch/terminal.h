// The terminal while a live table is on it: the alternate screen, without a cursor.
#pragma once

#include <string>
#include <vector>

#include "client/watch/table.h"

namespace collector::client {

// Takes the screen while it lives; afterwards the terminal is as it was before. Writes to standard
// output.
class LiveScreen {
 public:
  LiveScreen();
  ~LiveScreen();
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  // Over what is there, without flicker.
  void Show(const std::vector<std::string>& lines);

  // As it is now: a person may resize it.
  static ScreenSize Size();
};

}  // namespace collector::client
