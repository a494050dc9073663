// The forms of chat data, and what is wrong with rows that are in none of them.
#include "align/chat_row.h"

#include <gmock/gmock.h>

#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

ChatRow row(const std::string& json) {
  return chat_row(Json::parse(json), "f:1");
}
Json messages(const std::string& json) {
  return row(json).messages;
}
const Json one_turn = Json::parse(
    R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}])");
const Json with_system = Json::parse(
    R"([{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}])");

TEST(ChatRow, EachFormIsTheSameConversation) {
  for (const char* form : {
           R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]})",
           R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "Q"}]}, {"role": "assistant", "content": "A"}]})",
           R"({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]})",
           R"({"instruction": "Q", "input": "", "output": "A"})", R"({"instruction": "Q", "output": "A"})",
           R"({"prompt": "Q", "completion": "A"})", R"({"prompt": "Q", "response": "A"})"})
    EXPECT_EQ(messages(form), one_turn) << form;
  for (const char* form :
       {R"({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "system": "S"})",
        R"({"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]})",
        R"({"instruction": "Q", "output": "A", "system": "S"})"})
    EXPECT_EQ(messages(form), with_system) << form;
}

TEST(ChatRow, AlpacaJoinsItsInputAndHistory) {
  const Json m = messages(R"({"instruction": "I", "input": "X", "output": "O", "history": [["q", "a"]]})");
  ASSERT_EQ(m.size(), 4u);
  EXPECT_EQ(m[0]["content"], "q");
  EXPECT_EQ(m[1]["role"], "assistant");
  EXPECT_EQ(m[2]["content"], "I\nX");
}

TEST(ChatRow, ToolsAndCalls) {
  const ChatRow r = row(
      R"({"tools": "[{\"name\": \"f\"}]", "conversations": [{"from": "human", "value": "Q"},
          {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"},
          {"from": "observation", "value": "2"}, {"from": "gpt", "value": "A"}]})");
  EXPECT_EQ(r.tools, Json::parse(R"([{"name": "f"}])"));
  ASSERT_EQ(r.messages.size(), 4u);
  EXPECT_EQ(r.messages[1]["role"], "assistant");
  EXPECT_EQ(r.messages[1]["content"], "");
  EXPECT_EQ(r.messages[1]["tool_calls"][0]["function"]["name"], "f");
  EXPECT_EQ(r.messages[1]["tool_calls"][0]["function"]["arguments"], R"({"x":1})");
  EXPECT_EQ(r.messages[2]["role"], "tool");
  EXPECT_TRUE(row(R"({"tools": "", "prompt": "Q", "completion": "A"})").tools.is_null());
}

TEST(ChatRow, WeightsAndPromptsOfMessages) {
  EXPECT_EQ(row(R"({"weight": 0.25, "prompt": "Q", "completion": "A"})").weight, 0.25);
  const Json m = messages(
      R"({"prompt": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "Q"}],
          "completion": [{"role": "assistant", "content": "A"}]})");
  ASSERT_EQ(m.size(), 4u);
  EXPECT_EQ(m[1]["weight"], 0);
  EXPECT_FALSE(m[3].contains("weight"));
}

TEST(ChatRow, SaysWhatIsWrong) {
  for (const auto& [json, words] : std::vector<std::pair<const char*, const char*>>{
           {R"({"text": "x"})", "none of the fields"},
           {R"([1])", "f:1"},
           {R"({"messages": {}})", "messages must be a list"},
           {R"({"messages": []})", "an empty conversation"},
           {R"({"messages": [{"content": "x"}]})", "field 'role' is missing"},
           {R"({"messages": [{"role": "user"}]})", "neither content nor tool_calls"},
           {R"({"messages": [{"role": "user", "content": 3}]})", "field 'content'"},
           {R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})", "type 'image_url'"},
           {R"({"messages": [{"role": "user", "content": "x", "weight": -1}]})", "field 'weight' is -1"},
           {R"({"conversations": [{"from": "narrator", "value": "x"}]})", "'from' is 'narrator'"},
           {R"({"conversations": [{"from": "function_call", "value": "no json"}]})", "function_call"},
           {R"({"instruction": "x"})", "field 'output' is missing"},
           {R"({"instruction": "x", "output": "y", "history": [["q"]]})", "'history'"},
           {R"({"prompt": "x"})", "'response' is missing"},
           {R"({"prompt": "x", "completion": "y", "weight": "much"})", "field 'weight'"},
           {R"({"prompt": "x", "completion": "y", "tools": "{}"})", "'tools' must be a list"}})
    EXPECT_THAT(error_of([json = json] { row(json); }), ::testing::AllOf(HasSubstr("f:1"), HasSubstr(words))) << json;
}

}  // namespace
}  // namespace fathom
