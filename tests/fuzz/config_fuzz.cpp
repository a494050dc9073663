// Any bytes as a config.json and as a generation_config.json: refused with an Error, or written and read
// again it is the same, and what is computed from it is finite.
#include <spdlog/spdlog.h>

#include <cmath>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "engine/generation_config.h"
#include "model/config.h"
#include "model/summary.h"
#include "model/yarn.h"

namespace {

void read_config(const fathom::Json& json) {
  const fathom::Config c = fathom::config_from_json(json, "fuzz");
  const fathom::Json again = fathom::Json::parse(fathom::config_to_json(c, "float32").dump());
  if (fathom::config_from_json(again, "again") != c) std::abort();
  for (const double f : fathom::rope_parameters(c).inv_freq)
    if (!std::isfinite(f)) std::abort();
  if (fathom::cache_bytes_per_token(c, fathom::DType::f32).own <= 0) std::abort();
}

template <class Action>
void attempt(const Action& action) {
  try {
    action();
  } catch (const fathom::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  attempt([&] {
    const fathom::Json json = fathom::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    attempt([&] { read_config(json); });
    attempt([&] { fathom::generation_config_from_json(json, "fuzz", {}); });
  });
  return 0;
}
