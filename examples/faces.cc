// Says which crops of a picture are faces, with R-Net or O-Net of MTCNN.
//
//   faces mtcnn_onet.pte crops.npy
#include <cstdio>

#include "slipway/module.h"
#include "slipway/npy.h"

namespace {

int fail(const slipway::Error& error) {
  std::fprintf(stderr, "faces: %s\n", error.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: faces MODEL.pte CROPS.npy\n");
    return 2;
  }
  auto module = slipway::Module::load(argv[1]);
  if (!module.ok()) return fail(module.error());
  auto method = module->method();
  if (!method.ok()) return fail(method.error());
  auto crops = slipway::read_npy(argv[2]);
  if (!crops.ok()) return fail(crops.error());

  const slipway::Value inputs[] = {*crops};
  auto outputs = method->run(inputs);
  if (!outputs.ok()) return fail(outputs.error());
  // The last output is [crops, 2]: the probabilities of "no face" and "face".
  const auto* probabilities =
      outputs->empty() ? nullptr : std::get_if<slipway::Tensor>(&outputs->back());
  if (probabilities == nullptr || probabilities->dtype() != slipway::DType::kFloat32 ||
      probabilities->sizes().size() != 2 || probabilities->sizes()[1] != 2) {
    std::fprintf(stderr, "faces: the model's last output is not a pair of probabilities a crop\n");
    return 1;
  }
  for (int64_t crop = 0; crop < probabilities->sizes()[0]; ++crop) {
    const float face = probabilities->data_as<float>()[2 * crop + 1];
    std::printf("crop %lld: %-9s (%.4f)\n", static_cast<long long>(crop),
                face > 0.5F ? "face" : "not a face", face);
  }
  return 0;
}
