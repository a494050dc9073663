// The report of runs: one HTML page with its style, its script and its data, which asks nothing of a network.
#pragma once
#include <span>
#include <string>

#include "report/run_folder.h"

namespace fathom {

// How much of each of so many runs goes into one page.
ReportLimits report_limits(size_t runs);

std::string report_page(std::span<const RunFolder> runs);

}  // namespace fathom
