// Each kind of instruction: what follows it, and what does not.
#include "answers/instructions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

struct Case {
  std::string id;
  Json arguments;
  std::vector<std::string> right, wrong;
};

Instruction one(const std::string& id, const Json& arguments) {
  return parse_instructions(Json::array({id}), Json::array({arguments}), "row 1")[0];
}

Json relation(const std::string& name, int n, const std::string& word, const std::string& key = "relation") {
  return {{name, n}, {key, word}};
}

void expect(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const Instruction instruction = one(c.id, c.arguments);
    for (const std::string& text : c.right)
      EXPECT_EQ(name_of(follows(instruction, text)), "yes") << c.id << c.arguments << ": " << text;
    for (const std::string& text : c.wrong)
      EXPECT_EQ(name_of(follows(instruction, text)), "no") << c.id << c.arguments << ": " << text;
    EXPECT_EQ(follows(instruction, " \n"), Followed::no) << c.id;
  }
}

TEST(Instructions, Keywords) {
  Json often = relation("frequency", 2, "at least"), seldom = relation("frequency", 2, "less than");
  often["keyword"] = seldom["keyword"] = " sun ";
  Json letters = relation("let_frequency", 3, "at least", "let_relation");
  letters["letter"] = "S";
  Json marks = relation("let_frequency", 2, "less than", "let_relation");
  marks["letter"] = "#";
  expect({{"keywords:existence",
           {{"keywords", {"tree", "c++"}}},
           {"Trees in C++", "c++ and a TREE"},
           {"a tree in C", "c++"}},
          {"keywords:frequency", often, {"Sunday sun", "SUN,sun,sun"}, {"the sun", "moon"}},
          {"keywords:frequency", seldom, {"the sun", "moon"}, {"Sunday sun"}},
          {"keywords:forbidden_words",
           {{"forbidden_words", {"cat", "dog"}}},
           {"concatenate dogs", "a cat_door"},
           {"Cat.", "no dog-house"}},
          {"keywords:letter_frequency", letters, {"Sass", "s s s s"}, {"miss", "none"}},
          {"keywords:letter_frequency", marks, {"# one", "none"}, {"## two"}}});
}

TEST(Instructions, Lengths) {
  const Json first = {{"num_paragraphs", 2}, {"nth_paragraph", 2}, {"first_word", "Later"}};
  expect({{"length_constraints:number_sentences",
           relation("num_sentences", 2, "at least"),
           {"One. Two."},
           {"One."}},
          {"length_constraints:number_sentences",
           relation("num_sentences", 2, "less than"),
           {"One"},
           {"At sea. On land."}},
          {"length_constraints:number_words",
           relation("num_words", 3, "at least"),
           {"a b c", "it's so"},
           {"a b"}},
          {"length_constraints:number_words", relation("num_words", 3, "less than"), {"a, b"}, {"a b c"}},
          {"length_constraints:number_paragraphs",
           {{"num_paragraphs", 2}},
           {"one\n***\ntwo", "one *** two ***", "***one***two"},
           {"one", "one\n\ntwo", "one***two***three", "one *** *** two"}},
          {"length_constraints:nth_paragraph_first_word",
           first,
           {"Now.\n\nlater, rain", "Now.\n\n\"Later\" she said\n\n"},
           {"Now.\n\nThen later", "Now.\nLater", "a\n\nlater\n\nb", "Now.\n\nLaterally", "later"}}});
}

TEST(Instructions, Content) {
  expect({{"detectable_content:number_placeholders",
           {{"num_placeholders", 2}},
           {"Dear [name], [place]", "[[a] []"},
           {"Dear [name], (place)", "[one\ntwo] [x]"}},
          {"detectable_content:postscript",
           {{"postscript_marker", "P.S."}},
           {"Bye.\nP.S. more", "p. s. more"},
           {"Bye. PS more", "P.P.S more"}},
          {"detectable_content:postscript",
           {{"postscript_marker", "P.P.S"}},
           {"x\nP. P. S more"},
           {"P.S. more"}},
          {"detectable_content:postscript", {{"postscript_marker", "N.B."}}, {"n.b. more"}, {"nxbx more"}}});
}

TEST(Instructions, Formats) {
  expect({{"detectable_format:number_bullet_lists",
           {{"num_bullets", 2}},
           {"* a\n* b", "x\n - a\n\t* b\n", "*a\n-b\n**c**", "*\n* a\n* b"},
           {"* a", "* a\n* b\n- c", "1. a\n2. b", "** a\n** b"}},
          {"detectable_format:constrained_response",
           Json::object(),
           {"Well: My answer is no."},
           {"My answer is no", "no"}},
          {"detectable_format:number_highlighted_sections",
           {{"num_highlights", 2}},
           {"*a* and *b*", "**a** *b*", "*a*b*c*"},
           {"*a*", "** ** *b*", "*a\nb* *c*", "a b"}},
          {"detectable_format:multiple_sections",
           {{"section_spliter", "SECTION"}, {"num_sections", 2}},
           {"SECTION 1\nx\nSECTION 2\ny", "SECTION1 SECTION 22 SECTION 3"},
           {"Section 1\nSection 2", "SECTION 1 SECTION B"}},
          {"detectable_format:json_format",
           Json::object(),
           {"{\"a\": [1, null]}", "```json\n{}\n```", " ```\n[1]```", "7"},
           {"{a: 1}", "Here: {}", "{\"a\": 1,}"}},
          {"detectable_format:title",
           Json::object(),
           {"<<Poem>>\ntext", "a <<b c>> d"},
           {"<Poem>", "<<a\nb>>", "<< >>", "<<>>", "<<<>>>"}}});
}

TEST(Instructions, Wholes) {
  const Json few = relation("capital_frequency", 2, "less than", "capital_relation"),
             many = relation("capital_frequency", 2, "at least", "capital_relation");
  expect({{"combination:two_responses",
           Json::object(),
           {"one ****** two", "******\na\n******\nb\n******"},
           {"one", "same****** same", "a******b******c", "a****** ******b", "a *** b"}},
          {"combination:repeat_prompt",
           {{"prompt_to_repeat", "Say (hi). "}},
           {"say (HI).\nhi", "  Say (hi)."},
           {"Sure. Say (hi).", "Say hi"}},
          {"startend:end_checker",
           {{"end_phrase", " Any question? "}},
           {"Done. any question?\n", "\"Done. Any question?\""},
           {"Any question? No.", "Any question"}},
          {"startend:quotation", Json::object(), {" \"a\" ", "\"\""}, {"\"a", "'a'", "\""}},
          {"punctuation:no_comma", Json::object(), {"a; b", "\u3001"}, {"a, b"}},
          {"change_case:capital_word_frequency", few, {"ONE here", "none"}, {"ONE TWO"}},
          {"change_case:capital_word_frequency", many, {"ONE TWO"}, {"ONE here", "None Here"}},
          {"change_case:english_capital",
           Json::object(),
           {"THIS IS LOUD, 7!"},
           {"THIS is loud", "DAS IST LAUT UND NICHT GUT"}},
          {"change_case:english_lowercase",
           Json::object(),
           {"this is quiet, 7!"},
           {"This is quiet", "das ist leise und nicht gut"}},
          {"language:response_language",
           {{"language", "it"}},
           {"Il gatto dorme nella casa e non vuole uscire."},
           {"The cat is in the house."}},
          {"language:response_language", {{"language", "zh-cn"}}, {"你好，世界"}, {"こんにちは"}}});
}

TEST(Instructions, WhatCannotBeDecidedIsUnknown) {
  EXPECT_EQ(follows(one("language:response_language", {{"language", "de"}}), "42!"), Followed::unknown);
  EXPECT_EQ(follows(one("language:response_language", {{"language", "xx"}}), "The cat is in the house."),
            Followed::unknown);
  EXPECT_EQ(follows(one("change_case:english_capital", Json::object()), "ZEBRA"), Followed::unknown);
  EXPECT_EQ(follows_loosely(one("change_case:english_lowercase", Json::object()), "zebra\nThe"),
            Followed::unknown);
}

TEST(Instructions, LooselyAnyOfEightForms) {
  const Instruction quoted = one("startend:quotation", Json::object());
  const std::string good = "\"a\"";
  for (const std::string& text : {good, "Sure:\n" + good, good + "\nBye", "Sure:\n" + good + "\nBye",
                                  "*" + good + "*", "Sure:\n**" + good + "**\nBye"})
    EXPECT_EQ(follows_loosely(quoted, text), Followed::yes) << text;
  for (const std::string& text : {"Sure:\nwell\n" + good, good + "\nBye\nBye", std::string("*\n*")})
    EXPECT_EQ(follows_loosely(quoted, text), Followed::no) << text;
  EXPECT_EQ(follows(quoted, "Sure:\n" + good), Followed::no);
}

TEST(Instructions, RowsSayWhatIsWrong) {
  const auto error = [](const std::string& id, const Json& arguments) {
    return error_of([&] { one(id, arguments); });
  };
  EXPECT_EQ(error("keywords:existance", Json::object()),
            "row 1: unknown instruction 'keywords:existance': did you mean keywords:existence?");
  EXPECT_THAT(error("keywords:existence", Json::object()), HasSubstr("row 1: keywords:existence"));
  EXPECT_THAT(error("keywords:existence", {{"keywords", nullptr}}), HasSubstr("keywords"));
  EXPECT_THAT(error("keywords:existence", {{"keywords", Json::array()}}), HasSubstr("is empty"));
  EXPECT_THAT(error("length_constraints:number_words", relation("num_words", 3, "at most")),
              HasSubstr("must be 'less than' or 'at least', got 'at most'"));
  EXPECT_THAT(error("length_constraints:number_words", relation("num_words", -3, "at least")),
              HasSubstr("must be at least 0, got -3"));
  EXPECT_THAT(error("length_constraints:nth_paragraph_first_word",
                    {{"num_paragraphs", 2}, {"nth_paragraph", 3}, {"first_word", "a"}}),
              HasSubstr("nth_paragraph must be 1 to 2, got 3"));
  EXPECT_THAT(error("startend:end_checker", {{"end_phrase", " "}}), HasSubstr("is blank"));
  EXPECT_THAT(error_of([] { parse_instructions({"startend:quotation"}, Json::array(), "row 2"); }),
              HasSubstr("row 2: 1 instructions need a list of as many objects"));
  EXPECT_THAT(error_of([] { follows(one("punctuation:no_comma", Json::object()), "\xff"); }),
              HasSubstr("UTF-8"));
}

// As data sets of one type for all rows have them: every argument is there, most of them null.
TEST(Instructions, NullArgumentsAreNone) {
  const Json all = {{"num_words", 2}, {"relation", "at least"}, {"keywords", nullptr}, {"language", nullptr}};
  EXPECT_EQ(follows(one("length_constraints:number_words", all), "a b"), Followed::yes);
}

}  // namespace
}  // namespace fathom
