#include "eval/needle.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace fathom {
namespace {

constexpr std::array<const char*, 40> keys = {
    "river",   "lamp",    "garden",  "bridge",  "mirror",   "wheel",    "basket",   "tower",
    "candle",  "anchor",  "ladder",  "window",  "hammer",   "bottle",   "carpet",   "pillow",
    "saddle",  "needle",  "button",  "feather", "kettle",   "blanket",  "market",   "harbor",
    "forest",  "island",  "meadow",  "valley",  "orchard",  "stable",   "violin",   "trumpet",
    "compass", "lantern", "chimney", "cottage", "fountain", "painting", "umbrella", "wagon"};

// Tokens that the answer may have beside the number, such as a blank.
constexpr int64_t spare_room = 4;

std::string filled(std::string text, std::string_view field, const std::string& value) {
  for (size_t at = 0; (at = text.find(field, at)) != std::string::npos; at += value.size())
    text.replace(at, field.size(), value);
  return text;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// `n` different numbers below `limit`, in random order.
std::vector<uint64_t> different(Rng& rng, size_t n, uint64_t low, uint64_t limit) {
  std::vector<uint64_t> numbers;
  while (numbers.size() < n) {
    const uint64_t number = low + rng.below(limit - low);
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

const char* name_of(NeedleTask task) {
  switch (task) {
    case NeedleTask::number:
      return "number";
    case NeedleTask::key:
      return "key";
    case NeedleTask::last:
      return "last";
  }
  return "?";
}

NeedleTask needle_task_named(const std::string& name) {
  for (const NeedleTask task : needle_tasks)
    if (name == name_of(task)) return task;
  fail("unknown task '{}': expected number, key or last", name);
}

void check_needle_settings(const NeedleSettings& s) {
  check(!s.tasks.empty() && !s.lengths.empty() && !s.depths.empty(),
        "give at least one task, one length and one depth");
  for (const double depth : s.depths)
    check(depth >= 0 && depth <= 1, "a depth of {:g}% is not between 0 and 100", 100 * depth);
  check(s.needles >= 2 && s.needles <= static_cast<int64_t>(keys.size()),
        "{} needles: a task of several has 2 to {}", s.needles, keys.size());
  check(s.digits >= 2 && s.digits <= 12, "{} digits: a number has 2 to 12", s.digits);
  check(s.needle.find("{key}") != std::string::npos && s.needle.find("{value}") != std::string::npos,
        "the needle '{}' needs {{key}} and {{value}}", s.needle);
  check(s.question.find("{key}") != std::string::npos, "the question '{}' needs {{key}}", s.question);
  check(s.question.find("{value}") == std::string::npos, "the question '{}' has the answer in it",
        s.question);
}

NeedleMaker::NeedleMaker(const Tokenizer& tokenizer, std::vector<int32_t> haystack,
                         const NeedleSettings& settings)
    : tokenizer_(tokenizer),
      haystack_(std::move(haystack)),
      settings_(settings),
      beginning_(tokenizer.encode("", {.add_special = true})) {
  check_needle_settings(settings);
  check(!haystack_.empty(), "the text is empty");
}

std::vector<int32_t> NeedleMaker::encode(const std::string& text) const {
  return tokenizer_.encode(text, {.add_special = false, .parse_special = false});
}

int64_t NeedleMaker::sentence_end(int64_t start, int64_t place) const {
  for (int64_t i = place; i > 0; --i) {
    const std::string_view before = tokenizer_.piece(text_token(start + i - 1));
    if (!before.empty() && std::string_view(".!?\n").find(before.back()) != std::string_view::npos) return i;
  }
  return 0;
}

std::optional<NeedleItem> NeedleMaker::make(NeedleTask task, int64_t length, double depth,
                                            int64_t sample) const {
  Rng rng(settings_.seed, static_cast<uint64_t>(task) + 4 * static_cast<uint64_t>(sample) +
                              (static_cast<uint64_t>(length) << 32));
  const auto count = static_cast<size_t>(task == NeedleTask::number ? 1 : settings_.needles);
  const std::vector<uint64_t> chosen = different(rng, count, 0, keys.size());
  const auto low = static_cast<uint64_t>(std::pow(10.0, static_cast<double>(settings_.digits - 1)));
  const std::vector<uint64_t> values = different(rng, count, low, 10 * low);
  const auto key_of = [&](size_t i) { return keys[chosen[task == NeedleTask::last ? 0 : i]]; };

  NeedleItem item = {.task = task, .length = length, .depth = depth, .sample = sample};
  item.key = key_of(0), item.value = std::to_string(values[0]);
  item.room = static_cast<int64_t>(encode(" " + item.value + ".").size()) + spare_room;
  const std::vector<int32_t> question = encode(" " + filled(settings_.question, "{key}", item.key));
  int64_t text = length - item.room - static_cast<int64_t>(beginning_.size() + question.size());
  std::vector<Needle> needles;
  for (size_t i = 0; i < count; ++i) {
    const std::string words =
        filled(filled(settings_.needle, "{key}", key_of(i)), "{value}", std::to_string(values[i]));
    // The asked one is the first here. Of the others with its key all come before it in the text.
    const double at = rng.uniform();
    needles.push_back({encode(" " + words), i == 0 ? depth : task == NeedleTask::last ? at * depth : at});
    text -= static_cast<int64_t>(needles.back().tokens.size());
  }
  if (text < 1) return std::nullopt;

  const auto start = static_cast<int64_t>(rng.below(haystack_.size()));
  std::vector<std::pair<int64_t, size_t>> places;  // of each needle
  for (size_t i = 0; i < count; ++i) {
    const auto place = static_cast<int64_t>(std::llround(needles[i].depth * static_cast<double>(text)));
    places.emplace_back(place == text ? text : sentence_end(start, place), count - 1 - i);
  }
  std::sort(places.begin(), places.end());

  item.prompt = beginning_;
  int64_t written = 0;
  for (const auto& [place, reversed] : places) {
    for (; written < place; ++written) item.prompt.push_back(text_token(start + written));
    const size_t i = count - 1 - reversed;
    if (i == 0) item.placed = static_cast<double>(place) / static_cast<double>(text);
    item.prompt.insert(item.prompt.end(), needles[i].tokens.begin(), needles[i].tokens.end());
  }
  for (; written < text; ++written) item.prompt.push_back(text_token(start + written));
  item.prompt.insert(item.prompt.end(), question.begin(), question.end());
  return item;
}

bool answers(std::string_view text, std::string_view number) {
  const auto begin = std::find_if(text.begin(), text.end(), is_digit);
  const auto end = std::find_if_not(begin, text.end(), is_digit);
  return std::string_view(begin, end) == number;
}

}  // namespace fathom
