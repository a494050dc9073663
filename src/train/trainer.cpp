#include "train/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "comm/agreement.h"
#include "io/checkpoint.h"
#include "io/descriptor.h"
#include "model/adapter_folder.h"
#include "model/model_folder.h"
#include "ops/router_bias.h"
#include "tensor/profile.h"
#include "train/identity.h"
#include "train/loader.h"
#include "train/not_finite.h"
#include "train/output_folder.h"
#include "train/resume_check.h"
#include "train/weights_identity.h"

namespace fathom {
namespace {

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
  if (recipe.method != TrainingMethod::reward)
    check_language_model(config, "fathom " + std::string(name_of(recipe.method)));
  check(recipe.data.sequence_length <= config.max_position_embeddings,
        "data.sequence_length = {} is longer than the model's max_position_embeddings = {}",
        recipe.data.sequence_length, config.max_position_embeddings);
  check(data.size <= config.vocab_size,
        "the training data's vocabulary of {} is larger than the model's vocab_size = {}", data.size,
        config.vocab_size);
  settle_special_tokens(recipe, data, config);
  return config;
}

ParallelPlan plan_of(const Recipe& r, const Config& config, const World* world) {
  return parallel_plan(config, world ? world->size() : 1, r.parallel.pipeline, r.parallel.expert);
}

std::unique_ptr<Objective> objective_of(const TrainingKind& kind, const Recipe& recipe) {
  return kind.make_objective ? kind.make_objective(recipe) : std::make_unique<TokenObjective>();
}

}  // namespace

Trainer::Trainer(const Recipe& recipe, const std::string& checkpoint, const std::vector<std::string>& changes,
                 World* world, const TrainingKind& kind)
    : recipe_(recipe),
      kind_(kind),
      device_(device_of_rank(recipe, world)),
      data_(kind_.open_data(recipe, device_.threads())),
      config_(checked_config(recipe, data_.vocabulary)),
      ranks_(world, device_, plan_of(recipe, config_, world)),
      trained_(device_, ranks_, config_, recipe.run.precision),
      totals_(device_, config_),
      objective_(objective_of(kind_, recipe)),
      passes_(recipe_, device_, config_, ranks_, trained_, totals_, *objective_),
      watch_(recipe.anomaly.window, recipe.anomaly.deviations) {
  start(world, checkpoint, changes);
  start_source();
}

void Trainer::start_source() {
  source_.reset();  // before the order that it reads
  order_.emplace(window_order());
  if (kind_.make_source) {
    source_ = kind_.make_source(
        {recipe_, device_, trained_.model(), data_, *objective_, *order_, state_.windows_read});
    return;
  }
  const StepSizes sizes = {.windows =
                               [this](int64_t windows_read) {
                                 return batch_sequences(recipe_.batch,
                                                        windows_read * recipe_.data.sequence_length);
                               },
                           .micro_batch = recipe_.batch.micro_batch,
                           .replica = ranks_.replica()};
  source_ = std::make_unique<Loader>(*data_.training, *order_, sizes, recipe_.run.seed, state_.windows_read);
}

WindowOrder Trainer::window_order() const {
  const uint64_t seed = recipe_.run.seed;
  WindowOrder order = recipe_.data.weights.empty()
                          ? WindowOrder(data_.windows(), data_.stride, seed)
                          : WindowOrder(data_.sources, state_.mixture, data_.stride, seed);
  for (const RollBack& rollback : state_.rollbacks) order.reorder(rollback.taken);
  return order;
}

TrainingMemory Trainer::memory_taken() const {
  return {.weights = trained_.model().memory.used(),
          .gradients = trained_.gradient_bytes(),
          .optimizer = trained_.optimizer().bytes_taken(),
          .activations = passes_.activation_bytes(),
          .exchange = passes_.exchange_bytes()};
}

RunState Trainer::starting_state() {
  RunState now;
  now.data_tokens = data_.tokens;
  now.data = data_.identity;
  now.tokenizer = data_.tokenizer;
  if (!config_.lora) return now;
  now.base = weights_identity(ranks_.everyone(), recipe_.model.init_from, device_.threads());
  if (!recipe_.lora.init_from.empty())
    now.adapter =
        weights_identity(ranks_.everyone(), adapter_tensors(recipe_.lora.init_from), device_.threads());
  return now;
}

void Trainer::start(World* world, const std::string& checkpoint, const std::vector<std::string>& changes) {
  const RunState now = starting_state();
  if (world) {
    world->check_same("the training data", now.data);
    world->check_same("the validation data", data_.validation_identity);
    world->check_same("the tokenizer", now.tokenizer);
    const OrderedJson config = config_to_json(config_, "");
    for (const auto& [key, value] : config.items()) world->check_same("model." + key, value.dump());
  }
  if (checkpoint.empty()) {
    trained_.start(device_, recipe_);
    state_ = now;
    state_.mixture = mixture_start(recipe_.data.weights);
  } else {
    check_recipe(checkpoint, recipe_, config_, changes);
    check_same_base(checkpoint, now, recipe_);
    if (config_.lora) trained_.load_frozen(device_, recipe_);
    const RunState then = load(checkpoint);
    check_same_run(checkpoint, then, now, data_.where);
    go_on(then, now);
  }
}

RunState Trainer::load(const std::string& checkpoint) {
  trained_.finish_gathering();
  RunState state =
      load_checkpoint(ranks_.everyone(), device_, checkpoint, trained_.model(), trained_.optimizer());
  trained_.start_gathering();  // an older checkpoint's master copies may be weights now
  return state;
}

void Trainer::go_on(RunState then, const RunState& now) {
  then.data_tokens = now.data_tokens, then.data = now.data, then.tokenizer = now.tokenizer;
  then.mixture = mixture_start(recipe_.data.weights, &then.mixture, then.windows_read);
  state_ = std::move(then);
  watch_.history = state_.anomalies;
}

// The checkpoint's numbers stay those that the next steps are compared with; what was flagged before it is
// not held against them.
void Trainer::roll_back(const StepReport& report) {
  wait_for_checkpoint();
  const std::string checkpoint = newest_checkpoint(ranks_.everyone(), recipe_.run.output);
  const RunState before = state_;
  go_on(load(checkpoint), before);
  state_.rollbacks = before.rollbacks;
  state_.rollbacks.push_back(
      {report.step, state_.step, report.why, order().taken(state_.windows_read)});
  watch_.history.flagged.clear(), watch_.history.in_a_row = 0;
  state_.anomalies = watch_.history;
  together(ranks_.everyone(), [&] {
    if (ranks_.writes()) note_rollback(file_in(checkpoint, "trainer.json"), state_);
  });
  start_source();
}

bool Trainer::ready() {
  if (next_) return true;
  const ProfilePart part(device_, data_wait);
  if (source_->ready()) next_ = &source_->next();
  return next_ != nullptr;
}

StepReport Trainer::step() {
  finish_written_checkpoint();
  const Position before = position();
  check(ready(), "interrupted before step {}", before.step + 1);
  const PackedStep& packed = *std::exchange(next_, nullptr);
  StepReport report;
  report.step = before.step + 1;
  report.tokens = packed.tokens, report.targets = packed.targets, report.weight = packed.weight;
  report.lr = learning_rate(recipe_, before);

  totals_.clear(device_);
  passes_.step(packed);
  trained_.finish_gathering();  // of a rank without a forward pass
  trained_.reduce_gradients();
  read_totals(report);
  watch(report);
  if (report.reaction == Reaction::roll_back) return report;
  // A rollout whose groups all have equal rewards teaches nothing, and is no step of the optimizer either.
  if (report.reaction == Reaction::train && report.tokens > 0) update_weights(report);
  state_.step = report.step;
  state_.anomalies = watch_.history;
  state_.tokens += report.tokens;
  state_.windows_read = source_->windows_read();
  return report;
}

void Trainer::update_weights(const StepReport& report) {
  const double clip = recipe_.optimizer.clip;
  const double scale = clip > 0 && report.grad_norm > clip ? clip / report.grad_norm : 1;
  trained_.optimizer().update(device_, recipe_.optimizer, report.lr, scale, report.step);
  update_choice_biases();
  trained_.start_gathering();
}

// All ranks have the same sums, and decide the same.
void Trainer::watch(StepReport& report) {
  const Recipe::Anomalies& a = recipe_.anomaly;
  const auto rollbacks = static_cast<int64_t>(state_.rollbacks.size());
  report.anomaly = watch_.judge(report.loss, report.grad_norm);
  report.reaction = react(a, report.anomaly, report.step, rollbacks, watch_.history);
  if (report.reaction < Reaction::roll_back) return;
  report.why = reason_text(a, report.anomaly, rollbacks, watch_.history) + origin_of(report);
  check(report.reaction == Reaction::roll_back,
        "step {}: {} (loss {:g}, norm {:g}); the last checkpoint is the newest good state", report.step,
        report.why, report.loss, report.grad_norm);
}

// All ranks have the same sums, and come here together.
std::string Trainer::origin_of(const StepReport& report) {
  if (std::isfinite(report.loss) && std::isfinite(report.grad_norm)) return {};
  return origin_of_not_finite(device_, ranks_, trained_, totals_.loss(device_));
}

// All that the host wants to know of a step comes with one wait.
void Trainer::read_totals(StepReport& report) {
  StepSums sums = totals_.read(device_, ranks_, trained_.optimizer());
  report.loss = sums.loss / over_weight(report.weight);
  report.means = objective_means(report.weight);
  if (const ReplayedChoices& r = passes_.replayed(); r.choices > 0)
    report.means.push_back({"experts_differing", static_cast<double>(r.differing) / static_cast<double>(r.choices)});
  report.balance = sums.balance;
  report.grad_norm = std::sqrt(sums.squares);
  report.load = std::move(sums.load);
  if (recipe_.model.capacity_factor == 0) report.load.dropped.clear();
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i)
    if (config_.is_moe_layer(i)) report.load.moe_layers.push_back(i);
  report.expert_load = report.load.expert_load();
  report.dropped = report.load.dropped_share();
}

// From the choices of the whole step, before any were dropped: the same on all ranks.
void Trainer::update_choice_biases() {
  const double speed = recipe_.model.bias_update_speed;
  if (speed == 0) return;
  totals_.share_counts(ranks_);
  const std::vector<LayerWeights>& layers = trained_.model().weights.layers;
  for (size_t i = 0; i < layers.size(); ++i)
    if (const Tensor& bias = layers[i].moe.choice_bias.data)
      router_bias_update(
          device_,
          {.bias = bias, .counts = totals_.choices().experts[static_cast<int64_t>(i)], .speed = speed});
}

void Trainer::pack_validation(int64_t i, PackedBatch& packed) const {
  const Windows& windows = data_.validation ? *data_.validation : *data_.training;
  const std::span<const int64_t> places = data_.validation_places;
  const auto micro = static_cast<size_t>(recipe_.batch.micro_batch),
             first = std::min(static_cast<size_t>(ranks_.replica().item(i)) * micro, places.size());
  windows.pack(places.subspan(first, std::min(micro, places.size() - first)), packed);
}

std::optional<double> Trainer::validation_loss() {
  if (std::vector<Objective::Sum> own = source_->validate(); !own.empty()) {
    validation_means_.assign(own.begin() + 1, own.end());
    return own.front().value;
  }
  if (validation_windows() == 0) return std::nullopt;
  const int64_t micro = recipe_.batch.micro_batch,
                n = passes_.count((validation_windows() + micro - 1) / micro);
  PackedBatch packed;
  double weight = 0;
  totals_.clear(device_);
  for (int64_t i = 0; i < n; ++i) {
    pack_validation(i, packed);
    if (trained_.model().part.has_head(config_)) weight += packed.weight;
    passes_.add_losses(packed);
  }
  std::array<double, 2> sums = {totals_.loss(device_), weight};
  ranks_.everyone().host().run(AllReduce{.x = Tensor(sums.data(), DType::f64, {2})});
  validation_means_ = objective_means(sums[1]);
  if (sums[1] == 0) return std::nullopt;
  return sums[0] / sums[1];
}

// All ranks' sums over the weight.
std::vector<Objective::Sum> Trainer::objective_means(double weight) {
  std::vector<Objective::Sum> sums = objective_->take_sums();
  std::vector<double> values;
  for (const Objective::Sum& sum : sums) values.push_back(sum.value);
  if (!values.empty())
    ranks_.everyone().host().run(
        AllReduce{.x = Tensor(values.data(), DType::f64, {static_cast<int64_t>(values.size())})});
  for (size_t i = 0; i < sums.size(); ++i) sums[i].value = values[i] / over_weight(weight);
  return sums;
}

std::string Trainer::save() {
  wait_for_checkpoint();
  trained_.finish_gathering();
  const bool beside = take_snapshots();
  saving_ = std::make_unique<CheckpointWriter>(
      ranks_.everyone(), beside ? snapshot_->device() : device_,
      checkpoint_content(recipe_, state_, saved_model()),
      beside ? snapshot_->slices() : checkpoint_slices(trained_.optimizer()));
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
  if (saving_ && !ranks_.alone() && saving_->done()) wait_for_checkpoint();
}

bool Trainer::take_snapshots() {
  return all_of(ranks_.everyone(), take_snapshot());
}

// False where there is nothing to gain by one, or no room for it. Adapters are written in no time, and the
// copy would be of all weights.
bool Trainer::take_snapshot() {
  if (device_.on_host() || !snapshots_fit_ || config_.lora) return false;
  try {
    if (!snapshot_) snapshot_ = std::make_unique<Snapshot>(device_, trained_.model(), trained_.groups());
  } catch (const Error& e) {
    snapshots_fit_ = false;
    log::warn("checkpoints are written between steps: {}", e.what());
    return false;
  }
  snapshot_->take(device_, trained_.model(), trained_.optimizer());
  return true;
}

void Trainer::save_model_to(const std::string& dir) const {
  trained_.finish_gathering();
  save_model_folder(ranks_.everyone(), device_, dir, saved_model(), trained_.optimizer().weight_slices());
}

}  // namespace fathom
