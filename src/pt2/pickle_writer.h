// Pickles, as Python's and TorchScript's unpicklers read them, written as a list of pieces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/piece_writer.h"

namespace slipway::pt2 {

// Puts values on the unpickler's stack and joins them, in the order of the calls; finish() takes
// the one that is left. The caller sees to it that this order is one.
class PickleWriter {
 public:
  // 2, or 4 where there may be texts past 4 GiB.
  explicit PickleWriter(int protocol);

  void add_none();
  void add_flag(bool flag);
  void add_integer(int64_t number);
  void add_text(ByteSource text);  // in UTF-8
  void add_text(std::string text);
  // A class or function, by its module and its name.
  void add_global(std::string_view module, std::string_view name);

  // What stands between them becomes the items of a list, the items of a tuple, or the keys and
  // values of a dictionary.
  void begin_list();
  void end_list();
  void begin_tuple();
  void end_tuple();
  void begin_dictionary();
  void end_dictionary();

  // A function, and a tuple of its arguments, become what it gives.
  void call();
  // A class and a tuple of arguments become an instance.
  void make_instance();
  // An instance and its state become the instance that has the state.
  void build();

  // The pickle. Nothing may follow.
  PieceList finish();

 private:
  void add(std::string_view opcodes) { pending_ += opcodes; }
  void flush();

  std::string pending_;
  PieceList pieces_;
};

}  // namespace slipway::pt2
