// Finds the pitch of each frame of a sound with the CREPE model, and compares it with the truth.
//
//   pitch crepe_tiny.pte frames.npy true_f0_hz.npy
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "slipway/module.h"
#include "slipway/npy.h"

namespace {

constexpr int kBins = 360;

// CREPE's scale (Kim et al., "CREPE: A Convolutional Representation for Pitch Estimation", 2018,
// section 2.1): bin b is 20 * b cents above 1997.38 cents over 10 Hz.
double bin_to_hz(int bin) { return 10.0 * std::exp2((1997.3794084376191 + 20.0 * bin) / 1200.0); }

int fail(const slipway::Error& error) {
  std::fprintf(stderr, "pitch: %s\n", error.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: pitch MODEL.pte FRAMES.npy TRUE_HZ.npy\n");
    return 2;
  }
  auto module = slipway::Module::load(argv[1]);
  if (!module.ok()) return fail(module.error());
  auto method = module->method();
  if (!method.ok()) return fail(method.error());
  auto frames = slipway::read_npy(argv[2]);
  if (!frames.ok()) return fail(frames.error());
  auto truth = slipway::read_npy(argv[3]);
  if (!truth.ok()) return fail(truth.error());

  const slipway::Value inputs[] = {*frames};
  auto outputs = method->run(inputs);
  if (!outputs.ok()) return fail(outputs.error());
  const auto* activations =
      outputs->empty() ? nullptr : std::get_if<slipway::Tensor>(&outputs->front());
  if (activations == nullptr || truth->dtype() != slipway::DType::kFloat32 ||
      activations->dtype() != truth->dtype() || activations->numel() != truth->numel() * kBins) {
    std::fprintf(stderr, "pitch: the model's output does not fit the true pitches\n");
    return 1;
  }

  std::printf("frame   true Hz  found Hz   error in cents\n");
  double sum = 0;
  const int64_t count = truth->numel();
  for (int64_t frame = 0; frame < count; ++frame) {
    const float* row = activations->data_as<float>() + frame * kBins;
    const double found = bin_to_hz(static_cast<int>(std::max_element(row, row + kBins) - row));
    const double wanted = truth->data_as<float>()[frame];
    const double cents = 1200.0 * std::log2(found / wanted);
    sum += std::abs(cents);
    std::printf("%5lld  %8.2f  %8.2f  %+7.1f  %*s\n", static_cast<long long>(frame), wanted, found,
                cents, static_cast<int>(16.0 * std::log2(found / 100.0)), "*");
  }
  std::printf("mean error: %.2f cents over %lld frames\n", sum / static_cast<double>(count),
              static_cast<long long>(count));
  return 0;
}
