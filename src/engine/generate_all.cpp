#include "engine/generate_all.h"

#include <map>
#include <utility>

#include "base/error.h"

namespace fathom {
namespace {

// What is in the engine. Whatever ends the work, nothing is left there.
class UnderWay {
 public:
  explicit UnderWay(Engine& engine) : engine_(engine) {
    check(!engine.busy(), "the engine still has other requests");
  }
  UnderWay(const UnderWay&) = delete;
  ~UnderWay() {
    for (const auto& [id, answer] : answers_) engine_.abort(id);
  }

  // Fills the queue; false when there are no more requests.
  bool fill(const std::function<std::optional<Request>()>& next) {
    // As many again as can run: one that ends is replaced in the same step.
    while (static_cast<int64_t>(answers_.size()) < 2 * engine_.max_sequences()) {
      std::optional<Request> request = next();
      if (!request) return false;
      const bool log_probs = request->log_probs;
      answers_.emplace(engine_.submit(std::move(*request)), Answer{submitted_++, log_probs, {}});
    }
    return true;
  }
  void step(const std::function<void(int64_t, Completion&&)>& finished) {
    for (Output& out : engine_.step()) {
      const auto at = answers_.find(out.id);
      Completion& c = at->second.completion;
      if (out.token >= 0) {
        c.tokens.push_back(out.token), ++progress.tokens;
        if (at->second.log_probs) c.log_probs.push_back(out.log_prob);
      }
      c.text += out.text;
      if (out.finish == FinishReason::none) continue;
      c.finish = out.finish, c.error = std::move(out.error), c.experts = std::move(out.experts);
      c.scores = std::move(out.scores);
      ++progress.finished;
      const auto ended = answers_.extract(at);
      finished(ended.mapped().index, std::move(ended.mapped().completion));
    }
  }
  // Takes what has not ended.
  void drop(const std::function<void(int64_t, Completion&&)>& dropped) {
    for (auto& [id, answer] : answers_) {
      engine_.abort(id);
      dropped(answer.index, std::move(answer.completion));
    }
    answers_.clear();
  }
  bool empty() const { return answers_.empty(); }

  GenerationProgress progress;

 private:
  struct Answer {
    int64_t index;
    bool log_probs;
    Completion completion;
  };
  Engine& engine_;
  std::map<int64_t, Answer> answers_;  // by the engine's ids
  int64_t submitted_ = 0;
};

void run(UnderWay& all, const std::function<std::optional<Request>()>& next,
         const std::function<void(int64_t, Completion&&)>& finished, const GenerationStep& after_step) {
  bool more = true;
  while (true) {
    more = more && all.fill(next);
    if (all.empty()) return;
    all.step(finished);
    if (after_step && !after_step(all.progress)) return;
  }
}

}  // namespace

void generate_each(Engine& engine, const std::function<std::optional<Request>()>& next,
                   const std::function<void(int64_t, Completion&&)>& finished,
                   const GenerationStep& after_step) {
  UnderWay all(engine);
  run(all, next, finished, after_step);
}

std::vector<Completion> generate_all(Engine& engine, std::vector<Request> requests,
                                     const GenerationStep& after_step) {
  std::vector<Completion> completions(requests.size());
  const auto keep = [&](int64_t n, Completion&& c) { completions[static_cast<size_t>(n)] = std::move(c); };
  size_t submitted = 0;
  const auto next = [&]() -> std::optional<Request> {
    if (submitted == requests.size()) return {};
    return std::move(requests[submitted++]);
  };
  UnderWay all(engine);
  run(all, next, keep, after_step);
  all.drop(keep);
  return completions;
}

}  // namespace fathom
