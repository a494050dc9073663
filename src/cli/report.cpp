// fathom report RUN...: training runs as one HTML page.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/standard_streams.h"
#include "io/file.h"
#include "report/page.h"

namespace fathom {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string out = "report.html";
};

void run(const Options& options) {
  const ReportLimits limits = report_limits(options.runs.size());
  std::vector<RunFolder> runs;
  for (const std::string& path : options.runs) {
    const auto same = std::find_if(runs.begin(), runs.end(), [&](const auto& r) { return r.path == path; });
    check(same == runs.end(), "{}: is given twice", path);
    runs.push_back(read_run_folder(path, limits));
  }
  const std::string page = report_page(runs);
  write_file(options.out, page);
  print_output("{}: {} {}, {}\n", options.out, runs.size(), runs.size() == 1 ? "run" : "runs",
               human_bytes(static_cast<double>(page.size())));
}

}  // namespace

void add_report(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("report", "One HTML page of training runs: curves, load of the experts, recipes");
  command->add_option("runs", options->runs, "folders that fathom train writes (run.output)")->required();
  command->add_option("-o,--out", options->out, "the page to write")->capture_default_str();
  command->callback([options] { run(*options); });
}

}  // namespace fathom
