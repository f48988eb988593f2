package dev.llama.cuda;

import com.sun.jna.Memory;
import dev.llama.BackendException;
import dev.llama.InvalidInputException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One device in use: its memory, and one stream, in which everything runs in the order in which it
 * was enqueued, from whatever thread. Thread-safe: every method takes the lock, and callers that
 * need several to be together take it themselves.
 */
final class Gpu implements AutoCloseable {
  private final Device device;
  private final ReentrantLock lock = new ReentrantLock();
  private final Memory out = new Memory(2 * Long.BYTES);
  private final long outAddress = Driver.address(out);
  private final Map<Long, Long> allocations = new HashMap<>(); // bytes by address
  private final Set<Long> graphs = new HashSet<>();
  private final long context;
  private long stream;
  private Kernels kernels;
  private Transfers transfers;
  private long scratch;
  private long scratchBytes;
  private int scratchGeneration;
  private long allocated;
  private long entries;
  private boolean planning;
  private boolean capturing;
  private boolean closed;

  /**
   * Opens a device.
   *
   * @param device which
   * @throws BackendException if the driver refuses
   */
  Gpu(Device device) {
    this.device = device;
    Driver.check(
        Cu.cuDevicePrimaryCtxRetain(outAddress, device.handle()), "cuDevicePrimaryCtxRetain");
    context = out.getLong(0);
    try {
      Driver.check(Cu.cuCtxSetCurrent(context), "cuCtxSetCurrent");
      Driver.check(Cu.cuStreamCreate(outAddress, Cu.STREAM_NON_BLOCKING), "cuStreamCreate");
      stream = out.getLong(0);
      kernels = new Kernels(KernelImages.find(device.capability()), device.sharedMemory());
      transfers = new Transfers(this);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  Device device() {
    return device;
  }

  /** Takes the lock, and makes the device this thread's. */
  void enter() {
    lock.lock();
    if (closed) {
      lock.unlock();
      throw new InvalidInputException("the backend is closed");
    }
    int status = Cu.cuCtxSetCurrent(context);
    if (status != Cu.SUCCESS) {
      lock.unlock();
      throw Driver.failure(status, "cuCtxSetCurrent");
    }
    entries++;
  }

  /** How often somebody has entered: what is known of device memory may be void after each time. */
  long entries() {
    return entries;
  }

  /** Gives the lock back. */
  void exit() {
    lock.unlock();
  }

  boolean isClosed() {
    return closed;
  }

  long stream() {
    return stream;
  }

  Transfers transfers() {
    return transfers;
  }

  /** Address of host memory for a result of a driver call; for who has entered. */
  long outAddress() {
    return outAddress;
  }

  /** The result that a driver call left at {@link #outAddress()}. */
  long out() {
    return out.getLong(0);
  }

  // ---- Memory ----

  /**
   * Takes memory; what it holds is undefined.
   *
   * @param bytes at least 1
   * @param what for messages
   * @return its address
   * @throws BackendException if there is not enough
   */
  long allocate(long bytes, String what) {
    enter();
    try {
      if (bytes > device.memory()) {
        throw outOfMemory(bytes, what);
      }
      int status = Cu.cuMemAlloc(outAddress, bytes);
      if (status == Cu.OUT_OF_MEMORY) {
        throw outOfMemory(bytes, what);
      }
      Driver.check(status, "cuMemAlloc", bytes);
      long address = out();
      allocations.put(address, bytes);
      allocated += bytes;
      return address;
    } finally {
      exit();
    }
  }

  /** Takes memory filled with zeros. */
  long allocateZeros(long bytes, String what) {
    enter();
    try {
      long address = allocate(bytes, what);
      try {
        clear(address, bytes);
      } catch (RuntimeException e) {
        free(address);
        throw e;
      }
      return address;
    } finally {
      exit();
    }
  }

  private BackendException outOfMemory(long bytes, String what) {
    Driver.check(Cu.cuMemGetInfo(outAddress, outAddress + Long.BYTES), "cuMemGetInfo");
    return new BackendException(
        "out of memory on "
            + device
            + ": "
            + what
            + " needs "
            + bytes
            + " bytes, "
            + out.getLong(0)
            + " of "
            + out.getLong(Long.BYTES)
            + " are free ("
            + allocated
            + " are in use by this backend); close sessions or models, take a smaller context or"
            + " a smaller format, or run on the CPU");
  }

  /** Returns the free bytes of the device. */
  long freeMemory() {
    enter();
    try {
      Driver.check(Cu.cuMemGetInfo(outAddress, outAddress + Long.BYTES), "cuMemGetInfo");
      return out();
    } finally {
      exit();
    }
  }

  /** Gives memory back, after everything enqueued has run. Harmless when all is closed. */
  void free(long address) {
    lock.lock();
    try {
      Long bytes = allocations.remove(address);
      if (bytes != null) {
        allocated -= bytes;
        Driver.check(Cu.cuCtxSetCurrent(context), "cuCtxSetCurrent");
        int status = Cu.cuStreamSynchronize(stream);
        Driver.check(Cu.cuMemFree(address), "cuMemFree", bytes);
        Driver.check(status, "cuStreamSynchronize");
      }
    } finally {
      lock.unlock();
    }
  }

  /** Enqueues to fill memory with zeros. */
  void clear(long address, long bytes) {
    enter();
    try {
      Driver.check(Cu.cuMemsetD8Async(address, (byte) 0, bytes, stream), "cuMemsetD8Async", bytes);
    } finally {
      exit();
    }
  }

  /** Enqueues to copy from device memory to device memory. */
  void copy(long destination, long source, long bytes) {
    enter();
    try {
      Driver.check(
          Cu.cuMemcpyDtoDAsync(destination, source, bytes, stream), "cuMemcpyDtoDAsync", bytes);
    } finally {
      exit();
    }
  }

  /**
   * Work space for the operation that the caller is about to enqueue; the next one may overwrite
   * it. For who has entered.
   *
   * @param bytes how much
   * @return its address
   */
  long scratch(long bytes) {
    if (bytes > scratchBytes) {
      if (capturing) {
        throw new IllegalStateException("work space would grow during a capture");
      }
      long wanted = Math.max(bytes, Math.min(2 * scratchBytes, bytes + (64L << 20)));
      long old = scratch;
      scratch = 0;
      scratchBytes = 0;
      scratchGeneration++;
      if (old != 0) {
        free(old);
      }
      scratch = allocate(wanted, "work space");
      scratchBytes = wanted;
    }
    return scratch;
  }

  /** Changes whenever the work space moves: graphs that use it are then void. */
  int scratchGeneration() {
    return scratchGeneration;
  }

  // ---- Running ----

  /**
   * Enqueues a kernel. For who has entered.
   *
   * @param name of the kernel
   * @param grid blocks and threads
   * @param arguments in the kernel's order: a {@link CudaTensor} or null for a pointer, a Long for
   *     a pointer or a {@code long long}, an Integer, a Float
   */
  void launch(String name, Grid grid, Object... arguments) {
    long function = kernels.function(name, grid.sharedBytes());
    if (!planning) {
      kernels.launch(function, name, stream, grid, arguments);
    }
  }

  boolean isCapturing() {
    return capturing;
  }

  /** Whether what is called now is only to say what work space it will need. */
  boolean isPlanning() {
    return planning;
  }

  /**
   * Turns operations into a graph that can be run. They are called twice: to find the work space
   * that they need, and to be captured. For who has entered.
   *
   * @param body calls operations
   * @return handle of the executable graph
   */
  long capture(Runnable body) {
    planning = true;
    try {
      body.run();
    } finally {
      planning = false;
      entries++; // What was planned has not run.
    }
    Driver.check(Cu.cuStreamBeginCapture(stream, Cu.CAPTURE_MODE_RELAXED), "cuStreamBeginCapture");
    capturing = true;
    boolean whole = false;
    try {
      body.run();
      whole = true;
    } finally {
      capturing = false;
      entries++; // What was captured has not run.
      int status = Cu.cuStreamEndCapture(stream, outAddress);
      if (!whole && status == Cu.SUCCESS) {
        Cu.cuGraphDestroy(out());
      } else if (whole) {
        Driver.check(status, "cuStreamEndCapture");
      }
    }
    long graph = out();
    try {
      Driver.check(
          Cu.cuGraphInstantiateWithFlags(outAddress, graph, 0), "cuGraphInstantiateWithFlags");
      long executable = out();
      graphs.add(executable);
      return executable;
    } finally {
      Driver.check(Cu.cuGraphDestroy(graph), "cuGraphDestroy");
    }
  }

  /** Enqueues a graph. For who has entered. */
  void launchGraph(long executable) {
    Driver.check(Cu.cuGraphLaunch(executable, stream), "cuGraphLaunch");
  }

  /** Gives a graph back. Harmless when all is closed. */
  void destroyGraph(long executable) {
    lock.lock();
    try {
      if (graphs.remove(executable)) {
        Driver.check(Cu.cuCtxSetCurrent(context), "cuCtxSetCurrent");
        Driver.check(Cu.cuGraphExecDestroy(executable), "cuGraphExecDestroy");
      }
    } finally {
      lock.unlock();
    }
  }

  /** Waits until everything enqueued so far has run. */
  void synchronize() {
    enter();
    try {
      Driver.check(Cu.cuStreamSynchronize(stream), "cuStreamSynchronize");
    } finally {
      exit();
    }
  }

  @Override
  public void close() {
    close(() -> {});
  }

  /**
   * Waits, and gives everything back. Idempotent. A failure of the device does not show here.
   *
   * @param others gives back what others have made on the device
   */
  void close(Runnable others) {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      Cu.cuCtxSetCurrent(context);
      if (stream != 0) {
        Cu.cuStreamSynchronize(stream);
      }
      others.run();
      if (transfers != null) {
        transfers.close();
      }
      graphs.forEach(Cu::cuGraphExecDestroy);
      graphs.clear();
      allocations.keySet().forEach(Cu::cuMemFree);
      allocations.clear();
      if (kernels != null) {
        kernels.close();
      }
      if (stream != 0) {
        Cu.cuStreamDestroy(stream);
      }
      Cu.cuCtxSetCurrent(0);
      Cu.cuDevicePrimaryCtxRelease(device.handle());
      out.close();
    } finally {
      lock.unlock();
    }
  }
}
