// Items through the engine: the numbers are those of a plain pass over prompt and answer, whatever else is in
// the batch, in whatever order, cached or not.
#include "eval/measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/plain_pass.h"
#include "eval/small_task.h"

namespace fathom::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A chain of roundings in f32, summed over an answer of up to seven tokens.
constexpr double bound = 1e-5;

double plain_sum(SmallTask& t, const std::vector<int32_t>& ids, size_t scored) {
  const PlainPass pass = plain_pass(t.device, t.model, ids);
  double sum = 0;
  for (size_t i = ids.size() - scored; i < ids.size(); ++i)
    sum += pass.log_prob(i, ids[i], 1, std::min<int64_t>(t.tokenizer.size(), t.model.config.vocab_size));
  return sum;
}

TEST(Likelihoods, AreThoseOfThePlainPass) {
  SmallTask t(choice_toml, 6);
  Engine engine = t.engine();
  const std::vector<Measured> all = t.measure(engine);
  for (size_t i = 0; i < all.size(); ++i) {
    const Item& item = t.data.subjects[0].items[i];
    ASSERT_EQ(all[i].options.size(), item.answers.size());
    EXPECT_EQ(all[i].shots, 3);
    EXPECT_THAT(all[i].prompts[0], StartsWith("Choose.\n\nQ: "));
    for (size_t k = 0; k < item.answers.size(); ++k) {
      const MeasuredOption& option = all[i].options[k];
      // The bytes of the whole text, behind one BOS that is not scored; " a" is one token.
      const std::string text = all[i].prompts[0] + " " + item.answers[k].bytes;
      const std::vector<int32_t> ids = [&] {
        std::vector<int32_t> encoded = t.tokenizer.encode(text);
        encoded.pop_back();  // the end-of-sequence token that the tokenizer's files ask for
        return encoded;
      }();
      EXPECT_EQ(ids[0], 256);
      EXPECT_EQ(t.tokenizer.decode(option.ids), " " + item.answers[k].bytes);
      EXPECT_NEAR(option.sum, plain_sum(t, ids, option.ids.size()), bound);
      std::vector<int32_t> alone = {256, 'A', ':'};
      alone.insert(alone.end(), option.ids.begin(), option.ids.end());
      EXPECT_NEAR(option.unconditional.value(), plain_sum(t, alone, option.ids.size()), bound);
    }
  }
}

TEST(Likelihoods, AreTheSameForAnyBatchAndOrder) {
  SmallTask t(choice_toml);
  Engine first = t.engine();
  const std::vector<Measured> want = t.measure(first);
  std::vector<Item> shuffled = t.data.subjects[0].items;
  Rng rng(3);
  for (size_t i = shuffled.size(); i > 1; --i) std::swap(shuffled[i - 1], shuffled[rng.below(i)]);
  double worst = 0;
  for (const int64_t sequences : {1, 3, 8})
    for (const int64_t budget : {8, 64})
      for (const bool share : {true, false}) {
        Engine engine = t.engine(sequences, budget, budget == 8 ? 5 : 16, share);
        for (int round = 0; round < 2; ++round)  // the second from the cache
          for (const Measured& m : t.measure(engine, shuffled)) {
            const auto same =
                std::find_if(want.begin(), want.end(), [&](const Measured& w) { return w.id == m.id; });
            for (size_t k = 0; k < m.options.size(); ++k)
              worst = std::max(worst, std::abs(m.options[k].sum - same->options[k].sum));
            EXPECT_EQ(m.prompt_hash, same->prompt_hash);
          }
      }
  EXPECT_LE(worst, bound);
  for (const Measured& m : want)
    if (m.options.size() > 3) {
      EXPECT_EQ(m.options[0].sum, m.options[3].sum);  // the same text: a tie to the last bit
    }
}

TEST(Likelihoods, OfLettersTakeOnePassAnItem) {
  SmallTask t(R"(
name = "letters"
[data]
items = ["items.jsonl"]
[prompt]
item = "Q: {{ q }}\nA:"
[choices]
labels = ["a", "c", "d", "e"]
gold = "0"
)");
  Engine engine = t.engine();
  const std::vector<Measured> all = t.measure(engine);
  int64_t prompts = 0;
  for (const Measured& m : all) prompts += m.prompt_tokens;
  // " a" is a token of its own: one request for it, one for those that begin with " ". All but the pages they
  // share is run twice.
  EXPECT_LE(engine.tokens_run(), 2 * prompts + std::ssize(all));
  EXPECT_THAT(all[0].options[0].ids, ElementsAre(257));
  EXPECT_THAT(all[0].options[1].ids, ElementsAre(' ', 'c'));
}

TEST(Likelihoods, OfPromptsThatAreTooLongLoseWholeExamples) {
  SmallTask t(choice_toml, 4);
  Engine whole = t.engine();
  const std::vector<Measured> all = t.measure(whole);
  const int64_t longest = all[0].prompt_tokens + 8;
  Engine engine = t.engine(1, 64, 1, true, longest - 20);
  for (const Measured& m : t.measure(engine)) {
    EXPECT_LT(m.shots, 3);
    EXPECT_TRUE(m.not_run.empty());
    EXPECT_EQ(std::count(m.prompts[0].begin(), m.prompts[0].end(), 'Q'), m.shots + 1);
    EXPECT_THAT(m.prompts[0], StartsWith("Choose.\n\nQ: "));
    for (const MeasuredOption& option : m.options) EXPECT_LT(option.sum, 0);
  }
  // Without any, the item is not run, and stays.
  Engine tiny = t.engine(1, 64, 1, true, 12);
  for (const Measured& m : t.measure(tiny)) {
    EXPECT_THAT(m.not_run, HasSubstr("the longest context 12"));
    EXPECT_EQ(m.shots, 0);
    EXPECT_TRUE(m.options.empty() || m.options[0].sum == 0);
  }
  // Where the task allows it, the prompt loses its beginning, the same for all answers, which stay whole.
  t.task.prompt.truncate_left = true;
  Engine small = t.engine(1, 64, 1, true, 14);
  for (const Measured& m : t.measure(small)) {
    if (!m.not_run.empty()) continue;
    EXPECT_TRUE(m.truncated);
    for (size_t k = 0; k < m.options.size(); ++k) {
      const std::vector<int32_t>& scored = m.options[k].ids;
      const auto longest_answer =
          std::max_element(m.options.begin(), m.options.end(),
                           [](const auto& a, const auto& b) { return a.ids.size() < b.ids.size(); });
      const size_t kept = 15 - longest_answer->ids.size() - 1;  // behind the BOS
      std::vector<int32_t> ids = t.tokenizer.encode(m.prompts[0], {.add_special = false});
      ids.erase(ids.begin(), ids.end() - static_cast<ptrdiff_t>(kept));
      ids.insert(ids.begin(), 256);
      ids.insert(ids.end(), scored.begin(), scored.end());
      EXPECT_NEAR(m.options[k].sum, plain_sum(t, ids, scored.size()), bound);
    }
  }
}

// A model's weights change: what was computed before must not be used again.
TEST(Likelihoods, AreNotThoseOfEarlierWeights) {
  SmallTask t(choice_toml, 5);
  Engine engine = t.engine();
  const std::vector<Measured> before = t.measure(engine);
  initialize_weights(t.device, t.model.config, t.model.weights, 77);
  engine.weights_changed();
  Engine fresh = t.engine();
  const std::vector<Measured> after = t.measure(engine), want = t.measure(fresh);
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_NE(after[i].options[0].sum, before[i].options[0].sum);
    EXPECT_EQ(after[i].options[0].sum, want[i].options[0].sum);
  }
}

TEST(Prefixes, TheCompletionChoosesAmongThem) {
  SmallTask t(R"(
name = "prefixes"
[data]
items = ["items.jsonl"]
[choices]
contexts = ["{{ q }} x", "{{ q }} yy"]
texts = ["and so {{ c[0] }}"]
gold = "1"
)",
              5);
  Engine engine = t.engine();
  for (const Measured& m : t.measure(engine)) {
    ASSERT_EQ(m.prompts.size(), 2u);
    ASSERT_EQ(m.options.size(), 2u);
    EXPECT_EQ(m.options[0].ids, m.options[1].ids);  // one completion
    for (size_t k = 0; k < 2; ++k) {
      std::vector<int32_t> ids = t.tokenizer.encode(m.prompts[k] + t.tokenizer.decode(m.options[k].ids));
      ids.pop_back();
      EXPECT_NEAR(m.options[k].sum, plain_sum(t, ids, m.options[k].ids.size()), bound);
    }
  }
}

TEST(Documents, CountEveryTokenOnce) {
  const std::string toml = R"(
name = "text"
form = "text"
document = "{{ q }} {{ c | join(' ') }}"
window = WINDOW
[data]
items = ["items.jsonl"]
)";
  const auto with_window = [&](int window) {
    std::string text = toml;
    return text.replace(text.find("WINDOW"), 6, std::to_string(window));
  };
  SmallTask whole(with_window(300), 8), cut(with_window(7), 8);
  Engine engine = whole.engine(), small = cut.engine();
  const std::vector<Measured> all = whole.measure(engine), windows = cut.measure(small);
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string& text = whole.data.subjects[0].items[i].document;
    EXPECT_EQ(all[i].bytes, std::ssize(text));
    EXPECT_EQ(all[i].tokens, windows[i].tokens);
    std::vector<int32_t> ids = whole.tokenizer.encode(text);
    ids.pop_back();
    EXPECT_EQ(all[i].tokens, std::ssize(ids) - 1);
    EXPECT_NEAR(all[i].nats, -plain_sum(whole, ids, ids.size() - 1), 1e-4);
    // Windows of 7 tokens, each behind the last token of the one before it.
    double nats = 0;
    for (size_t first = 1; first < ids.size();) {
      const size_t begin = first - 1, last = std::min(ids.size(), begin + 8);
      nats -= plain_sum(
          cut, {ids.begin() + static_cast<ptrdiff_t>(begin), ids.begin() + static_cast<ptrdiff_t>(last)},
          last - first);
      first = last;
    }
    EXPECT_NEAR(windows[i].nats, nats, 1e-4);
  }
}

TEST(Answers, OfASampleDependOnItsItemAndNumberAlone) {
  SmallTask t(generate_toml);
  Engine first = t.engine(), second = t.engine(2, 16, 4, false);
  const std::vector<Measured> all = t.measure(first);
  std::vector<Item> backwards(t.data.subjects[0].items.rbegin(), t.data.subjects[0].items.rend());
  std::vector<Measured> reversed = t.measure(second, backwards);
  std::reverse(reversed.begin(), reversed.end());
  std::set<std::string> outputs;
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].samples.size(), 3u);
    for (size_t k = 0; k < 3; ++k) {
      EXPECT_EQ(all[i].samples[k].output, reversed[i].samples[k].output);
      outputs.insert(all[i].samples[k].output);
    }
  }
  EXPECT_GT(outputs.size(), 50u);
  const std::vector<Measured> other = t.measure(first, t.data.subjects[0].items, 2);
  EXPECT_NE(other[0].samples[0].output, all[0].samples[0].output);
}

TEST(Answers, ThatDoNotFitAreSaidToBeSo) {
  SmallTask t(generate_toml, 3);
  Engine tiny = t.engine(1, 64, 1, true, 6);
  for (const Measured& m : t.measure(tiny)) {
    EXPECT_THAT(m.not_run, HasSubstr("the longest context 6"));
    EXPECT_TRUE(m.samples.empty());
  }
}

}  // namespace
}  // namespace fathom::testing
