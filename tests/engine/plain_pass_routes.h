// The models and devices on which log-probabilities of the engine are held against a plain pass.
#pragma once
#include <string>
#include <vector>

#include "support/gpus.h"
#include "support/small_model.h"

namespace fathom::testing {

struct PlainPassRoute {
  const char* name;
  Config config;
  std::string device;
  DType dtype;
  double bound;  // of a log-probability's difference
};

// Logits differ by some roundings of a chain of layers; divided by a temperature of 0.7 and more.
inline std::vector<PlainPassRoute> plain_pass_routes() {
  std::vector<PlainPassRoute> all = {{"v2_reference_f64", v2_like(), "reference", DType::f64, 1e-12},
                                     {"lite_reference_f64", lite_like(), "reference", DType::f64, 1e-12},
                                     {"v2_cpu_f32", v2_like(), "cpu", DType::f32, 1e-5},
                                     {"lite_cpu_f32", lite_like(), "cpu", DType::f32, 1e-5},
                                     {"gqa_cpu_f32", gqa_like(), "cpu", DType::f32, 1e-5},
                                     {"real_heads_cpu_bf16", real_heads(), "cpu", DType::bf16, 0.1}};
  if (gpus() > 0) {
    all.push_back({"v2_cuda_f32", v2_like(), "cuda", DType::f32, 1e-5});
    all.push_back({"real_heads_cuda_bf16", real_heads(), "cuda", DType::bf16, 0.2});
  }
  return all;
}

}  // namespace fathom::testing
