// prepare, train and its export, killed or refused at every single call that changes files: the old content
// or the new is whole each time, nothing of the user's is lost, and the next run succeeds and leaves nothing
// over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/syscall.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "io/file.h"
#include "support/program.h"
#include "support/sanitized.h"
#include "support/traced_program.h"
#include "support/tree.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::Action;
using testing::can_trace;
using testing::FileCall;
using testing::names_of;
using testing::run_traced;
using testing::TracedRun;
using testing::Tree;
using testing::tree_of;
using Decision = std::function<Action(const FileCall&)>;

void copy_folder(const std::string& from, const std::string& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

const Decision undisturbed;

Decision kill_at(int index) {
  return
      [index](const FileCall& call) { return Action{call.index == index ? Action::kill : Action::proceed}; };
}

Decision fail_at(int index, int error) {
  return [=](const FileCall& call) {
    return Action{call.index == index ? Action::fail : Action::proceed, error};
  };
}

// As on a file system that knows no flags of renameat2.
Decision without_exchange(int kill_index) {
  return [=](const FileCall& call) {
    if (call.index == kill_index) return Action{Action::kill};
    if (call.number == SYS_renameat2 && call.arguments[4] != 0) return Action{Action::fail, EINVAL};
    return Action{};
  };
}

// In memory where there is some: syncing costs nothing there.
std::string fast_place() {
  std::error_code ignored;
  const auto space = fs::space("/dev/shm", ignored);
  return !ignored && space.available > (16 << 20) ? "/dev/shm" : fs::temp_directory_path().string();
}

class Kill : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::sanitized)
      GTEST_SKIP() << "the sanitizers' runtimes make calls of their own: ctest --preset cpu runs it";
    if (!can_trace())
      GTEST_SKIP() << "ptrace is not permitted here: ctest --preset cpu -R cli runs it where it is";
  }
  TempDir dir_{fast_place()};
};

// A data set that is prepared over another one, with a file and a folder of the user's beside it.
class KillPrepare : public Kill {
 protected:
  void SetUp() override {
    Kill::SetUp();
    if (IsSkipped()) return;
    write_text("first.jsonl", "the low sun");
    write_text("second.jsonl", "another moon");
    write_file(dir_ / "bad.jsonl", "{\"text\": 7}\n");
    ASSERT_EQ(
        run_traced({"prepare", dir_ / "first.jsonl", "--train-tokenizer", "262", "--out", dir_ / "tokenizer"},
                   undisturbed)
            .exit_code,
        0);
    ASSERT_EQ(prepare("second.jsonl", "data", undisturbed).exit_code, 0);
    new_ = tree_of(dir_ / "data");
    fs::remove_all(dir_ / "data");
    ASSERT_EQ(prepare("first.jsonl", "data", undisturbed).exit_code, 0);
    old_ = tree_of(dir_ / "data");
    ASSERT_NE(old_, new_);
    write_file(dir_ / "data/notes.txt", "mine");
    fs::create_directory(dir_ / "data/raw");
    write_file(dir_ / "data/raw/text", "mine");
    copy_folder(dir_ / "data", dir_ / "start");
  }
  void write_text(const std::string& name, const std::string& phrase) const {
    std::string lines;
    for (int i = 0; i < 40; ++i) lines += fmt::format("{{\"text\": \"{} {}\"}}\n", phrase, i);
    write_file(dir_ / name, lines);
  }
  TracedRun prepare(const std::string& text, const std::string& out, const Decision& decide) const {
    return run_traced({"prepare", dir_ / text, "--tokenizer", dir_ / "tokenizer", "--validation", "0.1",
                       "--threads", "1", "--out", dir_ / out},
                      decide);
  }
  TracedRun replace(const Decision& decide) const {
    copy_folder(dir_ / "start", dir_ / "data");
    return prepare("second.jsonl", "data", decide);
  }
  // The data set is the old one or the new one, whole, and the notes are there.
  void expect_whole() const {
    Tree now = tree_of(dir_ / "data");
    EXPECT_EQ(now["notes.txt"], "mine");
    for (const char* mine : {"notes.txt", "raw/", "raw/text"}) now.erase(mine);
    EXPECT_TRUE(now == old_ || now == new_) << "data holds " << names_of(now);
  }
  // The next run puts the new one in place, and nothing is left over.
  void expect_next_run_cleans_up() const {
    const TracedRun run = prepare("second.jsonl", "data", undisturbed);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    Tree expected = new_;
    expected.insert({{"notes.txt", "mine"}, {"raw/", ""}, {"raw/text", "mine"}});
    const Tree now = tree_of(dir_ / "data");
    EXPECT_TRUE(now == expected) << "data holds " << names_of(now);
    EXPECT_EQ(leftovers(), 0);
  }
  int64_t leftovers() const {
    const fs::directory_iterator entries(dir_.path());
    return std::count_if(begin(entries), end(entries),
                         [](const auto& entry) { return entry.path().filename().string().starts_with("."); });
  }

  Tree old_, new_;
};

TEST_F(KillPrepare, AtEveryCall) {
  const int calls = replace(kill_at(-1)).file_calls;
  ASSERT_GT(calls, 30);
  for (int n = 0; n < calls && !HasFailure(); ++n) {
    SCOPED_TRACE(fmt::format("killed at call {} of {}", n, calls));
    EXPECT_EQ(replace(kill_at(n)).exit_code, 128 + SIGKILL);
    expect_whole();
    expect_next_run_cleans_up();
  }
}

TEST_F(KillPrepare, AtEveryCallWhereNothingWasBefore) {
  fs::remove_all(dir_ / "data");
  const int calls = prepare("second.jsonl", "data", kill_at(-1)).file_calls;
  for (int n = 0; n < calls && !HasFailure(); ++n) {
    SCOPED_TRACE(fmt::format("killed at call {} of {}", n, calls));
    fs::remove_all(dir_ / "data");
    prepare("second.jsonl", "data", kill_at(n));
    const Tree now = tree_of(dir_ / "data");
    EXPECT_TRUE(now.empty() || now == new_) << "data holds " << names_of(now);
  }
  fs::remove_all(dir_ / "data");
  copy_folder(dir_ / "start", dir_ / "data");
  expect_next_run_cleans_up();
}

// Without the exchange of two folders the name may be free for a moment; the next run, even one that fails,
// puts the old content back.
TEST_F(KillPrepare, AtEveryCallWhereFoldersCannotBeExchanged) {
  const TracedRun whole = replace(without_exchange(-1));
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  expect_next_run_cleans_up();
  int first = 0;  // the calls before it are as with the exchange
  replace([&](const FileCall& call) {
    if (call.number == SYS_renameat2 && first == 0) first = call.index;
    return Action{};
  });
  for (int n = first; n < whole.file_calls && !HasFailure(); ++n) {
    SCOPED_TRACE(fmt::format("killed at call {} of {}", n, whole.file_calls));
    EXPECT_EQ(replace(without_exchange(n)).exit_code, 128 + SIGKILL);
    EXPECT_EQ(prepare("bad.jsonl", "data", without_exchange(-1)).exit_code, 1);
    expect_whole();
    expect_next_run_cleans_up();
  }
}

// With --resumable the same command goes on from the finished shards, and ends with the same bytes.
TEST_F(KillPrepare, WhatIsResumableGoesOn) {
  const auto resumable = [&](const std::string& shard_tokens, const Decision& decide) {
    return run_traced(
        {"prepare", dir_ / "second.jsonl", "--tokenizer", dir_ / "tokenizer", "--validation", "0.1",
         "--threads", "1", "--shard-tokens", shard_tokens, "--resumable", "--out", dir_ / "parts"},
        decide);
  };
  const int calls = resumable("150", kill_at(-1)).file_calls;
  const Tree whole = tree_of(dir_ / "parts");
  ASSERT_TRUE(whole.contains("train-00002.safetensors"));
  int gone_on = 0;
  for (int n = 1; n < calls && !HasFailure(); n += 4) {
    SCOPED_TRACE(fmt::format("killed at call {} of {}", n, calls));
    fs::remove_all(dir_ / "parts");
    EXPECT_EQ(resumable("150", kill_at(n)).exit_code, 128 + SIGKILL);
    const bool finished_one = fs::exists(dir_ / "parts.partial/train-00000.safetensors");
    if (finished_one) {
      const TracedRun other = resumable("151", undisturbed);
      EXPECT_EQ(other.exit_code, 1);
      EXPECT_THAT(other.err, ::testing::HasSubstr("made with another 'shard tokens'"));
    }
    const TracedRun again = resumable("150", undisturbed);
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(again.err.find("goes on after") != std::string::npos, finished_one) << again.err;
    gone_on += finished_one;
    EXPECT_TRUE(tree_of(dir_ / "parts") == whole);
    EXPECT_FALSE(fs::exists(dir_ / "parts.partial"));
    EXPECT_EQ(leftovers(), 0);
  }
  EXPECT_GT(gone_on, 3);
}

TEST_F(KillPrepare, WithAnErrorAtEveryCall) {
  const int calls = replace(kill_at(-1)).file_calls;
  for (int n = 0; n < calls && !HasFailure(); ++n) {
    const int error = n % 2 ? ENOSPC : EIO;
    SCOPED_TRACE(fmt::format("error {} at call {} of {}", error, n, calls));
    const TracedRun run = replace(fail_at(n, error));
    if (run.exit_code != 0) {
      EXPECT_EQ(run.exit_code, 1);
      EXPECT_TRUE(run.err.find("\nfathom: ") != std::string::npos || run.err.starts_with("fathom: "))
          << run.err;
    }
    expect_whole();
    if (leftovers() > 0) expect_next_run_cleans_up();
  }
}

// A run that continues from its first checkpoint, saves two more, removes those before the last, and replaces
// an exported model.
class KillTrain : public Kill {
 protected:
  void SetUp() override {
    Kill::SetUp();
    if (IsSkipped()) return;
    std::string lines;
    for (int i = 0; i < 40; ++i) lines += fmt::format("{{\"text\": \"the low sun {}\"}}\n", i);
    write_file(dir_ / "text.jsonl", lines);
    ASSERT_EQ(run_traced({"prepare", dir_ / "text.jsonl", "--train-tokenizer", "262", "--out", dir_ / "data"},
                         undisturbed)
                  .exit_code,
              0);
    const TracedRun first = train({"--run.stop_at", "1"}, undisturbed);
    ASSERT_EQ(first.exit_code, 0) << first.err;
    fs::create_directory(dir_ / "out/model");
    for (const char* name : {"config.json", "model.safetensors", "notes.txt"})
      write_file(dir_ / "out/model/" + name, "earlier");
    old_model_ = tree_of(dir_ / "out/model");
    copy_folder(dir_ / "out", dir_ / "start");
    // The same run, with all its checkpoints kept.
    const TracedRun whole = train({"--resume", "--checkpoint.keep", "9"}, undisturbed);
    ASSERT_EQ(whole.exit_code, 0) << whole.err;
    fs::rename(dir_ / "out", dir_ / "whole");
  }
  TracedRun train(std::vector<std::string> more, const Decision& decide) const {
    std::vector<std::string> arguments = {"train"};
    for (const auto& [key, value] : std::map<std::string, std::string>{{"model.vocab_size", "262"},
                                                                       {"model.hidden_size", "8"},
                                                                       {"model.num_hidden_layers", "1"},
                                                                       {"model.intermediate_size", "8"},
                                                                       {"model.num_attention_heads", "1"},
                                                                       {"model.kv_lora_rank", "4"},
                                                                       {"model.q_lora_rank", "4"},
                                                                       {"model.qk_nope_head_dim", "4"},
                                                                       {"model.qk_rope_head_dim", "4"},
                                                                       {"model.v_head_dim", "4"},
                                                                       {"model.n_routed_experts", "2"},
                                                                       {"model.n_shared_experts", "1"},
                                                                       {"model.num_experts_per_tok", "1"},
                                                                       {"model.moe_intermediate_size", "4"},
                                                                       {"model.first_k_dense_replace", "0"},
                                                                       {"data.train", dir_ / "data"},
                                                                       {"data.sequence_length", "8"},
                                                                       {"schedule.steps", "2"},
                                                                       {"run.output", dir_ / "out"},
                                                                       {"run.threads", "1"},
                                                                       {"checkpoint.every", "1"}}) {
      arguments.push_back("--" + key);
      arguments.push_back(value);
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_traced(arguments, decide);
  }
  TracedRun go_on(const Decision& decide) const {
    copy_folder(dir_ / "start", dir_ / "out");
    return train({"--resume", "--checkpoint.keep", "1"}, decide);
  }
  std::string step(const std::string& run, int n) const {
    return dir_ / fmt::format("{}/step-{:08}", run, n);
  }
  // trainer.json holds the recipe, and with it how many checkpoints are kept.
  static Tree checkpoint(const std::string& folder) {
    Tree tree = tree_of(folder);
    std::string& recipe = tree["trainer.json"];
    if (const size_t at = recipe.find("\"checkpoint.keep\""); at != std::string::npos)
      recipe.erase(at, recipe.find(',', at) - at);
    return tree;
  }
  Tree new_model() const { return tree_of(dir_ / "whole/model"); }
  // Every checkpoint is whole, one is there, and the model is the earlier one or the new one.
  void expect_whole() const {
    int found = 0;
    for (int n = 1; n <= 2; ++n) {
      if (!fs::exists(step("out", n))) continue;
      ++found;
      EXPECT_TRUE(checkpoint(step("out", n)) == checkpoint(step(n == 1 ? "start" : "whole", n)))
          << "checkpoint " << n << " holds " << names_of(tree_of(step("out", n)));
    }
    EXPECT_GE(found, 1);
    const Tree model = tree_of(dir_ / "out/model");
    EXPECT_TRUE(model == old_model_ || model == new_model()) << "the model holds " << names_of(model);
  }
  void expect_next_run_ends_the_same() const {
    const TracedRun run = train({"--resume", "--checkpoint.keep", "1"}, undisturbed);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    expect_whole();
    EXPECT_TRUE(fs::exists(step("out", 2)));
    EXPECT_TRUE(tree_of(dir_ / "out/model") == new_model());
    for (const auto& [name, content] : tree_of(dir_ / "out"))
      EXPECT_TRUE(!name.starts_with(".") && name.find(".tmp.") == std::string::npos) << name;
  }

  Tree old_model_;
};

TEST_F(KillTrain, AtEveryCall) {
  const TracedRun whole = go_on(kill_at(-1));
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  expect_next_run_ends_the_same();
  for (int n = 0; n < whole.file_calls && !HasFailure(); ++n) {
    SCOPED_TRACE(fmt::format("killed at call {} of {}", n, whole.file_calls));
    EXPECT_EQ(go_on(kill_at(n)).exit_code, 128 + SIGKILL);
    expect_whole();
    expect_next_run_ends_the_same();
  }
}

TEST_F(KillTrain, WithAnErrorAtEveryCall) {
  const int calls = go_on(kill_at(-1)).file_calls;
  for (int n = 0; n < calls && !HasFailure(); ++n) {
    const int error = n % 2 ? ENOSPC : EIO;
    SCOPED_TRACE(fmt::format("error {} at call {} of {}", error, n, calls));
    const TracedRun run = go_on(fail_at(n, error));
    EXPECT_TRUE(run.exit_code == 0 || (run.exit_code == 1 && run.err.find("fathom: ") != std::string::npos))
        << run.exit_code << run.err;
    expect_whole();
  }
  expect_next_run_ends_the_same();
}

}  // namespace
}  // namespace fathom
