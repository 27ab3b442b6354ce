// gzip for request bodies, as cheap as it goes: level 1, one compressor for all of them.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <memory>
#include <string_view>

namespace collector {

class Gzip {
 public:
  // Memory that grows and is used again; never filled with zeros first.
  struct Buffer {
    std::unique_ptr<char[]> bytes;
    std::size_t capacity = 0;
  };

  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  // The body compressed; the view is into `buffer`. Below 4 GiB.
  std::string_view Compress(std::string_view body, Buffer* buffer);

 private:
  z_stream stream_{};
};

}  // namespace collector
