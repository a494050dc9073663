#include "model/tensor_comparison.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "model/checkpoint_layout.h"

namespace fathom {
namespace {

constexpr int64_t counted_faults = 1000;

}  // namespace

template <class... Args>
void TensorComparison::add(const std::string& file, const char* format, const Args&... args) {
  if (faults_++ == 0) first_ = file + ": " + fmt::format(fmt::runtime(format), args...);
}

void TensorComparison::expect(const std::string& name, const std::vector<int64_t>& shape) {
  expected_.insert(name);
  const SafetensorsEntry* entry = checkpoint_.entry(name);
  if (!entry)
    add(checkpoint_.listing(), "tensor '{}' is missing", name);
  else if (entry->shape != shape)
    add(checkpoint_.file_of(name), "tensor '{}' has shape [{}], this model's has [{}]", name,
        fmt::join(entry->shape, ", "), fmt::join(shape, ", "));
  else if (!entry->view || !is_float(entry->view.dtype))
    add(checkpoint_.file_of(name), "tensor '{}' is of type {}: expected F32, BF16, F16 or F64", name,
        entry->dtype);
}

void TensorComparison::expect_parts(const WeightInfo& weight) {
  for (const StoredPart& part : stored_parts(weight)) {
    if (enough()) return;
    if (part.stored_row == 0) expect(part.name, part.shape);
  }
}

bool TensorComparison::enough() const {
  return faults_ > counted_faults;
}

void TensorComparison::report(const std::function<bool(const std::string&)>& derived) {
  for (const std::string& name : checkpoint_.names())
    if (!expected_.contains(name) && !(derived && derived(name)))
      add(checkpoint_.file_of(name), "tensor '{}' is not part of this model", name);
  if (faults_ == 0) return;
  if (faults_ == 1) throw Error(first_);
  fail("{}; and {}{} more", first_, enough() ? "at least " : "", faults_ - 1);
}

}  // namespace fathom
