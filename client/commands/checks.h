// Checks of single arguments, as CLI11 takes them: the text of what is wrong, or none.
#pragma once

#include <chrono>
#include <string>

namespace collector::client {

std::string CheckFinite(const std::string& text);
std::string CheckPositive(const std::string& text);   // a number above 0
std::string CheckCount(const std::string& text);      // a whole number from 0
std::string CheckPace(const std::string& text);       // seconds, from 0
std::string CheckTimestamp(const std::string& text);  // RFC 3339
std::string CheckValue(const std::string& text);      // as ParseValue takes it

// What passed CheckPace.
std::chrono::nanoseconds Seconds(double seconds);

// CLI11 takes "-3.5" for an option; behind a blank it is an argument, and still a number. The
// command line puts the blank there; an argument that is bound to a string takes it off again, as
// ->transform(Unshield).
bool IsNegativeNumber(const std::string& argument);
std::string Unshield(std::string argument);

}  // namespace collector::client
