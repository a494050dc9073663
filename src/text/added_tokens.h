// The added tokens of a tokenizer.json: strings such as <｜begin▁of▁sentence｜> that are cut out of the text
// before anything else looks at it; leftmost first, of several at one place the longest.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fathom {

struct AddedToken {
  int32_t id = -1;
  std::string content;
  bool special = false;                 // left out of decoded text on request, and of parsing likewise
  bool single_word = false;             // counts only where no word character touches it
  bool lstrip = false, rstrip = false;  // takes in the white space before or after it
  bool normalized = true;               // looked for after those that are not, in what they left
};

class AddedTokens {
 public:
  explicit AddedTokens(std::vector<AddedToken> tokens);

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  const AddedToken* find(std::string_view content) const;

  // Calls sink(text, nullptr) for ordinary text and sink(text, token) for a token, in order. Special tokens
  // count as ordinary text unless parse_special.
  using Sink = std::function<void(std::string_view, const AddedToken*)>;
  void split(std::string_view text, bool parse_special, const Sink& sink) const;

 private:
  struct Trie {
    struct Node {
      int32_t token = -1;  // index of the token that ends here
      std::vector<std::pair<unsigned char, int32_t>> next;
    };
    std::vector<Node> nodes{1};
    std::array<bool, 256> first{};

    void add(std::string_view content, int32_t token);
    // The longest token at the start of `text`, or -1.
    int32_t longest(std::string_view text) const;
  };
  void split_by(const Trie& trie, std::string_view text, bool parse_special, const Sink& sink) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::string, size_t> index_;
  Trie plain_, normalized_;
};

}  // namespace fathom
