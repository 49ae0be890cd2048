#include "pt2/object_writer.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "base/error.h"
#include "pt2/pickle_writer.h"
#include "pt2/zip_writer.h"

namespace slipway::pt2 {

namespace {

void add_global(PickleWriter& pickle, std::string_view whole) {
  const size_t dot = whole.rfind('.');
  pickle.add_global(whole.substr(0, dot), whole.substr(dot + 1));
}

void add_list(PickleWriter& pickle, std::vector<ByteSource> texts) {
  pickle.begin_list();
  for (ByteSource& text : texts) pickle.add_text(std::move(text));
  pickle.end_list();
}

}  // namespace

ByteSource write_opaque_object(std::string_view function, std::vector<ByteSource> texts) {
  PickleWriter pickle(4);
  add_global(pickle, function);
  pickle.begin_tuple();
  add_list(pickle, std::move(texts));
  pickle.end_tuple();
  pickle.call();
  return source_of(pickle.finish());
}

Result<ByteSource> write_custom_object(std::string_view type, std::vector<ByteSource> texts) {
  constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
  for (const ByteSource& text : texts) {
    if (text.size() <= kMost) continue;
    return unsupported("a text of {} bytes is past the 4 GiB that an object of TorchScript holds",
                       text.size());
  }
  PickleWriter pickle(2);
  add_global(pickle, type);
  pickle.begin_tuple();
  pickle.end_tuple();
  pickle.make_instance();
  // TorchScript keeps the type of a list beside it.
  add_global(pickle, "torch.jit._pickle.restore_type_tag");
  pickle.begin_tuple();
  add_list(pickle, std::move(texts));
  pickle.add_text(std::string("List[str]"));
  pickle.end_tuple();
  pickle.call();
  pickle.build();
  ZipWriter zip("archive");
  zip.add("data.pkl", source_of(pickle.finish()));
  zip.add("byteorder", "little");
  zip.add("version", "3\n");
  return std::move(zip).finish();
}

}  // namespace slipway::pt2
