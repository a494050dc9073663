// The files of src/sandbox/python/, which CMake puts into the program.
#pragma once
#include <string_view>

namespace fathom::python_files {

extern const std::string_view host, judge, remote, test_code, wire;  // NAME.py

}  // namespace fathom::python_files
