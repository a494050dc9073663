#include "cli/profile_report.h"

#include <algorithm>

#include "cli/standard_streams.h"
#include "ops/limits.h"

namespace fathom {
namespace {

constexpr size_t gaps_named = 3;

// Time beyond what the limits would need.
double gap(const Profile::Row& row, const Limits& limits) {
  return std::max(0.0, row.seconds - least_seconds(limits, row.bytes, row.operations));
}

void print_row(const Profile::Row& r, const Limits& limits, double total) {
  const double least = least_seconds(limits, r.bytes, r.operations);
  print_message("{:<32}{:>7}{:>11.3f}{:>7.1f}%{:>10.1f}{:>12.1f}{:>8.0f}%\n", r.op, r.calls, r.seconds * 1e3,
                100 * r.seconds / total, r.bytes / r.seconds * 1e-9, r.operations / r.seconds * 1e-9,
                100 * least / r.seconds);
}

}  // namespace

void print_profile(Device& device, DType dtype, Profile& profile, const std::string& title) {
  std::vector<Profile::Row> rows = profile.rows();
  if (rows.empty()) return;
  const std::vector<Profile::Call>& calls = profile.calls();
  const double whole = calls.back().begin + calls.back().seconds - calls.front().begin;
  const Limits limits = measure_limits(device, dtype);
  Profile::Row sum{"all ops"};
  for (const Profile::Row& r : rows)
    sum.calls += r.calls, sum.seconds += r.seconds, sum.bytes += r.bytes, sum.operations += r.operations;
  print_message("{}: {:.3f} ms, {:.3f} of them outside ops\n", title, whole * 1e3,
                (whole - sum.seconds) * 1e3);
  print_message("limits measured here: {:.1f} GB/s moved, {:.1f} GFLOP/s in {} matrix products\n",
                limits.bytes * 1e-9, limits.operations * 1e-9, name_of(dtype));
  print_message("{:<32}{:>7}{:>11}{:>8}{:>10}{:>12}{:>9}\n", "op", "calls", "ms", "share", "GB/s", "GFLOP/s",
                "of limit");
  for (const Profile::Row& r : rows) print_row(r, limits, whole);
  print_row(sum, limits, whole);

  std::stable_sort(rows.begin(), rows.end(), [&](const Profile::Row& a, const Profile::Row& b) {
    return gap(a, limits) > gap(b, limits);
  });
  print_message("largest gaps to the limit:");
  for (size_t i = 0; i < std::min(gaps_named, rows.size()); ++i)
    print_message("{} {} {:.3f} ms", i ? "," : "", rows[i].op, gap(rows[i], limits) * 1e3);
  print_message("\n");
}

}  // namespace fathom
