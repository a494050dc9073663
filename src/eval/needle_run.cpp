#include "eval/needle_run.h"

#include <fmt/format.h>

#include <map>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"

namespace fathom {
namespace {

// Items in the order in which they share most: of one text the needle goes deeper and deeper.
class Queue {
 public:
  Queue(Engine& engine, const NeedleMaker& maker, const NeedleSettings& settings)
      : engine_(engine), maker_(maker), settings_(settings) {}

  NeedleResults run() {
    Progress progress("needles", total(), "questions");
    for (const NeedleTask task : settings_.tasks)
      for (const int64_t length : settings_.lengths) add_cells(task, length);
    for (size_t first = 0; first < results_.cells.size(); first += settings_.depths.size())
      for (int64_t sample = 0; sample < settings_.samples; ++sample)
        for (size_t d = 0; d < settings_.depths.size(); ++d) {
          submit(first + d, sample);
          while (under_way_.size() >= most_) step(progress);
        }
    while (!under_way_.empty()) step(progress);
    return std::move(results_);
  }

 private:
  int64_t total() const {
    return static_cast<int64_t>(settings_.tasks.size() * settings_.lengths.size() * settings_.depths.size()) *
           settings_.samples;
  }

  void add_cells(NeedleTask task, int64_t length) {
    const std::string reason =
        length > engine_.longest()
            ? fmt::format("the longest context of this model and cache is {} tokens", engine_.longest())
            : "";
    for (const double depth : settings_.depths)
      results_.cells.push_back({.task = task, .length = length, .depth = depth, .not_run = reason});
  }

  void submit(size_t cell_index, int64_t sample) {
    NeedleCell& cell = results_.cells[cell_index];
    if (!cell.not_run.empty()) return void(++done_);
    std::optional<NeedleItem> item = maker_.make(cell.task, cell.length, cell.depth, sample);
    if (!item) {
      cell.not_run = "needles, question and answer alone are longer";
      return void(++done_);
    }
    Request request{.prompt = item->prompt, .sampling = {}, .stop = {}};
    request.sampling.temperature = 0;
    request.stop.max_tokens = item->room;
    NeedleAnswer answer{.item = std::move(*item), .prompt_tokens = 0, .output = {}};
    answer.prompt_tokens = static_cast<int64_t>(request.prompt.size());
    answer.item.prompt.clear();
    under_way_.emplace(engine_.submit(std::move(request)), std::pair(cell_index, std::move(answer)));
  }

  void step(Progress& progress) {
    check(!interrupted(), "interrupted after {} of {} questions", done_, total());
    for (const Output& out : engine_.step()) {
      auto& [cell_index, answer] = under_way_.at(out.id);
      check(out.finish != FinishReason::error, "{} tokens, depth {:g}%: {}", answer.item.length,
            100 * answer.item.depth, out.error);
      answer.output += out.text;
      if (out.finish == FinishReason::none) continue;
      answer.right = answers(answer.output, answer.item.value);
      NeedleCell& cell = results_.cells[cell_index];
      ++cell.run, cell.right += answer.right;
      results_.answers.push_back(std::move(answer));
      under_way_.erase(out.id);
      ++done_;
    }
    progress.update(done_);
  }

  static constexpr size_t most_ = 64;  // queued in the engine, which decides how many run together

  Engine& engine_;
  const NeedleMaker& maker_;
  const NeedleSettings& settings_;
  NeedleResults results_;
  std::map<int64_t, std::pair<size_t, NeedleAnswer>> under_way_;  // cell and answer of a sequence
  int64_t done_ = 0;
};

}  // namespace

NeedleResults run_needles(Engine& engine, const NeedleMaker& maker, const NeedleSettings& settings) {
  return Queue(engine, maker, settings).run();
}

}  // namespace fathom
