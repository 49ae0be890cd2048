// usage: compile_archive MODEL.pt2 MODEL.pte
// Prints each method, and how many nodes its engines have.
#include <iostream>

#include <slipway/slipway.h>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto program = slipway::Program::load(argv[1]);
  if (!program.ok()) {
    std::cerr << program.error().message() << "\n";
    return 1;
  }
  auto artefact = slipway::compile(*program);
  if (!artefact.ok()) {
    std::cerr << artefact.error().message() << "\n";
    return 1;
  }
  auto saved = artefact->save(argv[2]);
  if (!saved.ok()) {
    std::cerr << saved.error().message() << "\n";
    return 1;
  }
  auto file = slipway::inspect(argv[2]);
  if (!file.ok()) {
    std::cerr << file.error().message() << "\n";
    return 1;
  }
  for (const slipway::MethodInfo& method : file->methods()) {
    size_t nodes = 0;
    for (const slipway::EngineInfo& engine : method.engines) nodes += engine.nodes.size();
    std::cout << method.name << ": " << nodes << " nodes on engines\n";
  }
}
