// The way through the engine, on a model that knows nothing.
#include "eval/needle_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/byte_tokenizer.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class NeedleRun : public ::testing::Test {
 protected:
  static Config config() {
    Config c = v2_like();
    c.vocab_size = 257, c.max_position_embeddings = 500;
    return c;
  }
  NeedleRun() {
    settings_.tasks = {NeedleTask::number, NeedleTask::last};
    settings_.lengths = {50, 300, 501};
    settings_.depths = {0, 0.5, 1};
    settings_.samples = 2;
  }
  NeedleResults run(bool share_prefixes) {
    Engine engine(
        device_, model_, &tokenizer_,
        {.cache_tokens = 1024, .max_sequences = 2, .share_prefixes = share_prefixes, .absorbed = {}});
    const NeedleMaker maker(tokenizer_, tokenizer_.encode("It rained. The sun shone, at last. "), settings_);
    return run_needles(engine, maker, settings_);
  }

  Device device_ = Device::cpu(1);
  const Tokenizer tokenizer_ = byte_tokenizer();
  const Model model_ = random_model(config(), DType::f32);
  NeedleSettings settings_;
};

TEST_F(NeedleRun, AsksAllThatFits) {
  const NeedleResults results = run(true);
  ASSERT_EQ(results.cells.size(), 18u);
  for (const NeedleCell& cell : results.cells) {
    SCOPED_TRACE(fmt::format("{} {}", name_of(cell.task), cell.length));
    const bool fits = cell.length == 300;
    EXPECT_EQ(cell.run, fits ? 2 : 0);
    EXPECT_EQ(cell.not_run.empty(), fits);
    if (cell.length == 501) {
      EXPECT_THAT(cell.not_run, HasSubstr("500 tokens"));
    }
  }
  ASSERT_EQ(results.answers.size(), 12u);
  for (const NeedleAnswer& a : results.answers) {
    EXPECT_EQ(a.prompt_tokens + a.item.room, 300);
    EXPECT_FALSE(a.output.empty());
    EXPECT_EQ(a.right, answers(a.output, a.item.value));
  }
}

TEST_F(NeedleRun, AnswersAloneAreThoseOfSharedPrefixes) {
  const NeedleResults shared = run(true), alone = run(false);
  const auto outputs = [](const NeedleResults& r) {
    std::vector<std::string> all;
    for (const NeedleAnswer& a : r.answers)
      all.push_back(fmt::format("{} {} {}: {}", name_of(a.item.task), a.item.depth, a.item.sample, a.output));
    std::sort(all.begin(), all.end());
    return all;
  };
  EXPECT_EQ(outputs(shared), outputs(alone));
}

TEST_F(NeedleRun, ReportsCellsInEveryForm) {
  NeedleResults results = run(true);
  results.cells[3].right = 1;  // number, 300 tokens, depth 0
  const std::string table = needle_table(settings_, results);
  EXPECT_THAT(table, HasSubstr("number        50     300     501\n      0% not run     50% not run\n"));
  EXPECT_THAT(table, HasSubstr("last  "));
  const OrderedJson json = needle_json(settings_, results);
  EXPECT_EQ(json["cells"][3]["right"], 1);
  EXPECT_EQ(json["cells"][3]["run"], 2);
  EXPECT_TRUE(json["cells"][0].contains("not_run"));
  EXPECT_EQ(json["answers"].size(), 12u);
  EXPECT_EQ(json["answers"][0]["prompt_tokens"].get<int>() + json["answers"][0]["answer_room"].get<int>(),
            300);
  const std::string picture = needle_picture(settings_, results, "a <model>");
  EXPECT_THAT(picture, HasSubstr("a &lt;model&gt;"));
  EXPECT_THAT(picture, HasSubstr(">50</text>"));
  EXPECT_THAT(picture, HasSubstr("not run"));
  EXPECT_THAT(picture, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace fathom::testing
