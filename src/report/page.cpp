#include "report/page.h"

#include <algorithm>

#include "report/page_data.h"
#include "report/page_files.h"

namespace fathom {

ReportLimits report_limits(size_t runs) {
  const auto share = [runs](int64_t all, int64_t least) {
    return std::max(all / static_cast<int64_t>(std::max<size_t>(runs, 1)), least);
  };
  ReportLimits limits;
  limits.buckets = std::min(limits.buckets, share(5 * limits.buckets, 200));
  limits.load_bytes = share(limits.load_bytes, 1 << 14);
  limits.samples = static_cast<size_t>(share(static_cast<int64_t>(limits.samples), 4));
  limits.rollouts.groups = static_cast<size_t>(share(static_cast<int64_t>(limits.rollouts.groups), 4));
  return limits;
}

std::string report_page(std::span<const RunFolder> runs) {
  return html_page(report_page_files, "fathom report", page_data(runs));
}

}  // namespace fathom
