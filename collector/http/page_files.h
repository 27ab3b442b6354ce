// What the collector serves to a browser: files of collector/page and of the libraries it uses, put
// into the program by the build.
#pragma once

#include <string_view>
#include <vector>

namespace collector {

struct PageFile {
  std::string_view name;  // "index.html"
  std::string_view plain;
  std::string_view gzip;  // the same, compressed
};

std::vector<PageFile> PageFiles();

}  // namespace collector
