#include "align/rewards/http_reward.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "align/rewards/wire.h"
#include "base/error.h"
#include "http/endpoint.h"
#include "text/sent_json.h"

namespace fathom {
namespace {

struct Settings {
  HttpEndpoint endpoint;
  int64_t batch;     // answers of a request
  int64_t parallel;  // requests at a time
};

class HttpReward : public Reward {
 public:
  explicit HttpReward(Settings settings) : settings_(std::move(settings)) {}

  std::vector<Score> score(std::span<const RewardInput> answers) override {
    const size_t size = static_cast<size_t>(settings_.batch), requests = (answers.size() + size - 1) / size;
    std::vector<std::vector<Score>> scores(requests);
    std::atomic<size_t> next = 0;
    const auto work = [&] {
      for (size_t i; (i = next++) < requests;)
        scores[i] = score_request(answers.subspan(i * size, std::min(size, answers.size() - i * size)));
    };
    {
      std::vector<std::jthread> threads;
      for (size_t i = 1; i < std::min(requests, static_cast<size_t>(settings_.parallel)); ++i)
        threads.emplace_back(work);
      work();
    }
    std::vector<Score> all;
    for (std::vector<Score>& part : scores) std::move(part.begin(), part.end(), std::back_inserter(all));
    return all;
  }

 private:
  std::vector<Score> score_request(std::span<const RewardInput> answers) const {
    Json body = {{"answers", Json::array()}};
    for (const RewardInput& answer : answers) body["answers"].push_back(answer_to_json(answer, answer.id));
    const HttpReply reply = post_with_retries(settings_.endpoint, json_line(body));
    if (reply.status == 200) return read_scores(reply.body, answers);
    return all_unscored(answers, reply.status ? fmt::format("HTTP status {}", reply.status) : reply.error);
  }

  static std::vector<Score> all_unscored(std::span<const RewardInput> answers, const std::string& reason) {
    std::vector<Score> scores;
    for (const RewardInput& answer : answers) scores.push_back(unscored(answer.id, as_reason(reason)));
    return scores;
  }

  // An answer that comes twice keeps its first score; ids that were not asked for are left out.
  static std::vector<Score> read_scores(const std::string& body, std::span<const RewardInput> answers) {
    const std::optional<Json> json = parse_sent(body);
    if (!json) return all_unscored(answers, "the reply is not valid JSON");
    const auto rewards = json->is_object() ? json->find("rewards") : json->end();
    if (rewards == json->end() || !rewards->is_array())
      return all_unscored(answers, "the reply has no list 'rewards'");
    std::map<int64_t, Score> by_id;
    for (const Json& element : *rewards)
      if (std::optional<Score> score = score_from_json(element)) by_id.emplace(score->id, *score);
    std::vector<Score> scores;
    for (const RewardInput& answer : answers) {
      const auto found = by_id.find(answer.id);
      scores.push_back(found == by_id.end() ? unscored(answer.id, "not in the reply") : found->second);
    }
    return scores;
  }

  Settings settings_;
};

}  // namespace

std::unique_ptr<Reward> http_reward(const RewardDeclaration& declaration) {
  RewardParameters parameters(declaration);
  const Allowed<double> positive{.low = 0, .high = 86400, .low_excluded = true};
  Settings settings{.endpoint = {},
                    .batch = parameters.number<int64_t>("batch", 16, {.low = 1, .high = 10000}),
                    .parallel = parameters.number<int64_t>("parallel", 4, {.low = 1, .high = 64})};
  HttpEndpoint& endpoint = settings.endpoint;
  endpoint.target = parse_http_url(parameters.required<std::string>("url"), parameters.place("url"));
  endpoint.retries = parameters.number<int64_t>("retries", 3, {.low = 0, .high = 100});
  endpoint.backoff = parameters.number("backoff", 0.5, positive);
  endpoint.limits.seconds = parameters.number("timeout", 60.0, positive);
  endpoint.limits.body_bytes =
      parameters.number<uint64_t>("max_reply_bytes", 16 << 20, {.low = 1, .high = 1u << 30});
  if (const std::string variable = parameters.optional<std::string>("bearer_env", ""); !variable.empty())
    add_bearer(endpoint, variable, parameters.place("bearer_env"));
  parameters.finish();
  return std::make_unique<HttpReward>(std::move(settings));
}

}  // namespace fathom
