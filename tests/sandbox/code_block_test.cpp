// The program in a model's answer, however the model fences it.
#include "sandbox/code_block.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

std::string block(std::string_view answer, std::string_view language = "python") {
  const auto found = code_block(answer, language);
  return found ? found->code : "(none)";
}

TEST(CodeBlock, TheLastBlockOfTheLanguageCounts) {
  EXPECT_EQ(block("Text\n```python\na = 1\n```\nmore\n```python\nb = 2\n```\nend"), "b = 2\n");
  EXPECT_EQ(block("```python\na\n```\n```\noutput\n```\n```bash\nls\n```"), "a\n");
  EXPECT_EQ(block("```\na\n```\n```\nb\n```"), "b\n");
  EXPECT_EQ(block("```bash\nls\n```"), "(none)");
  EXPECT_EQ(block("```cpp\nint a;\n```\n```c++\nint b;\n```\n```python\nx\n```", "cpp"), "int b;\n");
  EXPECT_EQ(block("```rust\nfn\n```", "rust"), "fn\n");
}

TEST(CodeBlock, TheLanguageHasManyNames) {
  for (const char* name : {"python", "Python", "py", "python3", "python title=\"x\"", "{.python}", " python"})
    EXPECT_EQ(block(std::string("```") + name + "\na\n```\n"), "a\n") << name;
  EXPECT_EQ(block("```pythonic\na\n```\n"), "(none)");
}

TEST(CodeBlock, AnUnclosedBlockGoesToTheEnd) {
  const auto found = code_block("```python\na = 1\nb = 2", "python");
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->closed);
  EXPECT_EQ(found->code, "a = 1\nb = 2\n");
  EXPECT_TRUE(code_block("```python\na\n```", "python")->closed);
  EXPECT_EQ(block("```python"), "");
}

TEST(CodeBlock, WithoutOneTheWholeTextOnlyWhenAsked) {
  EXPECT_FALSE(code_block("def f(): pass", "python"));
  EXPECT_EQ(code_block("def f(): pass", "python", true)->code, "def f(): pass");
  EXPECT_FALSE(code_block("```bash\nls\n```", "python", true));
  EXPECT_FALSE(code_block("", "python"));
}

TEST(CodeBlock, FencesAreMarkdowns) {
  EXPECT_EQ(block("````python\ns = '''\n```\n'''\n````"), "s = '''\n```\n'''\n");
  EXPECT_EQ(block("~~~python\na\n```\nb\n~~~"), "a\n```\nb\n");
  EXPECT_EQ(block("``python\na\n``"), "(none)");
  EXPECT_EQ(block("use ```python inline``` here\n"), "(none)");
  EXPECT_EQ(block("```python inline``` here\n"), "(none)");
  EXPECT_EQ(block("```python\na\n```   \nb"), "a\n");
  EXPECT_EQ(block("```python\na\n``` not an end\nb\n```"), "a\n``` not an end\nb\n");
  EXPECT_EQ(block("```python\r\na = 1\r\n```\r\n"), "a = 1\r\n");
}

TEST(CodeBlock, IndentationOfTheFenceGoes) {
  EXPECT_EQ(block("1. Do:\n   ```python\n   def f():\n       return 1\n\n   ```\n"),
            "def f():\n    return 1\n\n");
  EXPECT_EQ(block("    ```python\n  a\n    b\n    ```"), "a\nb\n");
}

}  // namespace
}  // namespace fathom
