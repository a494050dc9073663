// Runs as the JSON that the page's script draws, safe to stand in the page.
#pragma once
#include <span>
#include <string>

#include "report/run_folder.h"

namespace fathom {

// {"runs": [...]}: see page/report.js.
std::string page_data(std::span<const RunFolder> runs);

}  // namespace fathom
