// Items are joined by their ids; what was not asked alike is refused, with what differs.
#include "compare/joined_task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "compare/result_folder.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JoinedTasks : public ::testing::Test {
 protected:
  // Of these as runs a and b.
  std::string error(const MadeTask& a, const MadeTask& b, bool common = false) {
    return error_of([&] { join(a, b, common); });
  }
  JoinedTask join(const MadeTask& a, const MadeTask& b, bool common = false) {
    a.write(dir_ / "a");
    b.write(dir_ / "b");
    runs_ = read_runs({.paths = {dir_ / "a", dir_ / "b"}, .names = {}, .tokens = {}, .tasks = {}});
    return join_tasks(runs_, common)[0];
  }
  static MadeTask with_run(const OrderedJson& change) {
    MadeTask task = made_task("1010");
    task.run = change;
    return task;
  }
  // With one item's record changed.
  static MadeTask with_record(const OrderedJson& change) {
    MadeTask task = made_task("1010");
    task.items[2].more = change;
    return task;
  }
  TempDir dir_;
  std::vector<EvaluatedRun> runs_;
};

TEST_F(JoinedTasks, GoByIdsNotByLines) {
  MadeTask b = made_task("0011");
  std::reverse(b.items.begin(), b.items.end());
  const JoinedTask joined = join(made_task("1010"), b);
  ASSERT_EQ(joined.items.size(), 4u);
  for (const auto& row : joined.items) EXPECT_EQ(row[0]->id, row[1]->id);
  EXPECT_EQ(joined.items[0][1]->scores[0], 0);
  EXPECT_EQ(joined.items[3][1]->scores[0], 1);
}

TEST_F(JoinedTasks, WeightsTokenizerDeviceAndTypeMayDiffer) {
  EXPECT_THAT(error(made_task("1010"), with_run({{"weights", "other"},
                                                 {"tokenizer", "x"},
                                                 {"device", "cuda"},
                                                 {"type", "bf16"},
                                                 {"seed", 9},
                                                 {"sequences", 1}})),
              IsEmpty());
}

TEST_F(JoinedTasks, WhatDiffersIsNamed) {
  const MadeTask a = made_task("1010");
  const auto refuses = [&](const MadeTask& b, const std::string& what) {
    const std::string said = error(a, b);
    EXPECT_THAT(said, HasSubstr("t: a and b are not to be compared: "));
    EXPECT_THAT(said, HasSubstr(what));
    return said;
  };
  const OrderedJson changes = {{"task_version", 2}, {"task_file", "f2"}, {"shots", 5}, {"samples", 4}};
  for (const auto& [key, value] : changes.items()) {
    const MadeTask b = with_run({{key, value}});
    refuses(b, key + " is ");
    EXPECT_THAT(error(a, b, /*common=*/true), HasSubstr(key + " is "))
        << "nor are there common items of these";
  }
  EXPECT_THAT(refuses(with_run({{"limit", 4}}), "limit is 0 and 4"), HasSubstr("--common"));
  refuses(with_run({{"data", {{"items.jsonl", "d2"}}}}), "data items.jsonl is \"d1\" and \"d2\"");
  refuses(with_record({{"prompt_hash", "z"}}), "item 2 has another prompt");
  refuses(with_record({{"shots", 3}}), "item 2 was shown 0 and 3 examples");
  refuses(with_record({{"truncated", true}}), "item 2 has a prompt that lost its beginning in one of them");
}

TEST_F(JoinedTasks, RightAnswersMustBeTheSame) {
  const MadeTask a = with_record({{"gold", 0}}), b = with_record({{"gold", 1}});
  EXPECT_THAT(error(a, b), HasSubstr("item 2 has another right answer"));
}

TEST_F(JoinedTasks, ItemsThatFitNoContextAreWrongWhateverTheirPrompt) {
  MadeTask b = with_record({{"not_run", "too long"}, {"prompt_hash", "z"}, {"shots", 0}});
  b.items[2].scores["sum"] = 0;
  EXPECT_THAT(error(made_task("1010"), b), IsEmpty());
}

TEST_F(JoinedTasks, ConversationsAreTheSameUnderAnyTemplate) {
  MadeTask a = made_task("10"), b = made_task("10");
  for (MadeTask* task : {&a, &b})
    for (MadeItem& item : task->items)
      item.more = {{"asked_hash", "m" + item.id}, {"prompt_hash", task == &a ? "x" : "y"}};
  EXPECT_THAT(error(a, b), IsEmpty());
}

TEST_F(JoinedTasks, CommonItemsAreKeptAndTheOthersCounted) {
  const MadeTask a = made_task("1010"), longer = made_task("101101");
  EXPECT_THAT(error(a, longer), HasSubstr("the number of items is 4 and 6; --common"));
  EXPECT_THAT(error(longer, a), HasSubstr("item 4 is not there"));
  MadeTask b = longer;
  b.run = {{"limit", 6}, {"data", {{"items.jsonl", "d2"}}}};
  b.items[0].prompt = "another";
  const JoinedTask joined = join(a, b, /*common=*/true);
  EXPECT_EQ(joined.items.size(), 3u);
  EXPECT_EQ(joined.left_out, 3);
  EXPECT_THAT(joined.remarks[0], HasSubstr("3 of 6 items are left out"));
  MadeTask none = made_task("1010");
  for (MadeItem& item : none.items) item.prompt = "another";
  EXPECT_THAT(error(a, none, true), HasSubstr("no item in common"));
}

TEST_F(JoinedTasks, OtherMetricsAreScoredAgain) {
  EXPECT_THAT(error(made_task("10"), made_task("10", "t", "chars")), HasSubstr("have other metrics"));
}

}  // namespace
}  // namespace fathom::testing
