package dev.llama.cuda;

/**
 * The functions of the CUDA driver that are used here, under their own names; bound by {@link
 * DriverLibrary}, which must have loaded before any of them is called. Each returns a {@code
 * CUresult}. Handles, device addresses and addresses of host memory are longs; an argument named
 * {@code out…} is the address of host memory that receives the result. Nothing is checked here: see
 * {@link Driver}.
 */
final class Cu {
  static final int SUCCESS = 0;
  static final int INVALID_VALUE = 1;
  static final int OUT_OF_MEMORY = 2;

  /** CUdevice_attribute: number of multiprocessors. */
  static final int MULTIPROCESSOR_COUNT = 16;

  /** CUdevice_attribute: major part of the compute capability. */
  static final int COMPUTE_CAPABILITY_MAJOR = 75;

  /** CUdevice_attribute: minor part of the compute capability. */
  static final int COMPUTE_CAPABILITY_MINOR = 76;

  /** CUdevice_attribute: most dynamic shared memory that a block may ask for, in bytes. */
  static final int MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97;

  /** CUfunction_attribute: dynamic shared memory that launches may ask for. */
  static final int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;

  /** CUstream_flags: no implicit order with the default stream. */
  static final int STREAM_NON_BLOCKING = 1;

  /** CUstreamCaptureMode: what other threads do meanwhile is not restricted. */
  static final int CAPTURE_MODE_RELAXED = 2;

  /** CUevent_flags: no time is taken. */
  static final int EVENT_DISABLE_TIMING = 2;

  /** CUjit_option: address and size of the buffer for the compiler's errors. */
  static final int JIT_ERROR_LOG_BUFFER = 5;

  static final int JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6;

  /** Keys of the list {@code extra} of {@link #cuLaunchKernel}. */
  static final long LAUNCH_PARAM_END = 0;

  static final long LAUNCH_PARAM_BUFFER_POINTER = 1;
  static final long LAUNCH_PARAM_BUFFER_SIZE = 2;

  private Cu() {}

  static native int cuInit(int flags);

  static native int cuDriverGetVersion(long outVersion);

  static native int cuGetErrorName(int error, long outText);

  static native int cuGetErrorString(int error, long outText);

  static native int cuDeviceGetCount(long outCount);

  static native int cuDeviceGet(long outDevice, int ordinal);

  static native int cuDeviceGetName(long outName, int length, int device);

  static native int cuDeviceGetAttribute(long outValue, int attribute, int device);

  static native int cuDeviceTotalMem(long outBytes, int device);

  static native int cuDevicePrimaryCtxRetain(long outContext, int device);

  static native int cuDevicePrimaryCtxRelease(int device);

  static native int cuCtxSetCurrent(long context);

  static native int cuMemGetInfo(long outFree, long outTotal);

  static native int cuMemAlloc(long outAddress, long bytes);

  static native int cuMemFree(long address);

  static native int cuMemHostAlloc(long outAddress, long bytes, int flags);

  static native int cuMemFreeHost(long address);

  static native int cuMemcpyHtoDAsync(long destination, long source, long bytes, long stream);

  static native int cuMemcpyDtoHAsync(long destination, long source, long bytes, long stream);

  static native int cuMemcpyDtoDAsync(long destination, long source, long bytes, long stream);

  static native int cuMemsetD8Async(long destination, byte value, long bytes, long stream);

  static native int cuStreamCreate(long outStream, int flags);

  static native int cuStreamDestroy(long stream);

  static native int cuStreamSynchronize(long stream);

  static native int cuStreamBeginCapture(long stream, int mode);

  static native int cuStreamEndCapture(long stream, long outGraph);

  static native int cuGraphInstantiateWithFlags(long outGraphExec, long graph, long flags);

  static native int cuGraphLaunch(long graphExec, long stream);

  static native int cuGraphExecDestroy(long graphExec);

  static native int cuGraphDestroy(long graph);

  static native int cuEventCreate(long outEvent, int flags);

  static native int cuEventRecord(long event, long stream);

  static native int cuEventSynchronize(long event);

  static native int cuEventDestroy(long event);

  static native int cuModuleLoadDataEx(
      long outModule, long image, int options, long keys, long values);

  static native int cuModuleGetFunction(long outFunction, long module, long name);

  static native int cuModuleUnload(long module);

  static native int cuFuncSetAttribute(long function, int attribute, int value);

  static native int cuLaunchKernel(
      long function,
      int gridX,
      int gridY,
      int gridZ,
      int blockX,
      int blockY,
      int blockZ,
      int sharedBytes,
      long stream,
      long parameters,
      long extra);
}
