#include "comm/program_hash.h"

#include <cstdint>
#include <fstream>
#include <vector>

#include "base/error.h"

namespace fathom {

std::string program_hash() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  check(file.good(), "cannot read this program's own file, /proc/self/exe");
  uint64_t hash = 0xcbf29ce484222325;
  std::vector<char> buffer(1 << 20);
  do {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    for (std::streamsize i = 0; i < file.gcount(); ++i)
      hash = (hash ^ static_cast<unsigned char>(buffer[i])) * 0x100000001b3;
  } while (file);
  return fmt::format("{:016x}", hash);
}

}  // namespace fathom
