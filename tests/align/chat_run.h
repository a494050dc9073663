// A small model over bytes, and recipes that fine-tune it on files of conversations.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "align/chat_data.h"
#include "chat_files.h"
#include "model/model_folder.h"
#include "support/small_model.h"
#include "train/trainer.h"

namespace fathom::testing {

class ChatRun {
 public:
  ChatRun() {
    Config c = v2_like();
    c.vocab_size = 258, c.bos_token_id = chat_bos, c.eos_token_ids = {chat_eos};
    save_model(Device::cpu(1), dir_ / "model", random_model(c, DType::f32));
    write_chat_tokenizer(dir_ / "model");
    write_file(dir_ / "chat.jsonl", conversations(40));
  }

  std::string path(const std::string& name) const { return dir_ / name; }
  std::string write(const std::string& name, const std::string& text) const {
    write_file(path(name), text);
    return path(name);
  }

  std::vector<std::pair<std::string, std::string>> flags(
      const std::string& out, const std::vector<std::pair<std::string, std::string>>& more = {}) const {
    std::vector<std::pair<std::string, std::string>> all = {{"model.init_from", path("model")},
                                                            {"data.train", path("chat.jsonl")},
                                                            {"data.sequence_length", "96"},
                                                            {"optimizer.lr", "3e-3"},
                                                            {"schedule.steps", "12"},
                                                            {"batch.sequences", "4"},
                                                            {"batch.micro_batch", "2"},
                                                            {"run.output", path(out)},
                                                            {"run.threads", "1"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Recipe recipe(const std::string& out,
                const std::vector<std::pair<std::string, std::string>>& more = {}) const {
    std::vector<Setting> settings;
    for (const auto& [key, text] : flags(out, more)) settings.push_back(flag_setting(key, text));
    return read_recipe("", settings, TrainingMethod::sft);
  }

  static TrainingKind kind() { return {.open_data = open_chat_data, .make_objective = {}}; }

 private:
  TempDir dir_;
};

// A metric of a step.
inline double mean(const StepReport& report, const std::string& name) {
  for (const auto& [key, value] : report.means)
    if (key == name) return value;
  ADD_FAILURE() << name;
  return 0;
}

// All weights, as bytes.
inline std::string weights_of(const Trainer& trainer) {
  const Arena& memory = trainer.model().memory;
  return {reinterpret_cast<const char*>(memory.data()), static_cast<size_t>(memory.size())};
}

}  // namespace fathom::testing
