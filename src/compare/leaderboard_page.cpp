#include "compare/leaderboard_page.h"

#include "compare/differing_items.h"
#include "compare/page_files.h"
#include "page/page_json.h"

namespace fathom {
namespace {

// Numbers with as many digits as a page can show.
void round_numbers(OrderedJson& json) {
  if (json.is_number_float()) json = rounded(json.get<double>());
  if (json.is_structured())
    for (OrderedJson& value : json) round_numbers(value);
}

}  // namespace

std::string leaderboard_page(const Comparison& comparison) {
  OrderedJson json = comparison_json(comparison);
  round_numbers(json);
  json["differing"] = differing_items_json(comparison);
  return html_page(leaderboard_page_files, "fathom leaderboard", script_json(json));
}

}  // namespace fathom
