// JSON that stands in a page.
#pragma once
#include <string>

#include "io/json.h"

namespace fathom {

// As it may stand inside <script>: no '<', no line separators, ASCII alone. Bytes that are not UTF-8 are
// replaced.
std::string script_json(const OrderedJson& json);

// As many digits as a picture needs: a double has 17.
double rounded(double value);

// At most so many bytes, cut between characters of UTF-8, with a mark where something is cut off: behind the
// text, or before it.
std::string shortened(std::string text, size_t most);
std::string shortened_left(std::string text, size_t most);

}  // namespace fathom
