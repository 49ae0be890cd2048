// What descriptors of cuDNN's backend API are told: its numbers, and rules of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/stand_in_cudnn_graph.h"

namespace slipway::cuda::stand_in_dnn {

// Numbers of cudnn_graph.h: errors,
inline constexpr int kNotInitialized = 1001;
inline constexpr int kNullPointer = 2002;
inline constexpr int kMisalignedPointer = 2003;
inline constexpr int kNotFinalized = 2004;
inline constexpr int kWrongAttributeType = 2010;
inline constexpr int kWrongDescriptor = 2012;
inline constexpr int kExecutionFailed = 5000;
// kinds of descriptors that are no operations,
inline constexpr int kPointwiseHow = 0;
inline constexpr int kConvolutionHow = 1;
inline constexpr int kEngineConfig = 3;
inline constexpr int kHeuristics = 4;
inline constexpr int kPlan = 5;
inline constexpr int kGraph = 15;
inline constexpr int kPack = 16;
inline constexpr int kTensor = 17;
inline constexpr int kProductHow = 18;
inline constexpr int kReductionHow = 21;
// types of attributes,
inline constexpr int kHandle = 0;
inline constexpr int kDataType = 1;
inline constexpr int kFlag = 2;
inline constexpr int kInteger = 3;
inline constexpr int kSingle = 4;
inline constexpr int kDouble = 5;
inline constexpr int kPointer = 6;
inline constexpr int kConvolutionMode = 7;
inline constexpr int kHeuristicMode = 8;
inline constexpr int kPointwiseMode = 14;
inline constexpr int kDescriptor = 15;
inline constexpr int kReductionMode = 18;
inline constexpr int kCharacter = 24;
// and attributes.
enum Attribute {
  kModeOfPoints = 0,
  kPrecisionOfPoints = 1,
  kLowerClip = 3,
  kUpperClip = 4,
  kSlope = 5,
  kSwishBeta = 8,
  kAxis = 9,
  kPrecisionOfConvolution = 100,
  kModeOfConvolution = 101,
  kDilations = 102,
  kStrides = 103,
  kPadsBehind = 104,
  kPadsBefore = 105,
  kDimensions = 106,
  kModeOfHeuristics = 200,
  kGraphOfHeuristics = 201,
  kResults = 202,
  kHandleOfPlan = 400,
  kConfigOfPlan = 401,
  kWorkspaceOfPlan = 402,
  kTextOfPlan = 405,
  kAlpha = 700,
  kBeta = 701,
  kHowToConvolve = 702,
  kWOfConvolution = 703,
  kXOfConvolution = 704,
  kYOfConvolution = 705,
  kHowToPoint = 750,
  kXOfPoints = 751,
  kBOfPoints = 752,
  kYOfPoints = 753,
  kPredicateOfPoints = 758,
  kHandleOfGraph = 800,
  kOperationsOfGraph = 801,
  kAlignment = 900,
  kTypeOfTensor = 901,
  kSizes = 902,
  kStridesOfTensor = 903,
  kId = 906,
  kIsVirtual = 907,
  kIsByValue = 908,
  kIds = 1000,
  kPointers = 1001,
  kWorkspaceOfPack = 1003,
  kPrecisionOfProduct = 1500,
  kA = 1520,
  kB = 1521,
  kC = 1522,
  kHowToMultiply = 1523,
  kModeOfReduction = 1600,
  kPrecisionOfReduction = 1601,
  kXOfReduction = 1610,
  kYOfReduction = 1611,
  kHowToReduce = 1612,
};

// What a descriptor may and must be told, in one type of the attribute's.
struct Rule {
  int kind;
  int attribute;
  int type;
  int64_t least = 1;
  int64_t most = 1;
  bool is_required = true;
};
inline constexpr Rule kRules[] = {
    {kPointwiseHow, kModeOfPoints, kPointwiseMode},
    {kPointwiseHow, kPrecisionOfPoints, kDataType},
    {kPointwiseHow, kLowerClip, kDouble, 1, 1, false},
    {kPointwiseHow, kUpperClip, kDouble, 1, 1, false},
    {kPointwiseHow, kSlope, kDouble, 1, 1, false},
    {kPointwiseHow, kSwishBeta, kDouble, 1, 1, false},
    {kPointwiseHow, kAxis, kInteger, 1, 1, false},
    {kConvolutionHow, kPrecisionOfConvolution, kDataType},
    {kConvolutionHow, kModeOfConvolution, kConvolutionMode},
    {kConvolutionHow, kDimensions, kInteger},
    {kConvolutionHow, kDilations, kInteger, 2, 2},
    {kConvolutionHow, kStrides, kInteger, 2, 2},
    {kConvolutionHow, kPadsBehind, kInteger, 2, 2},
    {kConvolutionHow, kPadsBefore, kInteger, 2, 2},
    {kHeuristics, kModeOfHeuristics, kHeuristicMode},
    {kHeuristics, kGraphOfHeuristics, kDescriptor},
    {kPlan, kHandleOfPlan, kHandle},
    {kPlan, kConfigOfPlan, kDescriptor, 1, 1, false},
    {kPlan, kTextOfPlan, kCharacter, 1, int64_t{1} << 24, false},
    {kConvolve, kAlpha, kSingle, 1, 1, false},
    {kConvolve, kAlpha, kDouble, 1, 1, false},
    {kConvolve, kBeta, kSingle, 1, 1, false},
    {kConvolve, kBeta, kDouble, 1, 1, false},
    {kConvolve, kHowToConvolve, kDescriptor},
    {kConvolve, kXOfConvolution, kDescriptor},
    {kConvolve, kWOfConvolution, kDescriptor},
    {kConvolve, kYOfConvolution, kDescriptor},
    {kPointwise, kHowToPoint, kDescriptor},
    {kPointwise, kXOfPoints, kDescriptor},
    {kPointwise, kBOfPoints, kDescriptor, 1, 1, false},
    {kPointwise, kPredicateOfPoints, kDescriptor, 1, 1, false},
    {kPointwise, kYOfPoints, kDescriptor},
    {kGraph, kHandleOfGraph, kHandle},
    {kGraph, kOperationsOfGraph, kDescriptor, 1, 64},
    {kTensor, kAlignment, kInteger},
    {kTensor, kTypeOfTensor, kDataType},
    {kTensor, kSizes, kInteger, 1, 8},
    {kTensor, kStridesOfTensor, kInteger, 1, 8},
    {kTensor, kId, kInteger},
    {kTensor, kIsVirtual, kFlag, 1, 1, false},
    {kTensor, kIsByValue, kFlag, 1, 1, false},
    {kPack, kIds, kInteger, 1, 4096},
    {kPack, kPointers, kPointer, 1, 4096},
    {kPack, kWorkspaceOfPack, kPointer, 1, 1, false},
    {kProductHow, kPrecisionOfProduct, kDataType},
    {kMultiply, kHowToMultiply, kDescriptor},
    {kMultiply, kA, kDescriptor},
    {kMultiply, kB, kDescriptor},
    {kMultiply, kC, kDescriptor},
    {kReductionHow, kModeOfReduction, kReductionMode},
    {kReductionHow, kPrecisionOfReduction, kDataType},
    {kReduce, kHowToReduce, kDescriptor},
    {kReduce, kXOfReduction, kDescriptor},
    {kReduce, kYOfReduction, kDescriptor},
};

// The kind of descriptor that an attribute takes.
inline int kind_of(int attribute) {
  switch (attribute) {
    case kGraphOfHeuristics:
      return kGraph;
    case kConfigOfPlan:
      return kEngineConfig;
    case kHowToConvolve:
      return kConvolutionHow;
    case kHowToPoint:
      return kPointwiseHow;
    case kHowToMultiply:
      return kProductHow;
    case kHowToReduce:
      return kReductionHow;
    default:
      return kTensor;
  }
}
inline bool is_operation(int kind) {
  return kind == kConvolve || kind == kPointwise || kind == kMultiply || kind == kReduce;
}

inline size_t size_of(int type) {
  switch (type) {
    case kFlag:
    case kCharacter:
      return 1;
    case kHandle:
    case kInteger:
    case kDouble:
    case kPointer:
    case kDescriptor:
      return 8;
    default:
      return 4;
  }
}

}  // namespace slipway::cuda::stand_in_dnn
