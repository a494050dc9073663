// Chat templates: whatever parses renders, or is refused, within its bounds.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  static const Json messages = Json::parse(
      R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"x": [1, 2.5, true]}}}]},
          {"role": "tool", "content": "é"}])");
  try {
    const jinja::Template parsed({reinterpret_cast<const char*>(data), size}, "input");
    jinja::Dict variables;
    jinja::set(variables, "messages", jinja::Value::from_json(messages));
    jinja::set(variables, "bos_token", jinja::Text("<s>", false));
    const jinja::Text text =
        parsed.render(std::move(variables), {.steps = 20000, .output = 1 << 16, .depth = 20});
    if (text.bytes.size() != text.data.size()) __builtin_trap();
  } catch (const Error&) {
  }
  return 0;
}
