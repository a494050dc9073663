// Items over a server get what they get from the engine behind it: as texts, as token ids, whole or too long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/server_answerer.h"
#include "eval/server_proof.h"
#include "eval/small_task.h"
#include "eval/text_measurement.h"
#include "support/model_http_server.h"

namespace fathom::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr double bound = 1e-4;

// The last character of a prompt and the first of an answer may be one token.
const std::string seam_toml = R"(
name = "seam"
[data]
items = ["items.jsonl"]
[prompt]
item = "{{ q }}, ab"
delimiter = ""
[choices]
texts = ["b{{ c[0] }}", "{{ c[1] }}", "你{{ c[1] }}"]
gold = "0"
)";

const std::string contexts_toml = R"(
name = "contexts"
[data]
items = ["items.jsonl"]
[choices]
contexts = ["{{ q }} x", "{{ q }} 好"]
texts = ["and so {{ c[0] }}"]
gold = "1"
)";

class Served {
 public:
  explicit Served(const std::string& toml, int items = 8, int64_t cache = 1200)
      : small(toml, items), engine(small.engine(8, 64, 1, true, cache)), server(engine, small.tokenizer) {}

  std::vector<Measured> by_texts(const std::string& behaviour = "good") {
    ModelServer asked(server.url(behaviour), "small",
                      {.target = {}, .headers = {}, .limits = {}, .retries = 0}, 4, 0);
    TextMeasurement measurement(asked, small.task, false, settings());
    return measurement.measure(small.spans(), [](int64_t) {});
  }
  std::vector<Measured> by_ids() {
    ModelServer asked(server.url(), "small", {.target = {}, .headers = {}, .limits = {}, .retries = 0}, 4,
                      engine.longest());
    ServerAnswerer answerer(asked);
    Measurement measurement(answerer, small.tokenizer, small.task, nullptr, settings());
    return measurement.measure(small.spans(), [](int64_t) {});
  }
  std::string problem(const std::string& behaviour, bool ids = false) {
    ModelServer asked(server.url(behaviour), "small",
                      {.target = {}, .headers = {}, .limits = {}, .retries = 0}, 1, 0);
    return prove_log_probs(asked, ids ? &small.tokenizer : nullptr).problem;
  }
  // Of the model in this process, in an engine of its own.
  std::vector<Measured> locally(int64_t cache = 1200) {
    Engine own = small.engine(8, 64, 1, true, cache);
    return small.measure(own);
  }
  static MeasurementSettings settings() { return {.seed = 1, .eos_token_ids = {256}, .threads = 2}; }

  SmallTask small;
  Engine engine;
  ModelHttpServer server;
};

void expect_same(const std::vector<Measured>& got, const std::vector<Measured>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].id, want[i].id);
    EXPECT_EQ(got[i].prompt_hash, want[i].prompt_hash);
    EXPECT_EQ(got[i].prompt_tokens, want[i].prompt_tokens);
    EXPECT_EQ(got[i].shots, want[i].shots);
    ASSERT_EQ(got[i].options.size(), want[i].options.size());
    for (size_t k = 0; k < got[i].options.size(); ++k) {
      const MeasuredOption &a = got[i].options[k], &b = want[i].options[k];
      EXPECT_NEAR(a.sum, b.sum, bound) << got[i].id << " " << k;
      EXPECT_EQ(a.length(), b.length()) << got[i].id << " " << k;
      ASSERT_EQ(a.unconditional.has_value(), b.unconditional.has_value());
      EXPECT_NEAR(a.unconditional.value_or(0), b.unconditional.value_or(0), bound);
    }
  }
}

TEST(OverAServer, ChoicesAreTheLocalOnes) {
  for (const std::string& toml : {choice_toml, seam_toml, contexts_toml}) {
    Served served(toml);
    SCOPED_TRACE(served.small.task.name);
    const std::vector<Measured> want = served.locally();
    expect_same(served.by_ids(), want);
    for (const char* behaviour : {"good", "names-bytes", "ignores-bytes", "no-usage"}) {
      SCOPED_TRACE(behaviour);
      expect_same(served.by_texts(behaviour), want);
    }
  }
}

TEST(OverAServer, DocumentsAreTheLocalOnesByIds) {
  Served served(R"(
name = "text"
form = "text"
document = "{{ q }} {{ c | join(' ') }}"
window = 7
[data]
items = ["items.jsonl"]
)");
  const std::vector<Measured> want = served.locally(), got = served.by_ids();
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i].nats, want[i].nats, bound);
    EXPECT_EQ(got[i].tokens, want[i].tokens);
  }
  EXPECT_THAT(error_of([&] { TextMeasurement::check_task(served.small.task, false); }),
              HasSubstr("needs the model's folder too"));
}

TEST(OverAServer, AnswersEndWhereTheLocalOnesDo) {
  std::string toml = generate_toml;
  toml.replace(toml.find("temperature = 1"), 15, "temperature = 0");
  toml.replace(toml.find("max_tokens = 6"), 14,
               "max_tokens = 40\nstop = [\"1\", \"2\", \"3\", \"4\", \"a\", \"e\", \"t\"]");
  Served served(toml);
  const std::vector<Measured> want = served.locally();
  int64_t cut = 0;
  for (const auto& got : {served.by_texts(), served.by_texts("stops-late"), served.by_ids()})
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].samples.size(), 3u);
      for (size_t k = 0; k < 3; ++k) {
        // A server's text is JSON: what is no character there is U+FFFD.
        const auto sent = [](const std::string& s) {
          return Json::parse(Json(s).dump(-1, ' ', false, Json::error_handler_t::replace));
        };
        EXPECT_EQ(got[i].samples[k].output, sent(want[i].samples[k].output));
        EXPECT_EQ(got[i].samples[k].finish, want[i].samples[k].finish);
        cut += got[i].samples[k].cut();
      }
    }
  EXPECT_GE(cut, 0);
}

TEST(OverAServer, SamplesAreDrawnEachForItself) {
  Served served(generate_toml);
  const std::vector<Measured> once = served.by_texts(), again = served.by_texts();
  std::set<std::string> outputs;
  for (size_t i = 0; i < once.size(); ++i)
    for (size_t k = 0; k < 3; ++k) {
      EXPECT_EQ(once[i].samples[k].output, again[i].samples[k].output);
      EXPECT_GT(once[i].samples[k].tokens, 0);
      outputs.insert(once[i].samples[k].output);
    }
  EXPECT_GT(outputs.size(), 18u);
}

TEST(OverAServer, WhatIsTooLongLosesWholeExamplesFirst) {
  Served whole(choice_toml, 6);
  const int64_t room = whole.by_texts()[0].prompt_tokens;
  Served small(choice_toml, 6, room - 6);
  for (const Measured& m : small.by_texts()) {
    EXPECT_LT(m.shots, 3);
    EXPECT_THAT(m.not_run, IsEmpty());
    EXPECT_EQ(std::count(m.prompts[0].begin(), m.prompts[0].end(), 'Q'), m.shots + 1);
  }
  for (const Measured& m : small.by_ids()) {
    EXPECT_LT(m.shots, 3);
    EXPECT_THAT(m.not_run, IsEmpty());
  }
  Served tiny(choice_toml, 3, 12);
  for (const Measured& m : tiny.by_texts()) {
    EXPECT_THAT(m.not_run, HasSubstr("maximum context length is 12"));
    EXPECT_EQ(m.shots, 0);
    EXPECT_TRUE(m.options.empty());
  }
  for (const Measured& m : tiny.by_ids()) EXPECT_THAT(m.not_run, HasSubstr("the longest context 12"));
  Served silent(generate_toml, 3, 6);
  for (const Measured& m : silent.by_texts()) {
    EXPECT_THAT(m.not_run, HasSubstr("maximum context length is 6"));
    EXPECT_TRUE(m.samples.empty());
  }
}

TEST(OverAServer, AFailedRequestIsNoWrongAnswer) {
  Served served(generate_toml, 3);
  EXPECT_THAT(error_of([&] { served.by_texts("broken"); }),
              AllOf(StartsWith("item "), HasSubstr("HTTP status 500")));
  EXPECT_THAT(error_of([&] { served.by_texts("torn"); }),
              AllOf(StartsWith("item "), HasSubstr("not valid JSON")));
}

TEST(Proof, OfServersThatTellWhatTheyAreAskedFor) {
  Served served(choice_toml, 1);
  for (const char* behaviour : {"good", "names-bytes", "ignores-bytes", "no-usage"}) {
    EXPECT_EQ(served.problem(behaviour), "") << behaviour;
    EXPECT_EQ(served.problem(behaviour, true), "") << behaviour;
  }
}

TEST(Proof, SaysWhatAServerLacks) {
  Served served(choice_toml, 1);
  const std::vector<std::pair<const char*, const char*>> problems = {
      {"no-echo", "tokens of the reply do not spell the prompt"},
      {"refuses-echo", "HTTP status 400: Only no echo is supported"},
      {"no-logprobs", "the reply has no log-probabilities"},
      {"nulls", "token 2 of"},
      {"short", "do not spell the prompt"},
      {"uneven", "log-probabilities"},
      {"positive", "has the log-probability 0.25, above 0"},
      {"nan", "has no log-probability"},
      {"constant", "every token of the prompt has the log-probability -1.5"},
      {"other-text", "do not spell the prompt, but 'xxx"},
      {"shifted", "log-probabilities of tokens in a prompt are not those"},
      {"broken", "HTTP status 500"},
      {"torn", "the reply is not valid JSON"},
  };
  for (const auto& [behaviour, problem] : problems)
    EXPECT_THAT(served.problem(behaviour), HasSubstr(problem)) << behaviour;
  EXPECT_THAT(served.problem("no-echo", true), HasSubstr("the reply log-probabilities of 1"));
  EXPECT_THAT(served.problem("other-text", true), HasSubstr("its tokenizer is another"));
  EXPECT_THAT(served.problem("texts-only", true), HasSubstr("HTTP status 422: not a string"));
}

}  // namespace
}  // namespace fathom::testing
