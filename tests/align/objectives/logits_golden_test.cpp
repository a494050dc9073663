// Objectives down to the logits: log-probabilities from cross_entropy's losses, the objective's derivatives
// by them on the host, and these as weights of cross_entropy's backward pass. Against torch and TRL.
#include "align/objectives/grpo.h"
#include "align/objectives/preference.h"
#include "golden.h"
#include "grpo_answers.h"
#include "ops/cross_entropy.h"

namespace fathom::testing {
namespace {

// The rows of a case, in one type on one device.
template <class T>
class Head {
 public:
  Head(Device device, const Json& c) : device_(std::move(device)) {
    rows_ = static_cast<int64_t>(c.at("targets").size());
    targets_ = c.at("targets").get<std::vector<int32_t>>();
    for (const Json& row : c.at("logits"))
      for (const Json& value : row) logits_.push_back(static_cast<T>(value.get<double>()));
    temperature_ = c.value("temperature", 1.0);
    for (std::vector<T>* v : {&losses_, &entropies_, &weights_}) v->resize(static_cast<size_t>(rows_));
    dlogits_.resize(logits_.size());
  }

  Doubles log_probabilities() {
    cross_entropy(device_, {.losses = rows(losses_),
                            .entropies = rows(entropies_),
                            .logits = matrix(logits_),
                            .targets = Tensor(targets_.data(), DType::i32, {rows_}),
                            .temperature = temperature_});
    Doubles result;
    for (T loss : losses_) result.push_back(-double(loss));
    return result;
  }
  Doubles entropies() const { return {entropies_.begin(), entropies_.end()}; }

  // The sum of losses times scale, and the gradient.
  std::pair<double, Doubles> backward(const Doubles& weights, double scale) {
    for (size_t n = 0; n < weights.size(); ++n) weights_[n] = static_cast<T>(weights[n]);
    cross_entropy(device_, {.losses = rows(losses_),
                            .dlogits = matrix(dlogits_),
                            .logits = matrix(logits_),
                            .targets = Tensor(targets_.data(), DType::i32, {rows_}),
                            .weights = rows(weights_),
                            .scale = scale,
                            .temperature = temperature_});
    double loss = 0;
    for (T one : losses_) loss += scale * double(one);
    return {loss, {dlogits_.begin(), dlogits_.end()}};
  }

 private:
  Tensor rows(std::vector<T>& v) const { return Tensor(v.data(), dtype_of<T>, {rows_}); }
  Tensor matrix(std::vector<T>& v) const {
    return Tensor(v.data(), dtype_of<T>, {rows_, static_cast<int64_t>(v.size()) / rows_});
  }

  Device device_;
  int64_t rows_ = 0;
  double temperature_ = 1;
  std::vector<int32_t> targets_;
  std::vector<T> logits_, losses_, entropies_, weights_, dlogits_;
};

Doubles negated(Doubles values) {
  for (double& v : values) v = -v;
  return values;
}

constexpr size_t first = 6;  // tokens of the first of two answers; the rest are the second's

double sum(const Doubles& values, size_t begin, size_t end) {
  double total = 0;
  for (size_t i = begin; i < end; ++i) total += values[i];
  return total;
}

// Loss, and its derivatives by the log-probabilities.
std::pair<double, Doubles> dpo(const Json& c, const Doubles& logp) {
  const PreferenceLoss loss = preference_loss({.chosen = sum(logp, 0, first),
                                               .rejected = sum(logp, first, logp.size()),
                                               .reference_chosen = c.at("reference")[0],
                                               .reference_rejected = c.at("reference")[1]},
                                              {.beta = c.at("beta")});
  Doubles g(logp.size(), loss.drejected);
  std::fill_n(g.begin(), first, loss.dchosen);
  return {loss.loss, g};
}

std::pair<double, Doubles> grpo(const Json& c, const Doubles& logp) {
  std::vector<OwnedAnswer> answers;
  for (size_t i : {0, 1}) {
    const size_t begin = i * first, n = i == 0 ? first : logp.size() - first;
    const auto head = [&](const char* key) {
      const Doubles padded = c.at(key)[i];
      return Doubles(padded.begin(), padded.begin() + static_cast<int64_t>(n));
    };
    const auto at = logp.begin() + static_cast<int64_t>(begin);
    answers.push_back({.advantage = c.at("advantage")[i].get<double>(),
                       .current = Doubles(at, at + static_cast<int64_t>(n)),
                       .old = head("old"),
                       .reference = head("reference")});
  }
  const GrpoTotals totals = whole_step(answers, {.form = GrpoForm::token, .beta = c.at("beta")});
  Doubles g = answers[0].dlogp;
  g.insert(g.end(), answers[1].dlogp.begin(), answers[1].dlogp.end());
  return {totals.loss, g};
}

template <class T>
void compare(const Json& c, Device device, DType type) {
  Head<T> head(std::move(device), c);
  const std::string name = c.at("name");
  Doubles want;
  for (const Json& row : c.at("dlogits"))
    for (const Json& value : row) want.push_back(value);
  Parity parity(
      fmt::format("{} from logits in {} against {}", name, name_of(type), c.at("by").get<std::string>()));
  if (name.starts_with("sft")) {
    const auto [loss, dlogits] = head.backward(c.at("weights"), 1 / c.at("denominator").get<double>());
    parity.expect("loss", {loss}, {c.at("loss")}, type);
    parity.expect("dlogits", dlogits, want, type);
    return;
  }
  const Doubles logp = head.log_probabilities();
  if (c.contains("entropies")) parity.expect("entropies", head.entropies(), c.at("entropies"), type);
  const auto [loss, g] = name == "dpo" ? dpo(c, logp) : grpo(c, logp);
  parity.expect("loss", {loss}, {c.at("loss")}, type);
  parity.expect("dlogits", head.backward(negated(g), 1).second, want, type);
}

TEST(LogitsGolden, AsTorchAndTrlHaveThem) {
  for (const Json& c : golden_cases("logits")) {
    compare<double>(c, Device::reference(), DType::f64);
    compare<float>(c, Device::cpu(2), DType::f32);
  }
}

}  // namespace
}  // namespace fathom::testing
