#include "judge/judging.h"

#include <chrono>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "http/ask_all.h"

namespace fathom {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct Judged {
  OrderedJson row;
  std::string failure;
  bool reached = false;  // the judge replied at least once
};

class Judging {
 public:
  Judging(ChatEndpoint& judge, const JudgeSettings& settings, std::span<const JudgeItem> items,
          const ReadReply& read, Journal& journal)
      : judge_(judge), settings_(settings), read_(read), journal_(journal) {
    judge_.http().limits.stop = &stop_;
    for (const JudgeItem& item : items)
      if (const Json* row = journal.row(item.id); !row || row->contains("failure")) open_.push_back(&item);
  }
  ~Judging() { judge_.http().limits.stop = nullptr; }
  Judging(const Judging&) = delete;

  void run() {
    Progress progress("judging", static_cast<int64_t>(open_.size()), "judgements");
    ask_all(
        open_.size(), settings_.parallel, stop_, [&](size_t i) { return judge_one(*open_[i]); },
        [&](size_t, Judged&& judged) { take(std::move(judged)); },
        [&] {
          check(!interrupted(), "interrupted after {} of {} judgements; the same command goes on", done_,
                open_.size());
          progress.update(done_, failed_ > 0 ? fmt::format("{} failed", failed_) : "");
        });
  }

 private:
  Judged judge_one(const JudgeItem& item) const {
    Judged judged;
    OrderedJson attempts = OrderedJson::array(), fields = OrderedJson::object();
    std::string text;
    for (int64_t attempt = 0; attempt < settings_.attempts && !stop_; ++attempt) {
      const ChatReply reply =
          judge_.ask({.messages = item.messages,
                      .sampling = {.temperature = settings_.temperature, .max_tokens = settings_.max_tokens},
                      .top_log_probs = settings_.top_log_probs});
      judged.reached = judged.reached || reply.reached;
      Reading reading = reply.text ? read_(item, reply) : Reading{.fields = {}, .failure = reply.error};
      text = reply.text.value_or("");
      attempts.push_back({{"reply", text}, {"finish", reply.finish}});
      judged.failure = reading.failure;
      if (reading.failure.empty())
        fields = std::move(reading.fields);
      else
        attempts.back()["failure"] = reading.failure;
      // Requests that failed were tried again already.
      if (reading.failure.empty() || !reply.reached) break;
    }
    judged.row = {{"id", item.id}};
    judged.row.update(item.about);
    judged.row["judgment"] = std::move(text);
    judged.row.update(fields);
    if (!judged.failure.empty()) judged.row["failure"] = judged.failure;
    judged.row["attempts"] = std::move(attempts);
    judged.row["tstamp"] = now();
    return judged;
  }

  // What was given up half-way, because the run ends, is no failure of the judge.
  void take(Judged&& judged) {
    if (stop_ && !judged.failure.empty()) return;
    journal_.append(judged.row);
    ++done_;
    failed_ += !judged.failure.empty();
    reached_ += judged.reached;
    const int64_t enough = std::max<int64_t>(8, 2 * settings_.parallel);
    check(reached_ > 0 || done_ < enough, "{}: the judge answered none of the first {} requests: {}",
          judge_.http().target.host + ":" + judge_.http().target.port + judge_.http().target.path, done_,
          judged.failure);
  }

  ChatEndpoint& judge_;
  const JudgeSettings& settings_;
  const ReadReply& read_;
  Journal& journal_;
  std::vector<const JudgeItem*> open_;
  std::atomic<bool> stop_ = false;
  int64_t done_ = 0, failed_ = 0, reached_ = 0;
};

}  // namespace

void judge_all(ChatEndpoint& judge, const JudgeSettings& settings, std::span<const JudgeItem> items,
               const ReadReply& read, Journal& journal) {
  Judging(judge, settings, items, read, journal).run();
}

}  // namespace fathom
