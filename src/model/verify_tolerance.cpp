#include "model/verify_tolerance.h"

#include <fmt/format.h>

#include <cmath>

namespace fathom {
namespace {

// The largest relative error of one rounding to bf16, which keeps 8 bits; on average 0.8 of it.
constexpr double bf16_rounding = 1.0 / 512;
// A layer of bf16: 16 independent roundings, 4 * 0.8 * 2e-3 = 6e-3; three times that.
constexpr double bf16_layer = 2e-2;
// One layer's results of f32: sums of some hundred terms, each rounded to 24 bits; seen: 3e-7 a layer in
// hidden states, 2e-6 in gradients.
constexpr double f32_layer = 2e-6, f32_gradient_layer = 1e-5;
// f64 differs only by the file, which is stored in f32: 6e-8 at most.
constexpr double f64_stored_in_f32 = 2e-7;

constexpr const char* stored = "f64; the golden file is stored in f32, to 24 bits";

double f32_sums(double one_layer, int64_t layers) {
  return one_layer * static_cast<double>(1 + layers);
}

}  // namespace

Tolerance whole_tolerance(DType dtype, int64_t layers) {
  if (dtype == DType::f64) return {f64_stored_in_f32, stored};
  if (dtype == DType::f32)
    return {f32_sums(f32_layer, layers),
            fmt::format("f32 sums: {:.0e} for the head and each of {} layers", f32_layer, layers)};
  // The layers' errors are independent of each other: their squares add up.
  return {bf16_layer * std::sqrt(static_cast<double>(std::max<int64_t>(layers, 1))),
          fmt::format("bf16: {} layers' errors of at most {:.0e} each, adding up as their root", layers,
                      bf16_layer)};
}

Tolerance whole_gradient_tolerance(DType dtype, int64_t layers) {
  if (dtype == DType::f64) return {f64_stored_in_f32, stored};
  return {f32_sums(f32_gradient_layer, layers),
          fmt::format(
              "f32 sums, forward and backward: {:.0e} for the head and each of {} layers; small gradients "
              "are differences of larger terms",
              f32_gradient_layer, layers)};
}

Tolerance rounded_tolerance() {
  return {3 * bf16_rounding, "bf16: input, weight and output are each rounded to 8 bits, 2e-3 at most"};
}

Tolerance half_layer_tolerance() {
  // 8 independent roundings: root of 8 * 0.8 * 2e-3 = 4.5e-3; three times that.
  return {
      1.5e-2,
      "bf16: about 8 roundings in a row in half a layer, run from the reference's state: 5e-3; 3 times that"};
}

Tolerance half_layer_gradient_tolerance() {
  // 16 independent roundings: 4 * 0.8 * 2e-3 = 6e-3; five times that.
  return {3e-2,
          "bf16: about 16 roundings in a row in half a layer, forward and backward, from the reference's "
          "state and "
          "gradient: 6e-3; 5 times that, for sums that cancel"};
}

Tolerance experts_tolerance(DType dtype, int64_t layers) {
  const Tolerance one = dtype == DType::bf16 ? half_layer_tolerance() : whole_tolerance(dtype, layers);
  return {2 * one.value, "another choice must be a near tie: two scores, each off by " +
                             fmt::format("{:.0e}", one.value) + " (" + one.reason + ")"};
}

Tolerance greedy_tolerance(DType dtype, int64_t layers) {
  // The tolerance is of all tokens together; one token's logits may be off by twice as much.
  const Tolerance one = whole_tolerance(dtype, layers);
  return {4 * one.value,
          fmt::format(
              "another token must be a near tie: two logits, each off by twice the average of {:.0e} ({})",
              one.value, one.reason)};
}

Tolerance stored_in(DType golden, Tolerance tolerance) {
  if (golden == DType::bf16) {
    tolerance.value += bf16_rounding;
    tolerance.reason += "; the golden file is stored in bf16: 2e-3 more";
  }
  return tolerance;
}

}  // namespace fathom
