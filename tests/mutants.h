// Mutated files for tests: what makes them, what runs them, and a count of how each ended. Each is
// used in a child process, so that one that crashes, hangs or takes too much memory is one more in
// the count.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>

#include "slipway/module.h"

namespace slipway::mutants {

using Random = std::mt19937_64;

// The same numbers at every call of a test, and of a mutant.
size_t count_wanted();

size_t below(Random& random, size_t limit);
// Puts odd values, copies of other places, and swaps into bytes [begin, end).
void mutate_bytes(std::string& text, size_t begin, size_t end, Random& random);
// Exchanges, doubles or removes a piece between the marks of JSON in [begin, end), or replaces a
// number or a word.
void mutate_json(std::string& text, size_t begin, size_t end, Random& random);
// The same, with spaces at the end of what became shorter; what would become longer stays as it is.
void mutate_json_in_place(std::string& text, size_t begin, size_t end, Random& random);

enum Outcome : uint8_t {
  kRefused,   // an error at load, or at compile
  kRunError,  // an error at run
  kEnded,     // an error, since the process of its own in which it ran has ended
  kNotRun,    // accepted; its inputs are too large to make here
  kRan,
  kRanSame,  // and gave what the original gives
  kSignal,
  kHang,     // past 10 seconds of processor time
  kMemory,   // past 64 MiB more than the original and the mutant's own size
  kBlamed,   // an internal error: damage is taken for a defect of Slipway's
  kOverrun,  // written to where the program has nothing
  kOutcomes
};

struct Use {
  Outcome outcome = kRefused;
  std::string results;  // what it gave, where it ran
};

// Runs each method on inputs that are the same at every call.
Use run_module(Result<Module> module);

struct Subject {
  std::string name;
  std::string original;
  std::function<std::string(Random&)> mutate;
  std::function<Use(const std::string&)> use;
  // What a mutant is, for whoever looks for the cause; from the same numbers as `mutate`.
  std::function<std::string(Random&)> describe = nullptr;
};

// Uses so many mutants; prints the counts, and fails the test for each that ended in another way
// than an error or an end. The original has to run.
void expect_no_crash(const Subject& subject, size_t count);

}  // namespace slipway::mutants
