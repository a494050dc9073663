#include "model/verify_model.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "io/checkpoint.h"
#include "model/layer.h"
#include "model/model_folder.h"
#include "model/model_steps.h"
#include "ops/dispatch.h"
#include "tensor/compare.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

class Verification {
 public:
  Verification(Device& device, const Model& model, const SafetensorsFile& golden, OwnReference& reference,
               bool layers);

  std::vector<Verdict> run();

 private:
  const Config& config() const { return model_.config; }
  bool bf16() const { return model_.dtype == DType::bf16; }
  void choose_reference(OwnReference& own, bool layers);
  int64_t bytes() const;

  void compare(const std::string& name, const ConstTensor& got, const ConstTensor& want,
               const Tolerance& tolerance);
  void compare_experts(int64_t layer, Activations& a);
  // Logits and loss, as `head` hands them to the loss.
  void compare_head(const std::string& prefix, const Tolerance& tolerance,
                    const std::function<void(const LossFunction&)>& head);
  Tensor gathered(const std::vector<CheckpointPart>& parts, Arena& memory) const;
  void compare_gradients(Weights& grads, const Tolerance& tolerance);

  void whole_forward(Activations& a);
  void whole_head(Activations& a);
  void layers_forward(Activations& a);
  void layers_backward(Activations& a);
  // The golden's state, or its gradient, in place of our own.
  void put(const Tensor& to, const ConstTensor& reference);

  Device& device_;
  const Model& model_;
  const SafetensorsFile& golden_;
  VerifyInputs in_;
  bool with_gradients_ = false, layer_by_layer_ = false;
  LayerReference reference_;
  bool replays_ = false;
  Arena memory_;
  Staging staging_, input_;
  Batch batch_;
  ExpertReplay replay_;
  std::vector<Verdict> verdicts_;
};

Verification::Verification(Device& device, const Model& model, const SafetensorsFile& golden,
                           OwnReference& reference, bool layers)
    : device_(device),
      model_(model),
      golden_(golden),
      in_(read_inputs(golden)),
      staging_(device),
      input_(device) {
  for (const SafetensorsEntry& e : golden.tensors()) with_gradients_ |= e.name.starts_with("grad.");
  choose_reference(reference, layers);
  memory_ = Arena("verification", bytes(), device);
  batch_ = allocate_batch(memory_, in_.batch.size());
  upload_batch(device_, config(), in_.batch, batch_);
  if (!replays_) return;
  HostReplay replay{
      .given = reference_.experts, .rows = std::vector<int32_t>(in_.tokens()), .keep_choice = true};
  std::iota(replay.rows.begin(), replay.rows.end(), 0);
  replay_ = allocate_replay(device_, config(), memory_, replay);
  batch_.replay = &replay_;
}

// What the file does not hold is left out; but in bf16 gradients need the layers' states, and a model with
// experts needs those.
void Verification::choose_reference(OwnReference& own, bool layers) {
  const Config& c = config();
  const bool with_grads = bf16() && with_gradients_, moe = c.n_moe_layers() > 0;
  const bool complete = missing_layer_keys(c, golden_, with_grads).empty();
  const bool has_experts = moe && read_routing(golden_, c, "experts", in_.tokens());
  const bool own_is_another = bf16() || device_.backend() != Backend::cpu;
  reference_ = read_layers(c, golden_, in_, with_grads);
  if (!complete && ((layers && own_is_another) || with_grads || (bf16() && moe && !has_experts)))
    fill_up(reference_, own.layers(in_, with_grads));
  replays_ = has_experts || (bf16() && moe && reference_.own_run);
  layer_by_layer_ = bf16() && (complete || reference_.own_run);
}

int64_t Verification::bytes() const {
  const Config& c = config();
  const DType dtype = model_.dtype, stat = stat_of(dtype);
  const int64_t N = in_.tokens();
  return activation_bytes(c, dtype, Purpose::training, in_.batch.size()) +
         head_bytes(c, dtype, N, device_.on_host()) + (with_gradients_ ? weight_bytes(c, stat) : 0) +
         (replays_ ? replay_bytes(c, N, N) : 0) + next_token_loss_bytes(N) +
         N * c.hidden_size * size_of(stat) + 16 * N + 8192;
}

std::vector<Verdict> Verification::run() {
  Activations a = allocate_activations(config(), memory_, model_.dtype, Purpose::training, in_.batch.size());
  whole_forward(a);
  whole_head(a);
  if (layer_by_layer_) layers_forward(a);
  return std::move(verdicts_);
}

void Verification::compare(const std::string& name, const ConstTensor& got, const ConstTensor& want,
                           const Tolerance& tolerance) {
  if (!want) return;
  verdicts_.push_back({name, relative_error(staging_.read(got), want), stored_in(want.dtype, tolerance)});
  if (reference_.own_run)
    verdicts_.back().tolerance.reason += "; what the file lacks is of fathom's own f32 run";
}

void Verification::whole_forward(Activations& a) {
  const Config& c = config();
  const int64_t last = 2 * c.num_hidden_layers;
  model_forward(device_, model_, batch_, a);
  for (int64_t i = 0; !layer_by_layer_ && i <= last + 1; ++i) {
    if (i > 0 && i <= last && i % 2 == 0) compare_experts(i / 2 - 1, a);
    compare(state_key(c, i), state_of(c, a, i), reference_.states[static_cast<size_t>(i)],
            whole_tolerance(model_.dtype, (i + 1) / 2));
  }
}

// The whole model's logits and loss; its gradients too where layers are not run alone.
void Verification::whole_head(Activations& a) {
  const int64_t L = config().num_hidden_layers;
  const std::string prefix = layer_by_layer_ ? "whole." : "";
  if (layer_by_layer_ || !with_gradients_)
    return compare_head(prefix, whole_tolerance(model_.dtype, L), [&](const LossFunction& loss) {
      head_forward(device_, model_, a.normed, memory_, loss);
    });
  WeightGradients grads(config(), memory_, model_.dtype);
  const Tensor dhidden = memory_.allocate(model_.dtype, {in_.tokens(), config().hidden_size});
  compare_head(prefix, whole_tolerance(model_.dtype, L), [&](const LossFunction& loss) {
    head_backward(device_, model_, a.normed, memory_, loss, dhidden, grads);
  });
  model_backward(device_, model_, batch_, a, dhidden, grads, /*balance_weight=*/0);
  compare_gradients(grads.weights, whole_gradient_tolerance(model_.dtype, L));
}

void Verification::compare_head(const std::string& prefix, const Tolerance& tolerance,
                                const std::function<void(const LossFunction&)>& head) {
  const int64_t mark = memory_.used();
  const ConstTensor want = golden_rows(golden_, "logits", in_, config().vocab_size),
                    mean = golden_.find("loss");
  RelativeError error;
  NextTokenLoss loss(device_, in_, memory_, stat_of(model_.dtype));
  head(loss.function([&](int64_t first, const Tensor& logits) {
    if (want) error.add(staging_.read(logits), want.slice(first, logits.rows()));
  }));
  if (want) verdicts_.push_back({prefix + "logits", error.value(), stored_in(want.dtype, tolerance)});
  if (mean) {
    const ConstTensor each = staging_.read(loss.losses());
    double sum = 0;
    for (int64_t n = 0; n < in_.tokens(); ++n) sum += element(each, 0, n);
    const double got = sum / static_cast<double>(in_.counted()), expected = element(mean, 0, 0);
    verdicts_.push_back(
        {prefix + "loss", std::abs(got - expected) / std::abs(expected), stored_in(mean.dtype, tolerance)});
  }
  memory_.rewind(mark);
}

void Verification::compare_experts(int64_t layer, Activations& a) {
  if (!replays_ || !config().is_moe_layer(layer)) return;
  const Tensor chosen = replay_.chosen[static_cast<size_t>(layer)];
  std::vector<int32_t> ids(static_cast<size_t>(chosen.count()));
  const Tensor ours(ids.data(), DType::i32, {chosen.rows(), chosen.cols()});
  download(device_, ours, chosen);
  const Tensor& bias = model_.weights.layers[layer].moe.choice_bias.data;
  Staging bias_staging(device_);
  const double error = routing_error(config(), staging_.read(a.layer(layer).moe.scores),
                                     bias ? bias_staging.read(bias) : ConstTensor(), ours,
                                     reference_.experts[static_cast<size_t>(layer)]);
  verdicts_.push_back({experts_key(layer), error, experts_tolerance(model_.dtype, layer + 1)});
}

void Verification::put(const Tensor& to, const ConstTensor& reference) {
  input_.write(to, [&](const Tensor& host) { copy_tensor(reference, host, golden_.path()); });
}

void Verification::layers_forward(Activations& a) {
  const Config& c = config();
  const int64_t last = 2 * c.num_hidden_layers;
  const auto want = [&](int64_t i) { return reference_.states[static_cast<size_t>(i)]; };
  const Pass pass = forward_pass(device_, model_, batch_, a);
  rotary_table(pass, a);
  embed(pass, model_.weights, a);
  compare(state_key(c, 0), a.stream(0), want(0), rounded_tolerance());
  for (int64_t i = 0; i < last; ++i) {
    const int64_t layer = i / 2;
    const LayerWeights& w = model_.weights.layers[layer];
    put(state_of(c, a, i), want(i));
    if (i % 2 == 0)
      attention_half_forward(pass, w, a.layer(layer), layer, a.stream(layer));
    else
      mlp_half_forward(pass, w, a.layer(layer), layer, a.stream(layer + 1));
    if (i % 2 == 1) compare_experts(layer, a);
    compare(state_key(c, i + 1), state_of(c, a, i + 1), want(i + 1), half_layer_tolerance());
  }
  put(state_of(c, a, last), want(last));
  final_norm(pass, model_.weights, a);
  compare(state_key(c, last + 1), a.normed, want(last + 1), rounded_tolerance());
  if (with_gradients_) return layers_backward(a);
  compare_head("", rounded_tolerance(),
               [&](const LossFunction& loss) { head_forward(device_, model_, a.normed, memory_, loss); });
}

// Each half's activations are of the reference's state before it, as layers_forward left them.
void Verification::layers_backward(Activations& a) {
  const int64_t last = 2 * config().num_hidden_layers;
  const Tolerance tolerance = half_layer_gradient_tolerance();
  WeightGradients grads(config(), memory_, model_.dtype);
  const Tensor dhidden = memory_.allocate(model_.dtype, {in_.tokens(), config().hidden_size}),
               stream = a.gradients.stream;
  compare_head("", rounded_tolerance(), [&](const LossFunction& loss) {
    head_backward(device_, model_, a.normed, memory_, loss, dhidden, grads);
  });
  const auto want = [&](int64_t i) { return reference_.grads[static_cast<size_t>(i)]; };
  const Pass pass = backward_pass(device_, model_, batch_, a, grads, /*balance_weight=*/0);
  final_norm_backward(pass, model_.weights, grads.weights, a, dhidden);
  compare(grad_key(last), stream, want(last), tolerance);
  for (int64_t i = last - 1; i >= 0; --i) {
    const int64_t layer = i / 2;
    const LayerWeights& w = model_.weights.layers[layer];
    LayerWeights& dw = grads.weights.layers[layer];
    put(stream, want(i + 1));
    if (i % 2 == 0)
      attention_half_backward(pass, w, dw, a.layer(layer), a.gradients, a.stream(layer));
    else
      mlp_half_backward(pass, w, dw, a.layer(layer), a.gradients);
    compare(grad_key(i), stream, want(i), tolerance);
  }
  put(stream, want(0));
  embed_backward(pass, grads.weights, a);
  compare_gradients(grads.weights, tolerance);
}

void Verification::compare_gradients(Weights& grads, const Tolerance& tolerance) {
  std::unordered_map<std::string, std::vector<CheckpointPart>> known;
  for (const CheckpointPart& part : checkpoint_parts(config(), grads)) known[part.name].push_back(part);
  for (const NamedWeight& w : list_weights(config(), grads))
    if (w.weight.data.rank == 3) known[w.info.name] = {{w.info.name, w.weight.data}};  // experts fused
  for (const SafetensorsEntry& entry : golden_.tensors()) {
    if (!entry.name.starts_with("grad.")) continue;
    const auto found = known.find(entry.name.substr(5));
    check(found != known.end(), "{}: '{}' is no tensor of this model", golden_.path(), entry.name);
    const ConstTensor want = golden_.tensor(entry.name);
    Arena memory;
    const Tensor got = gathered(found->second, memory);
    check(want.rank == got.rank && want.shape == got.shape, "{}: '{}' has shape {}, expected {}",
          golden_.path(), entry.name, want.shape_text(), got.shape_text());
    compare(entry.name, got, want, tolerance);
  }
}

// The parts of one tensor, one after another.
Tensor Verification::gathered(const std::vector<CheckpointPart>& parts, Arena& memory) const {
  const Tensor& first = parts.front().tensor;
  if (parts.size() == 1) return first;
  int64_t rows = 0;
  for (const CheckpointPart& part : parts) rows += part.tensor.rows();
  memory = Arena("a gradient", rows * first.cols() * size_of(first.dtype) + 256, device_);
  const Tensor whole = memory.allocate(first.dtype, {rows, first.cols()});
  for (const CheckpointPart& part : parts)
    copy(device_, whole.slice(part.first / first.cols(), part.tensor.rows()), part.tensor);
  return whole;
}

}  // namespace

std::vector<Verdict> verify_model(Device& device, const Model& model, const SafetensorsFile& golden,
                                  OwnReference& reference, bool layers) {
  const auto compared = [](const SafetensorsEntry& e) {
    return e.name == "logits" || e.name == "loss" || e.name.starts_with("grad.") ||
           e.name.starts_with("hidden.") || e.name.starts_with("middle.") || e.name.starts_with("experts.");
  };
  if (std::none_of(golden.tensors().begin(), golden.tensors().end(), compared)) return {};
  return Verification(device, model, golden, reference, layers).run();
}

}  // namespace fathom
