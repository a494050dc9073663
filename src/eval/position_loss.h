// How well a model predicts a text, by the place in its context: a model that is lost beyond the length it
// was trained on shows it here.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/json.h"
#include "model/model.h"

namespace fathom {

// Of the tokens at positions first .. end-1 of all windows.
struct PositionLoss {
  int64_t first = 0, end = 0;
  int64_t tokens = 0;
  double loss = 0;  // mean cross-entropy, in nats
};

// Cuts the text into windows of `length` tokens, each behind `beginning` (a BOS, or nothing), which count in
// the length, and one more token to be predicted. Every window is one pass without a cache. The positions are
// cut into as many ranges as `ranges`, equal but for rounding. Shows its progress. Error when the text is too
// short for one window, when the length is past the model's longest context, or when it is interrupted.
std::vector<PositionLoss> position_losses(Device& device, const Model& model,
                                          std::span<const int32_t> beginning, std::span<const int32_t> text,
                                          int64_t length, int64_t ranges);

std::string position_table(const std::vector<PositionLoss>& losses);
OrderedJson position_json(const std::vector<PositionLoss>& losses);

}  // namespace fathom
