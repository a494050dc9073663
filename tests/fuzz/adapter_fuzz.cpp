// Any bytes as an adapter_config.json: refused with an Error, or what it says of every projection can be
// asked.
#include <spdlog/spdlog.h>

#include <string_view>

#include "base/error.h"
#include "model/adapter_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  try {
    const fathom::Json json = fathom::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    const fathom::AdapterConfig config = fathom::adapter_config_from_json(json, "fuzz");
    for (const char* name : {"model.layers.0.self_attn.kv_b_proj", "model.layers.1.mlp.experts.gate_proj",
                             "model.layers.12.mlp.shared_experts.down_proj"}) {
      config.targets(name);
      config.targets_parameter(fathom::parameter_of(name));
      config.shape_of(fathom::without_expert(name));
    }
  } catch (const fathom::Error&) {
  }
  return 0;
}
