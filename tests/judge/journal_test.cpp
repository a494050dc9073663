#include "judge/journal.h"

#include <gtest/gtest.h>

#include "io/file.h"
#include "judge/judge_folder.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

TEST(Journal, GoesOnAfterAnyTornEnd) {
  const TempDir dir;
  const std::string path = dir / "j.jsonl";
  {
    Journal journal(path);
    journal.append({{"id", "b"}, {"text", "x\ny"}});
    journal.append({{"id", "a"}, {"n", 1}});
    EXPECT_EQ(journal.row("a")->at("n"), 1);
    EXPECT_EQ(journal.row("c"), nullptr);
  }
  const std::string whole = read_file(path);
  const size_t first = whole.find('\n') + 1;
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    write_file(path, whole.substr(0, cut));
    Journal journal(path);
    ASSERT_EQ(journal.rows().size(), cut == whole.size() ? 2u : cut >= first ? 1u : 0u) << cut;
    journal.append({{"id", "z"}});
    EXPECT_EQ(Journal(path).rows().size(), journal.rows().size());
  }
}

TEST(Journal, TheLastRowOfAnIdCounts) {
  const TempDir dir;
  Journal(dir / "j").append({{"id", "a"}, {"n", 1}});
  Journal(dir / "j").append({{"id", "a"}, {"n", 2}});
  const Journal journal(dir / "j");
  EXPECT_EQ(journal.rows().size(), 1u);
  EXPECT_EQ(journal.row("a")->at("n"), 2);
}

TEST(Journal, BrokenLinesAreNamed) {
  const TempDir dir;
  const auto error = [&](const std::string& text) {
    write_file(dir / "j", text);
    return error_of([&] { Journal(dir / "j"); });
  };
  EXPECT_EQ(error("{\"id\": \"a\"}\n[1]\n{\"id\": \"b\"}\n"), dir / "j" + ":2: a line must be a JSON object");
  EXPECT_NE(error("{\"id\": \"a\"\n").find(dir / "j" + ":1"), std::string::npos);
  EXPECT_EQ(error("{\"n\": 1}\n"), dir / "j" + ":1: field 'id' is missing");
}

TEST(JudgeFolder, OtherSettingsAreRefusedByName) {
  const TempDir dir;
  const std::string folder = dir / "run";
  const OrderedJson settings = {{"judge", "gpt-4"}, {"seed", 1}};
  { EXPECT_EQ(JudgeFolder(folder, settings).hash().substr(0, 5), "xxh3:"); }
  { JudgeFolder(folder, {{"seed", 1}, {"judge", "gpt-4"}}); }  // in any order
  const std::string start = folder + "/settings.json: the folder is of a run with other settings: ";
  EXPECT_EQ(error_of([&] {
              JudgeFolder(folder, {{"judge", "gpt-4"}, {"seed", 2}});
            }),
            start + "'seed' was 1 and is 2; take another folder");
  EXPECT_EQ(error_of([&] {
              JudgeFolder(folder, {{"judge", "gpt-4"}});
            }),
            start + "'seed' was 1 and is not there; take another folder");
  EXPECT_EQ(error_of([&] {
              JudgeFolder(folder, {{"judge", "gpt-4"}, {"seed", 1}, {"new", true}});
            }),
            start + "'new' was not there and is true; take another folder");
  const JudgeFolder first(folder, settings);
  EXPECT_NE(error_of([&] { JudgeFolder(folder, settings); }).find(folder),
            std::string::npos);  // one at a time
}

TEST(JudgeFolder, HashesOfContents) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "m");
  write_file(dir / "m/a", "1");
  write_file(dir / "m/b", "");
  const std::string before = hash_of_folder(dir / "m");
  EXPECT_EQ(hash_of_folder(dir / "m"), before);
  write_file(dir / "m/a", "2");
  EXPECT_NE(hash_of_folder(dir / "m"), before);
  write_file(dir / "m/a", "");
  write_file(dir / "m/b", "1");
  EXPECT_NE(hash_of_folder(dir / "m"), before);
  EXPECT_EQ(hash_of_file(dir / "m/a"), hash_of_file(dir / "m/a"));
}

}  // namespace
}  // namespace fathom
