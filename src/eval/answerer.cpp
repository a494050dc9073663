#include "eval/answerer.h"

#include <utility>

#include "engine/generate_all.h"

namespace fathom {

void EngineAnswerer::answer(std::vector<Request> requests,
                            const std::function<void(size_t, AnsweredRequest&&)>& take,
                            const std::function<void()>& idle) {
  size_t submitted = 0;
  generate_each(
      engine_,
      [&]() -> std::optional<Request> {
        if (submitted == requests.size()) return {};
        return std::move(requests[submitted++]);
      },
      [&](int64_t n, Completion&& c) {
        take(static_cast<size_t>(n), {std::move(c.scores),
                                      {std::move(c.text), std::ssize(c.tokens), c.finish},
                                      c.finish == FinishReason::error ? std::move(c.error) : std::string()});
      },
      [&](const GenerationProgress&) {
        idle();
        return true;
      });
}

}  // namespace fathom
