// Scripts and the manual, as the shells and man take them.
#include <fstream>
#include <string>
#include <vector>

#include "cli/command_table.h"
#include "cli/tool_test.h"

namespace slipway::cli {
namespace {

class Completion : public Tool {
 protected:
  // What bash would offer for the last of the words.
  std::string offered(const std::vector<std::string>& words) {
    std::string script = run({"completion", "bash"}).out;
    script += "COMP_WORDS=(";
    for (const std::string& word : words) script += fmt::format("'{}' ", word);
    script +=
        fmt::format(")\nCOMP_CWORD={}\n_slipway\nprintf '%s\\n' \"${{COMPREPLY[@]}}\" | sort\n",
                    words.size() - 1);
    std::ofstream(path("script")) << script;
    const std::string command =
        fmt::format("cd '{}' && bash '{}' > '{}'", path("."), path("script"), path("offered"));
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read_file(path("offered"));
  }
};

TEST_F(Completion, OffersCommandsOptionsAndValues) {
  EXPECT_EQ(offered({"slipway", "comp"}), "compile\ncompletion\n");
  EXPECT_EQ(offered({"slipway", "cache", "pr"}), "prune\n");
  EXPECT_EQ(offered({"slipway", "compile", "--require"}), "--require-full\n");
  EXPECT_EQ(offered({"slipway", "compile", "--check", "o"}), "off\noutside\n");
  EXPECT_EQ(offered({"slipway", "completion", "z"}), "zsh\n");
  // No options of other commands.
  EXPECT_EQ(offered({"slipway", "doctor", "--require"}), "\n");
}

TEST_F(Completion, OffersFiles) {
  std::ofstream(path("a file.npy")) << "";
  EXPECT_EQ(offered({"slipway", "run", "a"}), "a file.npy\n");
  EXPECT_EQ(offered({"slipway", "run", "--input", "a"}), "a file.npy\n");
}

TEST_F(Completion, HasAScriptForEveryShell) {
  for (const std::string& shell : shells()) {
    const Outcome outcome = run({"completion", shell});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.out, "require-full")) << shell;
  }
  EXPECT_TRUE(contains(run({"completion", "fish"}).out, "-l require-full"));
  EXPECT_TRUE(run({"completion", "zsh"}).out.starts_with("#compdef slipway\n"));
  const Outcome other = run({"completion", "tcsh"});
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(contains(other.err, "bash")) << other.err;
}

TEST_F(Completion, TheManualHasEveryCommandAndOption) {
  const Outcome outcome = run({"manual"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with(".TH SLIPWAY 1")) << outcome.out.substr(0, 80);
  for (const char* part : {".SH SLIPWAY compile\n", ".SH SLIPWAY cache prune\n",
                           "\\-\\-require\\-full", "Exit codes: 0 done"}) {
    EXPECT_TRUE(contains(outcome.out, part)) << part;
  }
}

// Nothing of a text is an instruction to what reads it.
TEST(CommandTable, TextsStayTexts) {
  CommandRow tool{"slipway", ".it's \\a", "\n.so x\n'y", {}, {}};
  tool.commands.push_back({"run", "it's", "", {{{"--a", "-b"}, "FILE", {}, "it's"}}, {}});
  const std::string page = manual_page(tool, "1");
  EXPECT_TRUE(contains(page, "slipway \\- \\&.it's \\ea\n")) << page;
  EXPECT_TRUE(contains(page, "\n\\&.so x\n\\&'y\n")) << page;
  EXPECT_TRUE(contains(completion_script(tool, "fish"), "-d 'it'\\''s'"));
  EXPECT_EQ(completion_script(tool, "csh"), "");
}

}  // namespace
}  // namespace slipway::cli
