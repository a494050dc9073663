// A log that other programs read while it grows: each piece goes to the file whole, at once, and a piece that
// cannot be written completely (full disk) is removed again, so that the file stays readable.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom {

class AppendFile {
 public:
  enum class Mode { create_new, extend };  // create_new: it must not exist yet

  AppendFile(std::string path, Mode mode);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  const std::string& path() const { return path_; }
  void append(std::string_view piece);
  // Waits until everything is on the disk.
  void sync();

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

}  // namespace fathom
