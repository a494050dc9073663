#include "page/page_json.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(PageJson, HasNoMarkup) {
  const std::string hostile = "</script><!--\u2028\xff";
  const std::string text = script_json({{"a", hostile}});
  EXPECT_EQ(text.find('<'), std::string::npos);
  for (const char c : text) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_EQ(Json::parse(text).at("a"), "</script><!--\u2028\uFFFD");
}

TEST(PageJson, TextsAreCutBetweenCharacters) {
  const std::string text = "a\u00e4\u4e2d";  // 1, 2 and 3 bytes
  EXPECT_EQ(shortened(text, 6), text);
  EXPECT_EQ(shortened(text, 5), "a\u00e4 [...]");
  EXPECT_EQ(shortened(text, 2), "a [...]");
  EXPECT_EQ(shortened_left(text, 6), text);
  EXPECT_EQ(shortened_left(text, 5), "[...] \u00e4\u4e2d");
  EXPECT_EQ(shortened_left(text, 4), "[...] \u4e2d");
  EXPECT_EQ(shortened(text, 0), " [...]");
}

}  // namespace
}  // namespace fathom
