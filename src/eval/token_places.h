// Where the tokens of a server's reply stand in the text that was sent, by how the server spells them.
// Servers have no common spelling of tokens that are parts of characters: OpenAI writes "bytes:\xe4", most
// write U+FFFD, some leave the bytes away, some give the whole character to its last token. Some lose the
// blank that a SentencePiece token begins with, or write it U+2581.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// Bytes of the text. Within a character that tokens share the border between them may be another.
struct TokenPlace {
  size_t begin = 0, end = 0;
};

// Of tokens that spell `sent` as a whole, and nothing else; the first may be one that the server has put
// before it, which gets no bytes. Nothing where that is impossible.
std::optional<std::vector<TokenPlace>> place_tokens(const std::vector<std::string_view>& tokens,
                                                    std::string_view sent);

}  // namespace fathom
