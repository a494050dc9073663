#include "train/training_run.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/progress.h"
#include "io/descriptor.h"
#include "model/adapter_config.h"
#include "train/dead_experts.h"
#include "train/ignored.h"
#include "train/memory_report.h"
#include "train/metrics.h"
#include "train/mixture_report.h"
#include "train/output_folder.h"
#include "train/run_description.h"
#include "train/trainer.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t profiled_step = 2;  // of those this process does: the first ones warm up

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check_changes(TrainingMethod method, const std::vector<std::string>& changes) {
  for (const std::string& name : changes) {
    std::vector<std::string> names;
    const RecipeKey* found = nullptr;
    const std::vector<RecipeKey> keys = recipe_keys(method);
    for (const RecipeKey& key : keys) {
      names.push_back(key.name);
      if (key.name == name) found = &key;
    }
    check(found, "--resume-with {}: no such key{}", name, did_you_mean(name, names));
    check(found->on_resume != OnResume::fixed,
          "--resume-with {}: it cannot change in a run; model.init_from starts another one", name);
  }
}

bool writes(const TrainOptions& options) {
  return !options.world || options.world->rank() == 0;
}

Communicator host_ranks(const TrainOptions& options, const Device& host) {
  return options.world ? options.world->communicator(host) : Communicator::alone(host);
}

// Sums since the last line of progress.
struct Interval {
  double seconds = 0, loss = 0, weight = 0;
  int64_t tokens = 0;

  void add(const StepReport& report, double step_seconds) {
    seconds += step_seconds, tokens += report.tokens;
    if (report.skipped()) return;
    weight += report.weight;
    loss += report.loss * report.weight;
  }
  // Nothing where all its steps were skipped.
  std::optional<double> mean_loss() const {
    if (weight == 0) return std::nullopt;
    return loss / weight;
  }
  double tokens_per_second() const { return static_cast<double>(tokens) / seconds; }
};

class Run {
 public:
  Run(const Recipe& recipe, const TrainOptions& options)
      : recipe_(recipe),
        options_(options),
        ranks_(host_ranks(options, host_)),
        output_(ranks_, recipe.run.output, options.resume),
        trainer_(recipe, output_.start(), options.changes, options.world, options.kind),
        progress_at_start_(run_progress(recipe, trainer_.position())),
        saved_step_(options.resume ? trainer_.state().step : -1) {
    const bool tokenizer = !trainer_.data().tokenizer_folder.empty();
    check(!samples() || tokenizer, "sample.prompts needs a tokenizer, and the data has none");
    check(!evaluates() || tokenizer, "eval.tasks needs a tokenizer, and the data has none");
    announce();
  }

  TrainOutcome go();
  // The run was finished before this process came: nothing is written.
  bool nothing_to_do() const {
    return options_.resume && trainer_.finished() &&
           (std::filesystem::exists(model_folder() + "/config.json") || is_adapter_folder(model_folder()));
  }
  TrainOutcome finished_before() const;

 private:
  bool whole_model() const;
  bool samples() const { return !recipe_.sample.prompts.empty() && options_.write_samples && whole_model(); }
  bool evaluates() const { return options_.evaluate && whole_model(); }
  void announce();
  std::optional<StepReport> step();
  std::optional<Ending> ending();
  void roll_back(const StepReport& report);
  void open_metrics(int64_t after_step);
  void after_step(const StepReport& report, double seconds);
  std::string balance_text(const BalanceLevels& balance) const;
  std::vector<NamedValue> step_values(const StepReport& report, double seconds) const;
  void log_line(const StepReport& report);
  void flag(const StepReport& report);
  void validate();
  void sample();
  void evaluate();
  void save();
  double seconds_left() const;
  std::string model_folder() const { return file_in(recipe_.run.output, "model"); }
  bool is_multiple(int64_t every) const { return every > 0 && trainer_.state().step % every == 0; }

  const Recipe& recipe_;
  const TrainOptions& options_;
  int64_t steps_done_ = 0;  // by this process
  const Clock::time_point start_ = Clock::now();
  const Device host_ = Device::cpu(1);
  Communicator ranks_;
  const OutputFolder output_;  // before the trainer reads it
  Trainer trainer_;
  std::optional<Profile> profile_;  // of the trainer's device
  std::optional<Metrics> metrics_;
  double progress_at_start_;  // or after the last roll-back
  double step_seconds_ = 0;   // of all steps since
  Interval interval_;
  DeadExperts dead_experts_;
  bool checkpoint_due_ = false;
  int64_t saved_step_, validated_step_ = -1, sampled_step_ = -1, evaluated_step_ = -1;
  TrainOutcome outcome_;
};

// The engine needs all layers and experts in one place.
bool Run::whole_model() const {
  return recipe_.parallel.pipeline == 1 && recipe_.parallel.expert == 1;
}

void Run::announce() {
  const Config& c = trainer_.model().config;
  const Config base = without_adapters(c);
  const auto count = [](int64_t n) { return human_count(static_cast<double>(n)); };
  log::info("model: {} parameters, {} active per token; {} {} to train on, {} to validate",
            count(parameter_count(base)), count(active_parameter_count(base, false)),
            count(trainer_.training_windows()),
            options_.kind.make_source ? "questions"
                                      : fmt::format("sequences of {} tokens", recipe_.data.sequence_length),
            count(trainer_.validation_windows()));
  if (c.lora)
    log::info("adapters: {} trained parameters beside {} projections; all else is frozen",
              count(trained_parameter_count(c)), c.lora.projections.size());
  log_mixture(recipe_, trainer_);
  const ParallelPlan& plan = trainer_.ranks().plan();
  if (plan.ranks > 1)
    log::info("{} ranks of {} threads: {} pipeline stages x {} expert ranks x {} of data parallelism",
              plan.ranks, trainer_.device().threads(), plan.pipeline, plan.expert, plan.expert_replicas());
  log::info("{}", planned_memory_text(recipe_, trainer_));
  if (options_.resume) log::info("resumed after step {}", trainer_.state().step);
  const ValidationData validation = {trainer_.data().own_validation, trainer_.validation_windows() > 0};
  for (const std::string& sentence : ignored_settings(recipe_, c, validation)) log::warn("{}", sentence);
}

// Rank 0 says when time is up; a signal to any rank ends all.
std::optional<Ending> Run::ending() {
  if (trainer_.finished()) return Ending::finished;
  if (!trainer_.may_stop()) return std::nullopt;
  if (recipe_.run.stop_at > 0 && trainer_.state().step >= recipe_.run.stop_at) return Ending::stop_at;
  RankGroups& ranks = trainer_.ranks();
  const double limit = recipe_.run.max_seconds;
  const bool out_of_time = limit > 0 && ranks.writes() && seconds_since(start_) >= limit;
  const double reason = ranks.highest(out_of_time ? 2 : interrupted() ? 1 : 0);
  if (reason == 2) return Ending::out_of_time;
  if (reason == 1) return Ending::interrupted;
  return std::nullopt;
}

double Run::seconds_left() const {
  const double now = run_progress(recipe_, trainer_.position());
  const double left = step_seconds_ * (1 - now) / (now - progress_at_start_);
  const double limit = recipe_.run.max_seconds;
  return limit > 0 ? std::min(left, limit - seconds_since(start_)) : left;
}

// The balance losses that the recipe asks for.
std::string Run::balance_text(const BalanceLevels& b) const {
  std::string text = fmt::format("balance {:.2g}", b.expert);
  if (recipe_.model.device_balance_alpha > 0) text += fmt::format(" + device {:.2g}", b.device);
  if (recipe_.model.communication_balance_alpha > 0)
    text += fmt::format(" + communication {:.2g}", b.communication);
  return text;
}

std::vector<NamedValue> Run::step_values(const StepReport& r, double seconds) const {
  std::vector<NamedValue> values = {{"loss", r.loss},
                                    {"balance_loss", r.balance.expert},
                                    {"grad_norm", r.grad_norm},
                                    {"lr", r.lr},
                                    {"expert_load", r.expert_load},
                                    {"tokens", static_cast<double>(trainer_.state().tokens)},
                                    {"targets", static_cast<double>(r.targets)},
                                    {"tokens_per_second", static_cast<double>(r.tokens) / seconds}};
  if (recipe_.model.device_balance_alpha > 0) values.push_back({"device_balance_loss", r.balance.device});
  if (recipe_.model.communication_balance_alpha > 0)
    values.push_back({"communication_balance_loss", r.balance.communication});
  if (r.load.D > 1) values.push_back({"group_load", r.load.group_load()});
  if (recipe_.model.capacity_factor > 0) values.push_back({"dropped", r.dropped});
  if (!r.load.moe_layers.empty())
    values.push_back({"dead_experts", static_cast<double>(dead_experts_.count())});
  for (const auto& [name, value] : r.means) values.push_back({name, value});
  if (r.anomaly != Anomaly::none) values.push_back({"anomaly", static_cast<double>(r.anomaly)});
  if (const auto& rollbacks = trainer_.state().rollbacks; !rollbacks.empty())
    values.push_back({"rollbacks", static_cast<double>(rollbacks.size())});
  return values;
}

void Run::flag(const StepReport& r) {
  for (const auto& [layer, expert] : dead_experts_.add(r.load))
    log::warn("step {}: expert {} of layer {} was not chosen in {} steps", r.step, expert, layer,
              DeadExperts::patience);
  if (r.anomaly == Anomaly::none) return;
  const std::string skipped = r.skipped() ? fmt::format("; the step is skipped, number {} of this run",
                                                        trainer_.state().anomalies.skipped)
                                          : "";
  log::warn("step {}: {} (loss {:.4f}, norm {:.2f}){}", r.step, text_of(r.anomaly), r.loss, r.grad_norm,
            skipped);
}

void Run::log_line(const StepReport& r) {
  std::string length;
  if (recipe_.schedule.steps > 0) length = fmt::format("/{}", recipe_.schedule.steps);
  if (recipe_.run.epochs > 0)
    length = fmt::format("  epoch {:.2f}/{:g}", trainer_.epochs(), recipe_.run.epochs);
  std::string dropped;
  if (recipe_.model.capacity_factor > 0) dropped = fmt::format("  dropped {:.1f}%", 100 * r.dropped);
  const std::optional<double> mean = interval_.mean_loss();
  const std::string loss = mean ? fmt::format("{:.4f}", *mean) : "none";
  log::info("step {}{}  loss {}  {}  norm {:.2f}  lr {:.2e}  load {:.2f}{}  {} tokens/s  ETA {}", r.step,
            length, loss, balance_text(r.balance), r.grad_norm, r.lr, r.expert_load, dropped,
            human_count(interval_.tokens_per_second()), human_duration(std::max(0.0, seconds_left())));
  outcome_.loss = mean.value_or(outcome_.loss);
  interval_ = {};
}

void Run::after_step(const StepReport& r, double seconds) {
  step_seconds_ += seconds;
  interval_.add(r, seconds);
  flag(r);
  const bool in_detail = is_multiple(recipe_.run.log_every) || ending();
  std::vector<NamedValue> values = step_values(r, seconds);
  if (in_detail) append_memory_values(trainer_, values);
  if (metrics_) metrics_->log(r.step, values);
  for (const Json& record : trainer_.take_records())
    if (metrics_) metrics_->log_rollout(r.step, record);
  if (in_detail) {
    log_line(r);
    if (metrics_) metrics_->log_load(r.step, r.load);
  }
  if (is_multiple(recipe_.validation.every)) validate();
  if (is_multiple(recipe_.sample.every)) sample();
  if (is_multiple(recipe_.eval.every)) evaluate();
  checkpoint_due_ = checkpoint_due_ || is_multiple(recipe_.checkpoint.every);
  // What a run may go back to must be good.
  const bool wait = recipe_.anomaly.rollback > 0 && r.anomaly != Anomaly::none;
  if (checkpoint_due_ && !wait && trainer_.may_stop() && !trainer_.finished()) save();  // the last one: see go()
}

void Run::validate() {
  if (validated_step_ == trainer_.state().step) return;
  validated_step_ = trainer_.state().step;
  outcome_.validation_loss = trainer_.validation_loss();
  if (!outcome_.validation_loss) return;
  const std::string name = "validation_" + options_.kind.measure;
  log::info("step {}  validation {} {:.4f}", validated_step_, options_.kind.measure, *outcome_.validation_loss);
  if (!metrics_) return;
  metrics_->log(validated_step_, {{name, *outcome_.validation_loss}});
  for (const auto& [name, value] : trainer_.validation_means())
    metrics_->log(validated_step_, {{"validation_" + name, value}});
}

// It changes nothing of the training: it has random numbers of its own.
void Run::sample() {
  const std::vector<std::string>& prompts = recipe_.sample.prompts;
  const int64_t step = trainer_.state().step;
  if (sampled_step_ == step || !samples()) return;
  sampled_step_ = step;
  const Model& model = trainer_.model();  // every rank has the newest weights then
  if (!metrics_) return;
  const std::vector<std::string> texts =
      options_.write_samples(trainer_.device(), model, trainer_.data().tokenizer_folder);
  for (size_t i = 0; i < prompts.size(); ++i) metrics_->log_sample(step, prompts[i], texts[i]);
}

// Changes nothing of the training either. What a signal breaks off leaves nothing.
void Run::evaluate() {
  const int64_t step = trainer_.state().step;
  if (evaluated_step_ == step || !evaluates()) return;
  evaluated_step_ = step;
  const MeasuredScores scores = options_.evaluate(
      {trainer_.device(), trainer_.model(), trainer_.data(), ranks_, step, trainer_.state().tokens});
  if (!metrics_ || scores.empty()) return;
  std::vector<NamedValue> values;
  std::string text;
  for (const auto& [name, value] : scores) {
    values.emplace_back(name, value);
    text += fmt::format("  {} {:.4f}", name, value);
  }
  log::info("step {}{}", step, text);
  metrics_->log(step, values);
}

void Run::save() {
  checkpoint_due_ = false;
  if (saved_step_ == trainer_.state().step) return;
  if (recipe_.sample.every == 0) sample();
  if (metrics_) metrics_->flush();
  outcome_.checkpoint = trainer_.save();
  saved_step_ = trainer_.state().step;
}

// The profile is attached one step early: what that step leaves under way is timed too.
// Nothing when a signal came before the step had its data.
std::optional<StepReport> Run::step() {
  const int64_t number = steps_done_++;
  if (options_.on_profile && number == profiled_step - 1) profile_.emplace(trainer_.device());
  const bool profiled = number == profiled_step && profile_;
  if (profiled) profile_->restart();
  if (!trainer_.ready()) return std::nullopt;
  const StepReport report = trainer_.step();
  if (!profiled) return report;
  profile_->stop();
  options_.on_profile(trainer_.device(), *profile_, ranks_);
  profile_.reset();
  return report;
}

void Run::open_metrics(int64_t after_step) {
  if (!writes(options_)) return;
  metrics_.reset();
  metrics_.emplace(recipe_.run.output, after_step);
  write_run_description(recipe_.run.output, recipe_, trainer_.model().config, ranks_.size(),
                        trainer_.state().rollbacks);
}

// From here on all is as after a resume from that checkpoint.
void Run::roll_back(const StepReport& r) {
  trainer_.roll_back(r);
  const RunState& state = trainer_.state();
  log::warn(
      "step {}: {} (loss {:g}, norm {:g}): back to the checkpoint of step {}, roll-back {} of at most {}; "
      "the "
      "data that follows comes in another order",
      r.step, r.why, r.loss, r.grad_norm, state.step, state.rollbacks.size(), recipe_.anomaly.most_rollbacks);
  open_metrics(state.step);
  dead_experts_ = {}, interval_ = {}, checkpoint_due_ = false;
  step_seconds_ = 0, progress_at_start_ = run_progress(recipe_, trainer_.position());
  saved_step_ = sampled_step_ = evaluated_step_ = state.step;
  validated_step_ = is_multiple(recipe_.validation.every) ? state.step : -1;
}

// The last checkpoint comes after the model: where it stands, the run is complete.
TrainOutcome Run::go() {
  open_metrics(options_.resume ? trainer_.state().step : -1);
  if (!options_.resume) sample();            // what cannot be sampled is said before hours have passed
  if (!options_.resume && recipe_.validation.at_start) validate();
  // A resumed run may have been interrupted in an evaluation.
  if (options_.resume ? is_multiple(recipe_.eval.every) : recipe_.eval.at_start) evaluate();
  if (recipe_.anomaly.rollback > 0) save();  // of a new run: there is always one to go back to
  std::optional<Ending> why = ending();
  for (; !why; why = ending()) {
    const auto start = Clock::now();
    const std::optional<StepReport> report = step();
    if (!report) continue;
    if (report->reaction == Reaction::roll_back)
      roll_back(*report);
    else
      after_step(*report, seconds_since(start));
  }
  outcome_.ending = *why;
  outcome_.step = trainer_.state().step;
  if (*why == Ending::finished || *why == Ending::out_of_time) {
    validate();
    sample();
    evaluate();
    outcome_.model = model_folder();
    trainer_.save_model_to(outcome_.model);
  }
  save();
  trainer_.wait_for_checkpoint();
  log::info("{}; {} in all", taken_memory_text(recipe_, trainer_), human_duration(seconds_since(start_)));
  return outcome_;
}

TrainOutcome Run::finished_before() const {
  TrainOutcome outcome;
  outcome.ending = Ending::nothing_to_do;
  outcome.step = trainer_.state().step;
  outcome.model = model_folder();
  return outcome;
}

}  // namespace

TrainOutcome train(const Recipe& recipe, const TrainOptions& options) {
  check_changes(recipe.method, options.changes);
  if (World* world = options.world) {
    check_same_recipe(*world, recipe);
    if (recipe.parallel.hang_seconds > 0) world->watch_for_hangs(recipe.parallel.hang_seconds);
  }
  Run run(recipe, options);
  return run.nothing_to_do() ? run.finished_before() : run.go();
}

}  // namespace fathom
