#include "train/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "base/log.h"
#include "comm/agreement.h"
#include "io/checkpoint.h"
#include "model/model_folder.h"
#include "ops/cross_entropy.h"
#include "ops/router_bias.h"
#include "ops/sum.h"
#include "tensor/memory.h"
#include "train/identity.h"

namespace fathom {
namespace {

Recompute recompute_of(const Recipe& recipe, const Config& config) {
  Recompute recompute;
  recompute.layers = recipe.run.recompute ? config.num_hidden_layers : recipe.run.recompute_layers;
  recompute.set_parts("run.recompute_parts", recipe.run.recompute_parts);
  return recompute;
}

// For a micro-batch of `windows` windows.
MicroBatch allocate_micro_batch(const Recipe& r, const Config& c, Arena& arena, int64_t windows) {
  const DType dtype = r.run.precision;
  const int64_t N = windows * r.data.sequence_length;
  // With document_mask a window may fall into as many sequences as it has tokens.
  const BatchSize size = {
      .tokens = N, .sequences = r.data.document_mask ? N : windows, .keys = N, .units = windows};
  MicroBatch m;
  m.batch = allocate_batch(arena, size);
  m.targets = arena.allocate(DType::i32, {N});
  m.losses = arena.allocate(stat_of(dtype), {N});
  m.dhidden = arena.allocate(dtype, {N, c.hidden_size});
  m.activations = allocate_activations(c, arena, dtype, Purpose::training, size, recompute_of(r, c));
  return m;
}

int64_t work_bytes(const Recipe& r, const Config& c) {
  Arena plan;
  allocate_micro_batch(r, c, plan, r.batch.micro_batch);
  return plan.used() + head_bytes(c, r.run.precision, r.batch.micro_batch * r.data.sequence_length,
                                  !r.run.device.starts_with("cuda"));
}

// The model's special tokens are those of its data. A config from elsewhere must agree; fields left out of
// the recipe follow the data.
void settle_special_tokens(const Recipe& r, const TokenVocabulary& data, Config& c) {
  const bool from_elsewhere = !r.model.config.empty() || !r.model.init_from.empty();
  if (!from_elsewhere && !r.model.fields.contains("bos_token_id")) c.bos_token_id = data.bos;
  if (!from_elsewhere && !r.model.fields.contains("eos_token_id")) c.eos_token_ids = {data.eos};
  check(c.bos_token_id == data.bos, "the model's bos_token_id is {}, but the training data has {}",
        c.bos_token_id ? std::to_string(*c.bos_token_id) : "null", data.bos);
  const auto& eos = c.eos_token_ids;
  check(std::find(eos.begin(), eos.end(), data.eos) != eos.end(),
        "the training data has eos_token_id {}, which the model lacks", data.eos);
}

Config checked_config(const Recipe& recipe, const TokenVocabulary& data) {
  Config config = model_config(recipe);
  check(recipe.data.sequence_length <= config.max_position_embeddings,
        "data.sequence_length = {} is longer than the model's max_position_embeddings = {}",
        recipe.data.sequence_length, config.max_position_embeddings);
  check(data.size <= config.vocab_size,
        "the training data's vocabulary of {} is larger than the model's vocab_size = {}", data.size,
        config.vocab_size);
  settle_special_tokens(recipe, data, config);
  return config;
}

Arena gradient_arena(const Device& device, const Model& model) {
  return Arena("gradients", weight_bytes(model.config, gradient_types(model.dtype)), device, smaller_model);
}

// The paths that are folders: a shard that is named itself is of the split that it is named for.
std::vector<std::string> folders_of(const std::vector<std::string>& paths) {
  std::vector<std::string> folders;
  for (const std::string& path : paths)
    if (std::filesystem::is_directory(path)) folders.push_back(path);
  return folders;
}

constexpr int64_t loss_total = 0, balance_totals = 1;  // in totals_: one, then one for each level
constexpr int64_t levels = 3;

// A mean over nothing is 0, not NaN: a step of documents of one token has no target.
double at_least_one(int64_t targets) {
  return static_cast<double>(std::max<int64_t>(targets, 1));
}

}  // namespace

TrainingMemory training_memory(const Recipe& r, const Config& c) {
  const DType dtype = r.run.precision;
  return {.weights = weight_bytes(c, dtype),
          .gradients = weight_bytes(c, gradient_types(dtype)),
          .optimizer = Optimizer::bytes(c, dtype),
          .activations = work_bytes(r, c)};
}

Trainer::Trainer(const Recipe& recipe, const std::string& checkpoint, const std::vector<std::string>& changes)
    : recipe_(recipe),
      device_(Device::named(recipe.run.device, static_cast<int>(recipe.run.threads))),
      ranks_(Communicator::alone(device_)),
      training_shards_(recipe.data.train, "train"),
      model_(
          make_model(device_, checked_config(recipe, training_shards_.vocabulary()), recipe.run.precision)),
      gradient_memory_(gradient_arena(device_, model_)),
      grads_(model_.config, gradient_memory_, model_.dtype),
      optimizer_(device_, model_, grads_.weights),
      work_memory_(
          "activations", work_bytes(recipe, model_.config), device_,
          "batch.micro_batch or data.sequence_length lowers it, and run.recompute_parts or run.recompute") {
  open_data();
  lay_out(recipe_.batch.micro_batch);
  const Config& c = model_.config;
  const int64_t L = c.num_hidden_layers, E = c.n_routed_experts, D = c.expert_groups();
  report_memory_ = Arena("a step's report", 4 * L * (E + D + 1) + 512, device_);
  totals_ = report_memory_.allocate(DType::f64, {balance_totals + levels});
  choices_ = {.experts = report_memory_.allocate(DType::i32, {L, E}),
              .groups = report_memory_.allocate(DType::i32, {L, D}),
              .dropped = report_memory_.allocate(DType::i32, {L})};
  start_state(checkpoint, changes);
  const Packing packing = {recipe_.data.sequence_length, recipe_.data.document_mask};
  const StepSizes sizes = {.windows =
                               [this](int64_t windows_read) {
                                 return batch_sequences(recipe_.batch,
                                                        windows_read * recipe_.data.sequence_length);
                               },
                           .micro_batch = recipe_.batch.micro_batch};
  loader_ = std::make_unique<Loader>(training_shards_, packing, training_windows_, sizes, recipe_.run.seed,
                                     state_.windows_read);
}

void Trainer::open_data() {
  const Recipe::Data& data = recipe_.data;
  const int64_t windows = window_count(training_shards_.tokens(), data.sequence_length);
  training_windows_ = windows;
  if (!data.validation.empty())
    own_validation_shards_.emplace(data.validation, "val");
  else if (const auto folders = folders_of(data.train); !shard_files(folders, "val").empty())
    own_validation_shards_.emplace(folders, "val");
  if (own_validation_shards_) {
    check_same_tokenizer(training_shards_, *own_validation_shards_);
    validation_windows_ = window_count(own_validation_shards_->tokens(), data.sequence_length);
  } else if (data.validation_fraction > 0) {
    validation_windows_ =
        static_cast<int64_t>(std::ceil(data.validation_fraction * static_cast<double>(windows)));
    training_windows_ = first_validation_window_ = windows - validation_windows_;
  }
  if (own_validation_shards_ && validation_windows_ == 0)
    log::warn("{}: {} tokens are too few for a sequence of {} + 1: there is no validation loss",
              own_validation_shards_->paths().front(), own_validation_shards_->tokens(),
              data.sequence_length);
  if (recipe_.validation.sequences > 0)
    validation_windows_ = std::min(validation_windows_, recipe_.validation.sequences);
}

void Trainer::start_state(const std::string& checkpoint, const std::vector<std::string>& changes) {
  RunState now;
  now.data_tokens = training_shards_.tokens();
  now.data = training_shards_.fingerprint(device_.threads(), recipe_.data.verify);
  now.tokenizer = checked_tokenizer(recipe_, training_shards_,
                                    own_validation_shards_ ? &*own_validation_shards_ : nullptr);
  tokenizer_folder_ = tokenizer_folder(recipe_, training_shards_);
  if (own_validation_shards_) own_validation_shards_->fingerprint(device_.threads(), recipe_.data.verify);
  if (checkpoint.empty()) {
    start_weights();
  } else {
    check_recipe(checkpoint, recipe_, model_.config, changes);
    state_ = load_checkpoint(ranks_, device_, checkpoint, model_, optimizer_);
    check_same_run(checkpoint, state_, now, training_shards_);
  }
  state_.data_tokens = now.data_tokens, state_.data = now.data, state_.tokenizer = now.tokenizer;
}

void Trainer::start_weights() {
  if (recipe_.model.init_from.empty())
    initialize_weights(device_, model_.config, optimizer_.exact(), recipe_.run.seed);
  else
    load_weights(device_, model_.config, optimizer_.exact(), CheckpointReader(recipe_.model.init_from));
  optimizer_.round_master(device_);
}

// A step's or the validation's last micro-batch may have fewer windows than the others.
void Trainer::lay_out(int64_t windows) {
  if (micro_.targets && micro_.targets.cols() == windows * recipe_.data.sequence_length) return;
  work_memory_.rewind(0);
  micro_ = allocate_micro_batch(recipe_, model_.config, work_memory_, windows);
}

Batch Trainer::upload_packed(const PackedBatch& packed) {
  const HostBatch& host = packed.batch;
  lay_out(host.size().tokens / recipe_.data.sequence_length);
  Batch batch = micro_.batch;
  batch.sequence_starts = batch.sequence_starts.slice(0, host.size().sequences + 1);
  upload_batch(device_, model_.config, host, batch);
  upload(device_, micro_.targets, ConstTensor(packed.targets.data(), DType::i32, {host.size().tokens}));
  return batch;
}

// `scale` is one over the targets that the mean is taken over; only the gradient sees it.
LossFunction Trainer::cross_entropy_loss(double scale) {
  return [this, scale](int64_t first, const Tensor& logits, const Tensor& dlogits) {
    cross_entropy(device_, {.losses = micro_.losses.slice(first, logits.rows()),
                            .dlogits = dlogits,
                            .logits = logits,
                            .targets = micro_.targets.slice(first, logits.rows()),
                            .scale = scale});
  };
}

bool Trainer::counts_come_first(size_t micro_batches) const {
  const Config& c = model_.config;
  return !c.seq_aux && balances(recipe_, c) && micro_batches > 1;
}

Batch Trainer::upload_for_step(const PackedBatch& packed, const StepReport& step) {
  const Recipe::Model& m = recipe_.model;
  Batch batch = upload_packed(packed);
  batch.step = {.tokens = step.tokens,
                .choices = {},
                .device_alpha = m.device_balance_alpha,
                .communication_alpha = m.communication_balance_alpha,
                .capacity_factor = m.capacity_factor};
  return batch;
}

void Trainer::count_experts(const PackedBatch& packed, const StepReport& step) {
  const Batch batch = upload_for_step(packed, step);
  micro_.activations.choices = choices_;
  model_forward(device_, model_, batch, micro_.activations);
}

void Trainer::micro_step(const PackedBatch& packed, const StepReport& step, bool counted) {
  Batch batch = upload_for_step(packed, step);
  if (counted) batch.step.choices = choices_;
  micro_.activations.choices = counted ? ChoiceCounts() : choices_;
  const Tensor hidden = model_forward(device_, model_, batch, micro_.activations);
  head_backward(device_, model_, hidden, work_memory_, cross_entropy_loss(1 / at_least_one(step.targets)),
                micro_.dhidden, grads_);
  model_backward(device_, model_, batch, micro_.activations, micro_.dhidden, grads_);
  sum(device_, {.sum = totals_.slice(loss_total, 1), .x = micro_.losses});
  for (int64_t level = 0; level < levels; ++level)
    sum(device_, {.sum = totals_.slice(balance_totals + level, 1),
                  .x = micro_.activations.balance_losses.slice(level, 1)});
}

StepReport Trainer::step() {
  finish_written_checkpoint();
  const Position before = position();
  const PackedStep& micro_batches = loader_->next();
  StepReport report;
  report.step = before.step + 1;
  for (const PackedBatch& packed : micro_batches) {
    report.tokens += packed.batch.size().tokens;
    report.targets += packed.counted;
  }
  report.lr = learning_rate(recipe_, before);

  grads_.accumulate = false;
  clear(device_, totals_);
  for (const Tensor& counts : {choices_.experts, choices_.groups, choices_.dropped}) clear(device_, counts);
  const bool count_first = counts_come_first(micro_batches.size());
  if (count_first)
    for (const PackedBatch& packed : micro_batches) count_experts(packed, report);
  for (const PackedBatch& packed : micro_batches) micro_step(packed, report, count_first);
  read_totals(report);
  check(std::isfinite(report.loss), "step {}: the loss is {}; the last checkpoint is the newest good state",
        report.step, report.loss);
  check(std::isfinite(report.grad_norm),
        "step {}: the gradient norm is {}; the last checkpoint is the newest good state", report.step,
        report.grad_norm);

  const double clip = recipe_.optimizer.clip;
  const double scale = clip > 0 && report.grad_norm > clip ? clip / report.grad_norm : 1;
  optimizer_.update(device_, recipe_.optimizer, report.lr, scale, report.step);
  update_choice_biases();
  state_.step = report.step;
  state_.tokens += report.tokens;
  state_.windows_read = loader_->windows_read();
  return report;
}

// From the choices of the whole step, before any were dropped.
void Trainer::update_choice_biases() {
  if (recipe_.model.bias_update_speed == 0) return;
  for (int64_t i = 0; i < model_.config.num_hidden_layers; ++i)
    if (const Tensor& bias = model_.weights.layers[i].moe.choice_bias.data)
      router_bias_update(
          device_, {.bias = bias, .counts = choices_.experts[i], .speed = recipe_.model.bias_update_speed});
}

// Room for the step's counts, to be downloaded.
ExpertLoad Trainer::empty_load() const {
  const Config& c = model_.config;
  ExpertLoad load = {.E = choices_.experts.cols(), .D = choices_.groups.cols()};
  for (int64_t i = 0; i < c.num_hidden_layers; ++i)
    if (c.is_moe_layer(i)) load.moe_layers.push_back(i);
  load.experts.resize(static_cast<size_t>(choices_.experts.count()));
  load.sent.resize(static_cast<size_t>(choices_.groups.count()));
  if (recipe_.model.capacity_factor > 0) load.dropped.resize(static_cast<size_t>(choices_.dropped.count()));
  return load;
}

// All that the host wants to know of a step comes with one wait.
void Trainer::read_totals(StepReport& report) {
  const auto fetch = [&](std::vector<int32_t>& to, const Tensor& from) {
    Tensor host = from;
    host.data = to.data();
    if (!to.empty()) download_later(device_, host, from);
  };
  std::array<double, balance_totals + levels> totals{};
  download_later(device_, Tensor(totals.data(), DType::f64, {balance_totals + levels}), totals_);
  report.load = empty_load();
  fetch(report.load.experts, choices_.experts);
  fetch(report.load.sent, choices_.groups);
  fetch(report.load.dropped, choices_.dropped);
  report.grad_norm = optimizer_.gradient_norm(device_);  // waits
  report.loss = totals[loss_total] / at_least_one(report.targets);
  report.balance = {totals[balance_totals], totals[balance_totals + 1], totals[balance_totals + 2]};
  report.expert_load = report.load.expert_load();
  report.dropped = report.load.dropped_share();
}

std::optional<double> Trainer::validation_loss() {
  if (validation_windows_ == 0) return std::nullopt;
  const TokenShards& shards = own_validation_shards_ ? *own_validation_shards_ : training_shards_;
  const Packing packing = {recipe_.data.sequence_length, recipe_.data.document_mask};
  const int64_t micro = recipe_.batch.micro_batch;
  PackedBatch packed;
  std::vector<int64_t> windows;
  int64_t targets = 0;
  clear(device_, totals_);
  for (int64_t first = 0; first < validation_windows_; first += micro) {
    windows.resize(static_cast<size_t>(std::min(micro, validation_windows_ - first)));
    std::iota(windows.begin(), windows.end(), first_validation_window_ + first);
    pack_windows(shards, packing, windows, packed);
    targets += packed.counted;
    const Batch batch = upload_packed(packed);
    micro_.activations.choices = {};
    const Tensor hidden = model_forward(device_, model_, batch, micro_.activations);
    head_forward(device_, model_, hidden, work_memory_, cross_entropy_loss(1));
    sum(device_, {.sum = totals_.slice(loss_total, 1), .x = micro_.losses});
  }
  double total = 0;
  download(device_, Tensor(&total, DType::f64, {1}), totals_.slice(loss_total, 1));
  if (targets == 0) return std::nullopt;
  return total / static_cast<double>(targets);
}

std::string Trainer::save() {
  wait_for_checkpoint();
  const bool beside = take_snapshots();
  saving_ = std::make_unique<CheckpointWriter>(
      ranks_, beside ? snapshot_->device() : device_,
      checkpoint_content(recipe_, state_, model_.config, tokenizer_folder_),
      beside ? snapshot_->slices() : checkpoint_slices(model_, optimizer_));
  if (beside)
    saving_->start();
  else
    wait_for_checkpoint();
  return checkpoint_folder(recipe_.run.output, state_.step);
}

void Trainer::wait_for_checkpoint() {
  if (const auto saving = std::move(saving_)) saving->finish();
}

// Between two steps: the sooner it is in place, the less is lost by a crash.
void Trainer::finish_written_checkpoint() {
  if (saving_ && ranks_.size() > 1 && saving_->done()) wait_for_checkpoint();
}

bool Trainer::take_snapshots() {
  return all_of(ranks_, take_snapshot());
}

// False where there is nothing to gain by one, or no room for it.
bool Trainer::take_snapshot() {
  if (device_.on_host() || !snapshots_fit_) return false;
  try {
    if (!snapshot_) snapshot_ = std::make_unique<Snapshot>(device_, model_);
  } catch (const Error& e) {
    snapshots_fit_ = false;
    log::warn("checkpoints are written between steps: {}", e.what());
    return false;
  }
  snapshot_->take(device_, model_, optimizer_);
  return true;
}

void Trainer::save_model_to(const std::string& dir) const {
  save_model_folder(ranks_, device_, dir, model_.config, model_.dtype,
                    whole_slices(checkpoint_parts(model_.config, model_.weights)), tokenizer_folder_);
}

}  // namespace fathom
