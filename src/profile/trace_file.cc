#include "profile/trace_file.h"

#include <chrono>
#include <vector>

#include <flatbuffers/flatbuffers.h>
#include <nlohmann/json.hpp>

#include "profile/etdump_generated.h"

namespace slipway::profile {
namespace {

namespace fb = etdump;
using Json = nlohmann::ordered_json;
using std::chrono::nanoseconds;

// Of the two lines of a trace.
constexpr int kCalls = 1;
constexpr int kLayers = 2;

double microseconds_of(nanoseconds time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

Json event_of(const std::string& name, const char* category, int line, nanoseconds start,
              nanoseconds duration) {
  return {{"name", name},
          {"cat", category},
          {"ph", "X"},
          {"ts", microseconds_of(start)},
          {"dur", microseconds_of(duration)},
          {"pid", 1},
          {"tid", line}};
}

Json name_of_line(int line, const char* name) {
  return {
      {"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", line}, {"args", {{"name", name}}}};
}

bool is_engine(const std::string& instruction) { return instruction.starts_with("engine "); }

flatbuffers::Offset<fb::Event> profile_event(flatbuffers::FlatBufferBuilder& builder,
                                             const std::string& name, int instruction,
                                             nanoseconds start, nanoseconds duration,
                                             const ProfiledLayer* layer = nullptr) {
  const auto text = builder.CreateString(name);
  flatbuffers::Offset<flatbuffers::String> id;
  flatbuffers::Offset<flatbuffers::Vector<uint8_t>> metadata;
  if (layer != nullptr) {
    id = builder.CreateString(layer->name);
    metadata = builder.CreateVector(reinterpret_cast<const uint8_t*>(layer->kind.data()),
                                    layer->kind.size());
  }
  fb::ProfileEventBuilder event(builder);
  event.add_name(text);
  event.add_chain_index(instruction < 0 ? -1 : 0);
  event.add_instruction_id(instruction);
  if (layer != nullptr) {
    event.add_delegate_debug_id_str(id);
    event.add_delegate_debug_metadata(metadata);
  }
  event.add_start_time(static_cast<uint64_t>(start.count()));
  event.add_end_time(static_cast<uint64_t>((start + duration).count()));
  const auto made = event.Finish();
  return fb::CreateEvent(builder, made);
}

}  // namespace

std::string chrome_trace(const std::vector<RunProfile>& runs, const Summary& summary) {
  Json events = {name_of_line(kCalls, "calls"), name_of_line(kLayers, "layers of engines")};
  nanoseconds base{0};
  for (const RunProfile& run : runs) {
    events.push_back(event_of(run.method, "run", kCalls, base, run.duration));
    for (const ProfiledCall& call : run.calls) {
      const ProfiledInstruction& instruction = (*run.instructions)[call.instruction];
      const nanoseconds start = base + call.start;
      Json event = event_of(instruction.name, is_engine(instruction.name) ? "engine" : "kernel",
                            kCalls, start, call.duration);
      event["args"] = {{"instruction", call.instruction}, {"origin", instruction.origin}};
      events.push_back(std::move(event));
      nanoseconds in_layers{0};
      for (const ProfiledLayer& layer : call.layers) {
        Json inner = event_of(layer.name, "layer", kLayers, start + in_layers, layer.duration);
        inner["args"] = {{"kind", layer.kind}, {"instruction", call.instruction}};
        events.push_back(std::move(inner));
        in_layers += layer.duration;
      }
      if (!call.layers.empty()) {
        events.push_back(event_of("rest of the call", "rest", kLayers, start + in_layers,
                                  call.duration - in_layers));
      }
    }
    base += run.duration;
  }
  const Json json = {
      {"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}, {"profile", to_json(summary)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::byte> etdump(const std::vector<RunProfile>& runs) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<fb::RunData>> blocks;
  nanoseconds base{0};
  for (const RunProfile& run : runs) {
    std::vector<flatbuffers::Offset<fb::Event>> events;
    for (const ProfiledCall& call : run.calls) {
      const std::string& name = (*run.instructions)[call.instruction].name;
      const auto instruction = static_cast<int>(call.instruction);
      const nanoseconds start = base + call.start;
      nanoseconds in_layers{0};
      for (const ProfiledLayer& layer : call.layers) {
        events.push_back(profile_event(builder, layer.name, instruction, start + in_layers,
                                       layer.duration, &layer));
        in_layers += layer.duration;
      }
      events.push_back(profile_event(builder, is_engine(name) ? "DELEGATE_CALL" : name, instruction,
                                     start, call.duration));
    }
    events.push_back(profile_event(builder, "Method::execute", -1, base, run.duration));
    const auto name = builder.CreateString("Execute");
    const auto all = builder.CreateVector(events);
    fb::RunDataBuilder block(builder);
    block.add_name(name);
    block.add_events(all);
    blocks.push_back(block.Finish());
    base += run.duration;
  }
  builder.FinishSizePrefixed(fb::CreateETDump(builder, /*version=*/0, builder.CreateVector(blocks)),
                             fb::ETDumpIdentifier());
  const auto* bytes = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return {bytes, bytes + builder.GetSize()};
}

}  // namespace slipway::profile
