// An adapter's folder, opened: which projections of a model its tensors are for, and their values.
#pragma once
#include <map>
#include <string>

#include "io/checkpoint.h"
#include "model/adapter_config.h"
#include "model/fused_adapter.h"
#include "model/weights.h"

namespace fathom {

class AdapterFile {
 public:
  explicit AdapterFile(const std::string& folder);

  // As with_adapter and load_adapter (model/adapter_folder.h).
  bool has_score_head() const;
  Config with(const Config& config) const;
  void load(const Device& device, const Config& config, Weights& weights, const ModelPart& part) const;

 private:
  using FusedParts = std::map<std::string, FusedPart>;

  // An adapter of `rank` for a projection that the model must have; the settings must agree.
  void add(Config& config, const std::string& projection, const std::string& module, int64_t rank,
           int64_t stored_rank) const;
  void add_modules(Config& config) const;
  // What the settings promise, and what the tensors are.
  void check_targets(const Config& config) const;
  void check_tensors(const Config& config, const FusedParts& fused) const;

  std::string settings_path_;
  AdapterConfig settings_;
  CheckpointReader tensors_;
};

}  // namespace fathom
