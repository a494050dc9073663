// The files of src/report/page/, which CMake puts into the program.
#pragma once
#include "page/html_page.h"

namespace fathom {

extern const PageFiles report_page_files;

}  // namespace fathom
