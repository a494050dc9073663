#include "align/row_windows.h"

#include "ops/cross_entropy.h"

namespace fathom {
namespace {

PackedBatch& cleared(PackedBatch& out) {
  HostBatch& batch = out.batch;
  for (auto* part : {&batch.tokens, &batch.positions, &batch.sequence_starts, &batch.exempt, &out.targets})
    part->clear();
  out.weights.clear(), out.rows.clear();
  out.counted = 0, out.weight = 0;
  return out;
}

}  // namespace

RowWindows::RowWindows(TokenRows rows, std::vector<std::vector<int64_t>> windows)
    : rows_(std::move(rows)), windows_(std::move(windows)) {
  for (const std::vector<int64_t>& window : windows_) {
    WindowSize size;
    for (const int64_t row : window) {
      size.tokens += rows_.inputs(row);
      for (const float w : rows_.weights(row).subspan(1))
        if (w > 0) ++size.targets, size.weight += static_cast<double>(w);
    }
    sizes_.push_back(size);
  }
}

void RowWindows::append(int64_t row, PackedBatch& out) const {
  const std::span<const int32_t> tokens = rows_.tokens(row);
  const std::span<const float> weights = rows_.weights(row);
  HostBatch& batch = out.batch;
  batch.sequence_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
  batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end() - 1);
  for (size_t t = 1; t < tokens.size(); ++t) {
    batch.positions.push_back(static_cast<int32_t>(t - 1));
    out.targets.push_back(weights[t] > 0 ? tokens[t] : CrossEntropy::ignore);
    if (rows_.weighted()) out.weights.push_back(weights[t]);
  }
  out.rows.push_back(row);
}

void RowWindows::pack(std::span<const int64_t> places, PackedBatch& out) const {
  cleared(out);
  for (const int64_t place : places) {
    for (const int64_t row : windows_[static_cast<size_t>(place)]) append(row, out);
    out.counted += size(place).targets, out.weight += size(place).weight;
  }
  out.batch.sequence_starts.push_back(static_cast<int32_t>(out.batch.tokens.size()));
  out.batch.exempt.assign(1, 0);
}

}  // namespace fathom
