// The page holds whatever a run's files say as data, never as markup or script.
#include "report/page.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <regex>

#include "io/file.h"
#include "report/page_data.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* hostile =
    "</script><script>hacked=1</script><!--<img src=x onerror=hacked=1>{{nonce}}\u2028\u2029&amp;";

// A run whose every text is hostile.
RunFolder hostile_run(const TempDir& dir) {
  const std::string text = OrderedJson(hostile).dump();
  write_file(dir / "metrics.jsonl", "{\"step\":1,\"time\":1,\"loss\":5," + text + ":null}\n");
  write_file(dir / "samples.jsonl", "{\"step\":1,\"prompt\":" + text + ",\"text\":" + text + "}\n");
  write_file(dir / "rollouts.jsonl", "{\"step\":1,\"prompt\":" + text + ",\"answer\":" + text +
                                         ",\"tokens\":3,\"truncated\":true,\"reward\":null,\"advantage\":null,\"parts\":{" + text +
                                         ":" + text + "}}\n");
  write_file(dir / "run.json", "{\"format\":1,\"recipe\":{" + text + ":" + text +
                                   "},\"config\":{},\"rollbacks\":[{\"step\":9,\"to\":5,\"why\":" + text +
                                   "}]}");
  return read_run_folder(dir.path(), {});
}

// What stands in the element that has the data.
std::string data_of(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const size_t begin = page.find(open) + open.size();
  return page.substr(begin, page.find("</script>", begin) - begin);
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(ReportPage, NothingOfARunRunsAsScript) {
  TempDir dir;
  const RunFolder run = hostile_run(dir);
  const std::string page = report_page(std::span(&run, 1)), data = data_of(page);
  EXPECT_THAT(data, Not(HasSubstr("<")));
  EXPECT_THAT(data, Not(HasSubstr("\xe2\x80\xa8"))) << "U+2028";
  EXPECT_THAT(data, HasSubstr("\\u003c/script>"));
  EXPECT_THAT(data, HasSubstr("\\u2028\\u2029"));
  EXPECT_EQ(count(page, "<script"), 2u) << "the data and the program";
  EXPECT_EQ(count(page, "</script"), 2u);
  const Json parsed = Json::parse(data).at("runs").at(0);
  EXPECT_EQ(parsed.at("samples").at(0).at("text"), hostile) << "it is all there, as it was";
  EXPECT_EQ(parsed.at("recipe").at(hostile), hostile);
  const Json& rollout = parsed.at("rollouts").at(0);
  EXPECT_EQ(rollout.at("prompt"), hostile);
  EXPECT_EQ(rollout.at("answers").at(0).at("parts").at(0), Json::array({hostile, hostile}));
  EXPECT_EQ(parsed.at("rollbacks").at(0).at("why"), hostile);
  EXPECT_TRUE(parsed.at("series").contains(hostile));
}

TEST(ReportPage, ScriptsNeedANonceOfThisPageAlone) {
  TempDir dir;
  const RunFolder run = hostile_run(dir);
  const std::regex pattern("script-src 'nonce-([0-9a-f]{32})'");
  std::vector<std::string> nonces;
  for (int i = 0; i < 2; ++i) {
    const std::string page = report_page(std::span(&run, 1));
    std::smatch match;
    ASSERT_TRUE(std::regex_search(page, match, pattern));
    nonces.push_back(match[1]);
    EXPECT_EQ(count(page, "nonce=\"" + nonces.back() + "\""), 2u) << "the style and the script";
    EXPECT_EQ(count(page, nonces.back()), 4u) << "and the policy, for both";
  }
  EXPECT_NE(nonces[0], nonces[1]);
}

TEST(ReportPage, AsksNothingOfANetwork) {
  TempDir dir;
  const RunFolder run = hostile_run(dir);
  const std::string page = report_page(std::span(&run, 1));
  for (const char* way : {"http:", "https:", "//cdn", "src=\"", "href=", "@import", "url(", "fetch("})
    EXPECT_THAT(page, Not(HasSubstr(way)));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST(ReportPage, BytesThatAreNotUtf8AreReplaced) {
  TempDir dir;
  RunFolder run = hostile_run(dir);
  run.path = "/tmp/\xff";
  const std::string data = page_data(std::span(&run, 1));
  EXPECT_EQ(Json::parse(data).at("runs").at(0).at("path"), "/tmp/\uFFFD");
}

TEST(ReportPage, NumbersArePlainJson) {
  TempDir dir;
  write_file(dir / "metrics.jsonl", "{\"step\":1,\"loss\":null}\n{\"step\":2,\"loss\":0.12345678901}\n");
  const RunFolder run = read_run_folder(dir.path(), {});
  const std::string data = page_data(std::span(&run, 1));
  EXPECT_THAT(data, Not(HasSubstr("nan")));
  const Json loss = Json::parse(data).at("runs").at(0).at("series").at("loss");
  EXPECT_EQ(loss.at("steps"), Json({2}));
  EXPECT_EQ(loss.at("last").at(0), 0.1234568) << "digits enough for a picture";
  EXPECT_EQ(loss.at("not_finite"), Json({{"count", 1}, {"steps", {1}}}));
}

TEST(ReportPage, SeveralRunsShareWhatAPageMayHave) {
  EXPECT_EQ(report_limits(1).buckets, ReportLimits().buckets);
  EXPECT_EQ(report_limits(20).buckets, ReportLimits().buckets / 4);
  EXPECT_LE(20 * report_limits(20).load_bytes, ReportLimits().load_bytes);
  EXPECT_GE(report_limits(1000).samples, 1u);
}

}  // namespace
}  // namespace fathom
