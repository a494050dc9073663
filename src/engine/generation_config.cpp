#include "engine/generation_config.h"

#include <filesystem>

#include "base/error.h"
#include "io/json.h"

namespace fathom {
namespace {

// eos_token_id is a number or a list of them.
std::vector<int64_t> eos_ids(const JsonObject& o, const Config& config) {
  const Json id = o.optional<Json>("eos_token_id", nullptr);
  if (id.is_null()) return config.eos_token_ids;
  const JsonPlace place{o.where(), "eos_token_id"};
  if (id.is_array()) return read_value<std::vector<int64_t>>(id, place);
  return {read_value<int64_t>(id, place)};
}

}  // namespace

GenerationConfig read_generation_config(const std::string& dir, const Config& config) {
  GenerationConfig g{{}, config.eos_token_ids};
  const std::string path = (std::filesystem::path(dir) / "generation_config.json").string();
  if (!std::filesystem::exists(path)) return g;
  const Json json = read_json(path);
  const JsonObject o(json, path);
  g.eos_token_ids = eos_ids(o, config);
  g.sampling.top_k = o.optional<int64_t>("top_k", 0);
  g.sampling.top_p = o.optional<double>("top_p", 1);
  g.sampling.min_p = o.optional<double>("min_p", 0);
  if (o.optional<bool>("do_sample", false)) g.sampling.temperature = o.optional<double>("temperature", 1);
  try {
    check_sampling(g.sampling);
  } catch (const Error& e) {
    fail("{}: {}", path, e.what());
  }
  return g;
}

}  // namespace fathom
