// What a screening left out, for people and for programs.
#pragma once
#include <string>
#include <string_view>

#include "data/screen.h"
#include "io/json.h"

namespace fathom {

// The first characters of a text, as valid UTF-8.
std::string text_begin(std::string_view text);

OrderedJson dropped_to_json(const DroppedDocument& dropped);
// Counts and samples; nothing that differs from run to run.
OrderedJson report_to_json(const ScreenReport& report);
// A table of counts, and below it the samples, a line each.
std::string report_text(const ScreenReport& report);

}  // namespace fathom
