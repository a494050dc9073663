#include "judge/alpaca.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/file.h"
#include "judge/alpaca_scores.h"
#include "judge/published.h"
#include "support/temp_dir.h"
#include "text/sent_json.h"

namespace fathom {
namespace {

using testing::published;

AlpacaOutputs outputs(const std::string& generator,
                      const std::vector<std::pair<std::string, std::string>>& rows) {
  AlpacaOutputs all{.generator = generator, .rows = {}};
  for (const auto& [instruction, output] : rows) all.rows.push_back({instruction, output, "set"});
  return all;
}

TEST(Alpaca, OutputsAreJoinedByTheirInstruction) {
  const AlpacaOutputs baseline = outputs("base", {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
  const AlpacaOutputs model = outputs("model", {{"d", "D"}, {"x", "X"}, {"a", "A"}, {"c", "C"}});
  const AlpacaJoin join = join_outputs(baseline, model);
  ASSERT_EQ(join.pairs.size(), 3u);
  EXPECT_EQ(join.missing, 1);
  EXPECT_EQ(join.unknown, 1);
  std::string text;
  for (const AlpacaPair& pair : join.pairs)
    text += fmt::format("{}{}{} ", pair.index, pair.baseline->output, pair.model->output);
  EXPECT_EQ(text, "01A 23C 34D ");
  EXPECT_EQ(error_of([&] {
              join_outputs(baseline, outputs("m", {{"y", "1"}}));
            }),
            "'m' has outputs for none of the instructions of 'base'");
}

TEST(Alpaca, FilesOfOutputs) {
  const TempDir dir;
  const AlpacaOutputs all = outputs("base", {{"a\n", "\"1\""}, {"b", ""}});
  write_file(dir / "o.json", alpaca_outputs_text(all));
  const AlpacaOutputs again = read_alpaca_outputs(dir / "o.json");
  EXPECT_EQ(again.generator, "base");
  ASSERT_EQ(again.rows.size(), 2u);
  EXPECT_EQ(again.rows[0].instruction + again.rows[0].output + again.rows[1].dataset, "a\n\"1\"set");
  const auto error = [&](const std::string& text) {
    write_file(dir / "o.json", text);
    return error_of([&] { read_alpaca_outputs(dir / "o.json"); });
  };
  const std::string path = dir / "o.json", row = R"({"instruction": "a", "output": "b", "generator": "m"})";
  EXPECT_EQ(error("[" + row + "," + row + "]"),
            path + "[1]: the instruction is there twice, first in " + path + "[0]");
  EXPECT_EQ(error("[" + row + R"(, {"instruction": "b", "output": "b", "generator": "n"}])"),
            path + "[1]: an output of 'n' among those of 'm'");
  EXPECT_EQ(error("[]"), path + ": no outputs");
  EXPECT_EQ(error(R"([{"instruction": "a", "generator": "m"}])"), path + "[0]: field 'output' is missing");
  EXPECT_EQ(error(R"([{"instruction": 7, "output": "b", "generator": "m"}])"),
            path + "[0]: field 'instruction' must be a string, got 7");
}

constexpr const char* small_prompt =
    "<|im_start|>system\nYou choose.\n<|im_end|>\n<|im_start|>user\n{\n {instruction} m={output_1} "
    "M={output_2}}\n<|im_end|>\n";

TEST(Alpaca, ThePromptIsMessages) {
  const TempDir dir;
  write_file(dir / "p.txt", small_prompt);
  EXPECT_EQ(AlpacaPrompt(dir / "p.txt").messages("<|im_end|>{output_1}", "one", "two"),
            (Json{{{"role", "system"}, {"content", "You choose."}},
                  {{"role", "user"}, {"content", "{\n <|im_end|>{output_1} m=one M=two}"}}}));
  for (const char* bad :
       {"", "hello", "<|im_start|>user\nx", "<|im_start|>user<|im_end|>",
        "<|im_start|>user\n{what}\n<|im_end|>", "<|im_start|>user\nx<|im_end|>y<|im_end|>"}) {
    write_file(dir / "p.txt", bad);
    EXPECT_EQ(error_of([&] { AlpacaPrompt(dir / "p.txt"); }).find(dir / "p.txt"), 0u) << bad;
  }
}

TEST(Alpaca, ThePublishedPromptIsRead) {
  SKIP_WITHOUT(published("alpaca_eval/alpaca_eval_clf.txt"));
  const Json messages =
      AlpacaPrompt(published("alpaca_eval/alpaca_eval_clf.txt")).messages("INSTRUCTION", "ONE", "TWO");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0]["role"], "system");
  const std::string text = messages[1]["content"];
  EXPECT_NE(text.find("\"instruction\": \"\"\"INSTRUCTION\"\"\","), std::string::npos);
  EXPECT_NE(text.find("\"model_identifier\": \"m\",\n        \"output\": \"\"\"ONE\"\"\""),
            std::string::npos);
  EXPECT_NE(text.find("\"model_identifier\": \"M\",\n        \"output\": \"\"\"TWO\"\"\""),
            std::string::npos);
}

class AlpacaItems : public ::testing::Test {
 protected:
  AlpacaItems() {
    write_file(dir_ / "p.txt", small_prompt);
    for (int i = 0; i < 100; ++i) {
      const std::string instruction = fmt::format("do {}", i);
      baseline_.rows.push_back({instruction, "baseline's", ""});
      model_.rows.push_back({instruction, i == 7 ? "baseline's" : "model's", ""});
    }
    baseline_.generator = "base", model_.generator = "model";
  }
  std::vector<JudgeItem> items(uint64_t seed) {
    return alpaca_items(join_outputs(baseline_, model_), AlpacaPrompt(dir_ / "p.txt"), "base", "model",
                        "judge", seed);
  }
  TempDir dir_;
  AlpacaOutputs baseline_, model_;
};

TEST_F(AlpacaItems, TheOrderIsDrawnFromInstructionAndSeed) {
  const std::vector<JudgeItem> first = items(1);
  ASSERT_EQ(first.size(), 99u);  // equal outputs are not asked about
  int model_first = 0;
  std::map<std::string, bool> order;
  for (const JudgeItem& item : first) {
    const bool m = item.about.at("model_first");
    const std::string text = item.messages[1]["content"];
    EXPECT_NE(text.find(m ? "m=model's M=baseline's" : "m=baseline's M=model's"), std::string::npos);
    model_first += m;
    order[item.about.at("instruction")] = m;
  }
  EXPECT_GT(model_first, 30);
  EXPECT_LT(model_first, 70);
  std::reverse(baseline_.rows.begin(), baseline_.rows.end());
  int other = 0;
  for (const JudgeItem& item : items(1))
    EXPECT_EQ(item.about.at("model_first"), order[item.about.at("instruction")]);
  for (const JudgeItem& item : items(2))
    other += item.about.at("model_first") != order[item.about.at("instruction")];
  EXPECT_GT(other, 30);
}

TEST_F(AlpacaItems, ThePreferenceIsTheModelsWhereverItStood) {
  ChatReply reply;
  reply.text = "m";
  reply.first = {{"m", std::log(0.8)}, {"M", std::log(0.2)}};
  for (const JudgeItem& item : items(1)) {
    const Reading reading = read_alpaca_reply(item, reply);
    EXPECT_NEAR(reading.fields.at("preference").get<double>(), item.about.at("model_first") ? 1.8 : 1.2,
                1e-12);
  }
  reply.first.clear(), reply.text = "neither";
  EXPECT_EQ(read_alpaca_reply(items(1)[0], reply).failure, "neither m nor M");
}

Annotations annotations(const std::vector<std::optional<double>>& preferences) {
  Annotations all{.model = "m", .baseline = "b", .judge = "j", .rows = {}, .unweighted = 0, .failures = {}};
  for (size_t i = 0; i < preferences.size(); ++i) {
    all.rows.push_back({static_cast<int64_t>(i), preferences[i], 10, 20});
    if (!preferences[i]) ++all.failures["no preference"];
  }
  return all;
}

TEST(AlpacaScoring, WinRates) {
  const AlpacaScores s = alpaca_scores(annotations({1.9, 1.5, 1.2, std::nullopt, 1.0}), nullptr);
  EXPECT_EQ(s.judged, 4);
  EXPECT_EQ(s.failed, 1);
  EXPECT_NEAR(s.win_rate, 100 * (0.9 + 0.5 + 0.2 + 0) / 4, 1e-12);
  EXPECT_DOUBLE_EQ(s.discrete_win_rate, 100 * 1.5 / 4);
  EXPECT_EQ(s.wins, 1);
  EXPECT_EQ(s.baseline_wins, 2);
  EXPECT_EQ(s.draws, 1);
  EXPECT_EQ(s.average_length, 20);
  EXPECT_FALSE(s.length_controlled);
  EXPECT_EQ(error_of([] { alpaca_scores(annotations({std::nullopt}), nullptr); }),
            "none of 1 judgements could be read: 1 x no preference");
}

TEST(AlpacaScoring, ABaselineAgainstItselfIsHalf) {
  Annotations all = annotations({1.2, 1.9});
  all.model = all.baseline;
  const GamedBaseline gamed{.rows = {}, .difficulty = {0, 0}};
  EXPECT_EQ(alpaca_scores(all, &gamed).length_controlled->win_rate, 50);
}

TEST(AlpacaScoring, AnnotationsOfUpstream) {
  const TempDir dir;
  const AlpacaOutputs baseline = outputs("b", {{"i", ""}, {"j", ""}, {"k", ""}});
  const auto row = [](const std::string& instruction, const std::string& preference) {
    return fmt::format(
        R"({{"instruction": "{}", "output_1": "né", "generator_1": "b", "output_2": "日本語", "generator_2": "m",
                         "annotator": "j", "preference": {}}})",
        instruction, preference);
  };
  const auto read = [&](const std::string& text, bool with_baseline) {
    write_file(dir / "a.json", text);
    return read_annotations(dir / "a.json", with_baseline ? &baseline : nullptr);
  };
  const Annotations all =
      read("[" + row("k", "1.25") + "," + row("i", "0") + "," + row("j", "null") + "]", true);
  ASSERT_EQ(all.rows.size(), 3u);
  EXPECT_EQ(all.rows[0].index, 2);  // by the instruction
  EXPECT_EQ(all.rows[0].preference, 1.25);
  EXPECT_EQ(all.rows[0].baseline_length, 2);  // in code points
  EXPECT_EQ(all.rows[0].model_length, 3);
  EXPECT_EQ(all.rows[1].preference, 1.5);  // 0 is a draw
  EXPECT_FALSE(all.rows[2].preference);
  EXPECT_EQ(all.failures.at("no preference"), 1);
  EXPECT_EQ(read("[" + row("k", "1.25") + "]", false).rows[0].index, 0);
  const std::string path = dir / "a.json";
  EXPECT_EQ(error_of([&] { read("[" + row("k", "2.5") + "]", true); }),
            path + "[0]: field 'preference' must be 0 or between 1 and 2, got 2.5");
  EXPECT_EQ(error_of([&] { read("[" + row("z", "1") + "]", true); }),
            path + "[0]: the instruction is none of the baseline's");
  EXPECT_EQ(error_of([&] { read("[" + row("k", "1") + "," + row("k", "2") + "]", true); }),
            path + "[1]: the instruction is there twice, first in " + path + "[0]");
  EXPECT_EQ(error_of([&] { read("[]", true); }), path + ": no judgements");
}

}  // namespace
}  // namespace fathom
