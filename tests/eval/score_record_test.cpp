// Records as a comparison reads them again: where each item stands, what was asked, what it scored.
#include "eval/score_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "eval/small_task.h"

namespace fathom::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ScoreRecords records_of(SmallTask& t, const std::string& out) {
  Engine engine = t.engine();
  TaskRunSettings settings;
  settings.out = out, settings.measurement.eos_token_ids = {256};
  run_task({engine, t.tokenizer}, t.task, t.data, settings);
  const std::string path = out + "/" + t.task.name + ".jsonl";
  return parse_score_records(read_file(path), path);
}

TEST(ScoreRecords, SayWhichItemsStandTogether) {
  TempDir dir;
  SmallTask t(choice_toml, 30);
  // Three items to a cluster, whose names are those of items that stand in others.
  const Task clustered = parse_task("cluster = \"{{ n }}\"\n" + choice_toml, "task.toml");
  std::string rows;
  for (int i = 0; i < 30; ++i)
    rows += Json{{"q", std::to_string(i)}, {"c", {"a", "b"}}, {"g", 0}, {"n", i / 3}}.dump() + "\n";
  write_file(t.folder / "items.jsonl", rows);
  std::string shots;
  for (int i = 0; i < 3; ++i)
    shots += Json{{"q", fmt::format("shot {}", i)}, {"c", {"a", "b"}}, {"g", 0}, {"n", 0}}.dump() + "\n";
  write_file(t.folder / "shots.jsonl", shots);
  t.task = clustered;
  t.data = read_items(t.task, t.folder.path(), 0);
  const ScoreRecords records = records_of(t, dir / "out");
  EXPECT_THAT(records.metrics, ElementsAre("sum", "unconditional"));
  std::set<std::string> clusters;
  for (size_t i = 0; i < records.items.size(); ++i) {
    clusters.insert(records.items[i].cluster);
    EXPECT_EQ(records.items[i].cluster, records.items[i / 3 * 3].cluster) << i;
    EXPECT_EQ(records.items[i].shots, 3);
    EXPECT_EQ(records.items[i].right, "0");
  }
  EXPECT_EQ(clusters.size(), 10u);
}

TEST(ScoreRecords, HaveTheKeysOfWhatIsWritten) {
  TempDir dir;
  SmallTask t(generate_toml, 5);
  const ScoreRecords records = records_of(t, dir / "out");
  EXPECT_THAT(records.items[0].right, HasSubstr("[\""));
  const ScoreRecord& last = records.items[4];
  const Json again = read_record(dir / "out/generate.jsonl", last.begin, last.end);
  EXPECT_EQ(again.at("id"), last.id);
  EXPECT_EQ(again.at("keys").dump(), last.right);
}

TEST(ScoreRecords, OfDocumentsHaveBitsByBytes) {
  const ScoreRecords records = parse_score_records(
      "{\"id\":\"0\",\"prompt_hash\":\"h\",\"nats\":6.931471805599453,\"bytes\":20,\"prompts\":[]}\n",
      "d.jsonl");
  EXPECT_TRUE(records.text);
  EXPECT_NEAR(records.items[0].scores[0], 0.5, 1e-12);
  EXPECT_THAT(records.items[0].weights, ElementsAre(20));
  EXPECT_THAT(
      error_of([] { parse_score_records("{\"id\":\"0\",\"prompt_hash\":\"h\",\"bytes\":0}\n", "d.jsonl"); }),
      HasSubstr("d.jsonl:1: field 'bytes' must be positive"));
}

}  // namespace
}  // namespace fathom::testing
