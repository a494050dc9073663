// The files of src/page/shared/, which CMake puts into the program: what every page begins with.
#pragma once
#include "page/html_page.h"

namespace fathom {

extern const PageFiles shared_page_files;  // its body is the frame around those of the pages

}  // namespace fathom
