// Standard input, and standard output, which carries the result of a command. What cannot be read or written
// (a full disk, a closed pipe) is an Error.
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace fathom {

// To its end.
std::string read_input();

// What is written shows up at once when `flush` is set, else at flush_output() at the latest.
void write_output(std::string_view text, bool flush = false);

template <class... Args>
void print_output(fmt::format_string<Args...> format, Args&&... args) {
  write_output(fmt::format(format, std::forward<Args>(args)...));
}

// To standard error, which may be closed.
void write_message(const std::string& text);

template <class... Args>
void print_message(fmt::format_string<Args...> format, Args&&... args) {
  write_message(fmt::format(format, std::forward<Args>(args)...));
}

// To be called at the end of the program: text in buffers is not written yet.
void flush_output();

// A pipe closed by its reader, or a file that may not grow further (ulimit -f), becomes a failed write
// instead of a signal that ends the process without a word, and a standard stream that is closed stays
// unusable instead of becoming the next file opened.
void prepare_standard_streams();

}  // namespace fathom
