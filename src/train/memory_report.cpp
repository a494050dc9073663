#include "train/memory_report.h"

#include <sys/resource.h>

#include "base/progress.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

std::string text_of(double bytes) {
  return human_bytes(bytes);
}
std::string text_of(int64_t bytes) {
  return human_bytes(static_cast<double>(bytes));
}

double host_peak() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

// 0 where no rank has a GPU.
double highest_on_gpu(Trainer& trainer) {
  const std::optional<int64_t> used = used_memory(trainer.device());
  return trainer.ranks().highest(used ? static_cast<double>(*used) : 0);
}

}  // namespace

// All ranks of a stage need as much, or the first one most.
std::string planned_memory_text(const Recipe& recipe, Trainer& trainer) {
  const ParallelPlan& plan = trainer.ranks().plan();
  TrainingMemory m;
  for (int rank = 0; rank < plan.ranks; rank += plan.replicas()) {
    const TrainingMemory of_stage = training_memory(recipe, trainer.model().config, plan, rank);
    if (of_stage.total() > m.total()) m = of_stage;
  }
  const std::string exchange = plan.expert > 1 ? " + tokens at experts " + text_of(m.exchange) : "";
  return fmt::format("memory{}: weights {} + gradients {} + optimizer {} + activations {}{} = {}",
                     plan.pipeline > 1 ? " of the fullest rank"
                     : plan.ranks > 1  ? " of each rank"
                                       : "",
                     text_of(m.weights), text_of(m.gradients), text_of(m.optimizer), text_of(m.activations),
                     exchange, text_of(m.total()));
}

std::string taken_memory_text(const Recipe& recipe, Trainer& trainer) {
  RankGroups& ranks = trainer.ranks();
  const ParallelPlan& plan = ranks.plan();
  const TrainingMemory mine = trainer.memory_taken();
  const double total = static_cast<double>(mine.total()), most = ranks.highest(total);
  const int rank =
      plan.ranks - static_cast<int>(ranks.highest(total == most ? plan.ranks - ranks.rank() : 0));
  const double exchange = ranks.highest(ranks.rank() == rank ? static_cast<double>(mine.exchange) : 0);
  const double host = ranks.highest(host_peak());
  const double on_gpu = highest_on_gpu(trainer);

  const TrainingMemory planned = training_memory(recipe, trainer.model().config, plan, rank);
  std::string text = fmt::format("memory{}: {} planned, {} taken",
                                 plan.ranks > 1 ? fmt::format(" of rank {}, the fullest", rank) : "",
                                 text_of(planned.total()), text_of(most));
  if (plan.expert > 1)
    text += fmt::format(" (tokens at experts: {} if all experts got as many, {} taken)",
                        text_of(planned.exchange), text_of(exchange));
  if (on_gpu > 0) text += fmt::format("; {} of its GPU in use", text_of(on_gpu));
  return text + fmt::format("; peak of a process in the host's memory {}", text_of(host));
}

void append_memory_values(Trainer& trainer, std::vector<NamedValue>& values) {
  values.push_back({"host_memory", trainer.ranks().highest(host_peak())});
  if (const double on_gpu = highest_on_gpu(trainer); on_gpu > 0) values.push_back({"gpu_memory", on_gpu});
}

}  // namespace fathom
