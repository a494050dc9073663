#include "model/checkpoint_check.h"

#include <string_view>

#include "base/log.h"
#include "model/checkpoint_layout.h"
#include "model/tensor_comparison.h"

namespace fathom {
namespace {

// A tied model has no head of its own; one that is stored and differs was meant for something else.
void warn_of_stale_head(const Config& config, const CheckpointReader& checkpoint) {
  constexpr std::string_view head = "lm_head.weight", embedding = "model.embed_tokens.weight";
  if (!config.ties_head() || !checkpoint.entry(head) || checkpoint.same(head, embedding)) return;
  log::warn_once(
      fmt::format("{}: tensor '{}' is ignored: tie_word_embeddings is true, and it differs from '{}'",
                  checkpoint.file_of(head), head, embedding));
}

}  // namespace

void check_checkpoint(const Config& config, const CheckpointReader& checkpoint) {
  TensorComparison comparison(checkpoint);
  for (const NamedWeight& weight : list_weights(config, {})) {
    if (comparison.enough()) break;
    if (weight.info.shape.size() == 3 && checkpoint.entry(weight.info.name))
      comparison.expect(weight.info.name, weight.info.shape);
    else
      comparison.expect_parts(weight.info);
  }
  comparison.report([&](const std::string& name) { return is_derived(config, name); });
  warn_of_stale_head(config, checkpoint);
}

}  // namespace fathom
