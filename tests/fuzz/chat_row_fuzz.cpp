// Rows of chat data in any form: each becomes a conversation of texts, or an error that names it.
#include <cstddef>
#include <cstdint>

#include "align/chat_row.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  try {
    const Json json = parse_json({reinterpret_cast<const char*>(data), size}, "input");
    const ChatRow row = chat_row(json, "input:1");
    if (row.messages.empty() || !(row.weight >= 0)) __builtin_trap();
    for (const Json& message : row.messages)
      if (!message["role"].is_string() || !message["content"].is_string()) __builtin_trap();
  } catch (const Error&) {
  }
  return 0;
}
