// Runs as the JSON that the page's script draws, safe to stand in the page.
#pragma once
#include <span>
#include <string>

#include "report/run_folder.h"

namespace fathom {

// {"runs": [...]}: see page/report.js.
std::string page_data(std::span<const RunFolder> runs);

// Short names that tell the runs apart: the last folder's, or the whole path.
std::vector<std::string> run_names(std::span<const RunFolder> runs);

// JSON that may stand inside <script>: no '<', no line separators, ASCII alone. Bytes that are not UTF-8 are
// replaced.
std::string script_json(const OrderedJson& json);

}  // namespace fathom
