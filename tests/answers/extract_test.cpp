#include "answers/extract.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace fathom {
namespace {

using enum Extractor;

std::string found(std::string_view text, Extractor extractor) {
  return extract(text, extractor).value_or("none");
}

TEST(Extract, TheLastBoxWithItsBracesBalanced) {
  EXPECT_EQ(found("so \\boxed{1} or rather $\\boxed{\\frac{12}{7}}$ seconds", boxed), "\\frac{12}{7}");
  EXPECT_EQ(found("\\boxed{\\left\\{ 1, 2 \\right.}", boxed), "\\left\\{ 1, 2 \\right.");
  EXPECT_EQ(found("$\\boxed 5$ apples", boxed), "5");
  EXPECT_EQ(found("\\fbox{ x }", boxed), "x");
  EXPECT_EQ(found("\\boxed{1} then \\boxed{2", boxed), "none");  // cut off
  EXPECT_EQ(found("\\boxed{}", boxed), "none");
  EXPECT_EQ(found("\\boxed", boxed), "none");
  EXPECT_EQ(found("no box", boxed), "none");
}

TEST(Extract, TheLineAfterHashes) {
  EXPECT_EQ(found("16 - 3 = 13\n#### 1,800\nmore", hashes), "1,800");
  EXPECT_EQ(found("#### 1\n#### -2", hashes), "-2");
  EXPECT_EQ(found("####\n5", hashes), "none");
}

TEST(Extract, WhatIsStatedEndsWithItsSentence) {
  EXPECT_EQ(found("Thus the answer is 18. Next question", stated), "18");
  EXPECT_EQ(found("The final answer is: $3.5$. I hope it is correct.", stated), "$3.5$");
  EXPECT_EQ(found("The answer is 3.5.", stated), "3.5");
  EXPECT_EQ(found("**Answer:** 42 dollars\nbecause", stated), "42 dollars");
  EXPECT_EQ(found("the answer is \\boxed{\\frac{1}{2}}.", stated), "\\frac{1}{2}");
  EXPECT_EQ(found("所以答案是18。", stated), "18");
  EXPECT_EQ(found("the answer is 1. No: the answer is 2", stated), "2");
  EXPECT_EQ(found("the answer is", stated), "none");
}

TEST(Extract, TagsAndNumbersAndAll) {
  EXPECT_EQ(found("<think>a</think><answer> 5 </answer>", answer_tag), "5");
  EXPECT_EQ(found("<answer>1</answer><answer>2", answer_tag), "none");
  EXPECT_EQ(found("from 3 to $1,234.50.", last_number), "1,234.50");
  EXPECT_EQ(found("it is -7!", last_number), "-7");
  EXPECT_EQ(found("10-7", last_number), "7");
  EXPECT_EQ(found("x = .5", last_number), ".5");
  EXPECT_EQ(found("none here", last_number), "none");
  EXPECT_EQ(found("  a b \n", whole), "a b");
  EXPECT_EQ(found(" \n", whole), "none");
}

TEST(Extract, LettersOfOptions) {
  EXPECT_EQ(found(" (B) 4", letter), "B");
  EXPECT_EQ(found("B. because A is wrong", letter), "B");
  EXPECT_EQ(found("选C。", letter), "C");
  EXPECT_EQ(found("A dog is no cat: D", letter), "D");
  EXPECT_EQ(found("I'd say E", letter), "E");
  EXPECT_EQ(found("DNA, $AB$ and A1 and Z", letter), "none");
}

TEST(Extract, TheFirstExtractorThatFindsSomething) {
  const Extractor order[] = {boxed, hashes, last_number};
  EXPECT_EQ(extract_first("7 \\boxed{8}\n#### 9", order), "8");
  EXPECT_EQ(extract_first("7\n#### 9", order), "9");
  EXPECT_EQ(extract_first("7 or so", order), "7");
  EXPECT_EQ(extract_first("seven", order), std::nullopt);
}

TEST(Extract, AnUnknownNameIsAnError) {
  EXPECT_EQ(parse_extractor("last_number", "r"), last_number);
  EXPECT_EQ(error_of([] { parse_extractor("boxd", "recipe.toml:3"); }),
            "recipe.toml:3: unknown extractor 'boxd': did you mean boxed?");
}

}  // namespace
}  // namespace fathom
