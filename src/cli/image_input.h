// Images as inputs of the command line: how they become the tensor that a method takes.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "slipway/result.h"
#include "slipway/value_info.h"

namespace slipway::cli {

// The options of it, each as it is written, or empty. They hold for all images of a command.
struct ImageOptions {
  std::string resize = {};  // "256": the shorter side; "240,320": height and width
  std::string crop = {};    // "224", or height and width
  std::string mean = {};    // one number, or one for each channel
  std::string std = {};

  void add_to(const Command& command);
  // The first that was given, such as "--mean"; empty without.
  std::string given() const;
};

// The files of a value "cat.jpg" or "cat.jpg,dog.png"; none of any other value.
std::vector<std::string> image_files(const std::string& value);

// The images as the input takes them: of [N, 3, H, W] or [3, H, W], [N, H, W, 3] or [H, W, 3], or
// grey with 1 for 3. Floats are divided by 255, mean is subtracted and the difference divided by
// std, as torchvision's ToTensor and Normalize do; uint8 stays.
Result<Tensor> read_images(const std::vector<std::string>& files, const ValueInfo& input,
                           const ImageOptions& options);

}  // namespace slipway::cli
