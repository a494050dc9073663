// The files of src/compare/page/, which CMake puts into the program.
#pragma once
#include "page/html_page.h"

namespace fathom {

extern const PageFiles leaderboard_page_files;

}  // namespace fathom
