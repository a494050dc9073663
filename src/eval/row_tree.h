// Rows inside a JSON value, as RowFormat::each and RowFormat::parallel describe them.
#pragma once
#include <string>
#include <vector>

#include "eval/upstream.h"

namespace fathom {

// Appends the rows of a value. What is no row is appended with its error; an Error when the way leads
// nowhere. A list without a way is a list of rows.
void rows_of_tree(const Json& value, const std::string& where, const RowFormat& format,
                  std::vector<UpstreamRow>& rows);

}  // namespace fathom
