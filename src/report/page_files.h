// The files of src/report/page/, which CMake puts into the program.
#pragma once
#include <string_view>

namespace fathom::page_files {

extern const std::string_view frame;   // page.html
extern const std::string_view style;   // report.css
extern const std::string_view script;  // the scripts, one after another

}  // namespace fathom::page_files
