#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"

#include <pcre2.h>

#include <array>
#include <new>

#include "base/error.h"

namespace fathom {
namespace {

// The insides of character classes. PCRE2's own \s has U+180E too; its \w lacks marks and connectors. Of the
// numbers that are not decimal digits only those of Latin-1 are in the \w of Oniguruma.
constexpr std::string_view space =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view not_space =
    R"(\x00-\x08\x0e-\x1f\x21-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e})"
    R"(\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{d7ff}\x{e000}-\x{10ffff})";
constexpr std::string_view word = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\xb2\xb3\xb9\xbc-\xbe)";
constexpr std::string_view hex = "0-9a-fA-F";

// Walks over the pattern once, copying all but the escapes listed above.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  std::string run() {
    while (at_ < in_.size()) step();
    return std::move(out_);
  }

 private:
  void step() {
    const char c = in_[at_];
    if (c == '\\') return escape();
    if (in_class_)
      class_character(c);
    else if (c == '[')
      open_class();
    else
      copy(1);
  }

  void copy(size_t n) {
    out_ += in_.substr(at_, n);
    at_ += n;
  }

  void open_class() {
    in_class_ = true;
    copy(1);
    if (at_ < in_.size() && in_[at_] == '^') copy(1);
    if (at_ < in_.size() && in_[at_] == ']') {  // a literal one
      out_ += "\\]";
      ++at_;
    }
  }

  void class_character(char c) {
    if (c == '[') {
      check(in_.substr(at_).starts_with("[:"), "a character class inside a character class is not supported");
      const size_t close = in_.find(":]", at_);
      check(close != std::string_view::npos, "'[:' without ':]'");
      return copy(close + 2 - at_);
    }
    check(c != '&' || !in_.substr(at_).starts_with("&&"), "'&&' in a character class is not supported");
    if (c == ']') in_class_ = false;
    copy(1);
  }

  void escape() {
    const char c = at_ + 1 < in_.size() ? in_[at_ + 1] : '\0';
    if (c == 's') return set(space);
    if (c == 'S') return set(not_space);
    if (c == 'w') return set(word);
    if (c == 'h') return set(hex);
    if (c == 'W' || c == 'H') {
      check(!in_class_, "'\\{}' in a character class is not supported", c);
      at_ += 2;
      out_ += "[^" + std::string(c == 'W' ? word : hex) + "]";
      return;
    }
    copy(std::min<size_t>(2, in_.size() - at_));
  }

  void set(std::string_view inside) {
    at_ += 2;
    out_ += in_class_ ? std::string(inside) : "[" + std::string(inside) + "]";
  }

  std::string_view in_;
  size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
};

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

pcre2_code* compile(std::string_view pattern, const std::string& name) {
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), &pcre2_compile_context_free);
  if (!context) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                                   &offset, context.get());
  check(code != nullptr, "{}: bad regular expression '{}': {} (near byte {})", name, pattern,
        message_of(error), offset);
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where there is no JIT the interpreter does
  return code;
}

}  // namespace

std::string translate_regex(std::string_view pattern) {
  return Translator(pattern).run();
}

std::string escape_regex(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\^$.[]|()?*+{}-#&").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string rust_word_class() {
  return R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d})";
}

RegexScratch::RegexScratch(uint32_t most_steps)
    : data_(pcre2_match_data_create(1, nullptr)),
      context_(pcre2_match_context_create(nullptr)),
      stack_(pcre2_jit_stack_create(32 << 10, 4 << 20, nullptr)) {
  if (!data_ || !context_) throw std::bad_alloc();
  if (most_steps > 0) pcre2_set_match_limit(context_, most_steps);
  if (stack_) pcre2_jit_stack_assign(context_, nullptr, stack_);
}

RegexScratch::~RegexScratch() {
  pcre2_match_data_free(data_);
  pcre2_match_context_free(context_);
  if (stack_) pcre2_jit_stack_free(stack_);
}

void Regex::Free::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

Regex::Regex(std::string_view pattern, const std::string& name) : name_(name) {
  try {
    translated_ = translate_regex(pattern);
  } catch (const Error& error) {
    fail("{}: regular expression '{}': {}", name, pattern, error.what());
  }
  code_.reset(compile(translated_, name));
}

std::optional<RegexMatch> Regex::find(std::string_view text, size_t start, RegexScratch& scratch) const {
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  int rc = pcre2_match(code_.get(), subject, text.size(), start, PCRE2_NO_UTF_CHECK, scratch.data_,
                       scratch.context_);
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT)  // the interpreter keeps its state on the heap
    rc = pcre2_match(code_.get(), subject, text.size(), start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                     scratch.data_, scratch.context_);
  if (rc == PCRE2_ERROR_NOMATCH) return std::nullopt;
  check(rc >= 0, "{}: regular expression '{}' failed on this text: {}", name_, translated_, message_of(rc));
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(scratch.data_);
  check(ends[0] >= start && ends[0] <= ends[1], "{}: regular expression '{}' moves its own start", name_,
        translated_);
  return RegexMatch{ends[0], ends[1]};
}

}  // namespace fathom
