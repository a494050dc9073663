// [eval] in a recipe: tasks scored on the weights of a run, alone and on ranks, broken off and continued.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "cli/small_recipe.h"
#include "io/file.h"
#include "io/json.h"
#include "support/mpirun.h"
#include "support/paths.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

const std::string recipe = small_recipe_model + R"(max_position_embeddings = 256
[data]
sequence_length = 32
[optimizer]
lr = 1e-2
[schedule]
steps = 6
[run]
threads = 1
[eval]
every = 2
)";

const std::string task = R"(
name = "moons"
[data]
items = ["moons.jsonl"]
[prompt]
item = "the low {{ thing }} and the"
[choices]
texts = "{{ words | tojson }}"
gold = "0"
metrics = ["sum", "tokens"]
)";

class TrainingWithTasks : public ::testing::Test {
 protected:
  TrainingWithTasks() {
    std::string items;
    // More than two chunks of 128.
    for (int i = 0; i < 300; ++i)
      items += fmt::format("{{\"thing\": \"sun {}\", \"words\": [\"lower moon\", \"wool\", \"zebra {}\"]}}\n",
                           i % 7, i);
    write_file(dir_ / "text.jsonl", small_text());
    write_file(dir_ / "moons.jsonl", items);
    write_file(dir_ / "moons.toml", task);
    write_file(dir_ / "recipe.toml", recipe);
    const Outcome prepared = run_fathom("prepare " + (dir_ / "text.jsonl") +
                                        " --train-tokenizer 280 --validation 0.1 --out " + (dir_ / "data"));
    EXPECT_EQ(prepared.exit_code, 0) << prepared.err;
  }
  std::string flags(const std::string& out, const std::string& more = "") const {
    return "train --config " + (dir_ / "recipe.toml") + " --data.train " + (dir_ / "data") +
           " --run.output " + (dir_ / out) + " " + more;
  }
  std::string tasks() const { return "--eval.tasks " + (dir_ / "moons.toml") + " --eval.data " + dir_.path(); }
  Outcome train(const std::string& out, const std::string& more) const {
    Outcome run = run_fathom(flags(out, more));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return run;
  }
  std::string record(const std::string& out, int step, const std::string& ending = ".jsonl") const {
    return read_file(dir_ / out + fmt::format("/eval/step-{:08}/moons{}", step, ending));
  }
  // Of the metrics, by step.
  std::map<int64_t, double> scores(const std::string& out) const {
    std::map<int64_t, double> found;
    std::istringstream lines(read_file(dir_ / out + "/metrics.jsonl"));
    for (std::string line; std::getline(lines, line);)
      if (const Json json = Json::parse(line); json.contains("eval/moons/sum"))
        found[json.at("step")] = json.at("eval/moons/sum");
    return found;
  }
  std::string weights(const std::string& out) const {
    return read_file(dir_ / out + "/model/model.safetensors");
  }
  TempDir dir_;
};

TEST_F(TrainingWithTasks, ScoresWhatItTrainsAndTrainsTheSame) {
  train("plain", "");
  train("scored", tasks());
  EXPECT_EQ(weights("scored"), weights("plain"));
  const std::map<int64_t, double> by_step = scores("scored");
  ASSERT_EQ(by_step.size(), 4u);  // 0, 2, 4, 6
  for (const auto& [step, score] : by_step) {
    const Json result = Json::parse(record("scored", static_cast<int>(step), ".result.json"));
    EXPECT_EQ(result["averages"][0]["value"], score) << step;
    const Json run = Json::parse(record("scored", static_cast<int>(step), ".run.json"));
    EXPECT_EQ(run["step"], step);
    EXPECT_EQ(run["trained_tokens"], step * 8 * 32);
  }
  EXPECT_NE(record("scored", 0), record("scored", 6));
  // What `fathom eval` says of the model at the end.
  const Outcome after = run_fathom("eval " + (dir_ / "scored/model") + " --threads 1 --task " +
                                   (dir_ / "moons.toml") + " --data " + dir_.path() + " --out " + (dir_ / "e"));
  ASSERT_EQ(after.exit_code, 0) << after.err;
  EXPECT_EQ(read_file(dir_ / "e/moons.jsonl"), record("scored", 6));
}

TEST_F(TrainingWithTasks, GoesOnWithTheSameScores) {
  train("whole", tasks());
  train("parts", tasks() + " --run.stop_at 2 --checkpoint.every 2");
  // As if it had died in step 5 and had scored step 4: what comes after the checkpoint does not count.
  std::filesystem::copy(dir_ / "whole/eval/step-00000006", dir_ / "parts/eval/step-00000006");
  write_file(dir_ / "parts/eval/step-00000002/moons.jsonl", "of step 2\n");
  train("parts", tasks() + " --run.stop_at 4 --resume");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "parts/eval/step-00000006"));
  EXPECT_EQ(record("parts", 2), "of step 2\n") << "scored already";
  // A signal in an evaluation leaves no folder; the next process makes it.
  std::filesystem::remove_all(dir_ / "parts/eval/step-00000004");
  train("parts", tasks() + " --resume");
  for (const int step : {0, 4, 6}) EXPECT_EQ(record("parts", step), record("whole", step)) << step;
  EXPECT_EQ(weights("parts"), weights("whole"));
  EXPECT_EQ(scores("parts").size(), 4u);
}

TEST_F(TrainingWithTasks, SharesTheItemsAmongRanks) {
  FATHOM_NEEDS_MPIRUN();
  train("alone", tasks());
  const Outcome run = run_shell(mpirun(3, program() + " " + flags("ranks", tasks())));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(count(run.err, "moons 300/300 items"), 4) << run.err;
  // Before the first step the weights are the same to the bit.
  EXPECT_EQ(record("ranks", 0), record("alone", 0));
  EXPECT_EQ(Json::parse(record("ranks", 6, ".result.json"))["items"], 300);
  EXPECT_EQ(scores("ranks").size(), 4u);
}

TEST_F(TrainingWithTasks, SaysWhatIsWrongBeforeItTrains) {
  const auto error = [&](const std::string& more) {
    const Outcome run = run_fathom(flags("out", more));
    EXPECT_EQ(run.exit_code, 1) << run.err;
    EXPECT_FALSE(std::filesystem::exists(dir_ / "out/metrics.jsonl"));
    return run.err;
  };
  EXPECT_THAT(error("--eval.tasks continuaton"), HasSubstr("did you mean continuation"));
  EXPECT_THAT(error("--eval.tasks mmlu --eval.data " + dir_.path()), HasSubstr("mmlu"));
  EXPECT_THAT(error("--eval.tasks pile --eval.chat true"), HasSubstr("documents"));
  const Outcome quiet = train("quiet", "--eval.limit 3 --schedule.steps 1");
  EXPECT_THAT(quiet.err, HasSubstr("eval.limit is ignored: eval.tasks is empty"));
}

}  // namespace
}  // namespace fathom::testing
