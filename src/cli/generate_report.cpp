#include "cli/generate_report.h"

#include "cli/standard_streams.h"
#include "io/json.h"
#include "model/summary.h"

namespace fathom {
namespace {

double rate(size_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

std::string ending(const Generation& r, const Request& q) {
  switch (r.finish) {
    case FinishReason::none:
      return "interrupted";
    case FinishReason::length:
      return "ended by max tokens";
    case FinishReason::context:
      return fmt::format("ended by context, which holds {} tokens", q.prompt.size() + r.ids.size());
    default:
      return fmt::format("ended by {}", name_of(r.finish));
  }
}

}  // namespace

void print_statistics(const Generation& r, const Request& q, const Model& model) {
  const size_t prompt = q.prompt.size(), decoded = r.ids.empty() ? 0 : r.ids.size() - 1;
  if (r.ids.empty())
    print_message("interrupted in the prompt\n");
  else
    print_message("prompt {} tokens in {:.3f} s, {:.1f} tokens/s; {} generated, {:.1f} tokens/s; {}\n",
                  prompt, r.prefill, rate(prompt, r.prefill), r.ids.size(), rate(decoded, r.decode),
                  ending(r, q));
  const CacheBytes cache = cache_bytes_per_token(model.config, model.dtype);
  print_message(
      "{} cache {:.2f} KiB/token in {}; plain multi-head attention of these heads, H*(Dn+Dv) per "
      "layer: {:.1f} KiB/token ({:.1f}x)\n",
      model.config.is_mla() ? "latent" : "key-value", static_cast<double>(cache.own) / 1024,
      name_of(model.dtype), static_cast<double>(cache.mha) / 1024,
      static_cast<double>(cache.mha) / static_cast<double>(cache.own));
}

void print_json(const Generation& r, const Request& q, const Model& model) {
  const size_t decoded = r.ids.empty() ? 0 : r.ids.size() - 1;
  const CacheBytes cache = cache_bytes_per_token(model.config, model.dtype);
  const OrderedJson json = {
      {"text", r.text},
      {"ids", r.ids},
      {"prompt_ids", q.prompt},
      {"finish_reason", r.finish == FinishReason::none ? "interrupted" : name_of(r.finish)},
      {"temperature", q.sampling.temperature},
      {"seed", q.sampling.seed},
      {"dtype", name_of(model.dtype)},
      {"load_seconds", r.load},
      {"prefill_seconds", r.prefill},
      {"prefill_tokens_per_second", rate(q.prompt.size(), r.prefill)},
      {"decode_seconds", r.decode},
      {"decode_tokens_per_second", rate(decoded, r.decode)},
      {model.config.is_mla() ? "latent_cache_bytes_per_token" : "cache_bytes_per_token", cache.own},
      {"multi_head_cache_bytes_per_token", cache.mha},
  };
  write_output(json.dump(2) + "\n");
}

}  // namespace fathom
