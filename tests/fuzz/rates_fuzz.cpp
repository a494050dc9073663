// Any bytes as a rates file: refused with an Error, or written and read again it is the same, and the times
// that are computed from it are finite.
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "plan/rates.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const fathom::Json json = fathom::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    const fathom::Rates rates = fathom::rates_from_json(json, "fuzz");
    const fathom::Json again = fathom::Json::parse(fathom::rates_to_json(rates).dump());
    if (fathom::rates_from_json(again, "again").dtype != rates.dtype) std::abort();
    for (const char* op : {"linear_forward", "attention_backward", "rope", "adamw"})
      if (!std::isfinite(rates.seconds(fathom::OpWork{op, 1e15, 1e12}))) std::abort();
  } catch (const fathom::Error&) {
  }
  return 0;
}
