#include "collector/http/gzip.h"

#include <limits>

#include "collector/base/check.h"

namespace collector {
namespace {

constexpr int kLevel = 1;
constexpr int kGzipWindowBits = 15 + 16;  // the largest window; 16: gzip's header and trailer
constexpr int kMemoryLevel = 8;           // zlib's default

}  // namespace

Gzip::Gzip() {
  CHECK(deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindowBits, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) == Z_OK);
}

Gzip::~Gzip() { deflateEnd(&stream_); }

std::string_view Gzip::Compress(std::string_view body, Buffer* buffer) {
  CHECK(body.size() < std::numeric_limits<uInt>::max());
  CHECK(deflateReset(&stream_) == Z_OK);
  const std::size_t bound = deflateBound(&stream_, body.size());
  if (buffer->capacity < bound) {
    buffer->bytes = std::make_unique_for_overwrite<char[]>(bound);
    buffer->capacity = bound;
  }
  // zlib does not write to its input; its type says so only with ZLIB_CONST.
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream_.avail_in = static_cast<uInt>(body.size());
  stream_.next_out = reinterpret_cast<Bytef*>(buffer->bytes.get());
  stream_.avail_out = static_cast<uInt>(bound);
  CHECK(deflate(&stream_, Z_FINISH) == Z_STREAM_END);
  return {buffer->bytes.get(), bound - stream_.avail_out};
}

}  // namespace collector
