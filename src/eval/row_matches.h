// Rows for the places of a text where a pattern matches, such as the blanks of a cloze.
#pragma once
#include <vector>

#include "eval/upstream.h"

namespace fathom {

// Of each row as many as its text has matches. A row without the text, or without a match in it, stays as one
// with its error.
std::vector<UpstreamRow> rows_of_matches(const RowFormat::Matches& matches,
                                         const std::vector<UpstreamRow>& rows);

}  // namespace fathom
