// The page holds what models wrote as data, in bounded number and size.
#include "compare/leaderboard_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compare/differing_items.h"
#include "compare/result_folder.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* hostile =
    "</script><script>hacked=1</script><!--<img src=x onerror=hacked=1>{{nonce}}\u2028";

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

class LeaderboardPages : public ::testing::Test {
 protected:
  Comparison comparison(const std::string& a, const std::string& b,
                        const OrderedJson& more = OrderedJson::object()) {
    for (const auto& [folder, right] : {std::pair<std::string, std::string>("a", a), {"b", b}}) {
      MadeTask task = made_task(right);
      for (MadeItem& item : task.items) item.more = more;
      task.write(dir_ / folder);
    }
    CompareChoice choice;
    choice.runs.paths = {dir_ / "a", dir_ / "b"};
    return compare(choice);
  }
  TempDir dir_;
};

TEST_F(LeaderboardPages, NothingThatAModelWroteRunsAsScript) {
  const OrderedJson more = {{"prompts", {hostile}},
                            {"keys", {hostile}},
                            {"samples", {{{"output", hostile}, {"tokens", 3}, {"finish", "stop"}}}},
                            {"answers", {{"sum", {hostile}}}}};
  const std::string page = leaderboard_page(comparison("10", "01", more));
  EXPECT_EQ(count(page, "<script"), 2u) << "the data and the program";
  EXPECT_EQ(count(page, "</script"), 2u);
  const std::string open = "id=\"data\">";
  const size_t begin = page.find(open) + open.size();
  const std::string data = page.substr(begin, page.find("</script>", begin) - begin);
  EXPECT_THAT(data, Not(HasSubstr("<")));
  const Json item = Json::parse(data).at("differing").at("t").at("items").at(0);
  EXPECT_EQ(item.at("prompts").at(0), hostile) << "it is all there, as it was";
  EXPECT_EQ(item.at("runs").at(1).at("outputs").at(0).at(0), hostile);
  EXPECT_EQ(item.at("runs").at(1).at("answers").at("sum").at(0), hostile);
  for (const char* way : {"http:", "https:", "src=\"", "href=", "@import", "url(", "fetch("})
    EXPECT_THAT(page, Not(HasSubstr(way)));
}

TEST_F(LeaderboardPages, ItemsAreSomeOfThoseThatDifferFromBothKinds) {
  // 40 that the first has, 8 that the second has, 52 that are alike.
  const std::string a = std::string(40, '1') + std::string(8, '0') + std::string(52, '1'),
                    b = std::string(40, '0') + std::string(8, '1') + std::string(52, '1');
  const OrderedJson json = differing_items_json(comparison(a, b), {.items = 20, .per_pair = 20});
  const OrderedJson& t = json["t"];
  EXPECT_EQ(t["cap"], 20);
  EXPECT_EQ(t["pairs"][0], OrderedJson({0, 1, {{40, 8}}}));
  ASSERT_EQ(t["items"].size(), 20u);
  int second = 0;
  for (const OrderedJson& item : t["items"]) {
    EXPECT_NE(item["runs"][0]["scores"], item["runs"][1]["scores"]);
    second += item["runs"][1]["scores"][0] == 1;
  }
  EXPECT_EQ(second, 8);
  EXPECT_EQ(differing_items_json(comparison(a, b))["t"]["items"].size(), 48u) << "all, where there is room";
}

TEST_F(LeaderboardPages, LongTextsKeepBothEnds) {
  const std::string output = "begin" + std::string(100000, 'x') + "end",
                    prompt = std::string(100000, 'p') + "Answer:";
  const Comparison c = comparison(
      std::string(300, '1'), std::string(300, '0'),
      {{"prompts", {prompt}}, {"samples", {{{"output", output}, {"tokens", 3}, {"finish", "length"}}}}});
  const std::string page = leaderboard_page(c);
  EXPECT_LT(page.size(), 1000000u);
  const OrderedJson item = differing_items_json(c)["t"]["items"][0];
  EXPECT_THAT(item["prompts"][0].get<std::string>(), HasSubstr("Answer:"));
  EXPECT_THAT(item["runs"][0]["outputs"][0][0].get<std::string>(), HasSubstr("begin"));
  EXPECT_THAT(item["runs"][0]["outputs"][0][0].get<std::string>(), HasSubstr("end"));
}

}  // namespace
}  // namespace fathom::testing
