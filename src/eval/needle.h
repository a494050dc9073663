// Needle in a haystack (paper figure 4): a sentence with a number stands somewhere in a long text, and the
// model is asked for the number at its end. How well it answers is a matter of the text's length and of the
// sentence's depth in it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace fathom {

enum class NeedleTask {
  number,  // one needle
  key,     // several with a key each; one of them is asked for
  last,    // several with the same key; the last one in the text is asked for
};
inline constexpr NeedleTask needle_tasks[] = {NeedleTask::number, NeedleTask::key, NeedleTask::last};
const char* name_of(NeedleTask task);
// Error naming what it is not.
NeedleTask needle_task_named(const std::string& name);

struct NeedleSettings {
  std::vector<NeedleTask> tasks = {NeedleTask::number};
  std::vector<int64_t> lengths;  // tokens of prompt and answer
  std::vector<double> depths;    // of the asked needle: 0 is the beginning of the text, 1 its end
  int64_t samples = 4;           // of each length and depth, with keys, numbers and a text of their own
  int64_t needles = 4;           // of the tasks with several
  int64_t digits = 5;            // of a number
  uint64_t seed = 1;
  // {key} and {value} stand for themselves. The model continues the question.
  std::string needle = "The number of the {key} is {value}.";
  std::string question = "The number of the {key} is";
};

// Error naming the field that cannot work.
void check_needle_settings(const NeedleSettings& settings);

// One question.
struct NeedleItem {
  NeedleTask task = NeedleTask::number;
  int64_t length = 0;
  double depth = 0;
  int64_t sample = 0;
  std::vector<int32_t> prompt = {};
  int64_t room = 0;   // tokens of `length` that are left for the answer
  double placed = 0;  // where the asked needle begins, as a part of the text
  std::string key = {}, value = {};
};

class NeedleMaker {
 public:
  // `haystack`: tokens of a text, without special ones; it is read again from its beginning when it ends.
  // Error when it is empty. The tokenizer must outlive this.
  NeedleMaker(const Tokenizer& tokenizer, std::vector<int32_t> haystack, const NeedleSettings& settings);

  // The same for the same arguments. Items of one (task, length, sample) differ in the depth alone, so that
  // they share their beginnings. Nothing when needles, question and answer do not fit into the length.
  std::optional<NeedleItem> make(NeedleTask task, int64_t length, double depth, int64_t sample) const;

 private:
  struct Needle {
    std::vector<int32_t> tokens;
    double depth;
  };
  std::vector<int32_t> encode(const std::string& text) const;
  // The last place at or before `place` of the text from `start` on where a sentence has ended.
  int64_t sentence_end(int64_t start, int64_t place) const;
  int32_t text_token(int64_t i) const { return haystack_[static_cast<size_t>(i) % haystack_.size()]; }

  const Tokenizer& tokenizer_;
  const std::vector<int32_t> haystack_;
  const NeedleSettings settings_;
  std::vector<int32_t> beginning_;  // BOS, where the tokenizer adds one
};

// Whether the first number in the text is this one: "is 481, I think" answers 481; "4812" and "" do not.
bool answers(std::string_view text, std::string_view number);

}  // namespace fathom
