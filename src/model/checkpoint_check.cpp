#include "model/checkpoint_check.h"

#include <string_view>
#include <unordered_set>

#include "base/error.h"
#include "base/log.h"
#include "model/checkpoint_layout.h"

namespace fathom {
namespace {

constexpr int64_t counted_faults = 1000;  // a config may claim any number of tensors; counting stops here

class Faults {
 public:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    if (count_++ == 0) first_ = fmt::format(format, std::forward<Args>(args)...);
  }
  bool enough() const { return count_ > counted_faults; }
  void report() const {
    if (count_ == 0) return;
    if (count_ == 1) throw Error(first_);
    fail("{}; and {}{} more", first_, enough() ? "at least " : "", count_ - 1);
  }

 private:
  int64_t count_ = 0;
  std::string first_;
};

class Comparison {
 public:
  Comparison(const Config& config, const CheckpointReader& checkpoint)
      : config_(config), checkpoint_(checkpoint) {}

  void run() {
    Weights none;
    for (const NamedWeight& weight : list_weights(config_, none)) {
      if (faults_.enough()) break;
      compare(weight.info);
    }
    for (const std::string& name : checkpoint_.names())
      if (!wanted_.contains(name) && !is_derived(config_, name))
        faults_.add("{}: tensor '{}' is not part of this model", checkpoint_.file_of(name), name);
    faults_.report();
  }

 private:
  void compare(const WeightInfo& weight) {
    if (weight.shape.size() == 3 && checkpoint_.entry(weight.name)) return compare(weight.name, weight.shape);
    for (const StoredPart& part : stored_parts(weight)) {
      if (faults_.enough()) return;
      if (part.stored_row == 0) compare(part.name, part.shape);
    }
  }

  void compare(const std::string& name, const std::vector<int64_t>& shape) {
    wanted_.insert(name);
    const SafetensorsEntry* entry = checkpoint_.entry(name);
    if (!entry)
      faults_.add("{}: tensor '{}' is missing", checkpoint_.listing(), name);
    else if (entry->shape != shape)
      faults_.add("{}: tensor '{}' has shape [{}], this model's has [{}]", checkpoint_.file_of(name), name,
                  fmt::join(entry->shape, ", "), fmt::join(shape, ", "));
    else if (!entry->view || !is_float(entry->view.dtype))
      faults_.add("{}: tensor '{}' is of type {}: expected F32, BF16, F16 or F64", checkpoint_.file_of(name),
                  name, entry->dtype);
  }

  const Config& config_;
  const CheckpointReader& checkpoint_;
  std::unordered_set<std::string> wanted_;
  Faults faults_;
};

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
  Comparison(config, checkpoint).run();
  warn_of_stale_head(config, checkpoint);
}

}  // namespace fathom
