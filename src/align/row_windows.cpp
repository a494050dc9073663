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

RowWindows::RowWindows(Pieces pieces, std::vector<std::vector<int64_t>> windows, MeanOver mean,
                       int64_t first_piece)
    : pieces_(std::move(pieces)),
      windows_(std::move(windows)),
      weighted_(mean == MeanOver::targets && pieces_.weighted()),
      first_piece_(first_piece) {
  for (const std::vector<int64_t>& window : windows_) sizes_.push_back(size_of(window, mean));
}

WindowSize RowWindows::size_of(const std::vector<int64_t>& window, MeanOver mean) const {
  WindowSize size;
  for (const int64_t piece : window) {
    if (mean == MeanOver::pieces) size.weight += pieces_.label(piece).weight;
    for (int64_t row = pieces_.first_row(piece); row < pieces_.first_row(piece + 1); ++row) {
      size.tokens += pieces_.inputs(row);
      for (const float w : pieces_.weights(row).subspan(1)) {
        size.targets += w > 0;
        if (mean == MeanOver::targets) size.weight += static_cast<double>(w);
      }
    }
  }
  return size;
}

void RowWindows::append(int64_t row, PackedBatch& out) const {
  const std::span<const int32_t> tokens = pieces_.tokens(row);
  const std::span<const float> weights = pieces_.weights(row);
  HostBatch& batch = out.batch;
  batch.sequence_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
  batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end() - 1);
  for (size_t t = 1; t < tokens.size(); ++t) {
    batch.positions.push_back(static_cast<int32_t>(t - 1));
    out.targets.push_back(weights[t] > 0 ? tokens[t] : CrossEntropy::ignore);
    if (weighted_) out.weights.push_back(weights[t]);
  }
}

void RowWindows::pack(std::span<const int64_t> places, PackedBatch& out) const {
  cleared(out);
  for (const int64_t place : places) {
    for (const int64_t piece : windows_[static_cast<size_t>(place)])
      for (int64_t row = pieces_.first_row(piece); row < pieces_.first_row(piece + 1); ++row) {
        append(row, out);
        out.rows.push_back(first_piece_ + piece);
      }
    out.counted += size(place).targets, out.weight += size(place).weight;
  }
  out.batch.sequence_starts.push_back(static_cast<int32_t>(out.batch.tokens.size()));
  out.batch.exempt.assign(1, 0);
}

}  // namespace fathom
