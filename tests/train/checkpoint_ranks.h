// All ranks of this program, and a folder that they see: one (checkpoint_launch_test.cpp), or those of
// mpirun.
#pragma once
#include <gmock/gmock.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/agreement.h"
#include "comm/ranks.h"
#include "support/temp_dir.h"
#include "train/checkpoint_content.h"

namespace fathom::testing {

// Sizes that no number of ranks divides.
inline Config odd_sizes() {
  Config c = v2_like();
  c.vocab_size = 53, c.hidden_size = 19, c.intermediate_size = 23, c.moe_intermediate_size = 7;
  c.q_lora_rank = 11, c.kv_lora_rank = 13, c.topk_method = TopkMethod::noaux_tc;
  return c;
}

struct Case {
  const char* name;
  Config config;
  DType dtype;
};
inline const std::vector<Case>& cases() {
  static const std::vector<Case> all = {{"odd sizes and a choice bias in f32", odd_sizes(), DType::f32},
                                        {"dense and MoE in bf16", v2_like(), DType::bf16},
                                        {"tied embeddings in bf16", lite_like(), DType::bf16},
                                        {"grouped-query attention in bf16", gqa_like(), DType::bf16}};
  return all;
}

class CheckpointOfRanks : public ::testing::Test {
 protected:
  CheckpointOfRanks() {
    if (ranks_.rank() == 0) dir_ = std::make_unique<TempDir>();
    path_ = broadcast_text(ranks_, dir_ ? dir_->path() : "");
  }
  ~CheckpointOfRanks() override { ranks_.barrier(); }

  int rank() const { return ranks_.rank(); }
  int size() const { return ranks_.size(); }
  int last() const { return size() - 1; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  static std::string step_in(const std::string& output) { return checkpoint_folder(output, state_.step); }

  // By all ranks; with a thread of its own on every rank or on some.
  void write(const Case& c, const Content& content, Deal deal, const std::string& output) {
    CheckpointWriter writer(
        ranks_, device_,
        checkpoint_content(recipe_for(output, c.dtype), state_, {.config = c.config, .dtype = c.dtype}),
        dealt(content.all(), deal, rank(), size()));
    if (deal == Deal::scattered || (deal == Deal::in_a_row && rank() == last())) writer.start();
    if (deal == Deal::scattered && size() > 1)
      while (!writer.done()) continue;
    writer.finish();
  }
  // By this process alone.
  void write_alone(const Case& c, const Content& content, const std::string& output) const {
    Communicator alone = Communicator::alone(device_);
    CheckpointWriter(
        alone, device_,
        checkpoint_content(recipe_for(output, c.dtype), state_, {.config = c.config, .dtype = c.dtype}),
        content.all())
        .finish();
  }
  // That of the action, which is the same on every rank.
  std::string common_error_of(const std::function<void()>& action) {
    const std::string error = error_of(action);
    for (const std::string& other : gather_texts(ranks_, error)) EXPECT_EQ(other, error);
    return error;
  }
  void expect_names(const std::string& output, const std::vector<std::string>& expected) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(output))
      names.push_back(entry.path().filename());
    EXPECT_EQ(names, expected) << "in " << output;
  }

  static constexpr int64_t step_number = 7;
  static inline const RunState state_ = {.step = step_number, .tokens = 70, .windows_read = 21};
  const Device device_ = Device::cpu(1);
  Communicator ranks_ = all_ranks(device_, {});
  std::unique_ptr<TempDir> dir_;  // rank 0's
  std::string path_;
};

}  // namespace fathom::testing
