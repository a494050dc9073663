#include "plan/rates.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/error.h"
#include "base/parse_number.h"

namespace fathom {
namespace {

constexpr std::array<const char*, rate_kinds> kind_names = {
    "dense_forward",     "dense_input_gradient",   "dense_weight_gradient",
    "experts_forward",   "experts_input_gradient", "experts_weight_gradient",
    "attention_forward", "attention_backward",     "memory",
    "optimizer"};
constexpr double tera = 1e12, giga = 1e9;
constexpr Allowed<double> speeds{.low = 1e-6, .high = 1e9};  // in these units; others are mistakes

double unit_of(RateKind kind) {
  return in_operations(kind) ? tera : giga;
}

}  // namespace

RateKind rate_kind(const std::string& op) {
  static const std::map<std::string, RateKind> kinds = {
      {"linear_forward", RateKind::dense_forward},
      {"linear_backward_input", RateKind::dense_input_gradient},
      {"linear_backward_weight", RateKind::dense_weight_gradient},
      {"grouped_linear_forward", RateKind::experts_forward},
      {"grouped_linear_backward_input", RateKind::experts_input_gradient},
      {"grouped_linear_backward_weight", RateKind::experts_weight_gradient},
      {"attention_forward", RateKind::attention_forward},
      {"attention_backward", RateKind::attention_backward},
      {"adamw", RateKind::optimizer},
      {"sum_squares", RateKind::optimizer}};
  const auto found = kinds.find(op);
  return found == kinds.end() ? RateKind::memory : found->second;
}

const char* name_of(RateKind kind) {
  return kind_names[static_cast<size_t>(kind)];
}

double Rates::seconds(const OpWork& work) const {
  const RateKind kind = rate_kind(work.op);
  if (!in_operations(kind)) return work.bytes / of(kind);
  return std::max(work.operations / of(kind), work.bytes / of(RateKind::memory));
}

double Rates::seconds(const Work& work) const {
  double sum = 0;
  for (const OpWork& w : work) sum += seconds(w);
  return sum * whole_step;
}

Rates rates_from_json(const Json& json, const std::string& where) {
  const JsonObject o(json, where);
  Rates r;
  r.device = o.required<std::string>("device");
  r.source = o.required<std::string>("source");
  const auto backend = o.required<std::string>("backend");
  check(backend == "cpu" || backend == "cuda", "{}: field 'backend' is '{}', expected cpu or cuda", where,
        backend);
  r.on_host = backend == "cpu";
  const auto dtype = o.required<std::string>("dtype");
  check(dtype == "f32" || dtype == "bf16", "{}: field 'dtype' is '{}', expected f32 or bf16", where, dtype);
  r.dtype = dtype_named(dtype);
  const auto rate = [&](const std::string& group, const std::string& name, double unit) {
    const double value = o.child(group).required<double>(name);
    check(value >= speeds.low && value <= speeds.high, "{}: field '{}.{}' is {}, expected {}", where, group,
          name, value, range_text(speeds));
    return value * unit;
  };
  r.limit = rate("tflops", "limit", tera);
  r.whole_step = o.required<double>("whole_step");
  constexpr Allowed<double> ratio{.low = 0.1, .high = 100};
  check(r.whole_step >= ratio.low && r.whole_step <= ratio.high, "{}: field 'whole_step' is {}, expected {}",
        where, r.whole_step, range_text(ratio));
  for (int i = 0; i < rate_kinds; ++i) {
    const auto kind = static_cast<RateKind>(i);
    r.of_kind[static_cast<size_t>(i)] =
        rate(in_operations(kind) ? "tflops" : "gb_per_s", name_of(kind), unit_of(kind));
  }
  return r;
}

Rates read_rates(const std::string& path) {
  return rates_from_json(read_json(path), path);
}

OrderedJson rates_to_json(const Rates& r) {
  OrderedJson j = {{"device", r.device},
                   {"source", r.source},
                   {"backend", r.on_host ? "cpu" : "cuda"},
                   {"dtype", name_of(r.dtype)}};
  j["whole_step"] = r.whole_step;
  j["tflops"]["limit"] = r.limit / tera;
  for (int i = 0; i < rate_kinds; ++i) {
    const auto kind = static_cast<RateKind>(i);
    j[in_operations(kind) ? "tflops" : "gb_per_s"][name_of(kind)] = r.of(kind) / unit_of(kind);
  }
  return j;
}

Rates measured_rates(Rates r, const std::vector<Profile::Row>& ops) {
  std::array<double, rate_kinds> done{}, seconds{};
  for (const Profile::Row& row : ops) {
    const RateKind kind = rate_kind(row.op);
    done[static_cast<size_t>(kind)] += in_operations(kind) ? row.operations : row.bytes;
    seconds[static_cast<size_t>(kind)] += row.seconds;
  }
  for (size_t i = 0; i < rate_kinds; ++i) {
    check(seconds[i] > 0 && done[i] > 0, "the step had no op of the kind {}: the model must have experts",
          kind_names[i]);
    r.of_kind[i] = done[i] / seconds[i];
  }
  return r;
}

}  // namespace fathom
