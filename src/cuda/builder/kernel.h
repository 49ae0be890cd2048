// The source text of one kernel while it is written.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/half.h"
#include "cuda/builder/value.h"
#include "cuda/format/engine_generated.h"

namespace slipway::cuda {

class Generator;

// Numbers below it, and their negatives, are computed with indices of 32 bits.
inline constexpr int64_t kShortEnd = 1 << 30;

// How the kernels have a type: half types are floats there, which have been rounded.
const char* c_type(DType dtype);
// And in memory.
const char* memory_type(DType dtype);
// Whether kernels compute it.
bool has_type(DType dtype);
std::string real_literal(double value, DType dtype);
std::string integer_literal(int64_t value, DType dtype);

// Of 64-bit integers, with what is known of them folded.
std::string plus(const std::string& a, const std::string& b);
std::string minus(const std::string& a, const std::string& b);
std::string times(const std::string& a, const std::string& b);

// One of several ways to compute the same. What writes a kernel in one says how many it knows, the
// best first, and is asked for each.
struct Alternative {
  uint32_t index = 0;
  uint32_t count = 1;
  std::string plan = {};    // for people
  std::string target = {};  // of the only image in which it can run, if any
};

class Kernel {
 public:
  static constexpr int kBlock = 256;

  struct Argument {
    bool is_number = false;
    uint32_t index = 0;
    bool operator==(const Argument&) const = default;
  };

  explicit Kernel(Generator& generator, Alternative alternative = {})
      : generator_(generator), alternative_(std::move(alternative)) {
    scopes_.emplace_back();
  }

  Generator& generator() { return generator_; }
  Alternative& alternative() { return alternative_; }
  const Alternative& alternative() const { return alternative_; }

  // ---- Statements.
  void line(std::string_view text);
  // "text {", and what is named within ends with it.
  void open(std::string_view text);
  void close();
  // A constant of the type; a name or a literal is given back as it is.
  std::string let(const char* type, const std::string& expression);
  std::string fresh(std::string_view prefix);
  // The value of the first choice whose condition holds, else of the last one, without condition.
  struct Choice {
    std::string condition;
    std::function<std::string()> value;
  };
  std::string choose(const char* type, const std::vector<Choice>& choices);

  // ---- What it reads and writes.
  std::string number(const ir::SymInt& value);
  std::string buffer(uint32_t index, DType dtype, bool writes);
  // An address of the flag with this text.
  std::string flag(const std::string& text);
  std::string read(const Value& value, const Indices& at);
  // A constant of the type, rounded to it, that is an element of the value.
  std::string element_of(const Value& value, const std::string& expression);
  // From now on, reads of the value there give the expression.
  void bind(const Value& value, const Indices& at, const std::string& expression);
  void store(const Value& value, const Indices& at, const std::string& expression);
  std::string load(uint32_t buffer, DType dtype, const std::string& place);
  void store(uint32_t buffer, DType dtype, const std::string& place, const std::string& expression);

  // A loop over `e`, from 0 on, of `count` elements, 8 at the most. What depends on a name that
  // follows e, and lies together, is loaded and stored in vectors (product_tiles.txt).
  void open_run();
  void follow(const std::string& name) { following_.insert(name); }
  void close_run();

  // ---- Places.
  Indices unravel(const std::string& place, const Sizes& sizes);
  // Of what is in memory: the place there, and the other way round.
  std::string place_of(const Value& value, const Indices& at);
  Indices unravel(const std::string& place, const Value& value);
  std::string ravel(const Indices& at, const Sizes& sizes);
  // An index that data gives, from -size on: sets a flag where it is out of range. `ok` is a name
  // that then says whether it is in range.
  std::string checked(const std::string& index, const ir::SymInt& size, std::string& ok);

  // ---- What it is for.
  // The value in memory that it writes; null where that is none of the graph's.
  void set_target(Value& value) { target_ = &value; }
  Value* target() const { return target_; }

  // ---- The launch.
  // A thread for each of `count`, whose number is given back; those beyond return.
  std::string thread_of(const ir::SymInt& count);
  void set_grid(const ir::SymInt& x, const ir::SymInt& y = 1, const ir::SymInt& z = 1);
  void set_block(int threads) { block_ = threads; }
  // Where sizes, buffers and values allow it, its indices have 32 bits.
  void use_short_indices() { has_short_indices_ = true; }
  // Its text calls s_wait_for_earlier(), before which it may read constants. Other kernels begin
  // with that. One that loads constants before it does not promise the compiler that what else it
  // reads never changes: that might be loaded before, too.
  void wait_itself(bool loads_before = false) {
    waits_itself_ = true;
    loads_before_ = loads_before;
  }
  // So many blocks that follow each other run at once, and see each other's shared memory.
  void set_cluster(int blocks) { cluster_ = blocks; }
  // So many are to fit into a processor, as their registers are concerned.
  void set_residents(int blocks) { residents_ = blocks; }
  // Of dynamic shared memory.
  void set_shared_bytes(uint32_t bytes) { shared_bytes_ = bytes; }
  // A library computes it: there is no kernel.
  using LibraryStep = std::variant<table::ProductT, table::LibraryGraphT>;
  void set_library_step(LibraryStep step) { library_step_ = std::move(step); }

  const Sizes& grid() const { return grid_; }
  int block() const { return block_; }
  uint32_t shared_bytes() const { return shared_bytes_; }
  const std::optional<LibraryStep>& library_step() const { return library_step_; }
  const std::vector<Argument>& arguments() const { return arguments_; }
  const std::vector<uint32_t>& reads() const { return reads_; }
  const std::vector<uint32_t>& writes() const { return writes_; }
  // What stands before its name, where that is not nothing; and what follows it:
  // "(const float* b0, ...) {...}".
  std::string attributes() const;
  std::string source() const;

 private:
  bool can_have_short_indices() const;
  bool follows(std::string_view expression) const;
  // What a run has for elements of the type in the buffer; nothing where they are not in vectors.
  std::string run_of(const char* what, uint32_t buffer, DType dtype, const std::string& place);
  const std::string* find(const std::string& key) const;
  void remember(const std::string& key, const std::string& text) { scopes_.back()[key] = text; }
  std::string argument(bool is_number, uint32_t index, const std::string& declaration,
                       std::string_view prefix);

  Generator& generator_;
  Alternative alternative_;
  std::string body_;
  int depth_ = 1;
  int names_ = 0;
  std::vector<std::unordered_map<std::string, std::string>> scopes_;
  std::vector<Argument> arguments_;
  std::vector<std::string> argument_names_;
  std::vector<std::string> types_;
  std::vector<uint32_t> reads_;
  std::vector<uint32_t> writes_;
  Sizes grid_ = {1, 1, 1};
  int block_ = kBlock;
  int cluster_ = 0;
  int residents_ = 1;
  uint32_t shared_bytes_ = 0;
  Value* target_ = nullptr;
  std::optional<LibraryStep> library_step_;
  size_t run_at_ = 0;  // in the body, of the run that is open
  std::string run_declarations_;
  std::string run_ends_;
  std::set<std::string, std::less<>> following_;  // names that depend on the run's element
  bool has_short_indices_ = false;
  bool waits_itself_ = false;
  bool loads_before_ = false;
};

}  // namespace slipway::cuda
