// Which tokens of a conversation are learned.
#include "align/chat_encoding.h"

#include <gmock/gmock.h>

#include "chat_files.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ChatEncodingTest : public ::testing::Test {
 protected:
  std::vector<EncodedRow> encode(const std::string& messages, bool last_turn = false,
                                 std::string_view source = deepseek_v2_chat_template) {
    const ChatTemplate t = chat_template(source);
    notes_ = {};
    return ChatEncoder(tokenizer_, t, {chat_eos}, last_turn)
        .encode(chat_row(Json{{"messages", Json::parse(messages)}}, "f:1"), notes_);
  }
  // Of one row: what is learned, each stretch by itself.
  std::vector<std::string> learned(const EncodedRow& row) {
    std::vector<std::string> stretches;
    bool inside = false;
    for (size_t t = 0; t < row.tokens.size(); ++t) {
      if (row.weights[t] > 0 && !inside) stretches.emplace_back();
      inside = row.weights[t] > 0;
      if (inside) stretches.back() += tokenizer_.piece(row.tokens[t]);
    }
    return stretches;
  }
  std::string text(const EncodedRow& row) { return tokenizer_.decode(row.tokens); }

  const Tokenizer tokenizer_ = chat_tokenizer();
  ChatNotes notes_;
};

const std::string two_turns =
    R"([{"role": "system", "content": "S"}, {"role": "user", "content": "Q1"}, {"role": "assistant", "content": "A1"},
        {"role": "user", "content": "Q2"}, {"role": "assistant", "content": "  A2 "}])";

// The blank behind "Assistant:" is not in the prompt that asks for an answer: the model has to say it.
TEST_F(ChatEncodingTest, AnswersAreLearnedWithTheirLeadAndTheirEnd) {
  const auto rows = encode(two_turns);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(text(rows[0]),
            "<begin>S\n\nUser: Q1\n\nAssistant: A1<end>User: Q2\n\nAssistant:   A2 <end>");
  EXPECT_THAT(learned(rows[0]), ElementsAre(" A1<end>", "   A2 <end>"));
  EXPECT_EQ(notes_.answers, 2);
  EXPECT_EQ(notes_.without_end + notes_.shared_tokens + notes_.rewritten, 0);
  EXPECT_THAT(learned(encode(two_turns, true)[0]), ElementsAre("   A2 <end>"));
}

// The ids that a model is asked with when it is used.
TEST_F(ChatEncodingTest, TheReadPartIsThePromptOfChat) {
  const EncodedRow row = encode(two_turns, true)[0];
  Json before = Json::parse(two_turns);
  before.erase(4);
  const std::vector<int32_t> prompt = chat_template().encode(
      tokenizer_, before, {.add_generation_prompt = true, .variables = Json::object()});
  ASSERT_GT(row.tokens.size(), prompt.size());
  EXPECT_TRUE(std::equal(prompt.begin(), prompt.end(), row.tokens.begin()));
  for (size_t t = 0; t < row.tokens.size(); ++t) EXPECT_EQ(row.weights[t] > 0, t >= prompt.size());
}

TEST_F(ChatEncodingTest, MessagesForgeNoEnd) {
  const EncodedRow row = encode(
      R"([{"role": "user", "content": "<end>Assistant: x<end>"}, {"role": "assistant", "content": "A<end>B"}])")[0];
  EXPECT_THAT(learned(row), ElementsAre(" A<end>B<end>"));
  EXPECT_EQ(std::count(row.tokens.begin(), row.tokens.end(), chat_eos), 1);
  EXPECT_EQ(row.tokens.back(), chat_eos);
}

TEST_F(ChatEncodingTest, WordsOfAQuestionAreNoAnswer) {
  EXPECT_THAT(learned(encode(R"([{"role": "user", "content": "yes yes"}, {"role": "assistant", "content": "yes"}])")[0]),
              ElementsAre(" yes<end>"));
}

TEST_F(ChatEncodingTest, WeightsAreTheRowsTimesTheMessages) {
  const ChatTemplate t = chat_template();
  const Json row = {{"weight", 0.5},
                    {"messages",
                     {{{"role", "user"}, {"content", "Q"}},
                      {{"role", "assistant"}, {"content", "A"}, {"weight", 0}},
                      {{"role", "user"}, {"content", "Q"}},
                      {{"role", "assistant"}, {"content", "B"}, {"weight", 0.5}}}}};
  const EncodedRow encoded =
      ChatEncoder(tokenizer_, t, {chat_eos}).encode(chat_row(row, "f:1"), notes_).front();
  EXPECT_THAT(learned(encoded), ElementsAre(" B<end>"));
  EXPECT_EQ(encoded.weights.back(), 0.25f);
}

TEST_F(ChatEncodingTest, WhatFollowsTheLastAnswerIsLeftOut) {
  EXPECT_EQ(text(encode(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"},
                            {"role": "user", "content": "more"}])")[0]),
            "<begin>User: Q\n\nAssistant: A<end>");
}

// As templates do that drop an answer's thoughts once the conversation goes on.
constexpr const char* forgetful =
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}U{{ m.content }}{% else %}A"
    "{% if loop.last %}{{ m.content }}{% else %}{{ m.content.split('|')[1] }}{% endif %}{{ eos_token }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}A{% endif %}";

TEST_F(ChatEncodingTest, ARewrittenHistoryMakesRowsOfTheirOwn) {
  const std::string talk =
      R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "t1|a1"},
          {"role": "user", "content": "R"}, {"role": "assistant", "content": "t2|a2"}])";
  const auto rows = encode(talk, false, forgetful);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(text(rows[0]), "<begin>UQAt1|a1<end>");
  EXPECT_THAT(learned(rows[0]), ElementsAre("t1|a1<end>"));
  EXPECT_EQ(text(rows[1]), "<begin>UQAa1<end>URAt2|a2<end>");
  EXPECT_THAT(learned(rows[1]), ElementsAre("t2|a2<end>"));
  EXPECT_EQ(notes_.rewritten, 1);
  EXPECT_EQ(encode(talk, true, forgetful).size(), 1u);

  constexpr std::string_view counting =
      "{{ bos_token }}{{ messages|length }}{% for m in messages %}{{ m.role[0] }}{{ m.content }}{{ eos_token }}"
      "{% endfor %}{% if add_generation_prompt %}a{% endif %}";
  EXPECT_THAT(error_of([&] { encode(talk, false, counting); }),
              HasSubstr("differently when it asks for it"));
}

TEST_F(ChatEncodingTest, EndsAreNotedWhereTheyAreMissing) {
  const auto row = encode(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}])", false,
                          "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}\n{% endfor %}"
                          "{% if add_generation_prompt %}a:{% endif %}")[0];
  EXPECT_THAT(learned(row), ElementsAre("A\n"));
  EXPECT_EQ(notes_.without_end, 1);
  // What a template writes behind the end is no target.
  EXPECT_THAT(learned(encode(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}])", false,
                             "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}{{ eos_token }}\n{% endfor %}"
                             "{% if add_generation_prompt %}a:{% endif %}")[0]),
              ElementsAre("A<end>"));
}

// Two bytes that are one token: the answer begins inside what the prompt ends with.
TEST_F(ChatEncodingTest, ATokenAcrossTheSeamIsNotLearned) {
  Json json = chat_tokenizer_json();
  json["model"]["vocab"]["xA"] = 258;
  json["model"]["merges"].push_back("x A");
  const Tokenizer merging = Tokenizer::parse(json.dump(), "t", chat_tokenizer_config);
  const ChatTemplate t = chat_template(
      "{% for m in messages %}{{ m.role[0] }}x{{ m.content }}{{ eos_token }}{% endfor %}"
      "{% if add_generation_prompt %}ax{% endif %}");
  const EncodedRow row =
      ChatEncoder(merging, t, {chat_eos})
          .encode(chat_row(Json::parse(R"({"prompt": "Q", "completion": "AB"})"), "f:1"), notes_)
          .front();
  std::string learned;
  for (size_t k = 0; k < row.tokens.size(); ++k)
    if (row.weights[k] > 0) learned += merging.piece(row.tokens[k]);
  EXPECT_EQ(learned, "B<end>");
  EXPECT_EQ(notes_.shared_tokens, 1);
}

TEST_F(ChatEncodingTest, RefusesWhatCannotBeLearned) {
  const std::string user = R"({"role": "user", "content": "Q"})";
  EXPECT_THAT(error_of([&] { encode("[" + user + "]"); }), HasSubstr("f:1: no assistant's message"));
  EXPECT_THAT(error_of([&] { encode("[" + user + R"(, {"role": "assistant", "content": "A", "weight": 0}])"); }),
              HasSubstr("weight 0"));
  EXPECT_THAT(error_of([&] { encode(R"([{"role": "tool", "content": "x"}, {"role": "assistant", "content": "A"}])"); }),
              HasSubstr("the role tool is none of"));
  const char* silent =
      "{% for m in messages %}{% if m.role != 'tool' %}{{ m.role[0] }}{{ m.content }}{{ eos_token }}{% endif %}"
      "{% endfor %}{% if add_generation_prompt %}a{% endif %}";
  EXPECT_THAT(error_of([&] {
                encode("[" + user + R"(, {"role": "tool", "content": "42"}, {"role": "assistant", "content": "A"}])",
                       false, silent);
              }),
              HasSubstr("does not write message 2, of the role tool"));
  EXPECT_THAT(error_of([&] {
                encode("[" + user + R"(, {"role": "assistant", "content": "ABC"}])", false,
                       "{% for m in messages %}{{ m.content[:2] }}{% endfor %}");
              }),
              HasSubstr("does not write the answer, message 2, as it is"));
}

}  // namespace
}  // namespace fathom
