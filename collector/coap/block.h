// Block-wise answers (RFC 7959 section 2.4): which part of a body a peer gets. Pure functions.
#pragma once

#include <cstddef>
#include <optional>

#include "collector/coap/message.h"

namespace collector {

// An answer of this size to an address that may be somebody else's is no amplification worth having
// (RFC 9175 section 2.4); a larger one may have three times its request.
inline constexpr std::size_t kUnverifiedAnswerBytesMax = 136;
std::size_t AnswerBytesMax(bool verified, std::size_t request_bytes);

// Cuts a 2.05 to the block that was asked for, or to its first one when it does not fit
// `answer_bytes_max`; a block beyond its end becomes 4.00. A diagnostic is cut to its limit.
BlockOptions CutToBlock(const std::optional<Block>& wanted, bool size2_wanted,
                        std::size_t answer_bytes_max, Response* response);

}  // namespace collector
