// How fast one device computes a training step, kind of op by kind of op: a small JSON file that
// bench/step_bench.cpp writes from a measured step. bench/rates/ holds one for an H100.
#pragma once
#include <string>
#include <vector>

#include "io/json.h"
#include "plan/work.h"
#include "tensor/dtype.h"
#include "tensor/profile.h"

namespace fathom {

// Kinds of ops that have a rate of their own.
enum class RateKind {
  dense_forward,
  dense_input_gradient,
  dense_weight_gradient,
  experts_forward,
  experts_input_gradient,
  experts_weight_gradient,
  attention_forward,
  attention_backward,
  memory,    // all others: bound by what they move
  optimizer  // AdamW and the norm of the gradients
};
constexpr int rate_kinds = 10;
RateKind rate_kind(const std::string& op);
const char* name_of(RateKind kind);
// Operations per second, two for a multiply-add (of attention: below the diagonal only), or bytes per second.
constexpr bool in_operations(RateKind kind) {
  return kind < RateKind::memory;
}

struct Rates {
  std::string device;  // what was measured
  std::string source;  // and where the figures stand
  bool on_host = false;
  DType dtype = DType::bf16;
  double limit = 0;       // operations per second of a large matrix product
  double whole_step = 1;  // the time of a step over that of all its ops, one by one
  std::vector<double> of_kind = std::vector<double>(rate_kinds);

  double of(RateKind kind) const { return of_kind[static_cast<size_t>(kind)]; }
  // A product with few rows is bound by its weights' bytes instead.
  double seconds(const OpWork& work) const;
  // Of ops in a step, with what lies between them.
  double seconds(const Work& work) const;
};

// `where` is in the errors.
Rates rates_from_json(const Json& json, const std::string& where);
Rates read_rates(const std::string& path);
OrderedJson rates_to_json(const Rates& rates);
// bench/rates/h100.json as it was when the program was built.
Rates default_rates();

// From the ops of a training step as they were timed; `rates` has the rest. Error naming a kind of op that
// the step did not have.
Rates measured_rates(Rates rates, const std::vector<Profile::Row>& ops);

}  // namespace fathom
