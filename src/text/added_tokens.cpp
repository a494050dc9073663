#include "text/added_tokens.h"

#include <algorithm>

#include "text/regex.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// \w and \s of the one character, by the same engine as everything else.
bool matches(const Regex& regex, std::string_view character) {
  RegexScratch scratch;
  return regex.find(character, 0, scratch).has_value();
}
bool is_word(std::string_view character) {
  static const Regex word("[" + rust_word_class() + "]", "added_tokens");
  return matches(word, character);
}
bool is_space(std::string_view character) {
  static const Regex space("\\s", "added_tokens");
  return matches(space, character);
}

// The character at the start or the end of `text`; empty if there is none or it is malformed.
std::string_view first_character(std::string_view text) {
  if (text.empty()) return {};
  return text.substr(0, static_cast<size_t>(decode_utf8(text.data(), text.data() + text.size()).length));
}
std::string_view last_character(std::string_view text) {
  for (size_t n = 1; n <= std::min<size_t>(4, text.size()); ++n) {
    const std::string_view tail = text.substr(text.size() - n);
    if (first_character(tail).size() == n) return tail;
  }
  return {};
}

size_t space_before(std::string_view text) {
  const size_t size = text.size();
  for (auto c = last_character(text); !c.empty() && is_space(c); c = last_character(text))
    text.remove_suffix(c.size());
  return size - text.size();
}
size_t space_after(std::string_view text) {
  const size_t size = text.size();
  for (auto c = first_character(text); !c.empty() && is_space(c); c = first_character(text))
    text.remove_prefix(c.size());
  return size - text.size();
}

bool stands_alone(std::string_view before, std::string_view after) {
  const std::string_view left = last_character(before), right = first_character(after);
  return (left.empty() || !is_word(left)) && (right.empty() || !is_word(right));
}

}  // namespace

void AddedTokens::Trie::add(std::string_view content, int32_t token) {
  first[static_cast<unsigned char>(content[0])] = true;
  int32_t at = 0;
  for (const char c : content) {
    const auto byte = static_cast<unsigned char>(c);
    auto& next = nodes[at].next;
    auto it = std::find_if(next.begin(), next.end(), [byte](const auto& edge) { return edge.first == byte; });
    if (it != next.end()) {
      at = it->second;
      continue;
    }
    const auto fresh = static_cast<int32_t>(nodes.size());
    next.emplace_back(byte, fresh);
    nodes.emplace_back();
    at = fresh;
  }
  nodes[at].token = token;
}

int32_t AddedTokens::Trie::longest(std::string_view text) const {
  int32_t best = -1, at = 0;
  for (const char c : text) {
    const auto& next = nodes[at].next;
    const auto it = std::find_if(next.begin(), next.end(), [c](const auto& edge) {
      return edge.first == static_cast<unsigned char>(c);
    });
    if (it == next.end()) break;
    at = it->second;
    if (nodes[at].token >= 0) best = nodes[at].token;
  }
  return best;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    index_.emplace(tokens_[i].content, i);
    (tokens_[i].normalized ? normalized_ : plain_).add(tokens_[i].content, static_cast<int32_t>(i));
  }
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto it = index_.find(std::string(content));
  return it == index_.end() ? nullptr : &tokens_[it->second];
}

void AddedTokens::split(std::string_view text, bool parse_special, const Sink& sink) const {
  split_by(plain_, text, parse_special, [&](std::string_view part, const AddedToken* token) {
    if (token)
      sink(part, token);
    else
      split_by(normalized_, part, parse_special, sink);
  });
}

void AddedTokens::split_by(const Trie& trie, std::string_view text, bool parse_special,
                           const Sink& sink) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    if (!trie.first[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    const int32_t found = trie.longest(text.substr(at));
    if (found < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[found];
    size_t begin = at, end = at + token.content.size();
    at = end;
    if (token.special && !parse_special) continue;
    if (token.single_word && !stands_alone(text.substr(0, begin), text.substr(end))) continue;
    if (token.lstrip) begin -= space_before(text.substr(done, begin - done));
    if (token.rstrip) at = end += space_after(text.substr(end));
    if (done < begin) sink(text.substr(done, begin - done), nullptr);
    sink(text.substr(begin, end - begin), &token);
    done = end;
  }
  if (done < text.size()) sink(text.substr(done), nullptr);
}

}  // namespace fathom
