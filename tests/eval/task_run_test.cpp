// Runs that are broken off, continued, scored again: the same bytes as one that was left alone.
#include "eval/task_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "eval/small_task.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

class TaskRuns : public ::testing::TestWithParam<std::string> {
 protected:
  TaskRunSettings settings(const std::string& out, bool resume = false) {
    TaskRunSettings s;
    s.out = dir_ / out, s.resume = resume;
    s.measurement.eos_token_ids = {256};
    s.identity = {{"weights", "w1"}};
    return s;
  }
  TaskResult run(const TaskRunSettings& s) {
    Engine engine = t_.engine();
    return run_task({engine, t_.tokenizer}, t_.task, t_.data, s);
  }
  std::string file(const std::string& out, const std::string& ending) const {
    return dir_ / out + "/" + t_.task.name + ending;
  }

  TempDir dir_;
  // Several chunks: of 128 items, or of 42 with three samples each.
  SmallTask t_{GetParam(), 300};
};

TEST_P(TaskRuns, ContinueToTheSameBytesFromWhereverTheyEnded) {
  const TaskResult whole = run(settings("whole"));
  EXPECT_EQ(whole.items, 300);
  const std::string records = read_file(file("whole", ".jsonl")),
                    result = read_file(file("whole", ".result.json"));
  for (const double part : {0.0, 0.3, 0.6, 0.97}) {
    const std::string out = fmt::format("part{}", part);
    std::filesystem::copy(dir_ / "whole", dir_ / out);
    std::filesystem::remove(file(out, ".result.json"));
    std::filesystem::resize_file(file(out, ".jsonl"),
                                 static_cast<uintmax_t>(part * static_cast<double>(records.size())));
    run(settings(out, true));
    EXPECT_EQ(read_file(file(out, ".jsonl")), records) << part;
    EXPECT_EQ(read_file(file(out, ".result.json")), result) << part;
  }
  // And from the end: nothing is asked again.
  run(settings("whole", true));
  EXPECT_EQ(read_file(file("whole", ".jsonl")), records);
}

TEST_P(TaskRuns, AreContinuedByTheSameRunAlone) {
  run(settings("a"));
  EXPECT_THAT(error_of([&] { run(settings("a")); }), HasSubstr("--resume continues it"));
  TaskRunSettings other = settings("a", true);
  other.identity["weights"] = "w2";
  EXPECT_THAT(error_of([&] { run(other); }), HasSubstr("weights was \"w1\" and is \"w2\""));
  write_file(t_.folder / "items.jsonl", question_rows(299, 1));
  t_.data = read_items(t_.task, t_.folder.path(), 0);
  EXPECT_THAT(error_of([&] { run(settings("a", true)); }), HasSubstr("data was"));
}

TEST_P(TaskRuns, AreScoredAgainWithoutAModel) {
  run(settings("a"));
  const std::string records = read_file(file("a", ".jsonl")), result = read_file(file("a", ".result.json"));
  rescore_task(t_.task, t_.data, settings("a"));
  EXPECT_EQ(read_file(file("a", ".jsonl")), records);
  EXPECT_EQ(read_file(file("a", ".result.json")), result);
  std::filesystem::resize_file(file("a", ".jsonl"), records.size() / 2);
  EXPECT_THAT(error_of([&] { rescore_task(t_.task, t_.data, settings("a")); }),
              HasSubstr("the task has 300 items"));
}

// The ranks one after another: the first one last, with what the others have sent.
TEST_P(TaskRuns, AreTheSameOnAnyNumberOfRanks) {
  run(settings("alone"));
  for (const int ranks : {2, 3, 50}) {
    std::vector<std::string> sent(static_cast<size_t>(ranks));
    const std::string out = fmt::format("ranks{}", ranks);
    for (int rank = ranks - 1; rank >= 0; --rank) {
      TaskRunSettings s = settings(rank == 0 ? out : "nothing");
      s.share = {rank, ranks, [&, rank](const std::string& mine) {
                   sent[static_cast<size_t>(rank)] = mine;
                   return sent;
                 }};
      run(s);
    }
    EXPECT_FALSE(std::filesystem::exists(dir_ / "nothing"));
    for (const char* ending : {".jsonl", ".result.json", ".run.json"})
      EXPECT_EQ(read_file(file(out, ending)), read_file(file("alone", ending))) << ranks << ending;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TaskRuns, ::testing::Values(choice_toml, generate_toml),
                         [](const auto& info) { return info.index == 0 ? "Choice" : "Generate"; });

const std::string subjects_toml = R"(
name = "s"
[data]
items = ["{subject}.jsonl"]
subjects = ["x", "y", "z"]
[prompt]
item = "{{ q }}"
[choices]
labels = ["a", "c"]
gold = "0"
[categories]
first = ["x"]
rest = ["y", "z"]
)";

TEST(TaskResults, NameWhatTheyAreOver) {
  TempDir dir;
  const Task task = parse_task(subjects_toml, "s.toml");
  const auto result = [&] {
    const TaskItems data = read_items(task, dir.path(), 0);
    std::vector<const Item*> items;
    std::vector<Measured> measured;
    std::vector<ItemScores> scores;
    for (const SubjectItems& s : data.subjects)
      for (const Item& item : s.items) {
        items.push_back(&item);
        const bool right = s.subject == "x";
        measured.push_back({});
        measured.back().options = {{{1}, right ? -1.0 : -3.0, {}}, {{2}, -2.0, {}}};
      }
    for (size_t i = 0; i < items.size(); ++i)
      scores.push_back(Scorer(task, 1, false).score({items[i], 1}, {&measured[i], 1})[0]);
    return task_result(task, data, items, measured, scores, 1, 1);
  };
  const auto value = [](const TaskResult& r, const std::string& over) {
    for (const Average& a : r.averages)
      if (a.over == over) return a.interval.mean;
    ADD_FAILURE() << over;
    return -1.0;
  };
  write_file(dir / "x.jsonl", "{\"q\": 1}\n");
  write_file(dir / "y.jsonl", "{\"q\": 1}\n{\"q\": 2}\n{\"q\": 3}\n");
  TaskResult r = result();
  EXPECT_EQ(r.missing_subjects, 1);
  EXPECT_DOUBLE_EQ(value(r, "items of subjects (2 of 3)"), 0.25);
  EXPECT_DOUBLE_EQ(value(r, "subjects (2 of 3)"), 0.5);
  EXPECT_DOUBLE_EQ(value(r, "category first"), 1);
  EXPECT_DOUBLE_EQ(value(r, "category rest (1 of 2 subjects)"), 0);
  write_file(dir / "z.jsonl", "{\"q\": 1}\n");
  r = result();
  EXPECT_DOUBLE_EQ(value(r, "items"), 0.2);
  EXPECT_DOUBLE_EQ(value(r, "subjects (3)"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(value(r, "categories (2)"), 0.5);
  EXPECT_DOUBLE_EQ(value(r, "subject y"), 0);
  for (const Average& a : r.averages) EXPECT_LT(a.interval.low, a.interval.high) << a.over;
  // exp(-1) + exp(-2) of one item, exp(-3) + exp(-2) of four
  EXPECT_NEAR(r.letter_probability, (std::exp(-1) + std::exp(-2) + 4 * (std::exp(-3) + std::exp(-2))) / 5,
              1e-12);
  EXPECT_THAT(task_result_table(r, false), HasSubstr("answer letters 0.249"));
}

}  // namespace
}  // namespace fathom::testing
