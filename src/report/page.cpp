// A run's own words (paths, recipe, samples) are data: JSON without '<', which the script shows as text.
// Should that ever fail, the page's Content-Security-Policy runs no script without a nonce that nobody could
// know before.
#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <string_view>

#include "report/page_data.h"
#include "report/page_files.h"

namespace fathom {
namespace {

std::string random_hex() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

// Each {{NAME}} of the frame by its text, which is not searched again.
std::string filled(std::string_view frame, const std::map<std::string_view, std::string_view>& texts) {
  std::string page;
  for (size_t open; (open = frame.find("{{")) != std::string_view::npos;) {
    const size_t close = frame.find("}}", open);
    page += frame.substr(0, open);
    page += texts.at(frame.substr(open + 2, close - open - 2));
    frame.remove_prefix(close + 2);
  }
  return page += frame;
}

}  // namespace

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
  const std::string nonce = random_hex(), data = page_data(runs);
  return filled(
      page_files::frame,
      {{"nonce", nonce}, {"style", page_files::style}, {"script", page_files::script}, {"data", data}});
}

}  // namespace fathom
