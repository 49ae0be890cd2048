// Runs the tool as its users do, for tests: in a folder of its own, which is removed afterwards.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace slipway::cli {

namespace fs = std::filesystem;

inline std::string data_path(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/" + name;
}

inline std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

class Tool : public testing::Test {
 protected:
  void SetUp() override { ::setenv("XDG_CACHE_HOME", path("cache").c_str(), 1); }

  // Arguments are passed to the shell as they are, each in single quotes.
  Outcome run(const std::vector<std::string>& arguments, const std::string& before = "") {
    std::string command = before + SLIPWAY_TOOL;
    for (const std::string& argument : arguments) command += fmt::format(" '{}'", argument);
    command += " > '" + path("stdout") + "' 2> '" + path("stderr") + "'";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(path("stdout")),
            read_file(path("stderr"))};
  }

  std::string path(const std::string& name) const { return folder_ / name; }

  std::string compile(const std::string& archive, const std::string& name = "model.pte",
                      const std::string& engine = "openvino") {
    const Outcome outcome =
        run({"compile", data_path(archive), "-o", path(name), "--engine", engine});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return path(name);
  }

  TestFolder folder_;
};

}  // namespace slipway::cli
