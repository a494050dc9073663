// Rows become items, and examples are chosen.
#include "eval/items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "eval/prompt.h"
#include "eval/prompt_preview.h"
#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string toml = R"(
name = "one"
[data]
items = ["items.jsonl"]
shots = ["shots.jsonl"]
[prompt]
intro = "Say it.\n\n"
item = "{{ q }}?"
[shots]
count = 2
choice = "CHOICE"
[choices]
texts = "{{ c | tojson }}"
gold = "{{ g }}"
)";

class Items : public ::testing::Test {
 protected:
  Items() {
    row("items", "a", 0), row("items", "b", 1);
    for (const char* q : {"a", "p", "q", "r", "s"}) row("shots", q, 1);
  }
  void row(const std::string& file, const std::string& q, int g) {
    files_[file] += Json{{"q", q}, {"c", {"yes", "no"}}, {"g", g}}.dump() + "\n";
  }
  Task task(const std::string& choice = "first") {
    std::string text = toml;
    text.replace(text.find("CHOICE"), 6, choice);
    return parse_task(text, "one.toml");
  }
  TaskItems read(const Task& t, int64_t limit = 0) {
    for (const auto& [name, text] : files_) write_file(dir_ / (name + ".jsonl"), text);
    return read_items(t, dir_.path(), limit);
  }
  static std::vector<std::string> shown(const Task& t, const SubjectItems& data, const Item& item,
                                        uint64_t seed) {
    std::vector<std::string> all;
    for (const Item* shot : choose_shots(t, data, item, seed)) all.push_back(shot->fields["q"]);
    return all;
  }

  TempDir dir_;
  std::map<std::string, std::string> files_;
};

TEST_F(Items, ThatAreMalformedAreNamedAndKeepTheirPlaces) {
  files_["items"] += "{broken\n" + Json{{"q", "c"}, {"c", {"yes", "no"}}, {"g", 2}}.dump() + "\n" +
                     Json{{"q", "d"}, {"c", {"yes", ""}}, {"g", 0}}.dump() + "\n" +
                     Json{{"c", {"yes", "no"}}, {"g", 0}}.dump() + "\n" +
                     Json{{"q", "e"}, {"c", {"yes", "no"}}, {"g", "1"}}.dump() + "\n";
  const TaskItems data = read(task());
  ASSERT_EQ(data.size(), 3);
  EXPECT_EQ(data.subjects[0].items[2].id, "6");
  EXPECT_EQ(data.subjects[0].items[2].gold, 1);
  ASSERT_EQ(data.malformed.size(), 4u);
  EXPECT_THAT(data.malformed[0], HasSubstr("items.jsonl:3"));
  EXPECT_THAT(data.malformed[1],
              HasSubstr("items.jsonl:4: the right answer '2' is neither a label (A, B) nor a number"));
  EXPECT_THAT(data.malformed[2], HasSubstr("items.jsonl:5: an answer is empty"));
  EXPECT_THAT(data.malformed[3], HasSubstr("'q' is undefined"));
  EXPECT_EQ(read(task(), 1).size(), 1);
}

TEST_F(Items, NeedTheirFiles) {
  const Task t = task();
  EXPECT_THAT(error_of([&] { read_items(t, dir_.path(), 0); }), HasSubstr("no file items.jsonl of task one"));
  write_file(dir_ / "items.jsonl", files_["items"]);
  EXPECT_THAT(error_of([&] { read_items(t, dir_.path(), 0); }), HasSubstr("no file shots.jsonl of task one"));
}

TEST_F(Items, HaveExactlyTheirExamplesAndNeverThemselves) {
  const Task t = task();
  const TaskItems data = read(t);
  const SubjectItems& s = data.subjects[0];
  EXPECT_THAT(shown(t, s, s.items[0], 1), ElementsAre("p", "q"));  // "a" is the item itself
  EXPECT_THAT(shown(t, s, s.items[1], 1), ElementsAre("a", "p"));
  const std::string prompt =
      PromptMaker(t, nullptr).prompts(s, s.items[1], choose_shots(t, s, s.items[1], 1), 2)[0].bytes;
  EXPECT_EQ(prompt, "Say it.\n\na? no\n\np? no\n\nb?");
  const std::string fewer =
      PromptMaker(t, nullptr).prompts(s, s.items[1], choose_shots(t, s, s.items[1], 1), 1)[0].bytes;
  EXPECT_EQ(fewer, "Say it.\n\np? no\n\nb?");
  Task five = t;
  five.shots.count = 5;
  EXPECT_EQ(shown(five, s, s.items[1], 1).size(), 5u);
  EXPECT_THAT(error_of([&] { choose_shots(five, s, s.items[0], 1); }),
              HasSubstr("5 examples are wanted, and the pool has 4"));
}

TEST_F(Items, HaveExamplesThatDependOnTaskItemAndSeedAlone) {
  for (int i = 0; i < 40; ++i)
    row("shots", "x" + std::to_string(i), 0), row("items", "i" + std::to_string(i), 0);
  for (const std::string choice : {"random", "random_each"}) {
    const Task t = task(choice);
    const TaskItems data = read(t), some = read(t, 7);
    const SubjectItems &s = data.subjects[0], &few = some.subjects[0];
    std::set<std::vector<std::string>> of_items, of_seeds;
    for (size_t i = 2; i < 7; ++i) {
      EXPECT_EQ(shown(t, s, s.items[i], 1), shown(t, few, few.items[i], 1));
      of_items.insert(shown(t, s, s.items[i], 1));
    }
    for (uint64_t seed = 0; seed < 5; ++seed) of_seeds.insert(shown(t, s, s.items[2], seed));
    EXPECT_EQ(of_items.size(), choice == "random" ? 1u : 5u);
    EXPECT_EQ(of_seeds.size(), 5u);
  }
}

TEST_F(Items, ArePreviewedWithoutAModel) {
  const Task t = task();
  const std::string preview = prompt_preview(t, read(t), "1", 1, nullptr);
  EXPECT_THAT(preview, HasSubstr("item 1 of "));
  EXPECT_THAT(preview, HasSubstr("prompt hash xxh3:"));
  EXPECT_THAT(preview, HasSubstr("  A: \" yes\"\n* B: \" no\"\n"));
  EXPECT_THAT(error_of([&] { prompt_preview(t, read(t), "7", 1, nullptr); }),
              HasSubstr("there is no item '7'"));
  // Another text, another hash.
  EXPECT_NE(prompt_hash({jinja::Text("ab", true)}, "c", {}), prompt_hash({jinja::Text("a", true)}, "bc", {}));
}

// As the hub has data sets: the parts of a table are one list of items.
TEST_F(Items, OfParquetInPartsAreRead) {
  std::string text = toml;
  text.replace(text.find("CHOICE"), 6, "first");
  text.replace(text.find("items.jsonl"), 11, "none.jsonl\", \"set/test-*.parquet");
  text.replace(text.find("{{ q }}"), 7, "{{ text }} of {{ list | length }}");
  text.replace(text.find("{{ c | tojson }}"), 16, "{{ [price, day] | tojson }}");
  text.replace(text.find("{{ g }}"), 7, "{{ 1 if flag else 0 }}");
  std::filesystem::create_directories(dir_ / "set");
  for (const int part : {0, 1})
    std::filesystem::copy_file(source_dir() + "/tests/io/parquet/duckdb.parquet",
                               dir_ / fmt::format("set/test-{:05}-of-00002.parquet", part));
  const Task t = parse_task(text, "one.toml");
  const TaskItems data = read(t);
  EXPECT_EQ(data.size(), 180);  // a list that is null has no length
  const Item& item = data.subjects[0].items[91];
  EXPECT_EQ(item.where, dir_ / "set/test-00001-of-00002.parquet:2");
  EXPECT_EQ(item.fields["text"], "text 1");
  EXPECT_EQ(item.fields["list"], (Json{{{"a", 1}, {"b", {"x", nullptr}}}}));
  EXPECT_EQ(item.gold, 0);
}

TEST(Upstream, FindsTheFirstPatternThatFits) {
  const TempDir dir;
  write_file(dir / "a_x.csv", "");
  write_file(dir / "b1.csv", "");
  write_file(dir / "b2.csv", "");
  EXPECT_THAT(find_upstream(dir / "", {"none.csv", "a_{subject}.csv", "b*.csv"}, "x"),
              ElementsAre(dir / "a_x.csv"));
  EXPECT_TRUE(find_upstream(dir / "", {"a_{subject}.csv"}, "y").empty());
  EXPECT_THROW(find_upstream(dir / "", {"b*.csv"}, ""), Error);
  EXPECT_THAT(find_upstream(dir / "", {"b*.csv"}, "", /*several=*/true),
              ElementsAre(dir / "b1.csv", dir / "b2.csv"));
}

TEST(Upstream, PartsOfADataSetAreOne) {
  const TempDir dir;
  const auto part = [&](int i) { return dir / fmt::format("test-{:05}-of-00003.parquet", i); };
  for (const int i : {2, 0}) write_file(part(i), "");
  EXPECT_THAT(error_of([&] { find_upstream(dir / "", {"test-*.parquet"}, ""); }),
              HasSubstr("test-00002-of-00003.parquet: is part 2 of 3; part 1 is not beside it"));
  write_file(part(1), "");
  EXPECT_THAT(find_upstream(dir / "", {"none.jsonl", "test-*.parquet"}, ""),
              ElementsAre(part(0), part(1), part(2)));
  EXPECT_THAT(error_of([&] { find_upstream(dir / "", {"test-00000-*"}, ""); }),
              HasSubstr("of its 3 parts, 1 are there"));
  write_file(dir / "test-small.parquet", "");
  EXPECT_THAT(error_of([&] { find_upstream(dir / "", {"test-*.parquet"}, ""); }),
              HasSubstr("several files fit"));
}

// What an archive was unpacked to may have a folder of its own around it, but not two.
TEST(Upstream, LooksIntoTheFolderOfAnArchive) {
  const TempDir dir;
  for (const char* folder : {"set/SET-main/test/a", "set/SET-main/test/b"})
    std::filesystem::create_directories(dir / folder);
  write_file(dir / "set/SET-main/test/a/1.json", "");
  write_file(dir / "set/SET-main/test/b/1.json", "");
  EXPECT_THAT(find_upstream(dir / "", {"set/test/*/*.json"}, "", true),
              ElementsAre(dir / "set/SET-main/test/a/1.json", dir / "set/SET-main/test/b/1.json"));
  std::filesystem::create_directories(dir / "set/old/test/a");
  write_file(dir / "set/old/test/a/1.json", "");
  EXPECT_THAT(error_of([&] { find_upstream(dir / "", {"set/test/*/*.json"}, "", true); }),
              HasSubstr("several files fit set/test/*/*.json"));
  std::filesystem::create_directories(dir / "set/test/a");
  write_file(dir / "set/test/a/2.json", "");
  EXPECT_THAT(find_upstream(dir / "", {"set/test/*/*.json"}, "", true),
              ElementsAre(dir / "set/test/a/2.json"));
}

// Answers in a file of their own, by a key.
TEST_F(Items, TakeTheirAnswersFromAnotherFile) {
  std::string text = toml;
  text.replace(text.find("CHOICE"), 6, "first");
  text.replace(text.find("shots = "), 0, "beside = [\"answers.json\"]\nbeside_key = \"{{ q }}\"\n");
  text.replace(text.find("{{ g }}"), 7, "{{ beside if beside is defined else g }}");
  const Task t = parse_task(text, "one.toml");
  EXPECT_EQ(read(t).subjects[0].items[1].gold, 1);
  write_file(dir_ / "answers.json", R"({"a": 1})");
  const TaskItems data = read(t);
  ASSERT_EQ(data.size(), 1);
  EXPECT_EQ(data.subjects[0].items[0].gold, 1);
  EXPECT_THAT(data.malformed[0], HasSubstr("answers.json has nothing for 'b'"));
}

}  // namespace
}  // namespace fathom::testing
