// What a judge outside may send as a score: read or refused; a reason is one short line of valid UTF-8.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "align/rewards/wire.h"
#include "text/sent_json.h"
#include "text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto json = parse_sent(text))
    if (const auto score = score_from_json(*json))
      if (score->reason.size() > 200 || score->reason.find('\n') != std::string::npos) std::abort();
  const std::string reason = as_reason(text);
  if (valid_utf8_prefix(reason) != reason.size()) std::abort();
  if (!parse_sent(json_line(answer_to_json({1, nullptr, text, 0, false}, 7)))) std::abort();
  return 0;
}
