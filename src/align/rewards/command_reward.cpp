#include "align/rewards/command_reward.h"

#include <algorithm>
#include <chrono>

#include "align/rewards/child_process.h"
#include "align/rewards/wire.h"
#include "base/error.h"
#include "base/log.h"
#include "text/sent_json.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr size_t longest_line = 1 << 20;
constexpr int64_t most_noise = 1000;  // lines of a batch that are no scores

struct Limits {
  double seconds;        // from one score to the next
  double first_seconds;  // to the first score after a start
  double batch_seconds;
  int64_t restarts;  // in a batch
};

// An answer on its way. Ids are never used twice, so that a late score cannot count for another answer.
struct Request {
  int64_t id;
  const RewardInput* answer;
};

class CommandReward : public Reward {
 public:
  CommandReward(std::string name, std::vector<std::string> command, const Limits& limits)
      : name_(std::move(name)), command_(std::move(command)), limits_(limits) {
    start();
  }

  std::vector<Score> score(std::span<const RewardInput> answers) override {
    scores_.clear();
    waiting_.clear();
    noise_ = 0;
    for (const RewardInput& answer : answers) waiting_.push_back({next_id_++, &answer});
    deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(limits_.batch_seconds));
    for (int64_t failures = 0; !waiting_.empty();) {
      if (!process_ && !start_again()) break;
      const bool used = !fresh_;
      const size_t scored = scores_.size();
      ended_ = false;
      const std::string fault = exchange_all();
      if (fault.empty()) break;
      process_->end();
      process_.reset();
      // One that ended before it scored anything of this batch ended between two batches: no answer's fault.
      if (used && ended_ && scores_.size() == scored) continue;
      fail_oldest(fault);
      if (++failures > limits_.restarts)
        give_up(fmt::format("the command failed {} times in this batch", failures));
    }
    if (noise_ > 0)
      log::warn("reward '{}': {} lines of the command were no scores, the first: {}", name_, noise_,
                first_noise_);
    return std::move(scores_);
  }

 private:
  void start() {
    received_.clear();
    process_ = std::make_unique<ChildProcess>(command_);
    fresh_ = true;
  }

  bool start_again() {
    try {
      start();
      return true;
    } catch (const Error& error) {  // the training goes on without these scores
      give_up(error.what());
      return false;
    }
  }

  void give_up(const std::string& reason) {
    for (const Request& request : waiting_)
      scores_.push_back(unscored(request.answer->id, as_reason(reason)));
    waiting_.clear();
  }

  void fail_oldest(const std::string& fault) {
    if (Clock::now() >= deadline_) return give_up(fault);
    scores_.push_back(unscored(waiting_.front().answer->id, as_reason(fault)));
    waiting_.erase(waiting_.begin());
  }

  // Sends everything that waits and reads until nothing does. What went wrong, if something did.
  std::string exchange_all() {
    std::string lines;
    for (const Request& request : waiting_)
      lines += json_line(answer_to_json(*request.answer, request.id)) + "\n";
    std::string_view to_write = lines;
    for (auto last = Clock::now(); !waiting_.empty();) {
      const double limit = fresh_ ? limits_.first_seconds : limits_.seconds;
      const double left = limit - Seconds(Clock::now() - last).count();
      const double batch_left = Seconds(deadline_ - Clock::now()).count();
      if (batch_left <= 0) return fmt::format("the batch took longer than {} seconds", limits_.batch_seconds);
      if (left <= 0) return fmt::format("no score within {} seconds", limit);
      const bool open = process_->exchange(to_write, received_, std::min(left, batch_left));
      if (take_scores()) last = Clock::now();
      if (waiting_.empty()) break;
      if (received_.size() > longest_line) return "the command wrote a line of more than 1 MiB";
      if (noise_ > most_noise)
        return fmt::format("the command wrote more than {} lines that are no scores", most_noise);
      if (!open) {
        ended_ = true;
        return "the command ended (" + process_->end() + ")";
      }
    }
    return "";
  }

  // Of all whole lines received. True when there was a score.
  bool take_scores() {
    bool any = false;
    size_t begin = 0;
    for (size_t end; (end = received_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (noise_ > most_noise) continue;
      const std::string line = received_.substr(begin, end - begin);
      if (take_score(line))
        any = true;
      else if (line.find_first_not_of(" \r\t") != std::string::npos && noise_++ == 0)
        first_noise_ = as_reason(line);
    }
    received_.erase(0, begin);
    return any;
  }

  bool take_score(const std::string& line) {
    const std::optional<Json> json = parse_sent(line);
    std::optional<Score> score = json ? score_from_json(*json) : std::nullopt;
    if (!score) return false;
    const auto request =
        std::find_if(waiting_.begin(), waiting_.end(), [&](const Request& r) { return r.id == score->id; });
    if (request == waiting_.end()) return false;
    score->id = request->answer->id;
    scores_.push_back(std::move(*score));
    waiting_.erase(request);
    fresh_ = false;
    return true;
  }

  std::string name_;
  std::vector<std::string> command_;
  Limits limits_;
  std::unique_ptr<ChildProcess> process_;
  bool fresh_ = true;  // it has given no score yet
  int64_t next_id_ = 0;
  std::string received_;  // not yet a whole line
  // Of the batch.
  std::vector<Request> waiting_;
  std::vector<Score> scores_;
  Clock::time_point deadline_;
  bool ended_ = false;  // the program did, on its own
  int64_t noise_ = 0;
  std::string first_noise_;
};

}  // namespace

std::unique_ptr<Reward> command_reward(const RewardDeclaration& declaration) {
  RewardParameters parameters(declaration);
  const auto command = parameters.required<std::vector<std::string>>("command");
  if (command.empty() || command[0].empty()) parameters.fail_at("command", "must name a program");
  const Allowed<double> positive{.low = 0, .high = 86400, .low_excluded = true};
  const Limits limits{.seconds = parameters.number("timeout", 10.0, positive),
                      .first_seconds = parameters.number("start_timeout", 60.0, positive),
                      .batch_seconds = parameters.number("batch_timeout", 600.0, positive),
                      .restarts = parameters.number<int64_t>("restarts", 3, {.low = 0, .high = 1000})};
  parameters.finish();
  try {
    return std::make_unique<CommandReward>(declaration.name, command, limits);
  } catch (const Error& error) {
    parameters.fail_at("command", fmt::format("names a program that does not start: {}", error.what()));
  }
}

}  // namespace fathom
