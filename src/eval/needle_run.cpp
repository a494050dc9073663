#include "eval/needle_run.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "engine/generate_all.h"

namespace fathom {
namespace {

class Questions {
 public:
  Questions(Engine& engine, const NeedleMaker& maker, const NeedleSettings& settings)
      : engine_(engine), maker_(maker), settings_(settings) {}

  NeedleResults run() {
    Progress progress("needles", total(), "questions");
    for (const NeedleTask task : settings_.tasks)
      for (const int64_t length : settings_.lengths) add_cells(task, length);
    generate_each(
        engine_, [&] { return next(); },
        [&](int64_t question, Completion&& answer) {
          take(asked_.at(static_cast<size_t>(question)), answer);
        },
        [&](const GenerationProgress&) {
          check(!interrupted(), "interrupted after {} of {} questions", done_, total());
          progress.update(done_);
          return true;
        });
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

  // The next question that can be asked, in the order in which they share most: of one text the needle goes
  // deeper and deeper.
  std::optional<Request> next() {
    const auto depths = static_cast<int64_t>(settings_.depths.size()), of_text = depths * settings_.samples;
    while (made_ < total()) {
      const int64_t n = made_++, sample = n % of_text / depths;
      const auto cell = static_cast<size_t>(n / of_text * depths + n % depths);
      if (std::optional<Request> request = make(cell, sample)) return request;
      ++done_;
    }
    return {};
  }

  std::optional<Request> make(size_t cell_index, int64_t sample) {
    NeedleCell& cell = results_.cells[cell_index];
    if (!cell.not_run.empty()) return {};
    std::optional<NeedleItem> item = maker_.make(cell.task, cell.length, cell.depth, sample);
    if (!item) {
      cell.not_run = "needles, question and answer alone are longer";
      return {};
    }
    Request request{.prompt = std::move(item->prompt), .sampling = {}, .stop = {}};
    request.sampling.temperature = 0;
    request.stop.max_tokens = item->room;
    item->prompt.clear();
    asked_.push_back({cell_index, {.item = std::move(*item), .prompt_tokens = 0, .output = {}}});
    asked_.back().answer.prompt_tokens = static_cast<int64_t>(request.prompt.size());
    return request;
  }

  struct Asked {
    size_t cell;
    NeedleAnswer answer;
  };
  void take(Asked& asked, Completion& completion) {
    NeedleAnswer& answer = asked.answer;
    check(completion.finish != FinishReason::error, "{} tokens, depth {:g}%: {}", answer.item.length,
          100 * answer.item.depth, completion.error);
    answer.output = std::move(completion.text);
    answer.right = answers(answer.output, answer.item.value);
    NeedleCell& cell = results_.cells[asked.cell];
    ++cell.run, cell.right += answer.right;
    results_.answers.push_back(std::move(answer));
    ++done_;
  }

  Engine& engine_;
  const NeedleMaker& maker_;
  const NeedleSettings& settings_;
  NeedleResults results_;
  std::vector<Asked> asked_;  // in the order of their making
  int64_t made_ = 0, done_ = 0;
};

}  // namespace

NeedleResults run_needles(Engine& engine, const NeedleMaker& maker, const NeedleSettings& settings) {
  return Questions(engine, maker, settings).run();
}

}  // namespace fathom
