#include "stand_in/delegate/interpreter.h"

#include "base/error.h"
#include "base/try.h"
#include "stand_in/delegate/operators.h"

namespace slipway::stand_in {

Result<Interpreter> Interpreter::of(std::span<const std::byte> engine) {
  SLIPWAY_ASSIGN_OR_RETURN(Model model, read_engine(engine));
  for (const Step& step : model.steps) {
    if (!has_operator(step.op)) return invalid_file("there is no operator '{}'", step.op);
  }
  return Interpreter(std::move(model));
}

Result<std::vector<Tensor>> Interpreter::run(const std::vector<Tensor>& inputs) const {
  if (inputs.size() != model_.inputs.size()) {
    return invalid_argument("it has {} inputs, and {} are given", model_.inputs.size(),
                            inputs.size());
  }
  std::vector<Tensor> values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Input& expected = model_.inputs[i];
    if (inputs[i].dtype() != expected.dtype || inputs[i].sizes().size() != expected.rank) {
      return invalid_argument("input {} is {}, and has to be {} of rank {}", i,
                              format_type(inputs[i].dtype(), inputs[i].sizes()),
                              dtype_name(expected.dtype), expected.rank);
    }
    values.push_back(inputs[i]);
  }
  values.insert(values.end(), model_.constants.begin(), model_.constants.end());
  for (const Step& step : model_.steps) {
    std::vector<Tensor> operands;
    for (const uint64_t input : step.inputs) operands.push_back(values[input]);
    SLIPWAY_ASSIGN_OR_RETURN(Tensor result, run_step(step, operands));
    values.push_back(std::move(result));
  }
  std::vector<Tensor> outputs;
  for (const uint64_t output : model_.outputs) outputs.push_back(values[output]);
  return outputs;
}

}  // namespace slipway::stand_in
