#include "data/screen.h"

#include <gmock/gmock.h>

#include "data/screen_report.h"
#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

std::string text_of(int i, int words = 60) {
  std::string text;
  for (int j = 0; j < words; ++j) text += fmt::format("word{}x{} ", i, j);
  return text;
}

std::string line(const std::string& text) {
  return "{\"text\":" + json_quoted(text) + "}\n";
}

class Screening : public ::testing::Test {
 protected:
  Screened screened(const ScreenOptions& o, int threads = 1) {
    CorpusOptions corpus;
    CorpusReader reader(corpus_files({dir_.path()}, corpus), corpus);
    return screen(reader, o, threads);
  }
  TempDir dir_;
};

TEST_F(Screening, TheFirstOfSeveralStaysAndTheNeighbourIsNamed) {
  write_file(dir_ / "a.jsonl", line(text_of(1)) + line(text_of(2)));
  write_file(dir_ / "b.jsonl",
             line(text_of(1)) + line(text_of(2) + "more") + line("---") + line("***") + line(text_of(3)));
  const Screened s = screened({.near_duplicates = 0.8});
  EXPECT_EQ(s.keep, (std::vector<bool>{true, true, false, false, true, true, true}));
  const DroppedDocument& same = s.report.dropped.at("duplicate").samples.at(0);
  EXPECT_EQ(same.place, dir_ / "b.jsonl:1");
  EXPECT_EQ(same.detail, "of " + (dir_ / "a.jsonl:1"));
  const DroppedDocument& alike = s.report.dropped.at("near duplicate").samples.at(0);
  EXPECT_EQ(alike.place, dir_ / "b.jsonl:2");
  EXPECT_THAT(alike.detail, ::testing::EndsWith("like " + (dir_ / "a.jsonl:2")));
  EXPECT_EQ(s.report.kept.documents, 5);
}

TEST_F(Screening, ExactDuplicatesAlone) {
  write_file(dir_ / "a.jsonl", line(text_of(1)) + line(text_of(1) + "more") + line(text_of(1)));
  EXPECT_EQ(screened({.exact_duplicates = true}).keep, (std::vector<bool>{true, true, false}));
}

TEST_F(Screening, NeitherThreadsNorFilesMatter) {
  std::string all, first, second;
  for (int i = 0; i < 400; ++i) {
    const std::string text = text_of(i % 150) + (i % 3 ? "" : fmt::format("end{}", i));
    all += line(text);
    (i < 170 ? first : second) += line(text);
  }
  const ScreenOptions o = {.near_duplicates = 0.7};
  write_file(dir_ / "a.jsonl", all);
  const Screened one = screened(o);
  EXPECT_EQ(one.report.kept.documents, 150);
  EXPECT_EQ(screened(o, 3).keep, one.keep);
  write_file(dir_ / "a.jsonl", first);
  write_file(dir_ / "b.jsonl", second);
  EXPECT_EQ(screened(o, 2).keep, one.keep);
}

TEST_F(Screening, EverythingIsCountedAndLogged) {
  TempDir other;
  write_file(other / "eval.txt", text_of(7));
  write_file(dir_ / "a.jsonl", line("short") + line(text_of(7)) + line(text_of(8)));
  ScreenOptions o = {.quality = true,
                     .quality_off = {"sentences", "stop_words"},
                     .evaluation = {other / "eval.txt"},
                     .samples = 0,
                     .log = other / "log.jsonl"};
  const Screened s = screened(o);
  EXPECT_EQ(s.keep, (std::vector<bool>{false, false, true}));
  EXPECT_EQ(s.report.dropped.at("quality/words").documents, 1);
  EXPECT_EQ(s.report.dropped.at("quality/words").bytes, 5);
  EXPECT_EQ(s.report.dropped.at("contamination").documents, 1);
  EXPECT_TRUE(s.report.dropped.at("contamination").samples.empty());
  const std::string log = read_file(other / "log.jsonl");
  EXPECT_THAT(log, ::testing::HasSubstr("\"detail\":\"words 1 < 50\",\"begin\":\"short\"}\n"));
  EXPECT_THAT(log, ::testing::HasSubstr((other / "eval.txt") + ": word7x0 word7x1"));
  EXPECT_EQ(report_to_json(s.report)["dropped"]["contamination"]["documents"], 1);
  write_file(other / "eval.txt", "too short");
  EXPECT_THAT(error_of([&] { screened(o); }), ::testing::HasSubstr("no evaluation text of at least 8 words"));
}

}  // namespace
}  // namespace fathom
