// Any bytes as a model's answer, as the judge's report, and as what the kernel's files hold: read within
// bounds, and never a pass that is not whole.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sandbox/code_block.h"
#include "sandbox/judge_report.h"
#include "sandbox/stdio_judge.h"
#include "sandbox/tree_watch.h"

namespace {

using namespace fathom;

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* language : {"python", "cpp", "rust"}) {
    const auto block = code_block(text, language);
    if (block) must(block->code.size() <= text.size() + 1 && text.find_first_of("`~") != std::string::npos);
    const auto whole = code_block(text, language, true);
    must(!block || (whole && whole->code == block->code));
  }
  const JudgeReport report = parse_judge_report(text);
  must(report.passed >= 0 && report.passed <= report.total);
  must(!report.all_passed() || std::count(text.begin(), text.end(), '\n') >= report.total + 2);
  must(same_output(text, text + " \n\n"));
  parse_process_stat(text);
  sum_of_fields(text, {"Pss_Anon", "RssShmem"});
  return 0;
}
