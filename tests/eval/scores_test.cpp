#include "eval/scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "eval/task_result.h"
#include "sandbox/sandboxed.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Task choice_task() {
  return parse_task(R"(
name = "c"
[data]
items = ["c.jsonl"]
[prompt]
item = "q"
[choices]
texts = "{{ c | tojson }}"
gold = "{{ g }}"
metrics = ["sum", "bytes", "chars", "tokens", "unconditional"]
)",
                    "c.toml");
}

TEST(ChoiceScores, AreByTheirNames) {
  const Task task = choice_task();
  const Item item =
      make_item(task, {{{"c", {"ab", "\u00e4\u00f6\u00fc", "abcdefgh"}}, {"g", 1}}, "c.jsonl:1", ""}, "", 0);
  Measured m;
  m.options = {{{1}, -2, -1.0}, {{1, 2, 3}, -4.5, -6.5}, {{1, 2, 3, 4, 5}, -6, -5.0}};
  const ItemScores scores = Scorer(task, 1, false).score({&item, 1}, {&m, 1})[0];
  // sums: -2; over bytes: -1, -0.75, -0.75 (6 bytes, 8 bytes); over characters: -1, -1.5, -0.75; over tokens:
  // -2, -1.5, -1.2; less the unconditional: -1, 2, -1
  ASSERT_EQ(scores.size(), 5u);
  EXPECT_EQ(scores[0].picked, 0);
  EXPECT_EQ(scores[1].picked, 1);
  EXPECT_TRUE(scores[1].tie);
  EXPECT_EQ(scores[2].picked, 2);
  EXPECT_EQ(scores[3].picked, 2);
  EXPECT_EQ(scores[4].picked, 1);
  EXPECT_THAT(std::vector<double>({scores[0].value, scores[1].value, scores[4].value}), ElementsAre(0, 1, 1));
  EXPECT_FALSE(scores[0].tie || scores[2].tie || scores[3].tie || scores[4].tie);
  // Without a measurement it is wrong.
  const Measured none;
  const ItemScores not_run = Scorer(task, 1, false).score({&item, 1}, {&none, 1})[0];
  for (const MetricScore& s : not_run) {
    EXPECT_EQ(s.value, 0);
    EXPECT_EQ(s.picked, -1);
  }
}

Task generate_task(const std::string& more) {
  return parse_task(R"(
name = "g"
form = "generate"
[data]
items = ["g.jsonl"]
[prompt]
item = "q"
[generation]
samples = 4
pass_at = [1, 2, 8]
majority_of = [3, 8]
)" + more,
                    "g.toml");
}

Measured outputs(const std::vector<std::string>& texts) {
  Measured m;
  for (const std::string& text : texts) m.samples.push_back({text, 1, FinishReason::stop});
  return m;
}

TEST(AnswerScores, CountSamplesVotesAndWhatIsNoAnswer) {
  const Task task = generate_task(R"(
[[metric]]
name = "strict"
extract = ["hashes"]
key = ["{{ a }}"]
key_extract = ["hashes"]
normalise = ["thousands"]
)");
  EXPECT_THAT(score_names(task), ElementsAre("strict", "strict pass@1", "strict pass@2", "strict maj@3"));
  const Item item = make_item(task, {{{"a", "so\n#### 1200"}}, "g.jsonl:1", ""}, "", 0);
  const Measured m = outputs({"#### 7", "no idea", "#### 1,200\n", "#### 1200"});
  const ItemScores scores = Scorer(task, 1, false).score({&item, 1}, {&m, 1})[0];
  ASSERT_EQ(scores.size(), 4u);
  EXPECT_EQ(scores[0].value, 0.5);
  EXPECT_FALSE(scores[0].answers[1].has_value());
  EXPECT_EQ(scores[1].value, 0.5);
  EXPECT_NEAR(scores[2].value, 1 - 1.0 / 6, 1e-12);
  EXPECT_EQ(scores[3].value, 0);  // of 7 and 1,200 the first
  const Measured votes = outputs({"#### 7", "#### 1,200", "#### 1200", "#### 7"});
  EXPECT_EQ(Scorer(task, 1, false).score({&item, 1}, {&votes, 1})[0][3].value, 1);
}

TEST(AnswerScores, PassAtIsUnbiased) {
  // Chen et al.: 1 - C(n-c, k) / C(n, k)
  EXPECT_DOUBLE_EQ(pass_at(5, 0, 3), 0);
  EXPECT_DOUBLE_EQ(pass_at(5, 2, 1), 0.4);
  EXPECT_NEAR(pass_at(5, 2, 3), 1 - 1.0 / 10, 1e-15);
  EXPECT_DOUBLE_EQ(pass_at(5, 3, 3), 1);
  EXPECT_NEAR(pass_at(200, 10, 100), 1 - 0.0009, 3e-4);
}

TEST(AnswerScores, TakeTheBestKeyAndWordsInCommon) {
  const Task task = generate_task(R"(
[[metric]]
name = "f1"
kind = "f1"
key = "{{ a | tojson }}"
normalise = ["lower", "punctuation", "articles", "spaces", "trim"]
)");
  const AnswerMetric& f1 = task.answer_metrics[0];
  const std::vector<std::string> keys = {"The red house", "a house of wood"};
  EXPECT_DOUBLE_EQ(score_answer(f1, "Red house!", keys), 1);
  EXPECT_DOUBLE_EQ(score_answer(f1, "house house", keys), 0.5);
  EXPECT_DOUBLE_EQ(score_answer(f1, "a wood", keys), 0.5);
  EXPECT_DOUBLE_EQ(score_answer(f1, "tree", keys), 0);
}

TEST(AnswerScores, FindAnswersByAPatternToo) {
  Task task = generate_task(R"(
[[metric]]
pattern = "(?<=#### )-?[0-9.,]*[0-9]"
key = ["{{ a }}"]
)");
  AnswerMetric& metric = task.answer_metrics[0];
  const auto found = [&](const std::string& text) { return found_answer(metric, text).value_or("none"); };
  EXPECT_EQ(found("#### 18 dollars\n#### 19."), "18");
  EXPECT_EQ(found("\u4e8c #### -1,234."), "-1,234");
  EXPECT_EQ(found("#### $18 ####7"), "none");
  metric.match = PatternMatch::last;
  EXPECT_EQ(found("#### 18 dollars\n#### 19."), "19");
  EXPECT_THAT(error_of([] { generate_task("[[metric]]\npattern = \"(\"\nkey = [\"1\"]\n"); }),
              HasSubstr("key 'pattern'"));
}

// Version 1 of AGIEval asks for one letter, for several, or for an answer: one score over all.
TEST(AnswerScores, MayBeOtherMetricsForOtherSubjects) {
  const Task task = task_named("agieval");
  EXPECT_THAT(score_names(task), ElementsAre("strict", "lenient"));
  const TaskItems data = read_items(task, source_dir() + "/tests/eval/samples", 0);
  const std::map<std::string, std::pair<std::string, std::pair<double, double>>> written = {
      {"aqua-rat:0", {" D", {1, 1}}},
      {"lsat-ar:0", {" Dear me: C.", {0, 1}}},      // upstream takes the first capital letter
      {"gaokao-physics:0", {"C、A。", {1, 1}}},     // in any order
      {"jec-qa-kd:0", {"(A)(B)", {0, 0}}},          // all of them
      {"gaokao-mathcloze:0", {"$x = 2$", {0, 1}}},  // upstream's key has dollars
      {"math:0", {" $42$.", {1, 1}}}};
  for (const SubjectItems& subject : data.subjects)
    for (const Item& item : subject.items) {
      const auto found = written.find(item.id);
      if (found == written.end()) continue;
      const Measured m = outputs({found->second.first});
      const ItemScores scores = Scorer(task, 1, false).score({&item, 1}, {&m, 1})[0];
      ASSERT_EQ(scores.size(), 2u);
      EXPECT_EQ(std::pair(scores[0].value, scores[1].value), found->second.second) << item.id;
    }
}

TEST(AnswerScores, TakeDropsSpansStrictlyOrAsALists) {
  const Task task = task_named("drop");
  const auto scores = [&](const std::string& output) {
    const std::vector<std::string> keys = {R"(["Ann Lee", "Eve"])", R"(["3"])"};
    std::vector<double> all;
    for (const AnswerMetric& metric : task.answer_metrics) all.push_back(score_answer(metric, output, keys));
    return all;
  };
  // f1_strict, exact_strict, f1_lenient, exact_lenient
  EXPECT_THAT(scores("Eve, Ann Lee"), ElementsAre(0.4, 0, 1, 1));
  EXPECT_THAT(scores("3.0"), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(scores("Ann and Eve"), ElementsAre(0.25, 0, 0.83, 0));
  EXPECT_THAT(scores("4"), ElementsAre(0, 0, 0, 0));
}

TEST(AnswerScores, OfGsm8kAreStrictAsTheDataSetIs) {
  const AnswerMetric strict = task_named("gsm8k").answer_metrics[0];
  const auto right = [&](const std::string& text) {
    const auto found = found_answer(strict, text);
    return found && score_answer(strict, *found, {"1,218"}) == 1;
  };
  EXPECT_TRUE(right("so\n#### 1218 dollars"));
  EXPECT_TRUE(right("#### 1,218\n#### 7"));  // the first mark
  EXPECT_TRUE(right("#### 12,18"));
  EXPECT_FALSE(right("#### 7\n#### 1218"));
  EXPECT_FALSE(right("#### 1218."));
  EXPECT_FALSE(right("####1218"));
  EXPECT_FALSE(right("#### $1218"));
}

TEST(AnswerScores, NeedAKeyThatCanBeFound) {
  const Task task = generate_task(R"(
[[metric]]
key = ["{{ a }}"]
key_extract = ["hashes"]
)");
  EXPECT_THAT(error_of([&] {
                make_item(task, {{{"a", "no key"}}, "g.jsonl:3", ""}, "", 0);
              }),
              HasSubstr("g.jsonl:3: no right answer is found in 'no key'"));
}

// Each instruction, or all of an item together; as it is, or loosely.
TEST(InstructionScores, CountInstructionsOrItems) {
  const Task task = task_named("ifeval");
  EXPECT_THAT(score_names(task), ElementsAre("prompt_strict", "inst_strict", "prompt_loose", "inst_loose"));
  const TaskItems data = read_items(task, source_dir() + "/tests/eval/samples", 0);
  const std::vector<Item>& items = data.subjects[0].items;
  // Eight words, but a comma; two bullets without a language that tells, behind a line too many; quotes
  // behind such a line.
  std::vector<Measured> measured = {outputs({"A tall white tower with a bright, bright lamp"}),
                                    outputs({"* Here:\n* 1\n* 2"}), outputs({"Sure:\n\"Hello!\""})};
  const std::vector<ItemScores> scores = Scorer(task, 1, false).score(items, measured);
  const auto values = [&](size_t metric) {
    std::vector<double> all;
    for (const ItemScores& s : scores) all.push_back(s[metric].value);
    return all;
  };
  EXPECT_THAT(values(0), ElementsAre(0, 0, 0));
  EXPECT_THAT(values(1), ElementsAre(0.5, 0, 0));
  EXPECT_THAT(values(2), ElementsAre(0, 0, 1));
  EXPECT_THAT(values(3), ElementsAre(0.5, 0.5, 1));
  EXPECT_EQ(scores[0][1].answers[0], "length_constraints:number_words yes, punctuation:no_comma no");
  EXPECT_EQ(scores[1][3].answers[0],
            "detectable_format:number_bullet_lists yes, language:response_language unknown");

  const std::vector<const Item*> all = {&items[0], &items[1], &items[2]};
  const TaskResult result = task_result(task, data, all, measured, scores, 1, 1);
  ASSERT_EQ(result.averages.size(), 4u);
  EXPECT_DOUBLE_EQ(result.averages[1].interval.mean, 1.0 / 5);  // of five instructions
  EXPECT_DOUBLE_EQ(result.averages[2].interval.mean, 1.0 / 3);
  EXPECT_DOUBLE_EQ(result.averages[3].interval.mean, 3.0 / 5);
  EXPECT_EQ(result.counts.at("inst_loose").undecided, 1);
  EXPECT_THAT(task_result_table(result, false),
              HasSubstr("inst_loose: 1 instructions could not be decided and count as not followed"));

  // An item that was not run has its instructions in the denominator.
  measured[2] = Measured();
  const std::vector<ItemScores> less = Scorer(task, 1, false).score(items, measured);
  const TaskResult shorter = task_result(task, data, all, measured, less, 1, 1);
  EXPECT_DOUBLE_EQ(shorter.averages[3].interval.mean, 2.0 / 5);
}

TEST(InstructionScores, NameTheRowOfAnUnknownOne) {
  const Json row = {{"key", 7},
                    {"prompt", "q"},
                    {"instruction_id_list", {"startend:qotation"}},
                    {"kwargs", Json::array({Json::object()})}};
  const Task task = task_named("ifeval");
  EXPECT_THAT(error_of([&] { make_item(task, {row, "i.jsonl:4", ""}, "", 3); }), HasSubstr("i.jsonl:4: "));
  EXPECT_THAT(error_of([&] {
                make_item(task, {row, "i.jsonl:4", ""}, "", 3);
              }),
              HasSubstr("unknown instruction 'startend:qotation': did you mean startend:quotation?"));
  EXPECT_THAT(error_of([] { generate_task("[[metric]]\nkind = \"instructions\"\n"); }),
              HasSubstr("needs instructions and arguments"));
}

// The sample solutions of the tasks that run code, and wrong ones.
class CodeScores : public ::testing::TestWithParam<const char*> {};

TEST_P(CodeScores, AreTheVerdictsOfTheSandbox) {
  FATHOM_NEEDS_SANDBOX();
  Task task = task_named(GetParam());
  task.shots.count = 0;
  const TaskItems data = read_items(task, source_dir() + "/tests/eval/samples", 1);
  const Item& item = data.subjects[0].items[0];
  const std::map<std::string, std::vector<std::string>> texts = {
      {"humaneval", {"    return 2 * x\n", "    return 3 * x\n", "    retrun"}},
      {"mbpp", {"def square(x):\n  return x * x\n", "def square(x):\n  return x\n", ""}},
      {"cruxeval_i",
       {"'abab', 1) == 'abab'\n", "'ab', 3) == 'ababab'\n", "__import__('os').getcwd(), 1) == 1"}},
      {"cruxeval_o", {" 'abab'\n", " 'ab'\n", " f('ab', 2)"}},
      {"cruxeval_i_cot",
       {"So.\n[/THOUGHT]\n[ANSWER]\nassert f('abab', 1) == 'abab'\n",
        "[ANSWER]\nassert f('ab', 2) == 'abab'\n[/THOUGHT]\n[ANSWER]\nassert f('a', 2) == 'abab'\n",
        "f() == 'abab'"}},
      {"cruxeval_o_cot",
       {"It is f('ab', 2) == 'no'.\n[/THOUGHT]\n[ANSWER]\nassert f('ab', 2) == 'abab'\n",
        "[ANSWER]\nassert f('ab', 2) == 'ab'\n", "[ANSWER]\nassert f('ab', 2) == 'ab' * 2"}}};
  const Measured m = outputs(texts.at(GetParam()));
  const ItemScores scores = Scorer(task, 2, false).score({&item, 1}, {&m, 1})[0];
  EXPECT_THAT(scores[0].of_samples, ElementsAre(1, 0, 0));
}

INSTANTIATE_TEST_SUITE_P(All, CodeScores,
                         ::testing::Values("humaneval", "mbpp", "cruxeval_i", "cruxeval_o", "cruxeval_i_cot",
                                           "cruxeval_o_cot"));

}  // namespace
}  // namespace fathom::testing
