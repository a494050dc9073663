// AlpacaEval's judge: what it is asked, and what its reply says.
#include "base/error.h"
#include "io/content_hash.h"
#include "io/file.h"
#include "judge/alpaca.h"
#include "judge/blanks.h"
#include "judge/verdict.h"

namespace fathom {
namespace {

HashValue hash_of(std::string_view text, uint64_t seed) {
  return hash_value(fmt::format("{}:{}", seed, text));
}

}  // namespace

AlpacaPrompt::AlpacaPrompt(const std::string& path) : path_(path) {
  constexpr std::string_view begin = "<|im_start|>", end = "<|im_end|>";
  const std::string file = read_file(path);
  std::string_view left = without_blanks(file);
  check(left.starts_with(begin) && left.ends_with(end), "{}: a prompt must begin with {} and end with {}",
        path, begin, end);
  while (!left.empty()) {
    check(left.starts_with(begin), "{}: text between {} and {}", path, end, begin);
    left.remove_prefix(begin.size());
    const size_t line = left.find('\n'), stop = left.find(end);
    check(stop != std::string_view::npos && line < stop,
          "{}: a message must be a role, a line end, a text and {}", path, end);
    parts_.emplace_back(without_blanks(left.substr(0, line)),
                        PromptText(without_blanks(left.substr(line, stop - line)), Braces::plain));
    left = without_blanks(left.substr(stop + end.size()));
  }
  messages("", "", "");  // every place is known
}

Json AlpacaPrompt::messages(const std::string& instruction, const std::string& first,
                            const std::string& second) const {
  Json messages = Json::array();
  for (const auto& [role, text] : parts_)
    messages.push_back(
        {{"role", role},
         {"content",
          text.fill({{"instruction", instruction}, {"output_1", first}, {"output_2", second}}, path_)}});
  return messages;
}

std::vector<JudgeItem> alpaca_items(const AlpacaJoin& join, const AlpacaPrompt& prompt,
                                    const std::string& baseline, const std::string& model,
                                    const std::string& judge, uint64_t seed) {
  std::vector<JudgeItem> items;
  for (const AlpacaPair& pair : join.pairs) {
    const std::string &base = pair.baseline->output, &output = pair.model->output;
    if (base == output) continue;
    const bool model_first = hash_of(pair.baseline->instruction, seed).low & 1;
    items.push_back({fmt::format("{}", pair.index),
                     {{"index", pair.index},
                      {"annotator", judge},
                      {"generator_1", baseline},
                      {"generator_2", model},
                      {"model_first", model_first},
                      {"instruction", pair.baseline->instruction}},
                     model_first ? prompt.messages(pair.baseline->instruction, output, base)
                                 : prompt.messages(pair.baseline->instruction, base, output)});
  }
  return items;
}

Reading read_alpaca_reply(const JudgeItem& item, const ChatReply& reply) {
  const JudgeVerdict<Preferred> verdict = read_preferred(reply);
  if (!verdict.value) return {.fields = {}, .failure = verdict.failure};
  const double model =
      item.about.at("model_first").get<bool>() ? verdict.value->first : 1 - verdict.value->first;
  OrderedJson likely = OrderedJson::array();
  for (const LikelyToken& token : reply.first)
    likely.push_back({{"token", token.token}, {"logprob", token.log_prob}});  // infinite: null
  return {
      .fields = {{"preference", 1 + model}, {"weighted", verdict.value->weighted}, {"top_logprobs", likely}},
      .failure = ""};
}

}  // namespace fathom
