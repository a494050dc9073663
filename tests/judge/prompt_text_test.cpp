#include "judge/prompt_text.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace fathom {
namespace {

std::string filled(const std::string& text, Braces braces) {
  return PromptText(text, braces).fill({{"a", "{b}"}, {"b", "B"}, {"n_1", "one"}}, "prompt");
}

TEST(PromptText, PlacesAreFilledOnce) {
  EXPECT_EQ(filled("x{a}y{b}{n_1}", Braces::plain), "x{b}yBone");
  EXPECT_EQ(filled("", Braces::plain), "");
  EXPECT_EQ(filled("{a}", Braces::doubled), "{b}");
  EXPECT_EQ(PromptText("{b}{a}{b}", Braces::plain).names(), (std::vector<std::string>{"b", "a", "b"}));
}

TEST(PromptText, OtherBracesStandForThemselves) {
  EXPECT_EQ(filled("{\n \"x\": \"\"\"{b}\"\"\", }", Braces::plain), "{\n \"x\": \"\"\"B\"\"\", }");
  EXPECT_EQ(filled("{}{ b}{b {b}", Braces::plain), "{}{ b}{b B");
  EXPECT_EQ(filled("{{b}} {b}", Braces::plain), "{B} B");
  EXPECT_EQ(filled("{{b}} {{}} {b} {{{b}}}", Braces::doubled), "{b} {} B {B}");
}

TEST(PromptText, UnknownPlacesAreErrors) {
  EXPECT_EQ(error_of([] { filled("{question}", Braces::plain); }),
            "prompt: nothing is known for the place '{question}'");
}

}  // namespace
}  // namespace fathom
