#include "text/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <queue>
#include <unordered_map>

#include "base/error.h"
#include "text/byte_alphabet.h"

namespace fathom {
namespace {

struct PairHash {
  size_t operator()(uint64_t pair) const { return (pair ^ pair >> 31) * 0x9e3779b97f4a7c15ull >> 7; }
};

uint64_t pack(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

class Learner {
 public:
  explicit Learner(std::span<const std::pair<std::string, int64_t>> words) {
    add_bytes();
    for (const auto& [text, count] : words) add_word(text, count);
    for (const auto& [pair, info] : pairs_) heap_.push({info.count, pair});
  }

  size_t size() const { return out_.tokens.size(); }

  // False when no pair is frequent enough.
  bool step(int64_t min_frequency) {
    while (!heap_.empty()) {
      const Candidate top = heap_.top();
      heap_.pop();
      const int64_t now = pairs_.at(top.pair).count;
      if (now < std::max<int64_t>(1, min_frequency)) continue;
      if (now == top.count) {
        merge(top.pair);
        return true;
      }
      if (now < top.count) heap_.push({now, top.pair});  // a greater count has an entry of its own
    }
    return false;
  }

  LearnedBpe take() { return std::move(out_); }

 private:
  struct Word {
    size_t begin;
    uint32_t size;
    int64_t count;
  };
  struct Pair {
    int64_t count = 0;
    std::vector<uint32_t> words;  // where it occurs, or once did
  };
  struct Candidate {
    int64_t count;
    uint64_t pair;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  void add_bytes() {
    std::array<int, 256> order;
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [](int a, int b) { return byte_alphabet()[a] < byte_alphabet()[b]; });
    for (const int b : order) byte_ids_[b] = intern(std::string(1, static_cast<char>(b)));
  }

  int32_t intern(const std::string& token) {
    const auto [it, fresh] = ids_.try_emplace(token, static_cast<int32_t>(out_.tokens.size()));
    if (fresh) out_.tokens.push_back(token);
    return it->second;
  }

  void add_word(std::string_view text, int64_t count) {
    check(words_.size() < 0xffffffffu && text.size() < 0xffffffffu,
          "the corpus has too many different words");
    const auto index = static_cast<uint32_t>(words_.size());
    words_.push_back({symbols_.size(), static_cast<uint32_t>(text.size()), count});
    for (const char c : text) symbols_.push_back(byte_ids_[static_cast<unsigned char>(c)]);
    const int32_t* s = symbols_.data() + words_.back().begin;
    for (size_t i = 0; i + 1 < text.size(); ++i) change(pack(s[i], s[i + 1]), count, index);
  }

  // Adds to a pair's count; a positive change also notes the word.
  void change(uint64_t pair, int64_t by, uint32_t word) {
    Pair& info = pairs_[pair];
    info.count += by;
    if (by > 0 && (info.words.empty() || info.words.back() != word)) info.words.push_back(word);
  }

  void merge(uint64_t pair) {
    const auto left = static_cast<int32_t>(pair >> 32), right = static_cast<int32_t>(pair & 0xffffffffu);
    const int32_t result = intern(out_.tokens[left] + out_.tokens[right]);
    if (merged_.emplace(pair, true).second) out_.merges.push_back({left, right, result});
    const std::vector<uint32_t> where = std::exchange(pairs_.at(pair).words, {});
    grown_.clear();
    for (const uint32_t word : where) merge_in(word, {left, right, result});
    pairs_.at(pair).count = 0;
    std::sort(grown_.begin(), grown_.end());
    grown_.erase(std::unique(grown_.begin(), grown_.end()), grown_.end());
    for (const uint64_t p : grown_) heap_.push({pairs_.at(p).count, p});
  }

  // Replaces the pair in one word, left to right, and moves the counts of the pairs around it.
  void merge_in(uint32_t index, const MergeRule& rule) {
    Word& word = words_[index];
    int32_t* s = symbols_.data() + word.begin;
    uint32_t kept = 0;
    const auto move = [&](uint64_t from, uint64_t to) {
      change(from, -word.count, index);
      change(to, word.count, index);
      grown_.push_back(to);
    };
    for (uint32_t i = 0; i < word.size; ++i) {
      if (s[i] != rule.left || i + 1 == word.size || s[i + 1] != rule.right) {
        s[kept++] = s[i];
        continue;
      }
      if (kept > 0) move(pack(s[kept - 1], rule.left), pack(s[kept - 1], rule.result));
      if (i + 2 < word.size) move(pack(rule.right, s[i + 2]), pack(rule.result, s[i + 2]));
      s[kept++] = rule.result;
      ++i;
    }
    word.size = kept;
  }

  LearnedBpe out_;
  std::unordered_map<std::string, int32_t> ids_;
  std::array<int32_t, 256> byte_ids_{};
  std::vector<Word> words_;
  std::vector<int32_t> symbols_;  // of all words, one after another; a word shrinks in its place
  std::unordered_map<uint64_t, Pair, PairHash> pairs_;
  std::unordered_map<uint64_t, bool, PairHash> merged_;
  std::priority_queue<Candidate> heap_;
  std::vector<uint64_t> grown_;
};

}  // namespace

LearnedBpe learn_bpe(std::span<const std::pair<std::string, int64_t>> words, const BpeLimits& limits,
                     const std::function<void(size_t)>& progress) {
  check(limits.vocab_size >= 256, "a byte-level vocabulary needs at least 256 tokens, not {}",
        limits.vocab_size);
  Learner learner(words);
  for (size_t steps = 0; learner.size() < limits.vocab_size && learner.step(limits.min_frequency); ++steps)
    if (progress && steps % 64 == 0) progress(learner.size());
  return learner.take();
}

}  // namespace fathom
