// Where answers come from: the engine, or a server.
#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "engine/generate_all.h"
#include "http/ask_all.h"
#include "judge/answers.h"

namespace fathom {
namespace {

constexpr double usual_temperature = 0.7;

class EngineAnswers {
 public:
  EngineAnswers(const EngineParts& parts, std::span<const Asked> all,
                const std::function<void(size_t, Answered&&)>& take)
      : parts_(parts), all_(all), take_(take), lead_(parts.chat.answer_lead()) {}

  void run() {
    Progress progress("answers", static_cast<int64_t>(all_.size()), "answers");
    generate_each(
        parts_.engine, [&] { return next(); },
        [&](int64_t n, Completion&& completion) {
          end(asked_.at(static_cast<size_t>(n)), std::move(completion));
        },
        [&](const GenerationProgress&) {
          check(!interrupted(), "interrupted after {} of {} answers; the same command goes on", done_,
                all_.size());
          progress.update(done_);
          return true;
        });
  }

 private:
  std::optional<Request> next() {
    for (; made_ < all_.size(); ++made_) {
      if (std::optional<Request> request = request_of(all_[made_])) {
        asked_.push_back(made_++);
        return request;
      }
      take_(made_, {"", "context", ""});
      ++done_;
    }
    return {};
  }

  // Nothing when the prompt leaves no room.
  std::optional<Request> request_of(const Asked& asked) const {
    const ChatOptions prompt{.add_generation_prompt = true, .variables = Json::object()};
    Request request{.prompt = parts_.chat.encode(parts_.tokenizer, asked.messages, prompt),
                    .sampling = parts_.defaults.sampling,
                    .stop = {asked.max_tokens, parts_.defaults.eos_token_ids, {}}};
    const auto length = static_cast<int64_t>(request.prompt.size());
    if (length >= parts_.engine.longest()) return {};
    if (asked.temperature) request.sampling.temperature = *asked.temperature;
    request.sampling.seed = asked.seed;
    request.stop.max_tokens = std::min(asked.max_tokens, parts_.engine.longest() - length);
    return request;
  }

  void end(size_t i, Completion&& completion) {
    check(completion.finish != FinishReason::error, "{}: {}", all_[i].id, completion.error);
    std::string text = std::move(completion.text);
    if (text.starts_with(lead_)) text.erase(0, lead_.size());
    take_(i, {std::move(text), std::string(name_of(completion.finish)), ""});
    ++done_;
  }

  const EngineParts& parts_;
  std::span<const Asked> all_;
  const std::function<void(size_t, Answered&&)>& take_;
  std::string lead_;
  std::vector<size_t> asked_;  // in the order of the requests
  size_t made_ = 0;
  int64_t done_ = 0;
};

// While it lives the endpoint gives up when `stop` is set.
class Stoppable {
 public:
  Stoppable(ChatEndpoint& endpoint, const std::atomic<bool>& stop) : endpoint_(endpoint) {
    endpoint_.http().limits.stop = &stop;
  }
  ~Stoppable() { endpoint_.http().limits.stop = nullptr; }
  Stoppable(const Stoppable&) = delete;

 private:
  ChatEndpoint& endpoint_;
};

void ask_endpoint(ChatEndpoint& endpoint, int64_t parallel, std::span<const Asked> all,
                  const std::function<void(size_t, Answered&&)>& take) {
  std::atomic<bool> stop = false;
  const Stoppable stoppable(endpoint, stop);
  Progress progress("answers", static_cast<int64_t>(all.size()), "answers");
  int64_t done = 0;
  ask_all(
      all.size(), parallel, stop,
      [&](size_t i) {
        ChatReply reply =
            endpoint.ask({.messages = all[i].messages,
                          .sampling = {.temperature = all[i].temperature.value_or(usual_temperature),
                                       .max_tokens = all[i].max_tokens,
                                       .seed = all[i].seed}});
        return Answered{reply.text.value_or(""), reply.finish, reply.text ? "" : reply.error};
      },
      [&](size_t i, Answered&& answered) {
        ++done;
        if (!stop) take(i, std::move(answered));
      },
      [&] {
        check(!interrupted(), "interrupted after {} of {} answers; the same command goes on", done,
              all.size());
        progress.update(done);
      });
}

}  // namespace

AnswerAll answers_of_engine(EngineParts parts) {
  return [parts](std::span<const Asked> all, const std::function<void(size_t, Answered &&)>& take) {
    EngineAnswers(parts, all, take).run();
  };
}

AnswerAll answers_of_endpoint(ChatEndpoint& endpoint, int64_t parallel) {
  return [&endpoint, parallel](std::span<const Asked> all,
                               const std::function<void(size_t, Answered &&)>& take) {
    ask_endpoint(endpoint, parallel, all, take);
  };
}

}  // namespace fathom
