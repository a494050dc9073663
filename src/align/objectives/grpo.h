// Group relative policy optimization: the loss of a step's answers and its derivative by the log-probability
// of each of their tokens, which cross_entropy turns into dlogits (ops/cross_entropy.h). Everything is on the
// host and in f64.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace fathom {

// Of answer i with n_i tokens and advantage A_i: d_t = current_t - old_t is a token's log-ratio, S(r) =
// min(r A_i, clip(r, 1 - clip_low, 1 + clip_high) A_i) the clipped objective, k(x) = e^x - x - 1 the k3
// estimate of the KL divergence from the reference, e_t = reference_t - current_t. N and T are the answers
// and tokens that take part in the step. The loss is
enum class GrpoForm {
  sequence,    // 1/N sum_i [ -S(exp(sum_t d_t)) + beta k(sum_t e_t) ]        (DeepSeek-V2, eq. 32 and 33)
  token,       // 1/N sum_i 1/n_i sum_t [ -S(exp d_t) + beta k(e_t) ]         (DeepSeekMath)
  token_mean,  // 1/T sum_i sum_t [ -S(exp d_t) + beta k(e_t) ]               (DAPO)
  dr_grpo,     // 1/(N length) sum_i sum_t [ -S(exp d_t) + beta k(e_t) ]      (Dr. GRPO)
  gspo,        // 1/N sum_i [ -S(exp(1/n_i sum_t d_t)) + beta/n_i sum_t k(e_t) ]   (GSPO)
};
inline constexpr GrpoForm grpo_forms[] = {GrpoForm::sequence, GrpoForm::token, GrpoForm::token_mean,
                                          GrpoForm::dr_grpo, GrpoForm::gspo};
std::string_view name_of(GrpoForm form);

// Log-ratios are clamped to [-limit, limit] before the exponential, and e_t or its sum to at most limit:
// beyond it loss and metrics are those at the limit, and the gradient of that term is 0. Downwards the KL
// term is linear and needs no guard.
inline constexpr double grpo_log_limit = 20;

struct GrpoOptions {
  GrpoForm form = GrpoForm::token;
  double clip_low = 0.2, clip_high = 0.2;  // DAPO's "clip higher": clip_high above clip_low
  double ratio_limit =
      std::numeric_limits<double>::infinity();  // r is at most this, with A < 0 too ("dual clip")
  double beta = 0;                              // weight of the KL term; 0: no reference is read
  double length = 0;                            // dr_grpo: the constant that stands for every answer's length
  bool mask_truncated = false;  // answers that were cut at the longest length take no part (DAPO)
};
// Throws Error naming the option that is out of range.
void check_options(const GrpoOptions& options);

// One answer. All log-probabilities are at the sampling temperature, of the sampled tokens.
struct GrpoAnswer {
  std::optional<double> advantage;         // nothing: takes no part (align/objectives/advantages.h)
  std::span<const double> current;         // [n]
  std::span<const double> old = {};        // [n], of the rollout; absent: current, that is, ratios of 1
  std::span<const double> reference = {};  // [n]; read where beta is not 0
  std::span<const uint8_t> mask = {};      // [n]; 0: not the policy's own token; absent: all are
  bool truncated = false;
  std::span<double> dlogp = {};  // [n], out: the loss's derivative by current; 0 where nothing takes part
};

// What the losses are divided by, over all micro-batches and ranks of a step. Whoever does not take part (no
// advantage, truncated and masked, no token) is in neither.
struct GrpoCounts {
  int64_t answers = 0, tokens = 0;
  void add(const GrpoCounts& other);
};
GrpoCounts grpo_counts(std::span<const GrpoAnswer> answers, const GrpoOptions& options);

// Sums that add over micro-batches and ranks, but for the maximum.
struct GrpoTotals {
  double loss = 0;         // this part's share of the step's loss
  double policy_loss = 0;  // the same without the KL term
  // Ratios are one a token (token, token_mean, dr_grpo) or one an answer (sequence, gspo).
  int64_t ratios = 0;
  double ratio_sum = 0, ratio_max = 0;
  int64_t clipped_low = 0;   // r < 1 - clip_low with A < 0
  int64_t clipped_high = 0;  // r > 1 + clip_high with A > 0
  int64_t limited = 0;       // ratios and KL terms beyond grpo_log_limit
  // One a token, in the form `sequence` one an answer; none without a reference.
  int64_t kl_terms = 0;
  double kl_sum = 0;
  void add(const GrpoTotals& other);
  double mean_ratio() const { return ratios ? ratio_sum / static_cast<double>(ratios) : 1; }
  double mean_kl() const { return kl_terms ? kl_sum / static_cast<double>(kl_terms) : 0; }
  double low_share() const {
    return ratios ? static_cast<double>(clipped_low) / static_cast<double>(ratios) : 0;
  }
  double high_share() const {
    return ratios ? static_cast<double>(clipped_high) / static_cast<double>(ratios) : 0;
  }
};

// Some of a step's answers; `step` counts all of them. Writes each dlogp. Throws Error where a span of an
// answer has another length than its current log-probabilities. What is not finite gives a loss that is not
// finite.
GrpoTotals grpo_loss(std::span<const GrpoAnswer> answers, const GrpoOptions& options, const GrpoCounts& step);

}  // namespace fathom
