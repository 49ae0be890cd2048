// usage: compile_archive MODEL.pt2 MODEL.pte
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
}
