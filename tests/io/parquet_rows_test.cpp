// Parquet files of other programs give the rows that pyarrow reads from them, and what is wrong with a file
// is one Error.
#include "io/parquet_rows.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "io/file.h"
#include "io/json_rows.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

namespace fs = std::filesystem;

std::string golden(const std::string& name) {
  return testing::source_dir() + "/tests/io/parquet/" + name;
}

// Json's binary as the expected rows have it.
Json with_hex(Json value) {
  if (value.is_binary()) {
    std::string hex;
    for (const uint8_t byte : value.get_binary()) hex += fmt::format("{:02x}", byte);
    return {{"hex", hex}};
  }
  if (value.is_structured())
    for (Json& part : value) part = with_hex(std::move(part));
  return value;
}

int64_t compare(const std::string& path) {
  SCOPED_TRACE(path);
  ParquetRows rows(path);
  JsonRows expected(fs::path(path).replace_extension(".jsonl").string());
  int64_t n = 0;
  for (Json row, want; expected.next(want); ++n) {
    if (!rows.next(row)) {
      ADD_FAILURE() << "ends before row " << n + 1;
      return n;
    }
    EXPECT_EQ(with_hex(row), want) << rows.where();
    if (::testing::Test::HasFailure()) return n;
  }
  Json row;
  EXPECT_FALSE(rows.next(row));
  EXPECT_EQ(rows.row_number(), n);
  EXPECT_EQ(rows.consumed(), rows.total());
  return n;
}

int64_t compare_folder(const std::string& folder) {
  int64_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".parquet" &&
        fs::exists(fs::path(entry.path()).replace_extension(".jsonl")))
      compare(entry.path()), ++files;
  return files;
}

TEST(ParquetRows, FilesOfOtherProgramsGiveTheirRows) {
  EXPECT_GE(compare_folder(golden("")), 30);
}

TEST(ParquetRows, RandomFilesOfPyarrow) {
  const char* python = std::getenv("FATHOM_PEER_PYTHON");
  if (!python) GTEST_SKIP() << "FATHOM_PEER_PYTHON names no Python with pyarrow";
  TempDir dir;
  for (int seed = 0; seed < 4; ++seed) {
    const std::string folder = dir / std::to_string(seed);
    const std::string command = fmt::format("{} {}/tools/make_parquet_golden.py --random {} {}", python,
                                            testing::source_dir(), seed, folder);
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    EXPECT_EQ(compare_folder(folder), 40);
  }
}

TEST(ParquetRows, OnlyNamedColumnsAreRead) {
  ParquetRows rows(golden("nested_v1.parquet"), {"struct", "list"});
  Json row;
  ASSERT_TRUE(rows.next(row));
  EXPECT_EQ(row, (Json{{"list", {"a"}}, {"struct", {{"x", 1}, {"tags", {"p"}}}}}));
  EXPECT_EQ(rows.row_number(), 1);
  EXPECT_THAT(error_of([] { ParquetRows(golden("nulls.parquet"), {"c"}); }),
              HasSubstr("nulls.parquet: has no column 'c'; its columns are 'a', 'b'"));
}

// A column that is not read stands in nobody's way.
TEST(ParquetRows, WhatIsNotReadIsOneError) {
  const auto error = [](const std::string& name, const std::vector<std::string>& columns = {}) {
    return error_of([&] {
      ParquetRows rows(golden(name), columns);
      for (Json row; rows.next(row);) {
      }
    });
  };
  EXPECT_THAT(error("not_read_brotli.parquet"), HasSubstr("column 'flag': is compressed by BROTLI"));
  EXPECT_THAT(error("not_read_lz4.parquet", {"text"}), HasSubstr("column 'text': is compressed by LZ4_RAW"));
  EXPECT_THAT(error("not_read_int96.parquet"), HasSubstr("column 'a': has type INT96"));
}

TEST(ParquetRows, DamagedFilesAreErrors) {
  TempDir dir;
  const std::string whole = read_file(golden("codec_none_v1.parquet"));
  const auto error = [&](const std::string& bytes) {
    write_file(dir / "a.parquet", bytes);
    return error_of([&] {
      ParquetRows rows(dir / "a.parquet");
      for (Json row; rows.next(row);) {
      }
    });
  };
  EXPECT_THAT(error(""), HasSubstr("a.parquet: is no Parquet file"));
  EXPECT_THAT(error("{\"text\": \"a\"}\n"), HasSubstr("is no Parquet file"));
  EXPECT_THAT(error(whole.substr(0, whole.size() / 2)), HasSubstr("does not end with PAR1: it is cut off"));
  EXPECT_THAT(error("PAR1" + whole.substr(whole.size() - 8)), HasSubstr("in a file of 12"));
  EXPECT_THAT(error(whole.substr(0, whole.size() - 4) + "PARE"), HasSubstr("is encrypted"));
  std::string changed = whole;
  changed[whole.find("naïve") + 1] ^= 1;
  EXPECT_THAT(error(changed), HasSubstr("column 'text': a page's checksum is wrong"));
}

// Bytes of files without checksums set to other values: rows or an Error, and never more than that.
TEST(ParquetRows, NoByteCanDoHarm) {
  TempDir dir;
  for (const char* name :
       {"nested_v1.parquet", "nested_v2.parquet", "delta_byte_array_v2.parquet", "groups.parquet"}) {
    const std::string whole = read_file(golden(name));
    for (size_t i = 0; i < whole.size(); i += 1 + whole.size() / 400) {
      std::string changed = whole;
      changed[i] = static_cast<char>(i % 2 ? 0xff : changed[i] ^ 0x10);
      write_file(dir / "a.parquet", changed);
      try {
        ParquetRows rows(dir / "a.parquet");
        Json row;
        for (int n = 0; n < 1000 && rows.next(row); ++n) EXPECT_TRUE(row.is_object());
      } catch (const Error& e) {
        EXPECT_THAT(e.what(), HasSubstr(dir / "a.parquet"));
      }
    }
  }
}

}  // namespace
}  // namespace fathom
