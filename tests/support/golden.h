// A golden folder's model and results, and copies of the results with a fault put in.
#pragma once
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "io/safetensors.h"
#include "model/model_folder.h"
#include "model/verify_model.h"
#include "support/paths.h"

namespace fathom::testing {

inline std::string golden_dir(const std::string& name) {
  return source_dir() + "/tests/golden/" + name;
}
inline std::string golden_file(const std::string& name) {
  return golden_dir(name) + "/golden.safetensors";
}

inline OwnReference own_reference(const std::string& name) {
  return OwnReference([name] { return load_model(Device::cpu(), golden_dir(name), DType::f32); });
}

// Writes the results again, without those that `keep` refuses; `change` may alter a tensor's values, which it
// gets as f32 (ids as i32).
using Keep = std::function<bool(const std::string& name)>;
using Change = std::function<void(const std::string& name, const Tensor& values)>;

// The same values in bf16, in this memory.
inline Tensor rounded(const Tensor& t, std::vector<float>& memory) {
  Tensor copy = t;
  copy.data = memory.data(), copy.dtype = DType::bf16;
  copy_tensor(t, copy, "rounded");
  return copy;
}

inline void write_changed(const std::string& golden, const std::string& to, const Change& change,
                          const Keep& keep = {}) {
  const SafetensorsFile file(golden_file(golden));
  std::vector<NamedTensor> tensors;
  std::deque<std::vector<float>> values;
  for (const SafetensorsEntry& e : file.tensors()) {
    if (keep && !keep(e.name)) continue;
    values.emplace_back(static_cast<size_t>(e.view.count()));
    Tensor copy(values.back().data(), e.view.dtype == DType::i32 ? DType::i32 : DType::f32, {1});
    copy.rank = e.view.rank, copy.shape = e.view.shape, copy.row_stride = e.view.row_stride;
    copy_tensor(e.view, copy, e.name);
    if (change) change(e.name, copy);
    if (e.view.dtype == DType::bf16) copy = rounded(copy, values.emplace_back(values.back().size()));
    tensors.push_back({e.name, copy});
  }
  write_safetensors(to, tensors);
}

inline bool failed(const std::vector<Verdict>& verdicts, const std::string& name) {
  for (const Verdict& v : verdicts)
    if (v.name == name) return !v.pass();
  return false;
}
inline int failures(const std::vector<Verdict>& verdicts) {
  int n = 0;
  for (const Verdict& v : verdicts) n += !v.pass();
  return n;
}

}  // namespace fathom::testing
