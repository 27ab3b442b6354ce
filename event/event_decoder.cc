#include "event/event_decoder.h"

#include "event/cbor.h"

namespace collector {

bool EventDecoder::Decode(EventFormat format, std::string_view body, std::string* diagnostic) {
  if (body.empty()) {
    *diagnostic = "body is empty";
    return false;
  }
  switch (format) {
    case EventFormat::kJson:
      return json_.Decode(body, Timestamps::kText, &events_, diagnostic);
    case EventFormat::kCbor:
      return CborToJson(body, CborLabels::kText, &json_text_, diagnostic) &&
             json_.Decode(json_text_, Timestamps::kTextOrSeconds, &events_, diagnostic);
    case EventFormat::kSenmlJson:
      return senml_.Decode(body, &events_, diagnostic);
    case EventFormat::kSenmlCbor:
      return CborToJson(body, CborLabels::kSenml, &json_text_, diagnostic) &&
             senml_.Decode(json_text_, &events_, diagnostic);
  }
  return false;
}

}  // namespace collector
