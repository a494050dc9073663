#include "text/pre_tokenizer.h"

#include <algorithm>

#include "base/error.h"

namespace fathom {
namespace {

constexpr size_t max_stages = 64;
constexpr const char* gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// The end of the character that starts at `at`.
size_t next_character(std::string_view text, size_t at) {
  return at + static_cast<size_t>(decode_valid_utf8(text.data() + at).length);
}

}  // namespace

PreTokenizer::PreTokenizer(const Json& json, const std::string& where, bool fast)
    : where_(where), fast_(fast), class_regexes_{ClassPattern::space_class()} {
  add(json, where);
  check(byte_level_, "{}: no ByteLevel step; only byte-level BPE is supported", where);
  if (fast_) classes_.emplace(class_regexes_, where);
}

void PreTokenizer::add(const Json& json, const std::string& where) {
  const JsonObject object(json, where);
  const auto type = object.required<std::string>("type");
  if (type == "Sequence") {
    for (const Json& step : object.required<std::vector<Json>>("pretokenizers")) add(step, where);
    return;
  }
  check(!byte_level_, "{}: '{}' after ByteLevel is not supported", where, type);
  check(stages_.size() < max_stages, "{}: more than {} steps", where, max_stages);
  if (type == "Split") {
    add_split(object);
  } else if (type == "Digits") {
    const bool each = object.optional("individual_digits", false);
    add_pattern(each ? "\\p{N}" : "\\p{N}+", Behavior::isolated);
  } else if (type == "Punctuation") {
    add_pattern(R"([\p{P}!-/:-@\[-`{-~])",
                parse_behavior(object.optional<std::string>("behavior", "Isolated"), where));
  } else if (type == "Whitespace") {
    const std::string word = rust_word_class();
    add_pattern("[" + word + "]+|[^" + word + "\\s]+", Behavior::removed, true);
  } else if (type == "WhitespaceSplit") {
    add_pattern("\\s+", Behavior::removed);
  } else if (type == "ByteLevel") {
    add_byte_level(object);
  } else {
    fail("{}: pre-tokenizer '{}' is not supported", where, type);
  }
}

void PreTokenizer::add_split(const JsonObject& object) {
  const JsonObject pattern = object.child("pattern");
  const Behavior behavior = parse_behavior(object.required<std::string>("behavior"), where_);
  const bool invert = object.optional("invert", false);
  if (pattern.has("Regex")) return add_pattern(pattern.required<std::string>("Regex"), behavior, invert);
  const auto text = pattern.required<std::string>("String");
  if (!text.empty()) add_pattern(escape_regex(text), behavior, invert);
}

void PreTokenizer::add_byte_level(const JsonObject& object) {
  byte_level_ = true;
  if (object.optional("add_prefix_space", true)) stages_.push_back({PrefixSpace{}});
  if (object.optional("use_regex", true)) add_pattern(gpt2_pattern, Behavior::isolated);
}

void PreTokenizer::add_pattern(std::string_view pattern, Behavior behavior, bool invert) {
  Regex regex(pattern, where_);
  std::optional<ClassPattern> simple;
  if (fast_) simple = ClassPattern::recognise(regex.translated());
  if (simple && assign_bits(*simple))
    stages_.push_back({std::move(*simple), behavior, invert});
  else
    stages_.push_back({std::move(regex), behavior, invert});
}

// Bit 0 is white space; every other class gets the next bit. False when there is none left.
bool PreTokenizer::assign_bits(ClassPattern& simple) {
  simple.space_bit = 1;
  if (simple.trailing_space) return true;
  const auto known = std::find(class_regexes_.begin(), class_regexes_.end(), simple.member_class);
  const auto index = static_cast<size_t>(known - class_regexes_.begin());
  if (index == CharClasses::max_classes) return false;
  if (known == class_regexes_.end()) class_regexes_.push_back(simple.member_class);
  simple.member_bit = static_cast<uint16_t>(1u << index);
  return true;
}

PreTokenizer::Behavior PreTokenizer::parse_behavior(const std::string& name, const std::string& where) {
  if (name == "Isolated") return Behavior::isolated;
  if (name == "Removed") return Behavior::removed;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  fail("{}: split behavior '{}' is not known", where, name);
}

void PreTokenizer::split(std::string_view text, RegexScratch& scratch, const PieceSink& sink) const {
  if (!text.empty()) run(0, text, scratch, sink);
}

void PreTokenizer::run(size_t index, std::string_view text, RegexScratch& scratch,
                       const PieceSink& sink) const {
  if (index == stages_.size()) return sink(text);
  const Stage& stage = stages_[index];
  if (std::holds_alternative<PrefixSpace>(stage.matcher)) return run_with_space(index, text, scratch, sink);
  if (stage.behavior != Behavior::isolated) {
    for (const Part& part : arrange(parts(stage, text, scratch), stage.behavior))
      run(index + 1, text.substr(part.begin, part.end - part.begin), scratch, sink);
    return;
  }
  const auto hand_on = [&](size_t begin, size_t end, size_t next) {
    if (begin < end) run(next, text.substr(begin, end - begin), scratch, sink);
  };
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    ClassPattern::Seen seen;
    const auto match = find(stage, text, at, scratch, seen);
    if (!match) break;
    hand_on(done, match->begin, index + 1);
    hand_on(match->begin, match->end, next_stage(index + 1, seen));
    done = match->end;
    const bool empty = match->begin == match->end;
    at = empty && done < text.size() ? next_character(text, done) : done;
  }
  hand_on(done, text.size(), index + 1);
}

void PreTokenizer::run_with_space(size_t index, std::string_view text, RegexScratch& scratch,
                                  const PieceSink& sink) const {
  if (text.starts_with(' ')) return run(index + 1, text, scratch, sink);
  const std::string spaced = " " + std::string(text);
  run(index + 1, spaced, scratch, sink);
}

std::optional<RegexMatch> PreTokenizer::find(const Stage& stage, std::string_view text, size_t start,
                                             RegexScratch& scratch, ClassPattern::Seen& seen) const {
  if (const auto* simple = std::get_if<ClassPattern>(&stage.matcher))
    return simple->find(text, start, *classes_, seen);
  return std::get<Regex>(stage.matcher).find(text, start, scratch);
}

size_t PreTokenizer::next_stage(size_t index, const ClassPattern::Seen& seen) const {
  for (; index < stages_.size(); ++index) {
    const auto* simple = std::get_if<ClassPattern>(&stages_[index].matcher);
    if (!simple || stages_[index].behavior != Behavior::isolated || simple->may_match(seen)) break;
  }
  return index;
}

// Matches and gaps in order, none of them empty.
std::vector<PreTokenizer::Part> PreTokenizer::parts(const Stage& stage, std::string_view text,
                                                    RegexScratch& scratch) const {
  std::vector<Part> parts;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    ClassPattern::Seen seen;
    const auto match = find(stage, text, at, scratch, seen);
    if (!match) break;
    if (done < match->begin) parts.push_back({done, match->begin, stage.invert});
    if (match->begin < match->end) parts.push_back({match->begin, match->end, !stage.invert});
    done = match->end;
    const bool empty = match->begin == match->end;
    at = empty && done < text.size() ? next_character(text, done) : done;
  }
  if (done < text.size()) parts.push_back({done, text.size(), stage.invert});
  return parts;
}

// Joins or drops parts as the behavior says. Of several matches in a row only the first merges with its
// neighbour (the last, when merging with the next).
std::vector<PreTokenizer::Part> PreTokenizer::arrange(std::vector<Part> parts, Behavior behavior) {
  if (behavior == Behavior::removed) {
    std::erase_if(parts, [](const Part& part) { return part.match; });
    return parts;
  }
  const bool backwards = behavior == Behavior::merged_with_next;
  if (backwards) std::reverse(parts.begin(), parts.end());
  std::vector<Part> out;
  bool previous = false;
  for (const Part& part : parts) {
    const bool join = behavior == Behavior::contiguous ? part.match == previous : part.match && !previous;
    previous = part.match;
    if (!join || out.empty()) {
      out.push_back(part);
    } else {
      out.back().begin = std::min(out.back().begin, part.begin);
      out.back().end = std::max(out.back().end, part.end);
    }
  }
  if (backwards) std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace fathom
