// What fathom plan says of the plans of a recipe: a table, and the best one line by line.
#include "cli/plan.h"

#include <cmath>

#include "base/progress.h"
#include "cli/standard_streams.h"
#include "io/json.h"
#include "model/weights.h"
#include "train/expert_spread.h"

namespace fathom {
namespace {

constexpr double giga = 1e9, milli = 1e-3, day = 86400;

double gb(int64_t bytes) {
  return static_cast<double>(bytes) / giga;
}

std::string product_text(const Product& p) {
  return fmt::format("{} x {} x {}", p.pipeline, p.expert, p.data);
}

std::string days_text(const std::optional<double>& seconds) {
  return seconds ? fmt::format("{:.1f}", *seconds / day) : "-";
}

// GPU hours for 1e12 tokens at the full batch.
double gpu_hours(const PlanTask& task, const Estimate& e) {
  return 1e12 / tokens_per_second(task, e) / 3600 * static_cast<double>(task.cluster.gpus);
}

void print_row(const PlanTask& task, const PlanRow& row, bool best) {
  const std::string name = (best ? "* " : "  ") + product_text(row.product);
  if (!row.best) {
    const StagePlan& s = row.smallest.largest();
    print_output(
        "{:<16}{:>9.1f}  too much: weights {:.1f}, gradients {:.1f}, optimizer {:.1f}, activations "
        "{:.1f}, exchange {:.1f}\n",
        name, gb(s.memory.total()), gb(s.memory.weights), gb(s.memory.gradients), gb(s.memory.optimizer),
        gb(s.memory.activations), gb(s.memory.exchange));
    return;
  }
  const Estimate& e = *row.best;
  print_output("{:<16}{:>9.1f}{:>11}{:>7.1f}%{:>8}{:>8.1f}%{:>8} x {:<4}{:<7}{}\n", name,
               gb(e.largest().memory.total()), human_count(tokens_per_second(task, e)),
               100 * utilization(task, e), days_text(run_seconds(task, e)), 100 * e.bubble, e.micro_batches,
               e.choice.micro_batch, name_of(e.choice.schedule), text_of(e.choice.recompute));
}

void print_table(const PlanTask& task, const std::vector<PlanRow>& rows, const PlanRow& best) {
  const Cluster& c = task.cluster;
  print_output("{} parameters, {} active per token, {} sequences of {} tokens a step\n",
               human_count(static_cast<double>(parameter_count(task.config))),
               human_count(static_cast<double>(active_parameter_count(task.config, false))),
               task.recipe.batch.sequences, task.recipe.data.sequence_length);
  print_output("{} GPUs, {} a host, {:.1f} GB of each; {:g} GB/s in a host, {:g} between hosts, {:g} us\n",
               c.gpus, c.gpus_per_host, c.gpu_memory / giga, c.in_host / giga, c.between_hosts / giga,
               c.latency * 1e6);
  print_output("rates of {} ({})\n\n", task.rates.device, task.rates.source);
  const auto head = [](const auto&... columns) {
    print_output("{:<16}{:>9}{:>11}{:>8}{:>8}{:>9}{:>15}{:<7}{}\n", columns...);
  };
  head("  pipeline x", "GB, the", "", "", "", "", " micro-batches ", "sched-", "");
  head("  expert x data", "fullest", "tokens/s", "MFU", "days", "bubble", " x sequences   ", "ule",
       "recomputed");
  for (const PlanRow& row : rows) print_row(task, row, &row == &best);
}

void print_memory(const PlanTask& task, const Estimate& e) {
  const StagePlan& s = e.largest();
  const TrainingMemory& m = s.memory;
  print_output(
      "memory of the fullest rank (layers {}..{}): weights {:.2f} + gradients {:.2f} + optimizer {:.2f} "
      "+ activations {:.2f} ({} micro-batches in flight, {} with weight gradients to come) + exchange "
      "{:.2f} = {:.2f} of {:.1f} GB\n",
      s.part.first_layer, s.part.end_layer(task.config) - 1, gb(m.weights), gb(m.gradients), gb(m.optimizer),
      gb(m.activations), s.in_flight.kept, s.in_flight.deferred, gb(m.exchange), gb(m.total()),
      task.cluster.gpu_memory / giga);
}

void print_times(const PlanTask& task, const Estimate& e) {
  const auto ms = [](double seconds) { return seconds / milli; };
  const auto passes = [&](const PassTimes& t) {
    return fmt::format("{:.2f} + {:.2f} + {:.2f} ms", ms(t.forward), ms(t.input_gradient),
                       ms(t.weight_gradient));
  };
  const StagePlan& s = e.slowest();
  const Config& c = task.config;
  print_output("a micro-batch (forward + input gradient + weight gradient): ");
  if (c.n_moe_layers() > 0) print_output("a layer with experts {}", passes(e.times.moe));
  if (c.n_moe_layers() > 0 && c.n_moe_layers() < c.num_hidden_layers) print_output(", ");
  if (c.n_moe_layers() < c.num_hidden_layers) print_output("a dense layer {}", passes(e.times.dense));
  print_output(", the head {}\n", passes(e.times.head));
  print_output("the slowest stage (layers {}..{}): {}\n", s.part.first_layer, s.part.end_layer(c) - 1,
               passes(s.times));
  if (e.choice.product.expert > 1)
    print_output(
        "experts: a token goes to {:.2f} of {} ranks, at most {}; exchanges of a layer take {:.2f} ms "
        "forward and as much backward, the shared experts hide all but {:.2f} and {:.2f}\n",
        ranks_per_token(c, e.choice.product.expert), e.choice.product.expert,
        most_ranks_per_token(c, e.choice.product.expert), ms(e.times.exchange.forward),
        ms(e.times.exposed.forward), ms(e.times.exposed.input_gradient));
  print_output(
      "a step: {} micro-batches of {} sequences on each rank, {:.3f} s with a bubble of {:.1f}%; "
      "gradients reduced in {:.0f} ms, {:.0f} not hidden; AdamW {:.0f} ms; weights gathered in {:.0f} "
      "ms, {:.0f} not hidden: {:.3f} s\n",
      e.micro_batches, e.choice.micro_batch, e.pipeline, 100 * e.bubble, ms(e.reduce_all), ms(e.reduce),
      ms(e.optimizer), ms(e.gather_all), ms(e.gather), e.step());
}

// What every kind of recomputation by itself would change in the best plan.
struct Saving {
  std::string name;
  double bytes;  // on the fullest rank
  double share;  // of a step's time without any
};

std::vector<Saving> savings(const PlanTask& task, const Estimate& best) {
  PlanChoice choice = best.choice;
  choice.recompute = {};
  const Estimate none = estimate(task, choice);
  std::vector<Saving> all;
  for (const Recompute& recompute : single_recomputations(task.config)) {
    choice.recompute = recompute;
    const Estimate e = estimate(task, choice);
    all.push_back({text_of(recompute),
                   static_cast<double>(none.largest().memory.total() - e.largest().memory.total()),
                   e.step() / none.step() - 1});
  }
  return all;
}

void print_savings(const PlanTask& task, const Estimate& best) {
  print_output("\nrecomputing one thing alone, beside this plan with nothing recomputed:\n");
  for (const Saving& s : savings(task, best))
    print_output("  {:<16}saves {:>6.2f} GB on the fullest rank, a step takes {:>5.1f}% longer\n", s.name,
                 s.bytes / giga, 100 * s.share);
}

void print_stages(const PlanTask& task, const Estimate& e) {
  if (e.stages.size() == 1) return;
  print_output("\n{:<8}{:<10}{:>11}{:>11}{:>11}{:>11}{:>9}\n", "stage", "layers", "forward ms", "input ms",
               "weight ms", "in flight", "GB");
  for (size_t i = 0; i < e.stages.size(); ++i) {
    const StagePlan& s = e.stages[i];
    print_output("{:<8}{:<10}{:>11.2f}{:>11.2f}{:>11.2f}{:>11}{:>9.2f}\n", i,
                 fmt::format("{}..{}", s.part.first_layer, s.part.end_layer(task.config) - 1),
                 s.times.forward / milli, s.times.input_gradient / milli, s.times.weight_gradient / milli,
                 s.in_flight.kept, gb(s.memory.total()));
  }
}

OrderedJson memory_json(const TrainingMemory& m) {
  return {{"weights", m.weights},         {"gradients", m.gradients}, {"optimizer", m.optimizer},
          {"activations", m.activations}, {"exchange", m.exchange},   {"total", m.total()}};
}

OrderedJson choice_json(const PlanTask& task, const PlanRow& row) {
  const Estimate& e = row.best ? *row.best : row.smallest;
  OrderedJson j = {{"pipeline", row.product.pipeline},
                   {"expert", row.product.expert},
                   {"data", row.product.data},
                   {"fits", row.best.has_value()},
                   {"micro_batch", e.choice.micro_batch},
                   {"micro_batches", e.micro_batches},
                   {"schedule", name_of(e.choice.schedule)},
                   {"recomputed", text_of(e.choice.recompute)},
                   {"memory", memory_json(e.largest().memory)}};
  if (!row.best) return j;
  const std::optional<double> seconds = run_seconds(task, e);
  j["tokens_per_second"] = tokens_per_second(task, e);
  j["utilization"] = utilization(task, e);
  j["days"] = seconds ? OrderedJson(*seconds / day) : OrderedJson();
  j["gpu_hours_per_trillion_tokens"] = gpu_hours(task, e);
  j["step_seconds"] = e.step();
  j["bubble"] = e.bubble;
  return j;
}

OrderedJson passes_json(const PassTimes& t) {
  return {
      {"forward", t.forward}, {"input_gradient", t.input_gradient}, {"weight_gradient", t.weight_gradient}};
}

OrderedJson best_json(const PlanTask& task, const PlanRow& row) {
  const Estimate& e = *row.best;
  OrderedJson j = choice_json(task, row);
  j["seconds"] = {{"pipeline", e.pipeline},   {"reduce", e.reduce}, {"reduce_all", e.reduce_all},
                  {"optimizer", e.optimizer}, {"gather", e.gather}, {"gather_all", e.gather_all}};
  j["exchange"] = {{"all", passes_json(e.times.exchange)}, {"exposed", passes_json(e.times.exposed)}};
  for (const StagePlan& s : e.stages)
    j["stages"].push_back({{"first_layer", s.part.first_layer},
                           {"layers", s.part.layers(task.config)},
                           {"passes", passes_json(s.times)},
                           {"in_flight", s.in_flight.kept},
                           {"deferred", s.in_flight.deferred},
                           {"memory", memory_json(s.memory)}});
  for (const Saving& s : savings(task, e))
    j["recomputation"].push_back({{"recomputed", s.name}, {"saved_bytes", s.bytes}, {"slower", s.share}});
  return j;
}

}  // namespace

void print_plans(const PlanTask& task, const std::vector<PlanRow>& rows) {
  const PlanRow& row = fastest(task, rows);
  const Estimate& best = *row.best;
  print_table(task, rows, row);
  print_output("\nbest: {} (pipeline x expert x data), {}, recomputed: {}\n", product_text(row.product),
               name_of(best.choice.schedule), text_of(best.choice.recompute));
  print_memory(task, best);
  print_times(task, best);
  print_output(
      "{} tokens/s, {:.1f}% of what large matrix products reach; {} days, {} GPU hours for 1e12 tokens\n",
      human_count(tokens_per_second(task, best)), 100 * utilization(task, best),
      days_text(run_seconds(task, best)), human_count(gpu_hours(task, best)));
  print_stages(task, best);
  print_savings(task, best);
}

void print_plans_json(const PlanTask& task, const std::vector<PlanRow>& rows) {
  const Cluster& c = task.cluster;
  OrderedJson j = {{"gpus", c.gpus},
                   {"gpu_memory", c.gpu_memory},
                   {"links",
                    {{"gpus_per_host", c.gpus_per_host},
                     {"in_host", c.in_host},
                     {"between_hosts", c.between_hosts},
                     {"latency", c.latency}}},
                   {"rates", rates_to_json(task.rates)}};
  for (const PlanRow& row : rows) j["plans"].push_back(choice_json(task, row));
  j["best"] = best_json(task, fastest(task, rows));
  print_output("{}\n", j.dump(2));
}

}  // namespace fathom
