#include "model/verify_model.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/head.h"
#include "model/model_folder.h"
#include "ops/cross_entropy.h"
#include "tensor/compare.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

struct Inputs {
  int64_t B, T;
  HostBatch batch;
  std::vector<int32_t> targets;
};

Inputs read_inputs(const SafetensorsFile& golden) {
  const SafetensorsEntry* entry = golden.entry("input_ids");
  check(entry && entry->shape.size() == 2, "{}: expected 'input_ids' [B, T]", golden.path());
  Inputs in{entry->shape[0], entry->shape[1], {}, {}};
  in.batch.tokens = golden.read_ints("input_ids");
  check(in.B > 0 && in.T > 0, "{}: 'input_ids' is empty", golden.path());
  for (int64_t b = 0; b < in.B; ++b) {
    in.batch.sequence_starts.push_back(static_cast<int32_t>(b * in.T));
    for (int64_t t = 0; t < in.T; ++t) {
      in.batch.positions.push_back(static_cast<int32_t>(t));
      in.targets.push_back(t + 1 < in.T ? in.batch.tokens[b * in.T + t + 1] : CrossEntropy::ignore);
    }
  }
  in.batch.sequence_starts.push_back(static_cast<int32_t>(in.B * in.T));
  return in;
}

// The sum of squared differences and of squares over rows that arrive in chunks.
struct RunningError {
  double difference = 0, norm = 0;

  void add(const ConstTensor& got, const ConstTensor& want) {
    for (int64_t r = 0; r < got.rows(); ++r)
      for (int64_t c = 0; c < got.cols(); ++c) {
        const double w = element(want, r, c), d = element(got, r, c) - w;
        difference += d * d, norm += w * w;
      }
  }
  double relative() const { return difference == 0 ? 0 : std::sqrt(difference / norm); }
};

class Verification {
 public:
  Verification(Device& device, const Model& model, const SafetensorsFile& golden)
      : device_(device), model_(model), golden_(golden), in_(read_inputs(golden)), staging_(device) {
    for (const SafetensorsEntry& e : golden.tensors()) with_gradients_ |= e.name.starts_with("grad.");
  }

  std::vector<Verdict> run();

 private:
  ConstTensor golden_logits() const;
  void compare_gradients(const Weights& grads);

  Device& device_;
  const Model& model_;
  const SafetensorsFile& golden_;
  Inputs in_;
  Staging staging_;
  bool with_gradients_ = false;
  std::vector<Verdict> verdicts_;
};

ConstTensor Verification::golden_logits() const {
  const ConstTensor logits = golden_.find("logits");
  if (!logits) return {};
  Dim B{"B", in_.B}, T{"T", in_.T}, V{"V", model_.config.vocab_size};
  expect((golden_.path() + ": logits").c_str(), logits, {B, T, V});
  return logits.reshape({in_.B * in_.T, V});
}

// Runs the model once; the loss's callback compares each chunk of logits before turning it into dlogits.
std::vector<Verdict> Verification::run() {
  const Config& c = model_.config;
  const DType dtype = model_.dtype, stat = stat_of(dtype);
  const int64_t N = in_.B * in_.T;
  const BatchSize size = in_.batch.size();
  const Purpose purpose = with_gradients_ ? Purpose::training : Purpose::serving;
  Arena memory("verification",
               activation_bytes(c, dtype, purpose, size) + head_bytes(c, dtype, N, device_.on_host()) +
                   (with_gradients_ ? weight_bytes(c, stat) : 0) +
                   2 * N * (c.hidden_size + 1) * size_of(stat) + 16 * N + 8192,
               device_);
  Batch batch = allocate_batch(memory, size);
  upload_batch(device_, c, in_.batch, batch);
  Activations activations = allocate_activations(c, memory, dtype, purpose, size);
  const Tensor hidden = model_forward(device_, model_, batch, activations);

  const ConstTensor want = golden_logits();
  const Tensor losses = memory.allocate(stat, {N}), targets = memory.allocate(DType::i32, {N});
  upload(device_, targets, Tensor(in_.targets.data(), DType::i32, {N}));
  RunningError error;
  const LossFunction loss = [&](int64_t first, const Tensor& logits, const Tensor& dlogits) {
    if (want) error.add(staging_.read(logits), want.slice(first, logits.rows()));
    cross_entropy(device_, {.losses = losses.slice(first, logits.rows()),
                            .dlogits = dlogits,
                            .logits = logits,
                            .targets = targets.slice(first, logits.rows()),
                            .scale = 1.0 / static_cast<double>(in_.B * std::max<int64_t>(in_.T - 1, 1))});
  };
  Weights grads;
  if (with_gradients_) {
    grads = allocate_weights(c, memory, stat);
    const Tensor dhidden = memory.allocate(dtype, {N, c.hidden_size});
    head_backward(device_, model_, hidden, memory, loss, dhidden, grads);
    model_backward(device_, model_, batch, activations, dhidden, grads, /*balance_weight=*/0);
  } else {
    head_forward(device_, model_, hidden, memory, loss);
  }

  if (want) verdicts_.push_back({"logits", error.relative(), logits_tolerance(dtype)});
  if (const ConstTensor want_loss = golden_.find("loss")) {
    const ConstTensor each = staging_.read(losses);
    double sum = 0;
    for (int64_t n = 0; n < N; ++n) sum += element(each, 0, n);
    const double mean = sum / static_cast<double>(in_.B * std::max<int64_t>(in_.T - 1, 1));
    const double expected = element(want_loss, 0, 0);
    verdicts_.push_back({"loss", std::abs(mean - expected) / std::abs(expected), logits_tolerance(dtype)});
  }
  if (with_gradients_) compare_gradients(grads);
  return verdicts_;
}

void Verification::compare_gradients(const Weights& grads) {
  std::vector<NamedTensor> known = checkpoint_tensors(model_.config, grads);
  for (const NamedWeight& w : list_weights(model_.config, grads))
    if (w.weight.data.rank == 3) known.push_back({w.info.name, w.weight.data});  // experts fused
  for (const SafetensorsEntry& entry : golden_.tensors()) {
    if (!entry.name.starts_with("grad.")) continue;
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const NamedTensor& t) { return t.name == entry.name.substr(5); });
    check(found != known.end(), "{}: '{}' is no tensor of this model", golden_.path(), entry.name);
    const ConstTensor want = golden_.tensor(entry.name), got = found->tensor;
    check(want.rank == got.rank && want.shape == got.shape, "{}: '{}' has shape {}, expected {}",
          golden_.path(), entry.name, want.shape_text(), got.shape_text());
    verdicts_.push_back(
        {entry.name, relative_error(staging_.read(got), want), gradient_tolerance(model_.dtype, entry.name)});
  }
}

}  // namespace

double logits_tolerance(DType dtype) {
  // f32: a few dozen layers of sums, each good to about 1e-6. bf16: every activation is rounded to 8 bits.
  return dtype == DType::bf16 ? 5e-2 : 1e-4;
}

double gradient_tolerance(DType dtype, const std::string& name) {
  // f32: gradients pass through every rounding twice, and small ones are differences of larger terms.
  if (dtype != DType::bf16) return 1e-3;
  // bf16: the same with 8 bits; and where the router is near a tie it may choose another expert than in f32,
  // so that an expert chosen by few tokens wins or loses one of them.
  return name.find(".experts.") != std::string::npos ? 5e-1 : 2e-1;
}

std::vector<Verdict> verify_model(Device& device, const Model& model, const SafetensorsFile& golden) {
  const bool wanted =
      std::any_of(golden.tensors().begin(), golden.tensors().end(), [](const SafetensorsEntry& e) {
        return e.name == "logits" || e.name == "loss" || e.name.starts_with("grad.");
      });
  if (!wanted) return {};
  return Verification(device, model, golden).run();
}

}  // namespace fathom
