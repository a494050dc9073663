#include "data/repetition.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/rng.h"

namespace fathom {
namespace {

// The definitions word by word: every run of n words of the text is looked up among all earlier ones.
struct ByDefinition {
  double top = 0, repeated = 0;

  ByDefinition(const std::vector<Word>& words, size_t n) {
    std::map<std::vector<uint64_t>, uint64_t> counts;
    std::vector<bool> again(words.size());
    uint64_t all = 0, most = 0, in_repeats = 0;
    for (const Word& word : words) all += word.characters;
    for (size_t i = 0; i + n <= words.size(); ++i) {
      std::vector<uint64_t> run;
      uint64_t characters = 0;
      for (size_t k = i; k < i + n; ++k) run.push_back(words[k].hash), characters += words[k].characters;
      const uint64_t count = ++counts[run];
      if (count == 1) continue;
      most = std::max(most, count * characters);
      for (size_t k = i; k < i + n; ++k) again[k] = true;
    }
    for (size_t i = 0; i < words.size(); ++i) in_repeats += again[i] ? words[i].characters : 0;
    if (all == 0) return;
    top = std::min(1.0, static_cast<double>(most) / static_cast<double>(all));
    repeated = static_cast<double>(in_repeats) / static_cast<double>(all);
  }
};

TEST(Repetition, RunsOfEachLengthAreAsTheirDefinitionSays) {
  const WordSplitter splitter;
  RepetitionScratch scratch;
  Rng rng(11);
  int not_zero = 0;
  for (int i = 0; i < 600; ++i) {
    std::string text;
    const uint64_t vocabulary = 1 + rng.below(12);
    for (uint64_t n = rng.below(80); n > 0; --n) text += std::string(1 + rng.below(vocabulary), 'x') + " ";
    std::vector<Word> words;
    splitter.split(text, words);
    // Lengths may be left out, as the rules for them are.
    RepeatedRuns runs(words, scratch), same(words, scratch);
    std::vector<size_t> lengths;
    for (size_t n = 1; n <= 20; ++n)
      if (rng.below(3) > 0) lengths.push_back(n);
    for (const size_t n : lengths) EXPECT_EQ(runs.top_share(n), ByDefinition(words, n).top) << text << n;
    for (const size_t n : lengths) {
      EXPECT_EQ(same.repeated_share(n), ByDefinition(words, n).repeated) << text << n;
      not_zero += ByDefinition(words, n).repeated > 0;
    }
  }
  EXPECT_GT(not_zero, 1000);
}

}  // namespace
}  // namespace fathom
