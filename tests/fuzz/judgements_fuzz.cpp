// Lines of judgements and prompts as files have them: read, or an Error; nothing is lost in the prompts'
// texts.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>

#include "base/error.h"
#include "judge/mt_bench_scores.h"
#include "judge/pair_scores.h"
#include "judge/prompt_text.h"

namespace {

template <class Action>
void allow_error(const Action& action) {
  try {
    action();
  } catch (const fathom::Error&) {
  }
}

void fill(const std::string& text) {
  const fathom::PromptText prompt(text, fathom::Braces::plain);
  std::map<std::string, std::string> values;
  for (const std::string& name : prompt.names()) values[name] = "{" + name + "}";
  if (prompt.fill(values, "fuzz") != text) std::abort();
  const fathom::PromptText doubled(text, fathom::Braces::doubled);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  const std::string text(reinterpret_cast<const char*>(data), size);
  fill(text);
  allow_error([&] {
    const Json json = parse_json(text, "fuzz");
    allow_error([&] { rating_table(rating_scores({rated_from_json(json, "fuzz")}, {})); });
    PlayedPairs pairs;
    pairs.add(json, "fuzz");
    pair_table(pair_scores(pairs.all(), {}));
  });
  return 0;
}
