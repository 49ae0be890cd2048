#include "pt2/pickle_writer.h"

#include <limits>

#include "base/mapped_file.h"

namespace slipway::pt2 {

namespace {

std::string little_endian(uint64_t number, size_t bytes) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i));
  return text;
}

}  // namespace

PickleWriter::PickleWriter(int protocol) {
  add("\x80");
  add(little_endian(static_cast<uint64_t>(protocol), 1));
}

void PickleWriter::flush() {
  if (pending_.empty()) return;
  pieces_.add(own_bytes(std::exchange(pending_, {})));
}

void PickleWriter::add_none() { add("N"); }
void PickleWriter::add_flag(bool flag) { add(flag ? "\x88" : "\x89"); }

void PickleWriter::add_integer(int64_t number) {
  const bool is_small = number >= std::numeric_limits<int32_t>::min() &&
                        number <= std::numeric_limits<int32_t>::max();
  // A number of 32 bits, or one of as many bytes as it says.
  add(is_small ? "J" : "\x8a\x08");
  add(little_endian(static_cast<uint64_t>(number), is_small ? 4 : 8));
}

void PickleWriter::add_text(ByteSource text) {
  const bool is_long = text.size() > std::numeric_limits<uint32_t>::max();
  add(is_long ? "\x8d" : "X");
  add(little_endian(text.size(), is_long ? 8 : 4));
  flush();
  pieces_.add(std::move(text));
}

void PickleWriter::add_text(std::string text) {
  add("X");
  add(little_endian(text.size(), 4));
  add(text);
}

void PickleWriter::add_global(std::string_view module, std::string_view name) {
  add("c");
  add(module);
  add("\n");
  add(name);
  add("\n");
}

void PickleWriter::begin_list() { add("]("); }
void PickleWriter::end_list() { add("e"); }
void PickleWriter::begin_tuple() { add("("); }
void PickleWriter::end_tuple() { add("t"); }
void PickleWriter::begin_dictionary() { add("}("); }
void PickleWriter::end_dictionary() { add("u"); }
void PickleWriter::call() { add("R"); }
void PickleWriter::make_instance() { add("\x81"); }
void PickleWriter::build() { add("b"); }

PieceList PickleWriter::finish() {
  add(".");
  flush();
  return std::move(pieces_);
}

}  // namespace slipway::pt2
