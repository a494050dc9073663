#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "align/rewards/answers.h"
#include "support/python_server.h"

namespace fathom {
namespace {

using testing::Answers, testing::declaration_error, testing::make_reward, testing::Values;

// tests/align/rewards/endpoint.py
class Endpoint {
 public:
  std::unique_ptr<Reward> reward(const std::string& path, const std::string& more = "") const {
    return make_reward("http", R"({"url": ")" + server_.url() + path + R"(", "backoff": 0.01)" + more + "}");
  }

 private:
  testing::PythonServer server_{{"tests/align/rewards/endpoint.py"}};
};

class HttpReward : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { endpoint = std::make_unique<Endpoint>(); }
  static void TearDownTestSuite() { endpoint.reset(); }
  static std::unique_ptr<Endpoint> endpoint;
};
std::unique_ptr<Endpoint> HttpReward::endpoint;

TEST_F(HttpReward, ScoresSeveralRequestsAtATime) {
  const auto reward = endpoint->reward("/good", R"(, "batch": 2, "parallel": 3)");
  EXPECT_EQ(Answers({"a", "bb", "ccc", "", "eeeee", "ffffff", "ggggggg"}).scored_by(*reward),
            Values({"1", "2", "3", "0", "5", "6", "7"}));
  EXPECT_EQ(Answers({}).scored_by(*reward), Values({}));
}

TEST_F(HttpReward, TriesAgainWhereThatMayHelp) {
  EXPECT_EQ(Answers({"abc"}).scored_by(*endpoint->reward("/recovers")), Values({"3"}));
  EXPECT_EQ(Answers({"abc"}).scored_by(*endpoint->reward("/recovers-late", R"(, "retries": 1)")),
            Values({"- HTTP status 503"}));
  EXPECT_EQ(Answers({"a"}).scored_by(*endpoint->reward("/status429", R"(, "retries": 2)")),
            Values({"- HTTP status 429"}));
  EXPECT_EQ(Answers({"a"}).scored_by(*endpoint->reward("/status404")), Values({"- HTTP status 404"}));
  EXPECT_EQ(Answers({"/recovers", "/recovers-late", "/status429", "/status404"})
                .scored_by(*endpoint->reward("/attempts")),
            Values({"3", "2", "3", "1"}));
}

TEST_F(HttpReward, TimeIsLimitedHoweverTheReplyComes) {
  const auto start = std::chrono::steady_clock::now();
  const Values late = {"- no reply within 0.3 seconds"};
  EXPECT_EQ(Answers({"a"}).scored_by(*endpoint->reward("/slow", R"(, "timeout": 0.3, "retries": 1)")), late);
  EXPECT_EQ(Answers({"a"}).scored_by(*endpoint->reward("/dribble", R"(, "timeout": 0.3, "retries": 0)")),
            late);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 4);
}

TEST_F(HttpReward, RepliesThatAreWrongAreUnscored) {
  const auto by = [&](const std::string& path) {
    return Answers({"a"}).scored_by(
        *endpoint->reward(path, R"(, "max_reply_bytes": 10000, "retries": 0)"))[0];
  };
  EXPECT_EQ(by("/garbage"), "- the reply is not valid JSON");
  EXPECT_EQ(by("/no-list"), "- the reply has no list 'rewards'");
  EXPECT_EQ(by("/number"), "- the reply has no list 'rewards'");
  for (int i = 0; i < 20; ++i) ASSERT_EQ(by("/large"), "- the reply is larger than 10000 bytes");
  EXPECT_EQ(by("/short"), "- the reply is larger than 10000 bytes");  // as its header says
  EXPECT_EQ(Answers({"a"}).scored_by(*endpoint->reward("/short", R"(, "retries": 0)"))[0],
            "- no whole reply: partial message");
  EXPECT_EQ(by("/status302"), "- HTTP status 302");
  EXPECT_EQ(by("/nonsense").find("- no whole reply"), 0u);
}

TEST_F(HttpReward, ScoresAreMatchedById) {
  EXPECT_EQ(Answers({"a", "b", "c"}).scored_by(*endpoint->reward("/mixed")),
            Values({"1", "- the reply's 'reward' is null or not finite", "- not in the reply"}));
}

TEST_F(HttpReward, ATokenComesFromTheEnvironment) {
  ::setenv("REWARD_TEST_TOKEN", "secret", 1);
  EXPECT_EQ(Answers({"a"}).scored_by(*endpoint->reward("/token", R"(, "bearer_env": "REWARD_TEST_TOKEN")")),
            Values({"1"}));
  EXPECT_EQ(Answers({"a"}).scored_by(*endpoint->reward("/token")), Values({"0"}));
}

TEST(HttpRewardErrors, AnEndpointThatIsNotThere) {
  const auto reward = make_reward("http", R"({"url": "http://127.0.0.1:1/", "retries": 1, "backoff": 0.01})");
  EXPECT_EQ(Answers({"a", "b"}).scored_by(*reward),
            Values({"- cannot connect: Connection refused", "- cannot connect: Connection refused"}));
}

TEST(HttpRewardErrors, MalformedDeclarationsNameTheKey) {
  const std::string place = "recipe.toml:7: reward 'it': ";
  EXPECT_EQ(declaration_error("http", "{}"), place + "field 'url' is missing");
  EXPECT_EQ(declaration_error("http", R"({"url": "x:80"})"),
            place + "field 'url': must begin with http:// or https://, got 'x:80'");
  EXPECT_EQ(declaration_error("http", R"({"url": "http://"})"), place + "field 'url': no host in 'http://'");
  EXPECT_EQ(declaration_error("http", R"({"url": "http://x", "batch": 0})"),
            place + "field 'batch' must be between 1 and 10000, got 0");
  EXPECT_EQ(declaration_error("http", R"({"url": "http://x", "bearer_env": "REWARD_TEST_UNSET"})"),
            place + "field 'bearer_env' names the variable REWARD_TEST_UNSET, which is not set");
  EXPECT_NE(declaration_error("http", R"({"url": "http://x:y"})").find("field 'url': port"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom
