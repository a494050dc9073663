#include "align/reward_objective.h"

#include "base/error.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

// What the head says of every token, [N].
std::vector<float> head_scores(Device& device, const Model& model, const PassedBatch& batch) {
  const int64_t N = batch.hidden.rows();
  const Tensor& to = batch.micro.head_losses;
  head_forward(device, model, batch.hidden, batch.scratch,
               [&](int64_t first, const Tensor& logits, const Tensor&) {
                 const int64_t n = logits.rows();
                 copy(device, to.slice(first, n).reshape({n, 1}), logits.columns(0, 1));
               });
  std::vector<float> scores(static_cast<size_t>(N));
  if (N > 0) download(device, Tensor(scores.data(), DType::f32, {N}), to);
  return scores;
}

}  // namespace

RewardObjective::RewardObjective(const Recipe& recipe, const PreferenceData& data)
    : settings_(recipe.reward), data_(data) {
  check(settings_.data == "pairs" || settings_.data == "points", "reward.data is '{}': expected pairs or points",
        settings_.data);
  check(settings_.points == "binary" || settings_.points == "squared",
        "reward.points is '{}': expected binary or squared", settings_.points);
}

RewardObjective::PieceLoss RewardObjective::pair_loss(double chosen, double rejected, const PieceLabel& label) {
  const RewardPairLoss l = reward_pair_loss(
      {.chosen = chosen, .rejected = rejected, .margin = label.margin, .tie = label.tie}, settings_.centring);
  correct_ += label.weight * l.correct.value_or(0.5);
  score_ += label.weight * (chosen + rejected) / 2, margin_ += label.weight * (chosen - rejected);
  return {l.loss, l.dchosen, l.drejected};
}

RewardObjective::PieceLoss RewardObjective::point_loss(double score, const PieceLabel& label) {
  const RewardPointLoss l =
      reward_point_loss(score, label.score, settings_.points == "binary" ? PointForm::binary : PointForm::squared);
  correct_ += label.weight * l.correct.value_or(0.5), score_ += label.weight * score;
  return {l.loss, l.dscore, 0};
}

LossFunction RewardObjective::loss(Device& device, const Model& model, const PassedBatch& batch, double scale) {
  const PackedBatch& packed = batch.packed;
  const std::vector<float> scores = head_scores(device, model, batch);
  std::vector<float> losses(scores.size());
  gradient_.assign(scores.size(), 0);
  const auto last = [&](size_t b) { return static_cast<size_t>(packed.batch.sequence_starts[b + 1]) - 1; };
  const size_t rows = settings_.data == "pairs" ? 2 : 1;
  for (size_t b = 0; b + rows <= packed.rows.size(); b += rows) {
    const PieceLabel& label = data_.label(packed.rows[b]);
    const auto score = [&](size_t k) { return static_cast<double>(scores[last(b + k)]); };
    const PieceLoss l = rows == 2 ? pair_loss(score(0), score(1), label) : point_loss(score(0), label);
    losses[last(b)] = static_cast<float>(label.weight * l.loss);
    gradient_[last(b)] = static_cast<float>(scale * label.weight * l.first);
    if (rows == 2) gradient_[last(b + 1)] = static_cast<float>(scale * label.weight * l.second);
  }
  rounded_.clear();
  for (const float g : gradient_) rounded_.push_back(bf16(g));
  if (!losses.empty())
    upload(device, batch.micro.losses,
           ConstTensor(losses.data(), DType::f32, {static_cast<int64_t>(losses.size())}));
  return [this, &device](int64_t first, const Tensor&, const Tensor& dlogits) {
    if (!dlogits) return;
    const void* from = dlogits.dtype == DType::bf16 ? static_cast<const void*>(rounded_.data() + first)
                                                    : static_cast<const void*>(gradient_.data() + first);
    upload(device, dlogits, ConstTensor(from, dlogits.dtype, {dlogits.rows(), 1}));
  };
}

std::vector<Objective::Sum> RewardObjective::take_sums() {
  std::vector<Sum> sums = {{"accuracy", correct_}, {"score", score_}};
  if (settings_.data == "pairs") sums.push_back({"margin", margin_});
  correct_ = score_ = margin_ = 0;
  return sums;
}

}  // namespace fathom
