// Lines from standard input, as a person at a terminal types them.
#pragma once
#include <string>

namespace fathom {

class TerminalReader {
 public:
  enum class Got { line, end, interrupt };

  // The next line without its end. At the end of the input a last line without one counts; an interrupt
  // (catch_ctrl_c) drops what was typed.
  Got read(std::string& line);
  // A message: a line; lines that end with a backslash go on; what begins with """ goes on to the line that
  // ends with it. `more` is called before each further line.
  template <class More>
  Got read_message(std::string& message, const More& more) {
    constexpr std::string_view quotes = "\"\"\"";
    Got got = read(message);
    if (got != Got::line) return got;
    std::string line;
    if (message.starts_with(quotes)) {
      message.erase(0, quotes.size());
      while (!message.ends_with(quotes)) {
        more();
        if ((got = read(line)) != Got::line) return got;
        message += (message.empty() ? "" : "\n") + line;
      }
      message.resize(message.size() - quotes.size());
      return got;
    }
    while (message.ends_with('\\')) {
      message.pop_back();
      more();
      if ((got = read(line)) != Got::line) return got;
      message += "\n" + line;
    }
    return got;
  }

 private:
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace fathom
