// Random DeepSeek-V2 checkpoints made by Hugging Face transformers (tools/make_golden.py): logits, loss,
// hidden states, experts and every gradient.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "support/golden.h"
#include "support/gpus.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using testing::golden_dir;

struct Case {
  std::string model;
  Backend backend;
  DType dtype;
};

std::string device_of(Backend backend) {
  if (backend == Backend::cuda) return "cuda";
  return backend == Backend::cpu ? "cpu" : "reference";
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& entry : std::filesystem::directory_iterator(golden_dir(""))) {
    if (!entry.is_directory()) continue;
    const std::string name = entry.path().filename();
    for (DType dtype : {DType::f64, DType::f32}) cases.push_back({name, Backend::reference, dtype});
    for (DType dtype : {DType::f32, DType::bf16}) {
      cases.push_back({name, Backend::cpu, dtype});
      if (testing::gpus() > 0) cases.push_back({name, Backend::cuda, dtype});
    }
  }
  std::sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) { return a.model < b.model; });
  return cases;
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return c.model + "_" + device_of(c.backend) + "_" + std::string(name_of(c.dtype));
}

class GoldenTest : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, ::testing::ValuesIn(all_cases()), case_name);

TEST_P(GoldenTest, AgreesWithTransformers) {
  const Case& c = GetParam();
  Device device = Device::named(device_of(c.backend), 2);
  const Model model = load_model(device, golden_dir(c.model), c.dtype);
  const SafetensorsFile golden(testing::golden_file(c.model));
  OwnReference own = testing::own_reference(c.model);
  const std::vector<Verdict> verdicts = verify_model(device, model, golden, own);
  EXPECT_GE(verdicts.size(), 29u);
  for (const Verdict& v : verdicts)
    EXPECT_TRUE(v.pass()) << v.name << ": " << v.error << " > " << v.tolerance.value << " ("
                          << v.tolerance.reason << ")";
}

TEST(Checkpoint, SavedAndLoadedIsTheSame) {
  TempDir dir;
  const Model model = load_model(Device::cpu(1), golden_dir("v2_like"));
  save_model(Device::cpu(1), dir.path(), model);
  const Model again = load_model(Device::cpu(1), dir.path());
  EXPECT_EQ(again.config, model.config);
  const auto a = list_weights(model.config, model.weights), b = list_weights(model.config, again.weights);
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_EQ(0, std::memcmp(a[i].weight.data.data, b[i].weight.data.data, a[i].weight.data.bytes()))
        << a[i].info.name;
}

}  // namespace
}  // namespace fathom
