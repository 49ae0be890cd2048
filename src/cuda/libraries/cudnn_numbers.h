// Numbers of cudnn_graph.h: kinds of descriptors, their attributes, and values of those.
#pragma once

namespace slipway::cuda::dnn {

// Descriptors.
inline constexpr int kPointwise = 0;
inline constexpr int kConvolution = 1;
inline constexpr int kEngineConfig = 3;
inline constexpr int kHeuristics = 4;
inline constexpr int kPlan = 5;
inline constexpr int kConvolutionOperation = 10;
inline constexpr int kPointwiseOperation = 13;
inline constexpr int kOperationGraph = 15;
inline constexpr int kOperands = 16;
inline constexpr int kTensor = 17;
inline constexpr int kMatmul = 18;
inline constexpr int kMatmulOperation = 19;
inline constexpr int kReduction = 21;
inline constexpr int kReductionOperation = 22;

// Types of attributes' values.
inline constexpr int kHandleType = 0;
inline constexpr int kDataTypeType = 1;
inline constexpr int kBooleanType = 2;
inline constexpr int kInt64Type = 3;
inline constexpr int kFloatType = 4;
inline constexpr int kPointerType = 6;
inline constexpr int kConvolutionModeType = 7;
inline constexpr int kHeuristicsModeType = 8;
inline constexpr int kPointwiseModeType = 14;
inline constexpr int kDescriptorType = 15;
inline constexpr int kReductionModeType = 18;
inline constexpr int kCharType = 24;

// Attributes.
inline constexpr int kPointwiseMode = 0;
inline constexpr int kPointwisePrecision = 1;
inline constexpr int kConvolutionPrecision = 100;
inline constexpr int kConvolutionMode = 101;
inline constexpr int kConvolutionDilations = 102;
inline constexpr int kConvolutionStrides = 103;
inline constexpr int kConvolutionPadsBehind = 104;
inline constexpr int kConvolutionPadsBefore = 105;
inline constexpr int kConvolutionDimensions = 106;
inline constexpr int kHeuristicsMode = 200;
inline constexpr int kHeuristicsGraph = 201;
inline constexpr int kHeuristicsResults = 202;
inline constexpr int kPlanHandle = 400;
inline constexpr int kPlanEngineConfig = 401;
inline constexpr int kPlanWorkspace = 402;
inline constexpr int kPlanText = 405;
inline constexpr int kConvolutionAlpha = 700;
inline constexpr int kConvolutionBeta = 701;
inline constexpr int kConvolutionHow = 702;
inline constexpr int kConvolutionW = 703;
inline constexpr int kConvolutionX = 704;
inline constexpr int kConvolutionY = 705;
inline constexpr int kPointwiseHow = 750;
inline constexpr int kPointwiseX = 751;
inline constexpr int kPointwiseB = 752;
inline constexpr int kPointwiseY = 753;
inline constexpr int kGraphHandle = 800;
inline constexpr int kGraphOperations = 801;
inline constexpr int kTensorAlignment = 900;
inline constexpr int kTensorType = 901;
inline constexpr int kTensorSizes = 902;
inline constexpr int kTensorStrides = 903;
inline constexpr int kTensorId = 906;
inline constexpr int kTensorIsVirtual = 907;
inline constexpr int kTensorIsByValue = 908;
inline constexpr int kOperandIds = 1000;
inline constexpr int kOperandPointers = 1001;
inline constexpr int kOperandWorkspace = 1003;
inline constexpr int kMatmulPrecision = 1500;
inline constexpr int kMatmulA = 1520;
inline constexpr int kMatmulB = 1521;
inline constexpr int kMatmulC = 1522;
inline constexpr int kMatmulHow = 1523;
inline constexpr int kReductionMode = 1600;
inline constexpr int kReductionPrecision = 1601;
inline constexpr int kReductionX = 1610;
inline constexpr int kReductionY = 1611;
inline constexpr int kReductionHow = 1612;

// Types of data.
inline constexpr int kFloat32 = 0;
inline constexpr int kFloat16 = 2;
inline constexpr int kBFloat16 = 9;

// Modes.
inline constexpr int kAdd = 0;
inline constexpr int kMultiply = 1;
inline constexpr int kDivide = 6;
inline constexpr int kSubtract = 9;
inline constexpr int kExponential = 13;
inline constexpr int kLogarithm = 15;
inline constexpr int kRelu = 100;
inline constexpr int kGelu = 104;
inline constexpr int kSum = 0;
inline constexpr int kHighest = 3;
inline constexpr int kCrossCorrelation = 1;
inline constexpr int kByHeuristics = 3;

// Errors.
inline constexpr int kNotSupported = 3000;  // and those of its thousand
inline constexpr int kInternal = 4000;
inline constexpr int kNoHostMemory = 4003;
inline constexpr int kNoDeviceMemory = 4004;
inline constexpr int kOtherVersion = 1003;

}  // namespace slipway::cuda::dnn
