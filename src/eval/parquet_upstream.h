// Rows of a .parquet file of a data set.
#pragma once
#include "eval/upstream.h"

namespace fathom {

// Appends them. Bytes that are no text, such as pictures, are null; a row with a text that is not UTF-8 is
// none.
void rows_of_parquet(const std::string& path, const RowFormat& format, std::vector<UpstreamRow>& rows);

}  // namespace fathom
