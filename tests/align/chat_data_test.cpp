// Files of conversations as training data: what is used, what is left out and said.
#include "align/chat_data.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "align/chat_preview.h"
#include "align/row_windows.h"
#include "chat_run.h"
#include "support/captured_log.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ChatData : public ::testing::Test {
 protected:
  using Flags = std::vector<std::pair<std::string, std::string>>;
  TrainingData open(const Flags& more = {}, int threads = 1) const {
    return open_chat_data(run_.recipe("out", more), threads);
  }
  std::string log_of(const Flags& more) const {
    const CapturedLog log;
    open(more);
    return log.text();
  }
  static const RowWindows& windows(const TrainingData& data) {
    return dynamic_cast<const RowWindows&>(*data.training);
  }

  const ChatRun run_;
};

TEST_F(ChatData, HoldsEveryConversationOnce) {
  const TrainingData data = open({{"data.sequence_length", "256"}});
  const RowWindows& w = windows(data);
  EXPECT_EQ(w.pieces().count(), 40);
  EXPECT_EQ(data.windows(), w.count());
  std::multiset<int64_t> rows;
  PackedBatch packed;
  int64_t tokens = 0;
  for (int64_t i = 0; i < w.count(); ++i) {
    const std::vector<int64_t> place = {i};
    w.pack(place, packed);
    EXPECT_LE(packed.batch.size().tokens, 256);
    rows.insert(packed.rows.begin(), packed.rows.end());
    tokens += packed.batch.size().tokens;
  }
  EXPECT_EQ(rows.size(), 40u);
  EXPECT_EQ(std::set<int64_t>(rows.begin(), rows.end()).size(), 40u);
  EXPECT_EQ(tokens, data.tokens);
  EXPECT_GT(static_cast<double>(tokens), 0.8 * 256 * static_cast<double>(w.count()));
}

TEST_F(ChatData, DoesNotDependOnThreads) {
  EXPECT_EQ(open({}, 1).identity, open({}, 7).identity);
  EXPECT_NE(open({}, 1).identity, open({{"sft.last_turn", "true"}, {"data.train", run_.write("o.jsonl", conversations(39))}}).identity);
}

TEST_F(ChatData, LeavesOutWhatItCannotUse) {
  const std::string file =
      run_.write("bad.jsonl", "{\"messages\": []}\nno json\n\n" + conversations(3) + "{\"messages\": [{\"role\": \"tool\", \"content\": \"x\"}, "
                              "{\"role\": \"assistant\", \"content\": \"A\"}]}\n");
  EXPECT_THAT(log_of({{"data.train", file}}),
              AllOf(HasSubstr("3 rows cannot be used"), HasSubstr("bad.jsonl:1: an empty conversation"),
                    HasSubstr("bad.jsonl:2"), HasSubstr("bad.jsonl:7"), HasSubstr("3 pieces of")));
  EXPECT_THAT(error_of([&] { open({{"data.train", file}, {"chat.strict", "true"}}); }), HasSubstr("bad.jsonl:2"));
  EXPECT_THAT(error_of([&] { open({{"data.train", run_.write("none.jsonl", "{}\n")}}); }),
              AllOf(HasSubstr("no row can be used"), HasSubstr("none.jsonl:1")));
  EXPECT_THAT(error_of([&] { open({{"data.train", run_.write("x.txt", "hello")}}); }), HasSubstr(".jsonl"));
  EXPECT_THAT(error_of([&] { open({{"data.train", run_.path("nowhere.jsonl")}}); }), HasSubstr("nowhere.jsonl"));
}

TEST_F(ChatData, ReadsListsAndLines) {
  std::string list = "[";
  for (int i = 0; i < 3; ++i)
    list += std::string(i ? "," : "") + R"({"instruction": "q)" + std::to_string(i) + R"(", "output": "a"})";
  const TrainingData data = open({{"data.train", run_.write("l.json", list + "]")}});
  EXPECT_EQ(windows(data).pieces().count(), 3);
  EXPECT_THAT(error_of([&] { open({{"data.train", run_.write("o.json", "{}")}}); }), HasSubstr("must hold a list"));
}

// <begin>User: QQ\n\nAssistant: AAAA<end> has 25 + 2 tokens around its words.
TEST_F(ChatData, LongConversationsAreDroppedOrCut) {
  const auto talk = [](size_t question, size_t answer) {
    return Json{{"prompt", std::string(question, 'q')}, {"completion", std::string(answer, 'a')}}.dump() + "\n";
  };
  const std::string file = run_.write("long.jsonl", talk(4, 4) + talk(4, 100) + talk(100, 4) + talk(30, 40));
  const Flags drop = {{"data.train", file}}, cut = {{"data.train", file}, {"chat.overlong", "cut"}};
  EXPECT_THAT(log_of(drop), HasSubstr("2 are left out, 0 are cut"));
  EXPECT_THAT(log_of(cut), HasSubstr("0 are left out, 1 are cut, and 1 would have no target"));
  EXPECT_THAT(log_of({}), Not(HasSubstr("are cut")));
  const TrainingData data = open(cut);
  const Pieces& rows = windows(data).pieces();
  ASSERT_EQ(rows.count(), 3);
  EXPECT_EQ(rows.inputs(1), 96);
  EXPECT_EQ(rows.tokens(1).back(), 'a');  // and no end is made up
  EXPECT_THAT(error_of([&] { open({{"data.train", run_.write("all.jsonl", talk(200, 4))}}); }),
              HasSubstr("no row fits data.sequence_length = 96"));
}

TEST_F(ChatData, SourcesAreMixedByWeight) {
  const std::string other = run_.write("b.jsonl", conversations(15, "b"));
  const TrainingData data = open({{"data.train", "[\"" + run_.path("chat.jsonl") + "\", \"" + other + "\"]"},
                                  {"data.weights", "[3, 1]"}});
  ASSERT_EQ(data.sources.size(), 2u);
  EXPECT_EQ(data.sources[1].begin, data.sources[0].windows);
  PackedBatch packed;
  for (int64_t i = 0; i < data.windows(); ++i) {
    data.training->pack(std::vector<int64_t>{i}, packed);
    for (const int64_t row : packed.rows) EXPECT_EQ(row < 40, i < data.sources[1].begin);
  }
}

TEST_F(ChatData, HoldsRowsOutForValidation) {
  const TrainingData part = open({{"data.validation_fraction", "0.1"}});
  int64_t rows = 0;
  PackedBatch packed;
  for (int64_t i = 0; i < part.windows(); ++i) {
    part.training->pack(std::vector<int64_t>{i}, packed);
    for (const int64_t row : packed.rows) EXPECT_LT(row, 36);
    rows += static_cast<int64_t>(packed.rows.size());
  }
  EXPECT_EQ(rows, 36);
  EXPECT_EQ(dynamic_cast<const RowWindows&>(*part.validation).pieces().count(), 4);
  const TrainingData own = open({{"data.validation", run_.write("v.jsonl", conversations(7, "v"))}});
  EXPECT_TRUE(own.own_validation);
  EXPECT_EQ(dynamic_cast<const RowWindows&>(*own.validation).pieces().count(), 7);
}

TEST_F(ChatData, ShowsAConversationBeforeItIsLearned) {
  EXPECT_THAT(chat_preview(run_.recipe("out"), 3),
              AllOf(HasSubstr("chat.jsonl:3: "), HasSubstr("<begin>User: q2\n\nAssistant:\u27e6 a2 a2 a2<end>\u27e7\n")));
  EXPECT_THAT(error_of([&] { chat_preview(run_.recipe("out"), 41); }), HasSubstr("data.train has 40"));
}

TEST_F(ChatData, TheTemplateMayBeAFile) {
  const std::string file = run_.write("t.jinja", "{% for m in messages %}[{{ m.role[0] }}]{{ m.content }}{{ eos_token }}{% endfor %}"
                                                 "{% if add_generation_prompt %}[a]{% endif %}");
  EXPECT_THAT(chat_preview(run_.recipe("out", {{"chat.template", file}}), 1), HasSubstr("[u]q0<end>[a]\u27e6a0<end>\u27e7"));
}

TEST_F(ChatData, NeedsATokenizer) {
  EXPECT_THAT(error_of([&] { open({{"data.no_tokenizer", "true"}}); }), HasSubstr("need a tokenizer"));
  const std::string other = run_.path("other");
  std::filesystem::create_directories(other);
  Json json = chat_tokenizer_json();
  json["model"]["vocab"]["xy"] = 258;
  json["model"]["merges"].push_back("x y");
  write_file(other + "/tokenizer.json", json.dump());
  EXPECT_THAT(error_of([&] { open({{"data.tokenizer", other}}); }), HasSubstr("is not the tokenizer of model.init_from"));
}

}  // namespace
}  // namespace fathom
