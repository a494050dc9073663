// The loss and the gradient that a run with adapters begins with are PEFT's (tools/make_lora_golden.py).
#include <gtest/gtest.h>

#include <cmath>

#include "align/row_windows.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "train/trainer.h"

namespace fathom::testing {
namespace {

// The golden file's sequences as rows that are learned from their second token on.
TrainingData golden_rows(const SafetensorsFile& golden, const Config& model) {
  const std::vector<int32_t> ids = golden.read_ints("input_ids");
  const ConstTensor shape = golden.entry("input_ids")->view;
  const auto T = static_cast<size_t>(shape.shape[1]);
  Pieces pieces;
  std::vector<int64_t> all;
  for (size_t first = 0; first < ids.size(); first += T) {
    EncodedRow row{.tokens = {ids.begin() + static_cast<std::ptrdiff_t>(first),
                              ids.begin() + static_cast<std::ptrdiff_t>(first + T)},
                   .weights = std::vector<float>(T, 1)};
    row.weights[0] = 0;
    all.push_back(pieces.count());
    pieces.add({.rows = {row}});
  }
  TrainingData data;
  data.tokens = static_cast<int64_t>(ids.size());
  data.identity = pieces.hash();
  data.training = std::make_unique<RowWindows>(std::move(pieces), std::vector<std::vector<int64_t>>{all},
                                               MeanOver::targets);
  data.sources = {{0, 1}};
  data.vocabulary = {.size = static_cast<int32_t>(model.vocab_size),
                     .bos = static_cast<int32_t>(model.bos_token_id.value_or(0)),
                     .eos = static_cast<int32_t>(model.eos_token_ids.at(0)),
                     .fingerprint = "golden"};
  return data;
}

class LoraStep : public ::testing::TestWithParam<const char*> {};
// v2_like's gate and up of routed experts have one A in PEFT and one each here: its loss is the same, its
// gradient has another norm.
INSTANTIATE_TEST_SUITE_P(Of, LoraStep, ::testing::Values("v2_like", "lite_like", "llama"));

TEST_P(LoraStep, BeginsAsPeftDoes) {
  const std::string name = GetParam(), adapter = source_dir() + "/tests/golden_lora/" + name;
  const SafetensorsFile golden(adapter + "/golden.safetensors");
  TempDir out;
  const std::vector<Setting> settings = {flag_setting("model.init_from", golden_dir(name)),
                                         flag_setting("lora.init_from", adapter),
                                         flag_setting("model.aux_loss_alpha", "0"),
                                         flag_setting("data.train", "rows"),
                                         flag_setting("data.sequence_length", "128"),
                                         flag_setting("schedule.steps", "1"),
                                         flag_setting("batch.sequences", "1"),
                                         flag_setting("run.output", out / "out"),
                                         flag_setting("run.threads", "1")};
  TrainingKind kind;
  kind.open_data = [&](const Recipe& r, int) { return golden_rows(golden, read_config(r.model.init_from)); };
  Trainer trainer(read_recipe("", settings, TrainingMethod::sft), {}, {}, nullptr, kind);
  const StepReport report = trainer.step();
  EXPECT_NEAR(report.loss, golden.tensor("loss").as<float>()[0], 1e-5);

  double squares = 0;
  for (const SafetensorsEntry& entry : golden.tensors()) {
    if (!entry.name.starts_with("grad.")) continue;
    const ConstTensor t = golden.tensor(entry.name);
    for (int64_t i = 0; i < t.count(); ++i)
      squares += static_cast<double>(t.as<float>()[i]) * static_cast<double>(t.as<float>()[i]);
  }
  EXPECT_GT(report.grad_norm, 0);
  if (name != "v2_like") {
    EXPECT_NEAR(report.grad_norm, std::sqrt(squares), 1e-4 * report.grad_norm);
  }
}

}  // namespace
}  // namespace fathom::testing
