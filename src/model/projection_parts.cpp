#include "model/projection_parts.h"

#include <string_view>

namespace fathom {
namespace {

// `name` without what it ends with, if it does.
bool cut_end(std::string& name, std::string_view end) {
  if (!name.ends_with(end)) return false;
  name.resize(name.size() - end.size());
  return true;
}

}  // namespace

std::vector<ProjectionPart> projection_parts(const WeightInfo& matrix) {
  std::string name = matrix.name;
  cut_end(name, ".weight");
  const int64_t rows = matrix.shape[matrix.shape.size() - 2];
  std::string prefix = name;
  if (cut_end(prefix, "gate_up_proj")) {
    const int64_t width = rows / 2;
    return {{prefix + "gate_proj", {0, width, width, 1}}, {prefix + "up_proj", {width, width, width, 1}}};
  }
  if (matrix.kv_heads > 0 && cut_end(prefix, "kv_proj")) {
    const int64_t heads = matrix.kv_heads, width = rows / 2 / heads;
    return {{prefix + "k_proj", {0, width, 2 * width, heads}},
            {prefix + "v_proj", {width, width, 2 * width, heads}}};
  }
  return {{name, {0, rows, rows, 1}}};
}

std::vector<std::string> projection_names(const Config& config) {
  std::vector<std::string> names;
  for (const NamedWeight& w : list_weights(without_adapters(config), {}))
    if (w.info.kind == WeightKind::matrix && w.info.layer >= 0)
      for (ProjectionPart& part : projection_parts(w.info)) names.push_back(std::move(part.name));
  return names;
}

}  // namespace fathom
